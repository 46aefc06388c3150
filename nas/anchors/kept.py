"""The anchors of a run: their weights kept with it, and where its supernet starts."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.anchors.sources import Source, weights_in, without_weights
from nas.run import StoredRun
from search_spaces.core.errors import WrongUse
from search_spaces.core.space import SearchSpace
from search_spaces.stitching.routes import letter

if TYPE_CHECKING:
    from nas.training.data import Pictures

FIT_PICTURES = 100  # SN-Net fits its stitch layers on a batch of as many
ALONE = "anchors_alone.json"  # validation accuracy of each anchor before they are trained on together


def anchor_weights(space: SearchSpace[Any], sources: Sequence[Source], seed: int) -> list[bytes]:
    """A safetensors file of every anchor of the space, in order, for a search that splits its data by `seed`.

    None where the space stitches nothing. `NotFound` where weights are missing. `WrongUse` where an anchor was trained
    on pictures that this search validates with: its scores would flatter it.
    """
    from safetensors.torch import save

    if not space.names_trained:
        return []
    by_name = {source.anchor.name: source for source in sources}
    found = []
    for anchor in space.settings.anchors:
        source = by_name.get(anchor.name) or without_weights(anchor)
        if source.split_seed not in (None, seed):
            raise WrongUse(
                f"the anchor {anchor.name} was trained with --seed {source.split_seed}, this search splits the data "
                f"with {seed}, so that it has seen validation pictures; give --seed {source.split_seed}"
            )
        found.append(save({name: tensor.contiguous() for name, tensor in source.read().items()}))
    return found


def keep_anchors(run: StoredRun, weights: Sequence[bytes]) -> None:
    """Writes the files of all anchors into the run, which then needs nobody else."""
    for number, content in enumerate(weights):
        path = anchor_file(run, number)
        path.parent.mkdir(exist_ok=True)
        run.directory.write(path, content)


def anchor_file(run: StoredRun, number: int) -> Path:
    """Where the weights of an anchor lie: `checkpoints/anchors/A.safetensors` and so on."""
    return run.directory.checkpoints / "anchors" / f"{letter(number)}.safetensors"


def beginning(run: StoredRun, pictures: "Pictures") -> Callable[[Any], None] | None:
    """What gives a new supernet of the run the weights of its anchors, and writes down what each of them scores alone.

    None where the space stitches nothing.
    """
    space = run.parts.space
    if not space.names_trained:
        return None

    def begin(supernet: Any) -> None:
        import torch

        from nas.training.loop import prepare
        from nas.training.recalibrate import calibration_sample

        weights = [weights_in(anchor_file(run, n).read_bytes(), a.name) for n, a in enumerate(space.settings.anchors)]
        sample = torch.from_numpy(calibration_sample(pictures.train.images, run.config.seed, FIT_PICTURES))
        size = space.input_size(space.extremes()[0])[1:]
        supernet.start_from(weights, prepare(sample, size, pictures.mean, pictures.std))
        run.directory.write(run.path / ALONE, json.dumps(_alone(run, supernet, pictures), indent=2) + "\n")

    return begin


def _alone(run: StoredRun, supernet: Any, pictures: "Pictures") -> dict[str, float]:
    """Validation accuracy by route of the anchors whose classifier knows these classes."""
    from nas.evaluation.supernet import SupernetEvaluator
    from nas.training.checkpoint import to_arrays

    space: Any = run.parts.space
    scored = [
        space.member(letter(number))
        for number, anchor in enumerate(space.settings.anchors)
        if anchor.network["classes"] == space.settings.classes
    ]
    nothing = pictures.train.images[:0]  # no batch norm waits for statistics
    evaluator = SupernetEvaluator(
        space, to_arrays(supernet), nothing, *pictures.validation, pictures.mean, pictures.std
    )
    return {str(one.options["route"]): evaluator.evaluate(one)["top1"] for one in scored}
