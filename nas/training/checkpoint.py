"""Checkpoints as safetensors: whole or absent, checked when read, with the previous one kept.

A file holds tensors under dotted names (`model.`, `optimizer.`, `ema.`) and, in its header, a JSON document: what
training it belongs to (`identity`), where that stands (`progress`) and a checksum over the tensors. No pickle.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.dlpack import from_dlpack

from nas.storage.files import os_errors_explained, write_atomically
from search_spaces.core.errors import FitnasError, NotFound

_HEADER = "fitnas"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: `tensors` by dotted name, the training it belongs to, and its progress (plain JSON values)."""

    tensors: Mapping[str, Tensor]
    identity: Mapping[str, Any] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start with `prefix` and a dot, without that prefix."""
        return {name[len(prefix) + 1 :]: value for name, value in self.tensors.items() if name.startswith(f"{prefix}.")}


def weights_file(network: nn.Module, metadata: Mapping[str, str] | None = None) -> bytes:
    """A network's parameters and buffers as the content of a safetensors file, whatever device and layout they have."""
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    return save(state, dict(metadata) if metadata else None)


def previous_path(path: Path) -> Path:
    """Where the checkpoint before the newest is kept."""
    return path.with_name(path.name + ".previous")


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes `path`, atomically and durably, and keeps the file it replaces under `previous_path`.

    `FitnasError` where it cannot be written, for example on a full disk; the old files then stand.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in checkpoint.tensors.items()}
    document = {"identity": checkpoint.identity, "progress": checkpoint.progress, "sha256": _checksum(tensors)}
    with os_errors_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    newest = path.with_name(path.name + ".newest")
    write_atomically(newest, save(tensors, {_HEADER: json.dumps(document, sort_keys=True)}))
    with os_errors_explained(path):
        if path.exists():
            path.replace(previous_path(path))
        newest.replace(path)


def load_checkpoint(path: Path, identity: Mapping[str, Any] | None = None) -> Checkpoint | None:
    """The newest whole checkpoint of `path`, or the previous one (with a warning in the log); None where none exists.

    With an `identity`, one of another training is refused. `FitnasError` says why each file there cannot serve.
    """
    reasons = []
    for candidate in (path, previous_path(path)):
        if candidate.exists():
            try:
                checkpoint = read_checkpoint(candidate)
                _check_identity(candidate, checkpoint, identity)
            except FitnasError as error:
                reasons.append(str(error))
                continue
            if reasons:
                _log.warning("%s; going on from the previous one", reasons[0])
            return checkpoint
    if reasons:
        raise FitnasError("; ".join(reasons) + f"; delete {path.parent} to start this training again")
    return None


def read_checkpoint(path: Path) -> Checkpoint:
    """One file, checked; `NotFound`, or `FitnasError` where it is cut short, damaged or not one of ours."""
    if not path.is_file():
        raise NotFound(f"{path} does not exist; check the name and the folder")
    try:
        with safe_open(path, "pt") as file:
            header = (file.metadata() or {}).get(_HEADER, "null")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        document = json.loads(header)
    except (SafetensorError, OSError, ValueError) as error:
        raise FitnasError(f"the checkpoint {path} is cut short or damaged ({error})") from error
    if not isinstance(document, dict) or not {"identity", "progress", "sha256"} <= document.keys():
        raise FitnasError(f"{path} is a safetensors file, but no checkpoint of this program")
    if document["sha256"] != _checksum(tensors):
        raise FitnasError(f"the checkpoint {path} is damaged: its checksum does not match its content")
    return Checkpoint(tensors, document["identity"], document["progress"])


def model_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The weights (`model.` part) of a checkpoint as arrays, the newest whole one as in `load_checkpoint`."""
    checkpoint = load_checkpoint(path)
    if checkpoint is None:
        raise NotFound(f"{path} does not exist: there is no finished training to take weights from")
    return {name: value.numpy() for name, value in checkpoint.part("model").items()}


def to_arrays(network: torch.nn.Module) -> dict[str, NDArray[Any]]:
    """The state of a network as contiguous arrays on the CPU, copied: free to share and to keep."""
    return {name: np.array(value.detach().cpu().numpy(), order="C") for name, value in network.state_dict().items()}


def from_arrays(network: torch.nn.Module, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Makes `network` use the memory of `arrays` itself, which may be read-only: then it must not be trained.

    `FitnasError` where names or shapes are not those of the network.
    """
    # Not torch.from_numpy: it warns of read-only memory.
    state = {name: from_dlpack(array) for name, array in arrays.items()}
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise FitnasError(f"these weights are of another network: {first}; train the supernet of this space") from error


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _check_identity(path: Path, checkpoint: Checkpoint, identity: Mapping[str, Any] | None) -> None:
    if identity is None:
        return
    wanted = json.loads(json.dumps(identity))
    keys = sorted(
        key for key in wanted.keys() | checkpoint.identity.keys() if wanted.get(key) != checkpoint.identity.get(key)
    )
    if keys:
        told = ", ".join(f"{key} {checkpoint.identity.get(key)} instead of {wanted.get(key)}" for key in keys)
        raise FitnasError(f"the checkpoint {path} belongs to another training ({told})")
