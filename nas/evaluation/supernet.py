"""Accuracy of a sub-network with the weights it inherits from a trained supernet."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from nas.training.checkpoint import from_arrays
from nas.training.data import resize
from nas.training.device import keep_freed_memory, torch_threads
from nas.training.loop import SCORE_BATCH, Size, prepare, score
from nas.training.recalibrate import even_parts, recalibrate
from search_spaces.core.architecture import Architecture
from search_spaces.core.space import SearchSpace


class SupernetEvaluator:
    """Scores sub-networks on validation pictures, after batch-norm recalibration on fixed ones.

    A pure function of the architecture: whatever was evaluated before, in whichever process, the figures are the same
    (on one kind of machine, with equal `threads`). It holds NumPy arrays alone until the first evaluation and when it
    is pickled, so that processes can share them; none is ever written to, and all may be read-only.

    `weights`: the supernet's by name. `calibration`: uint8 (n, C, H, W), see `calibration_sample`. `images`, `labels`:
    the validation pictures uint8 (n, C, H, W) and their classes (n,). Pictures come at the space's largest resolution
    and are resized to each architecture's own. `mean`, `std`: per channel, as in training.
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
    ) -> None:
        self.space, self.weights, self.threads = space, weights, threads
        self.calibration, self.images, self.labels = calibration, images, labels
        self.mean, self.std = mean, std
        self._supernet: Any = None
        self._resized: dict[tuple[str, Size], Tensor] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_supernet": None, "_resized": {}}

    @torch.no_grad()
    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        """`top1` and `balanced_top1`, fractions in 0..1; a tie counts for the class of the lower number.

        `FitnasError` where the weights are not of this space's supernet, or without validation pictures.
        """
        keep_freed_memory()
        with torch_threads(self.threads):
            network = self._shared().extract(architecture).to(memory_format=torch.channels_last)
            size = self.space.input_size(architecture)[1:]
            recalibrate(network, self._batches("calibration", size))
            logits = [network(batch) for batch in self._batches("images", size)]
        predicted = torch.cat(logits).argmax(dim=1).numpy() if logits else np.zeros(0, np.int64)
        scores = score(predicted, self.labels, logits[0].shape[1] if logits else 1)
        return {"top1": scores.top1, "balanced_top1": scores.balanced_top1}

    def _shared(self) -> Any:
        if self._supernet is None:
            with torch.random.fork_rng(devices=[]):  # its first weights are thrown away
                self._supernet = self.space.supernet()
            from_arrays(self._supernet, self.weights)
        return self._supernet

    def _batches(self, name: str, size: Size) -> Iterator[Tensor]:
        """The pictures of one array at `size`, normalised; the resized bytes are kept for the next architecture."""
        key = (name, size)
        if key not in self._resized:
            whole = from_dlpack(getattr(self, name))
            parts = [resize(whole[part], size) for part in even_parts(len(whole), SCORE_BATCH)]
            self._resized[key] = torch.cat(parts) if parts else whole
        pictures = self._resized[key]
        return (prepare(pictures[p], size, self.mean, self.std) for p in even_parts(len(pictures), SCORE_BATCH))
