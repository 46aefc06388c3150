"""A few test pictures as the network reads them, and what it answered when exported: verification.safetensors."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from torch import Tensor, nn

from nas.core.trial import Trial
from nas.member import pictures_of
from nas.run import StoredRun
from nas.storage.files import write_atomically
from nas.training.data import Pictures
from nas.training.loop import prepare
from search_spaces.core.errors import FitnasError, NotFound

SAMPLES_FILE = "verification.safetensors"
_INPUTS, _OUTPUTS = "inputs", "outputs"
_KEPT = 8


def sample_inputs(pictures: Pictures, size: tuple[int, int]) -> Tensor:
    """The first test pictures (validation pictures where there is no test part), (n, C, H, W), as for training."""
    part = _kept_part(pictures)
    images = torch.from_numpy(np.array(part.images[:_KEPT]))
    return prepare(images, size, pictures.mean, pictures.std).contiguous()


def sample_labels(pictures: Pictures) -> list[int]:
    """The class of each of them."""
    return [int(label) for label in _kept_part(pictures).labels[:_KEPT]]


def _kept_part(pictures: Pictures) -> Any:
    return pictures.test if pictures.test is not None and len(pictures.test.images) else pictures.validation


def write_samples(folder: Path, inputs: NDArray[np.generic], outputs: NDArray[np.generic]) -> None:
    """Writes both, of equal length."""
    arrays = {_INPUTS: np.ascontiguousarray(inputs), _OUTPUTS: np.ascontiguousarray(outputs)}
    write_atomically(folder / SAMPLES_FILE, save(arrays))


def write_float_samples(run: StoredRun, trial: Trial, folder: Path, network: nn.Module) -> None:
    """For a network that reads and answers floats."""
    inputs = sample_inputs(pictures_of(run, include_test=True), run.parts.space.input_size(trial.architecture)[1:])
    with torch.no_grad():
        outputs = network(inputs)
    write_samples(folder, inputs.numpy(), outputs.numpy())


def read_samples(folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Inputs and outputs; `NotFound` where an export holds none, `FitnasError` where the file is damaged."""
    path = folder / SAMPLES_FILE
    if not path.is_file():
        raise NotFound(f"{path} is missing: export the network again, its test pictures prove what it answers")
    try:
        arrays = load_file(path)
        inputs, outputs = arrays[_INPUTS], arrays[_OUTPUTS]
    except (SafetensorError, KeyError, OSError) as error:
        raise FitnasError(f"{path} is damaged ({error}); export the network again") from None
    if not len(inputs) or len(inputs) != len(outputs):
        raise FitnasError(
            f"{path} is damaged: {len(inputs)} inputs and {len(outputs)} outputs; export the network again"
        )
    return inputs, outputs
