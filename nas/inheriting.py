"""`--init-from`: the weights of a larger network, wherever they lie, by the names of our own networks."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nas import torchvision_door
from nas.assembly import published_members
from nas.member import network_of
from nas.run import StoredRun
from nas.storage.run_directory import RunDirectory
from search_spaces.core.errors import FitnasError, NotFound, WrongUse

_SUFFIX = ".safetensors"
_TIMM_SUFFIXES = ("", "_224", "_patch16_224")


def weights_to_inherit(source: str, root: Path) -> Mapping[str, Tensor]:
    """Weights by name of `RUN:ID`, an exported folder, or a safetensors file, such as a checkpoint of timm.

    A file of timm's names is one of a network that we publish too, whose tensors have an equal order there and here.
    `WrongUse` where it is none of these, `NotFound` where the source is missing.
    """
    path = Path(source)
    if path.is_dir():
        path = path / f"model{_SUFFIX}"
    elif not source.endswith(_SUFFIX):
        run, colon, pick = source.partition(":")
        if not (colon and pick):
            raise NotFound(f"--init-from {source} is neither RUN:ID, nor an exported folder, nor a {_SUFFIX} file")
        stored = StoredRun(RunDirectory.open(root, run))
        return network_of(stored, stored.pick(pick))[0].state_dict()
    if not path.is_file():
        raise NotFound(f"--init-from {source}: {path} does not exist")
    try:
        return _renamed(load_file(path), source)
    except (SafetensorError, OSError) as error:
        raise FitnasError(f"--init-from {source}: {path} is no whole safetensors file ({error})") from None


def _renamed(weights: Mapping[str, Tensor], source: str) -> Mapping[str, Tensor]:
    if "classifier.weight" in weights:
        return weights
    import torch

    timm = torchvision_door.import_behind("timm")
    for member_name, (_, member) in published_members().items():
        for name in (member_name + suffix for suffix in _TIMM_SUFFIXES if timm.is_model(member_name + suffix)):
            with torch.device("meta"):
                theirs = timm.create_model(name, num_classes=1000).state_dict()
            if theirs.keys() == weights.keys() and all(_alike(theirs[key], weights[key]) for key in theirs):
                with torch.device("meta"):
                    own = member.blueprint().build().state_dict()
                pairs = zip(own, theirs, strict=True)
                return {ours: weights[key].reshape(_shape(own[ours], weights[key])) for ours, key in pairs}
    raise WrongUse(
        f"--init-from {source}: its {len(weights)} tensors are those of no published network; known: "
        f"{', '.join(published_members())}"
    )


def _alike(expected: Tensor, found: Tensor) -> bool:
    """Equal shapes, but for the number of classes."""
    return expected.shape == found.shape or (expected.shape[:1] == (1000,) and expected.shape[1:] == found.shape[1:])


def _shape(own: Tensor, found: Tensor) -> tuple[int, ...]:
    """Ours, which may lack the last two axes of a 1x1 convolution, with the classes that were found."""
    return tuple(found.shape[: own.ndim])
