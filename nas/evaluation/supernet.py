"""Accuracy of a sub-network with the weights it inherits from a trained supernet."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.dlpack import from_dlpack

from nas.evaluation.per_patch import PerPatchScoring
from nas.evaluation.quantized import RANGE_PICTURES, QuantizedNetworks
from nas.training.checkpoint import from_arrays
from nas.training.data import resize
from nas.training.device import keep_freed_memory, torch_threads
from nas.training.loop import SCORE_BATCH, Size, prepare, score
from nas.training.recalibrate import even_parts, recalibrate
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.architecture import Architecture
from search_spaces.core.space import SearchSpace


class SupernetEvaluator:
    """Scores sub-networks on validation pictures, after batch-norm recalibration on fixed ones.

    A pure function of the architecture: whatever was evaluated before, in whichever process, the figures are the same
    (on one kind of machine, with equal `threads`). It holds NumPy arrays alone until the first evaluation and when it
    is pickled, so that processes can share them; none is ever written to, and all may be read-only.

    `weights`: the supernet's by name. `calibration`: uint8 (n, C, H, W), see `calibration_sample`. `images`, `labels`:
    the validation pictures uint8 (n, C, H, W) and their classes (n,). Pictures come at the space's largest resolution
    and are resized to each architecture's own. `mean`, `std`: per channel, as in training. `floats_too`: where
    architectures carry a quantization policy, their networks are scored without it as well. `per_patch`: networks are
    scored with bits of their own for each patch.
    """

    def __init__(
        self,
        space: SearchSpace[Any],
        weights: Mapping[str, NDArray[Any]],
        calibration: NDArray[np.uint8],
        images: NDArray[np.uint8],
        labels: NDArray[np.integer[Any]],
        mean: Sequence[float],
        std: Sequence[float],
        threads: int = 1,
        floats_too: bool = False,
        per_patch: PerPatchScoring | None = None,
    ) -> None:
        self.space, self.weights, self.threads = space, weights, threads
        self.floats_too, self.per_patch = floats_too, per_patch
        self.calibration, self.images, self.labels = calibration, images, labels
        self.mean, self.std = mean, std
        self._supernet: Any = None
        self._resized: dict[tuple[str, Size], Tensor] = {}
        self._quantized = QuantizedNetworks(space) if isinstance(space, WithQuantization) else None

    def __getstate__(self) -> dict[str, Any]:
        fresh = None if self._quantized is None else QuantizedNetworks(self._quantized.space)
        return {**self.__dict__, "_supernet": None, "_resized": {}, "_quantized": fresh}

    @torch.no_grad()
    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        """`top1` and `balanced_top1`, fractions in 0..1; a tie counts for the class of the lower number.

        Of an architecture with a quantization policy, or with bits by patch, `int8_top1` and `balanced_top1`, and
        `top1` in floats where that is asked for; with bits by patch also what they cost. `FitnasError` where the
        weights are not of this space's supernet, or without validation pictures.
        """
        keep_freed_memory()
        with torch_threads(self.threads):
            size = self.space.input_size(architecture)[1:]
            if self.per_patch is not None:
                return self._per_patch_scores(self.per_patch, architecture, size)
            if self._quantized is None:
                return self._scores(self._network(architecture, size), size, "top1")
            network = functools.cache(lambda: self._network(architecture, size))
            quantized = self._quantized.of(
                architecture,
                network,
                lambda: list(self._batches("calibration", size, RANGE_PICTURES)),
            )
            scores = self._scores(quantized.simulated(), size, "int8_top1")
            if self.floats_too:
                scores["top1"] = self._scores(network(), size, "top1")["top1"]
            return scores

    def prepared(self, architecture: Architecture, pictures: int) -> tuple[nn.Module, list[Tensor]]:
        """The network in floats, and so many of the calibration pictures as it reads them."""
        with torch_threads(self.threads), torch.no_grad():
            size = self.space.input_size(architecture)[1:]
            return self._network(architecture, size), list(self._batches("calibration", size, pictures))

    def _network(self, architecture: Architecture, size: Size) -> nn.Module:
        """A copy of the sub-network, its batch norms set anew."""
        network: nn.Module = self._shared().extract(architecture).to(memory_format=torch.channels_last)
        recalibrate(network, self._batches("calibration", size))
        return network

    def _scores(self, network: nn.Module, size: Size, column: str) -> dict[str, float]:
        return self._of_answers([network(batch) for batch in self._batches("images", size)], column)

    def _per_patch_scores(self, scoring: PerPatchScoring, architecture: Architecture, size: Size) -> dict[str, float]:
        network = self._network(architecture, size)
        logits, costs = scoring.answers(
            architecture,
            network,
            lambda: list(self._batches("calibration", size, RANGE_PICTURES)),
            lambda: list(self._batches("images", size)),
        )
        scores = {**self._of_answers(logits, "int8_top1"), **costs}
        if self.floats_too:
            scores["top1"] = self._scores(network, size, "top1")["top1"]
        return scores

    def _of_answers(self, logits: Sequence[Tensor], column: str) -> dict[str, float]:
        predicted = torch.cat(list(logits)).argmax(dim=1).numpy() if logits else np.zeros(0, np.int64)
        scores = score(predicted, self.labels, logits[0].shape[1] if logits else 1)
        return {column: scores.top1, "balanced_top1": scores.balanced_top1}

    def _shared(self) -> Any:
        if self._supernet is None:
            with torch.random.fork_rng(devices=[]):  # its first weights are thrown away
                self._supernet = self.space.supernet()
            from_arrays(self._supernet, self.weights)
        return self._supernet

    def _batches(self, name: str, size: Size, most: int | None = None) -> Iterator[Tensor]:
        """The first `most` pictures of one array at `size`, normalised; the resized bytes are kept for the next one."""
        key = (name, size)
        if key not in self._resized:
            whole = from_dlpack(getattr(self, name))
            parts = [resize(whole[part], size) for part in even_parts(len(whole), SCORE_BATCH)]
            self._resized[key] = torch.cat(parts) if parts else whole
        pictures = self._resized[key][:most]
        return (prepare(pictures[p], size, self.mean, self.std) for p in even_parts(len(pictures), SCORE_BATCH))
