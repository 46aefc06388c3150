"""A network that stands alone: its source in one file, and the proof that it loads elsewhere with equal logits."""

import importlib
import inspect
import pprint
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from search_spaces.core.errors import FitnasError
from search_spaces.core.space import Blueprint

_TOLERANCE = 1e-5
_PROBES = 4
_CHECK_SECONDS = 120

# runs in a clean interpreter; {network} are lines that leave the exported network in `net`, `folder` is where it lies
_CHECK = """\
import sys
folder, probe, logits = sys.argv[1:]
sys.path.insert(0, folder)
import torch
from safetensors.torch import load_file, save_file
{network}
net.eval()
with torch.no_grad():
    save_file({{"logits": net(load_file(probe)["probe"]).contiguous()}}, logits)
"""


def model_source(blueprint: Blueprint) -> str:
    """The source of the network's module, and this network's arguments; `network()` of it builds the network."""
    source = inspect.getsource(importlib.import_module(blueprint.module))
    arguments = pprint.pformat(blueprint.arguments, width=110, sort_dicts=False)
    return (
        f"{source.rstrip()}\n\n\n"
        f"ARGUMENTS = {arguments}\n\n\n"
        f"def network() -> {blueprint.factory}:\n"
        '    """The network with random weights; load model.safetensors into it."""\n'
        f"    return {blueprint.factory}(**ARGUMENTS)\n"
    )


def check(folder: Path, network: nn.Module, size: tuple[int, int, int], load: str) -> None:
    """Compares the logits of the exported folder, loaded in a clean interpreter, with those of `network`.

    `load` are lines that leave the exported network in `net`; `folder` is the folder's path there, the first place
    where modules are looked for. `FitnasError` where they fail or the logits differ by more than 1e-5 of the largest
    one, or of 1 where all are smaller: rounding grows with them.
    """
    probe = torch.randn(_PROBES, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(probe)
    with tempfile.TemporaryDirectory() as scratch:
        given, got = Path(scratch) / "probe.safetensors", Path(scratch) / "logits.safetensors"
        save_file({"probe": probe}, given)
        script = _CHECK.format(network=load.strip())
        command = [sys.executable, "-I", "-B", "-c", script, str(folder.resolve()), str(given), str(got)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False)
        if done.returncode != 0:
            raise FitnasError(f"the exported network does not load: {done.stderr.strip().splitlines()[-1:]}")
        difference = float((load_file(got)["logits"] - expected).abs().max() / expected.abs().max().clamp(min=1.0))
    if not difference <= _TOLERANCE:
        raise FitnasError(
            f"the exported network's logits differ by {difference:.2g} of the largest, more than {_TOLERANCE:g}"
        )
