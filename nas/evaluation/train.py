"""Accuracy of a network trained alone from random weights, in stages where a fidelity has several."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.core.fidelity import Fidelity
from nas.evaluation.per_patch import PerPatchScoring
from nas.evaluation.quantized import RANGE_PICTURES, QuantizedNetworks
from nas.execution.backend import Stage
from nas.storage.files import write_atomically
from nas.training.checkpoint import weights_file
from nas.training.data import Pictures
from nas.training.device import random_numbers, torch_threads
from nas.training.epochs import Augmentation
from nas.training.loop import batches, fit_in_stages, score
from nas.training.recalibrate import calibration_sample
from nas.training.recipes import fit_of
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.combinators.recipe import recipe_of
from search_spaces.core.architecture import Architecture
from search_spaces.core.space import SearchSpace


class TrainEvaluator:
    """Trains each architecture on the training pictures and scores it on the validation pictures.

    A pure function of the architecture: first weights, order of the pictures and augmentation follow from `seed` alone
    (on one kind of machine, with equal `threads`). Hyperparameters are those of the architecture's recipe where it has
    one. `fidelity` says how long; None: the recipe's own epochs. `keep`: a folder in which the weights of each
    architecture are left under its id, where that folder exists on the machine that evaluates. `per_patch`: networks
    are scored with bits of their own for each patch.
    """

    def __init__(
        self,
        space: SearchSpace[Any],
        pictures: Pictures,
        fidelity: Fidelity | None,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        accelerator: str = "auto",
        keep: Path | None = None,
        threads: int = 1,
        per_patch: PerPatchScoring | None = None,
    ) -> None:
        self.space, self.fidelity, self.augmentation, self.seed = space, fidelity, augmentation, seed
        self.pictures = replace(pictures, test=None)  # nobody who searches may look at it
        self.accelerator, self.keep, self.threads = accelerator, keep, threads
        self.per_patch = per_patch

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        """The figures after the last stage."""
        *_, last = self.stages(architecture)
        return dict(last.metrics)

    def stages(self, architecture: Architecture) -> Iterator[Stage]:
        """`top1`, `balanced_top1` (fractions in 0..1) and `epochs` after each rung, and the accuracy at each so far."""
        recipe = recipe_of(architecture)
        fidelity = self.fidelity or Fidelity((int(recipe["epochs"]),))
        with random_numbers(self.seed):
            network = self.space.build(architecture)
        so_far: dict[str, float] = {}
        for epochs, scores in fit_in_stages(
            network,
            self.pictures,
            fit_of(recipe, epochs=fidelity.epochs, vary=self.augmentation, scratch_rate=self.space.learning_rate),
            fidelity.rungs,
            size=self.space.input_size(architecture)[1:],
            seed=self.seed,
            accelerator=self.accelerator,
            threads=self.threads,
        ):
            if len(fidelity.rungs) > 1:
                so_far[fidelity.column(epochs)] = scores.top1
            self._keep(architecture, network)
            found = {"top1": scores.top1, "balanced_top1": scores.balanced_top1, "epochs": epochs}
            found |= self._under_policy(architecture, network)
            yield Stage({**found, **so_far}, last=epochs == fidelity.epochs)

    @torch.no_grad()
    def _under_policy(self, architecture: Architecture, network: nn.Module) -> dict[str, float]:
        """`int8_top1` where the architecture carries a quantization policy, or its patches have bits of their own."""
        networks = QuantizedNetworks(self.space) if isinstance(self.space, WithQuantization) else None
        if self.per_patch is None and networks is None:
            return {}
        pictures, size = self.pictures, self.space.input_size(architecture)[1:]
        trained = copy.deepcopy(network).cpu().eval()
        sample = calibration_sample(pictures.train.images, self.seed)[:RANGE_PICTURES]

        def prepared(images: NDArray[np.uint8]) -> list[Tensor]:
            return list(batches(images, size, pictures.mean, pictures.std))

        answers: Sequence[Tensor] = ()
        costs: dict[str, float] = {}
        with torch_threads(self.threads):
            if self.per_patch is not None:
                answers, costs = self.per_patch.answers(
                    architecture, trained, lambda: prepared(sample), lambda: prepared(pictures.validation.images)
                )
            elif networks is not None:
                simulated = networks.of(architecture, lambda: trained, lambda: prepared(sample)).simulated()
                answers = [simulated(batch) for batch in prepared(pictures.validation.images)]
        predicted = torch.cat(list(answers)).argmax(dim=1).numpy()
        return {"int8_top1": score(predicted, pictures.validation.labels, answers[0].shape[1]).top1, **costs}

    def _keep(self, architecture: Architecture, network: nn.Module) -> None:
        if self.keep is not None and self.keep.is_dir():
            write_atomically(self.keep / f"{architecture.id}.safetensors", weights_file(network))
