"""Accuracy of networks whose patches have bits of their own, and what they cost under them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.core.per_patch import MOST_BITS, PerPatch
from nas.pricing import Pricer
from nas.quantization.capture import capture
from nas.quantization.per_patch import PatchQuantized, Schedule, quantize_per_patch
from nas.quantization.quantized import quantize_captured
from nas.quantization.value_driven import WEIGHT_BITS
from search_spaces.core.architecture import Architecture
from search_spaces.core.policy import QuantizationPolicy, quantizable_names

Batches = Callable[[], Sequence[Tensor]]


@dataclass(frozen=True)
class PerPatchScoring:
    """Quantizes networks under the schedule that `pricer` chooses for each. One without patches is all int8.

    Its `limits` on SRAM bind nothing here: what is admitted fits with 8 bits everywhere.
    """

    pricer: Pricer
    settings: PerPatch

    def answers(
        self, architecture: Architecture, network: nn.Module, calibration: Batches, pictures: Batches
    ) -> tuple[list[Tensor], dict[str, float]]:
        """Logits batch by batch, and `bitops`, `bitops_int8` and `peak_sram_bytes`.

        `network`: in eval mode, batch norms set. Pictures: (n, C, H, W), normalised as for training. `bitops` is the
        mean over the pictures that are scored; `bitops_int8` is that of the same schedule in 8 bits.
        """
        price = self.pricer.one(architecture)
        table = self.pricer.space.decode(self.pricer.space.population([architecture]))
        captured = capture(network, quantizable_names(table))
        int8 = {"bitops_int8": float(price["macs"] * WEIGHT_BITS * MOST_BITS)}
        if price["patches"] == 1:
            simulated = quantize_captured(captured, QuantizationPolicy.uniform(table), calibration()).simulated()
            return [simulated(batch) for batch in pictures()], {**int8, "bitops": int8["bitops_int8"]}
        schedule = Schedule(price["patches"], price["split"], self.pricer.runtime, self.pricer.count_input)
        quantized = quantize_per_patch(captured, table, schedule, calibration(), self.settings)
        logits, bitops = scored(quantized, pictures())
        return logits, {**int8, "bitops": bitops, "peak_sram_bytes": quantized.peak_sram_bytes()}


def scored(quantized: PatchQuantized, batches: Sequence[Tensor]) -> tuple[list[Tensor], float]:
    """Logits batch by batch, and the mean bit operations of a picture; without pictures those of no outliers."""
    answers = [quantized.run(batch) for batch in batches]
    in_eight = torch.cat([mask for _, mask in answers]).double().mean(dim=0).numpy() if answers else None
    return [logits for logits, _ in answers], quantized.bitops(in_eight)
