"""QuantMCU: which patches keep 8 bits, and how few the feature maps of the others get (arXiv 2401.13714).

Classification: a patch with an outlier value, far from the mean of the pictures, keeps 8 bits down its whole branch.
Search: the maps of the other branches in execution order, each measured behind what was rounded before it. A map `i`
gets the `b` bits of the best score

    S(i, b) = -lambda * Omega(i, b) + (1 - lambda) * Phi(i, b)

among those under which the memory limit can still be met. Omega: the change of the map's entropy. Phi: bit operations
saved by the operators that multiply the map, as a share of the most that any map of the branch can save. Nothing is
trained. Ties go to more bits.

Omega by `noise`: what rounding adds to the entropy of a normal variable, log2(1 + error / variance) / 2; it falls by
four with each bit, as the error does. By `codes`: the share of the Shannon entropy of the integers that is lost against
8 bits, which falls in a line. What a map loses of the mean of each channel by rounding is added back (bias correction,
Nagel et al., arXiv 1906.04721); a kernel has it in the bias of what reads the map.

What the paper leaves open (lambda, threshold, bits, estimator) is settable, see `nas.core.per_patch`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nas.core.per_patch import CODES, MOST_BITS, PerPatch
from nas.quantization.affine import Affine, activation
from nas.quantization.patches import Branch, FeatureMap, PatchStage, Weights
from nas.quantization.ranges import Range
from search_spaces.core.errors import Infeasible

Bits = Mapping[str, int]
"""Of feature maps, by node."""

WEIGHT_BITS = 8  # QuantMCU searches the activations' bits alone

_SHRINKS = tuple(round(1 - 0.1 * step, 1) for step in range(8))
_MOST_VALUES = 1 << 14  # from which a range is chosen, evenly spaced


@dataclass(frozen=True)
class Outliers:
    """Which pictures have an outlier in a patch. `mean`, `deviation` of the values of pictures; see `PerPatch`."""

    mean: float
    deviation: float
    threshold: float

    @classmethod
    def of(cls, batches: Sequence[Tensor], threshold: float) -> "Outliers":
        """Learnt from pictures (n, C, H, W), normalised as for training; there is one at least."""
        values = torch.cat([batch.flatten() for batch in batches]).double()
        return cls(float(values.mean()), float(values.std(correction=0)), threshold)

    def found(self, tile: Tensor) -> Tensor:
        """Bool (n,) of what one patch sees of n pictures (n, C, h, w). Constant pictures have none; a NaN is one."""
        inside = (tile - self.mean).abs() <= self.threshold * self.deviation
        return ~inside.flatten(1).all(dim=1)


def entropy(codes: Tensor) -> float:
    """Shannon entropy in bits of integers of any shape; nothing has none."""
    if not codes.numel():
        return 0.0
    counts = torch.bincount((codes - codes.min()).flatten().long())
    shares = counts[counts > 0].double() / codes.numel()
    return float(-(shares * shares.log2()).sum()) + 0.0


def noise_entropy(values: Tensor, rounded: Tensor) -> float:
    """What rounding adds to the entropy, in bits, of values taken as normal; 0 where all are alike."""
    variance = float(values.var(correction=0))
    return 0.5 * math.log2(1 + float((rounded - values).square().mean()) / variance) if variance > 0 else 0.0


@dataclass(frozen=True)
class Corrected:
    """Few bits, and `offset` (1, C, 1, 1): what rounding takes from the mean of each channel."""

    affine: Affine
    offset: Tensor

    @classmethod
    def of(cls, values: Tensor, bits: int) -> "Corrected":
        """The closest for values (n, C, h, w)."""
        affine = closest(values, bits)
        return cls(affine, (values - affine.round_(values.clone())).mean(dim=(0, 2, 3), keepdim=True))

    def round_(self, values: Tensor) -> Tensor:
        """Real values as those that are kept, in place."""
        return self.affine.round_(values).add_(self.offset)

    def integers(self, values: Tensor) -> Tensor:
        """The integers, as int32."""
        return self.affine.integers(values)


Kept = Affine | Corrected


def closest(values: Tensor, bits: int) -> Affine:
    """Few bits for values, their range shrunk where that leaves the least squared error; the widest of equal ones."""
    low, high = (float(end) for end in torch.aminmax(values))
    some = values.flatten()[:: -(-values.numel() // _MOST_VALUES)]
    candidates = [activation(Range(min(low * share, 0.0), max(high * share, 0.0)), bits) for share in _SHRINKS]
    scales, lows, highs = torch.tensor(
        [(how.scale, how.least - how.zero_point, how.most - how.zero_point) for how in candidates]
    ).T[:, :, None]  # all at once, ten times faster
    rounded = (some / scales).round_().clamp_(lows, highs).mul_(scales)
    errors: list[float] = rounded.sub_(some).square_().mean(dim=1).tolist()
    return candidates[errors.index(min(errors))]


def chosen_bits(omega: Mapping[int, float], phi: Mapping[int, float], weight: float) -> int:
    """The bits of the best score; of equal ones the most."""
    return max(sorted(omega, reverse=True), key=lambda bits: (1 - weight) * phi[bits] - weight * omega[bits])


@dataclass(frozen=True)
class SearchedBranch:
    """What one patch keeps of each map, the stage's output apart, where no outlier is in it."""

    bits: Bits
    how: Mapping[str, Kept]


@dataclass(frozen=True)
class BranchSearch:
    """The search of one branch's bits.

    `eight`: how the maps are kept in 8 bits, by node. `weights`: the rounded ones by the operator's node. `fits`:
    whether a branch with these bits is within the memory limit; None without one.
    """

    stage: PatchStage
    settings: PerPatch
    eight: Mapping[str, Affine]
    weights: Weights
    fits: Callable[[Bits], bool] | None = None

    @torch.no_grad()
    def run(self, tiles: Tensor, branch: Branch) -> SearchedBranch:
        """From what the patch sees of calibration pictures (n, C, h, w), n at least 1.

        `Infeasible` where the fewest bits everywhere are beyond the limit.
        """
        free = [each.node for each in self.stage.maps[:-1]]
        decided: dict[str, int] = {}
        fewest = min(self.settings.bits)
        if self.fits is not None and not self.fits(dict.fromkeys(free, fewest)):
            raise Infeasible(f"a branch of the patch stage is beyond the memory limit with {fewest} bits everywhere")
        how: dict[str, Kept] = {}
        saved = self._saved(branch)

        def keep(each: FeatureMap, values: Tensor) -> Tensor:
            if each.node not in free:
                return values
            rest = dict.fromkeys(free, fewest) | decided
            allowed = [
                bits
                for bits in self.settings.bits
                if bits == fewest or self.fits is None or self.fits({**rest, each.node: bits})
            ]
            decided[each.node], how[each.node] = self._choice(each, values, allowed, saved[each.node])
            return how[each.node].round_(values.clone())

        self.stage.compute(tiles, branch, keep, self.weights)
        return SearchedBranch(decided, how)

    def _choice(
        self, each: FeatureMap, values: Tensor, allowed: Sequence[int], saved: Mapping[int, float]
    ) -> tuple[int, Kept]:
        eight = self.eight[each.node]
        options: dict[int, Kept] = {
            bits: eight if bits == MOST_BITS else Corrected.of(values, bits) for bits in allowed
        }
        if self.settings.entropy == CODES:
            whole = entropy(eight.integers(values))
            held = {bits: entropy(how.integers(values)) for bits, how in options.items()}
            omega = {bits: max(whole - held[bits], 0.0) / whole if whole else 0.0 for bits in allowed}
        else:
            omega = {bits: noise_entropy(values, how.round_(values.clone())) for bits, how in options.items()}
        bits = chosen_bits(omega, saved, self.settings.weight)
        return bits, options[bits]

    def _saved(self, branch: Branch) -> dict[str, dict[int, float]]:
        """Phi of every map and number of bits."""
        multiplied = multiplied_macs(self.stage, branch)
        most = max(multiplied.values()) * (MOST_BITS - min(self.settings.bits))
        return {
            node: {bits: macs * (MOST_BITS - bits) / most if most else 0.0 for bits in self.settings.bits}
            for node, macs in multiplied.items()
        }


def multiplied_macs(stage: PatchStage, branch: Branch) -> dict[str, int]:
    """By map, the multiply-accumulates of the operators of a branch that multiply it."""
    result = dict.fromkeys((each.node for each in stage.maps), 0)
    macs = stage.macs(branch)
    for each in stage.maps[1:]:
        if each.node in macs:
            result[each.sources[0]] += macs[each.node]
    return result


def branch_bitops(stage: PatchStage, branch: Branch, bits: Bits) -> int:
    """Bit operations of one branch, halos included: multiply-accumulates times the bits of both factors."""
    multiplied: Any = multiplied_macs(stage, branch)
    return sum(macs * WEIGHT_BITS * bits.get(node, MOST_BITS) for node, macs in multiplied.items())
