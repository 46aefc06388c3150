"""What `--set anchors=` names, resolved: networks and how their weights are read."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.assembly import restore_space
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError, NotFound, WrongUse
from search_spaces.core.space import Blueprint, SearchSpace
from search_spaces.stitching.anchors import Anchor, is_published, published_anchor
from search_spaces.stitching.families import family_of

if TYPE_CHECKING:
    from torch import Tensor

Weights = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Source:
    """An anchor and how its weights are read; `split_seed` where it was trained on the training part of a split."""

    anchor: Anchor
    read: Callable[[], Weights]
    split_seed: int | None = None


def resolve_anchors(text: str, root: Path) -> list[Source]:
    """What a comma-separated list names: `RUN:ID`, exported folders, names of timm, or of our published networks.

    The latter come without weights. `NotFound` and `WrongUse` where one is missing or cannot be stitched.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise WrongUse(f"--set anchors: {', '.join(twice)} is named twice; a network is not stitched to itself")
    return [_resolve(name, root) for name in names]


def resolved_options(
    space: type[SearchSpace[Any]], options: Mapping[str, str], root: Path
) -> tuple[dict[str, str], list[Source]]:
    """`options` with every setting that names trained networks as the space takes it, JSON of anchors; and these."""
    found, sources = dict(options), list[Source]()
    for key in space.names_trained:
        if key in found and not found[key].lstrip().startswith("["):
            named = resolve_anchors(found[key], root)
            found[key] = json.dumps([source.anchor.model_dump(mode="json") for source in named])
            sources += named
    return found, sources


def _resolve(name: str, root: Path) -> Source:
    if Path(name).is_dir():
        return _of_folder(Path(name))
    if ":" in name:
        return _of_run(name, root)
    if (root / name).is_dir():
        raise WrongUse(f"the anchor {name} is a run of many networks; name one of them: {name}:ID, {name}:best")
    if not is_published(name):
        from nas.anchors.timm import is_timm, timm_source  # loads timm, which takes seconds

        if is_timm(name):
            return Source(*timm_source(name))
    return without_weights(published_anchor(name))


def without_weights(anchor: Anchor) -> Source:
    """One that can be priced alone: to read its weights is `NotFound`."""

    def read() -> Weights:
        raise NotFound(
            f"the anchor {anchor.name} has no weights, only costs; give trained networks: "
            "--set anchors=RUN:ID,FOLDER/,TIMM_NAME"
        )

    return Source(anchor, read)


def _of_folder(folder: Path) -> Source:
    """An exported folder. Its `model.py` is not run: the network is described by `architecture.json`."""
    try:
        architecture = Architecture.from_json((folder / "architecture.json").read_text(encoding="utf-8"))
        manifest = folder / "manifest.json"
        seed = json.loads(manifest.read_text(encoding="utf-8")).get("seed") if manifest.is_file() else None
        content = (folder / "model.safetensors").read_bytes()
    except FileNotFoundError as error:
        raise NotFound(
            f"{folder} is no exported folder: {Path(error.filename).name} is missing; write one with nas export"
        ) from None
    except (ValueError, KeyError) as error:
        raise FitnasError(f"{folder} is damaged ({error}); export the network again") from None
    blueprint = restore_space(architecture).blueprint(architecture)
    anchor = _anchor(folder.name, blueprint, content)
    return Source(anchor, lambda: weights_in(content, str(folder)), seed)


def _of_run(name: str, root: Path) -> Source:
    from nas.member import network_of
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory
    from nas.training.checkpoint import weights_file

    run_name, _, pick = name.partition(":")
    run = StoredRun(RunDirectory.open(root, run_name))
    trial = run.pick(pick)
    network, _ = network_of(run, trial)
    content = weights_file(network)
    anchor = _anchor(f"{run_name}:{trial.architecture.id}", run.parts.space.blueprint(trial.architecture), content)
    return Source(anchor, lambda: weights_in(content, name), run.config.seed)


def _anchor(name: str, blueprint: Blueprint, content: bytes) -> Anchor:
    family_of(blueprint.factory, name)
    digest = hashlib.sha256(content).hexdigest()
    return Anchor(name=name, factory=blueprint.factory, network=blueprint.arguments, weights=digest)


def weights_in(content: bytes, name: str) -> Weights:
    """The tensors of a safetensors file's bytes; `FitnasError`, naming whose they are, where it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except SafetensorError as error:
        raise FitnasError(f"the weights of {name} are damaged ({error}); train or export it again") from None
