"""The range of each activation, from pictures: least to largest value, without rare extremes, or of least divergence.

Sources: percentiles and the entropy (Kullback-Leibler) rule as in TensorRT (Migacz, GTC 2017) and onnxruntime.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from nas.quantization.capture import Captured
from nas.quantization.tensors import Tensors
from search_spaces.core.errors import FitnasError

Floats = NDArray[np.float64]

PERCENTILE = 99.99
_BINS = 2048
_LEVELS = 128  # of the divergence's coarse histogram, as in TensorRT
_STEP = 32  # bins between the thresholds that are compared
_TINY = 1e-12


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, 0 included."""

    low: float
    high: float


def observed_nodes(captured: Captured, tensors: Tensors) -> list[str]:
    """The nodes whose ranges are wanted: what is kept in few bits, and what is read so."""
    sources = [str(captured.node(name).args[0]) for name in tensors.read]
    return list(dict.fromkeys([*tensors.kept, *sources]))


def ranges(
    captured: Captured, nodes: Sequence[str], batches: Sequence[Tensor], calibration: str = "minmax"
) -> dict[str, Range]:
    """The range of each node over pictures (n, C, H, W), normalised as for training.

    `FitnasError` without pictures, and where the pictures are all alike or a value is not finite: nothing is learnt.
    """
    if not len(nodes):
        return {}
    _check_pictures(batches)
    ends = _ends(captured, nodes, batches)
    if calibration == "minmax":
        return {name: Range(min(low, 0.0), max(high, 0.0)) for name, (low, high) in ends.items()}
    counted = _histograms(captured, ends, batches)
    choose = _percentile if calibration == "percentile" else _least_divergence
    return {name: choose(counts, *ends[name]) for name, counts in counted.items()}


def _check_pictures(batches: Sequence[Tensor]) -> None:
    if not batches or not sum(len(batch) for batch in batches):
        raise FitnasError("ranges of activations are learnt from pictures, and there are none")
    values = torch.stack([torch.stack([batch.min(), batch.max()]) for batch in batches])
    if not bool(values.isfinite().all()):
        raise FitnasError("a calibration picture has values that are not finite; leave it out")
    if float(values.max()) == float(values.min()):
        raise FitnasError(
            "all calibration pictures are one constant: ranges of activations learnt from them would mean nothing; "
            "give pictures such as the network is for"
        )


class _Watching(fx.Interpreter):
    """Runs a graph and shows the values of some nodes."""

    def __init__(self, captured: Captured, nodes: Iterable[str]) -> None:
        super().__init__(captured.graph)
        self.wanted = set(nodes)
        self.seen: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.name in self.wanted:
            self.seen[n.name] = value
        return value


def watched(captured: Captured, nodes: Iterable[str], batches: Iterable[Tensor]) -> Iterator[Mapping[str, Tensor]]:
    """The values of some nodes, batch by batch."""
    watching = _Watching(captured, nodes)
    for batch in batches:
        with torch.no_grad():
            watching.run(batch)
        yield watching.seen


def _ends(captured: Captured, nodes: Sequence[str], batches: Sequence[Tensor]) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for seen in watched(captured, nodes, batches):
        for name, value in seen.items():
            if not isinstance(value, Tensor) or not value.is_floating_point():
                continue  # a size
            low, high = (float(end) for end in torch.aminmax(value))
            if name in found:
                low, high = min(low, found[name][0]), max(high, found[name][1])
            found[name] = low, high
    wrong = [name for name, ends in found.items() if not np.isfinite(ends).all()]
    if wrong:
        raise FitnasError(f"the network gives values that are not finite (at {wrong[0]}); train it again")
    return found


def _histograms(
    captured: Captured, ends: Mapping[str, tuple[float, float]], batches: Sequence[Tensor]
) -> dict[str, Floats]:
    counts = {name: np.zeros(_BINS) for name in ends}
    for seen in watched(captured, ends, batches):
        for name, value in seen.items():
            low, high = ends[name]
            if high > low:
                counts[name] += torch.histc(value.float(), _BINS, low, high).double().numpy()
    return counts


def _edges(low: float, high: float) -> Floats:
    return np.linspace(low, high, _BINS + 1)


def _percentile(counts: Floats, low: float, high: float) -> Range:
    """Leaves away the rarest values, half of them at each end."""
    total = counts.sum()
    if not total:
        return Range(min(low, 0.0), max(high, 0.0))
    below = np.concatenate([[0.0], counts.cumsum()]) / total
    left_away = (1 - PERCENTILE / 100) / 2
    edges = _edges(low, high)
    first = edges[max(int(np.searchsorted(below, left_away, side="right")) - 1, 0)]
    last = edges[min(int(np.searchsorted(below, 1 - left_away, side="left")), _BINS)]
    return Range(min(float(first), 0.0), max(float(last), 0.0))


def _least_divergence(counts: Floats, low: float, high: float) -> Range:
    """The threshold of absolute value whose clipped and coarse histogram is nearest to the true one."""
    edges = _edges(low, high)
    centres = np.abs((edges[1:] + edges[:-1]) / 2)
    reach = max(abs(low), abs(high))
    if not counts.sum() or reach == 0:
        return Range(min(low, 0.0), max(high, 0.0))
    folded = np.histogram(centres, bins=_BINS, range=(0.0, reach), weights=counts)[0]
    thresholds = np.arange(_LEVELS, _BINS + 1, _STEP)
    best = thresholds[int(np.argmin([_divergence(folded, int(end)) for end in thresholds]))] * reach / _BINS
    return Range(max(min(low, 0.0), -best), min(max(high, 0.0), best))


def _divergence(counts: Floats, end: int) -> float:
    """Kullback-Leibler divergence of the first `end` bins, what is clipped in the last, from `_LEVELS` levels."""
    clipped = counts[:end].copy()
    clipped[-1] += counts[end:].sum()
    level = np.arange(end) * _LEVELS // end
    filled = clipped > 0
    sums = np.bincount(level, weights=counts[:end], minlength=_LEVELS)
    shared = np.bincount(level, weights=filled, minlength=_LEVELS)
    coarse = np.where(filled, sums[level] / np.maximum(shared[level], 1), 0.0)
    p, q = clipped / clipped.sum(), coarse / max(coarse.sum(), _TINY)
    here = p > 0
    return float(np.sum(p[here] * np.log(p[here] / np.maximum(q[here], _TINY))))
