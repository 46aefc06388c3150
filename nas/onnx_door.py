"""The one door to ONNX: networks as ONNX files, and onnxruntime to run them. Extra `onnx`.

A network that is shipped takes any number of pictures: torch's exporter on top of torch.export converts it, in ten
seconds to a minute. A network that is only timed has a fixed batch: torch's older exporter converts it ten times
faster, but would freeze the batch of every network with a class token. onnxruntime runs both files equally fast: of ten
networks of five spaces no pair differed by more than repeats of one file.
"""

import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from search_spaces.core.errors import FitnasError, WrongUse

if TYPE_CHECKING:
    import onnxruntime

FILE_NAME = "model.onnx"
INPUT, OUTPUT = "pictures", "logits"
TOLERANCE = 1e-4  # of the largest logit, or of 1: the kernels add in another order
_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_PROBES = (1, 3)  # pictures at once
_FIXED_OPSET = 17  # of 2022, so that the converters of boards know its operators


def require(who: str) -> None:
    """`WrongUse` where a package is missing; `who` needs it, such as `--to onnx`."""
    missing = [package for package in _PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise WrongUse(f"{who} needs the packages {', '.join(missing)}; type: pip install 'fitnas[onnx]'")


def onnx_file(network: nn.Module, size: tuple[int, int, int]) -> bytes:
    """The content of a .onnx file that holds a network in eval mode, float32, for pictures `(n, *size)` of any n.

    Nothing of the machine that wrote it is in it: the exporter's notes name source files.
    """
    require("ONNX")
    example = (torch.zeros(2, *size),)
    with _quiet(), torch.no_grad():
        # by itself the exporter would rather freeze the batch than fail
        traced = torch.export.export(network, example, dynamic_shapes=({0: torch.export.Dim("batch")},))
        program = torch.onnx.export(traced, dynamo=True, verbose=False, input_names=[INPUT], output_names=[OUTPUT])
    if program is None:
        raise FitnasError("torch's ONNX exporter gave no network; install torch 2.13")
    return _content(program.model_proto)


def fixed_onnx_file(network: nn.Module, size: tuple[int, int, int], batch: int) -> bytes:
    """The same for exactly `batch` pictures, ten times faster: to time a network, or to run it on a board."""
    require("ONNX")
    import onnx

    file: Any = io.BytesIO()
    names: dict[str, Any] = {"input_names": [INPUT], "output_names": [OUTPUT], "opset_version": _FIXED_OPSET}
    with _quiet(), torch.no_grad():
        torch.onnx.export(network, (torch.zeros(batch, *size),), file, dynamo=False, **names)
    return _content(onnx.load_model_from_string(file.getvalue()))


def _content(model: Any) -> bytes:
    import onnx

    _forget_where_it_was_made(model)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def session(content: bytes | Path, threads: int = 1) -> "onnxruntime.InferenceSession":
    """What runs a file's content, or a file, on the CPU; `FitnasError` where it is damaged."""
    require("ONNX")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    given = str(content) if isinstance(content, Path) else content
    try:
        return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime has an exception of its own for each status, with no common base
        if type(error).__module__.startswith("onnxruntime"):
            raise FitnasError(f"onnxruntime cannot load the network: {error}") from None
        raise


class OnnxNetwork(nn.Module):
    """A .onnx file as a network: pictures `(n, channels, height, width)` in, logits out, computed by onnxruntime."""

    def __init__(self, content: bytes | Path) -> None:
        super().__init__()
        self._session = session(content)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits `(n, classes)`."""
        [logits] = self._session.run([OUTPUT], {INPUT: pictures.numpy()})
        return torch.from_numpy(logits)


def check(content: bytes | Path, network: nn.Module, size: tuple[int, int, int]) -> float:
    """The largest difference between the logits of a file and of `network`; `FitnasError` beyond `TOLERANCE`."""
    loaded, worst = OnnxNetwork(content), 0.0
    for seed, count in enumerate(_PROBES):
        probe = torch.randn(count, *size, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            expected = network(probe)
        difference = float((loaded(probe) - expected).abs().max())
        allowed = TOLERANCE * max(1.0, float(expected.abs().max()))
        if not difference <= allowed:
            raise FitnasError(f"the ONNX network's logits differ by {difference:.2g}, more than {allowed:.2g}")
        worst = max(worst, difference)
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own parts and of operators of packages that no network here needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _forget_where_it_was_made(model: Any) -> None:
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        del part.metadata_props[:]
        part.doc_string = ""
