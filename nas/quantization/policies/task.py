"""One trained network whose widths are asked for, its pictures, and what it loses in few bits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nas.quantization.capture import Captured, capture, check_norms
from nas.quantization.policies.options import Choice, Options
from nas.quantization.quantized import assembled
from nas.quantization.ranges import Range, observed_nodes, ranges
from nas.quantization.smoothing import smooth
from nas.quantization.tensors import tensors_of
from search_spaces.core.policy import FLOAT_BITS, QuantizationPolicy

__all__ = ["Choice", "Spent", "Task"]


@dataclass
class Spent:
    """What an answer has cost: quantized networks scored on all pictures, batches differentiated."""

    evaluations: int = 0
    gradients: int = 0


@dataclass(frozen=True)
class Task:
    """A network in floats with what was measured of it once, for every policy.

    `captured`: activations smoothed where some width has them in few bits, so that it computes what the network
    computes. `ranges`: by node, of every tensor that some choice rounds. `batches`: calibration pictures (n, C, H, W),
    normalised as for training. `answers`: the network's logits (n, classes) for each batch. `progress` is told what is
    done, and of how much (0: not known). `known`: losses by choice, which other tasks of the network may share; each
    that is asked for counts as spent all the same.
    """

    options: Options
    captured: Captured
    ranges: dict[str, Range]
    batches: Sequence[Tensor]
    answers: Sequence[Tensor]
    progress: Callable[[int, int], None] = lambda done, total: None
    known: dict[bytes, float] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    _asked: set[bytes] = field(default_factory=set)

    @classmethod
    def of(cls, network: nn.Module, options: Options, batches: Sequence[Tensor]) -> "Task":
        """Of a network in eval mode, which is left as it is. Errors as `nas.quantization.quantized.quantize`."""
        check_norms(network)
        captured = capture(network, options.names)
        fewest = min(options.widths, key=lambda each: each.input_bits)
        all_few = QuantizationPolicy(dict.fromkeys(options.names, fewest))
        smooth(captured, all_few, batches)
        found: dict[str, Range] = {}
        if fewest.input_bits < FLOAT_BITS:
            read = [str(captured.node(each.node).args[0]) for each in captured.operators]
            nodes = list(dict.fromkeys([*observed_nodes(captured, tensors_of(captured, all_few)), *read]))
            found = ranges(captured, nodes, batches)
        with torch.no_grad():
            answers = [captured.graph(batch) for batch in batches]
        return cls(options, captured, found, batches, answers)

    def fresh(self, progress: Callable[[int, int], None], known: dict[bytes, float] | None = None) -> "Task":
        """The same network with nothing spent, and nothing known but what is given."""
        known = {} if known is None else known
        return Task(self.options, self.captured, self.ranges, self.batches, self.answers, progress, known)

    def loss(self, choice: Choice) -> float:
        """Kullback-Leibler divergence of the quantized network's answers from the network's own, in nats a picture.

        The mean over the calibration pictures; a choice that was asked before is not scored again.
        """
        key = choice.tobytes()
        self._asked.add(key)
        self.spent.evaluations = len(self._asked)
        if key not in self.known:
            self.known[key] = self._scored(self.options.policy(choice))
        return self.known[key]

    def _scored(self, policy: QuantizationPolicy) -> float:
        tensors = tensors_of(self.captured, policy)
        network = assembled(self.captured, policy, tensors, self.ranges).simulated()
        total = 0.0
        with torch.no_grad():
            for batch, answers in zip(self.batches, self.answers, strict=True):
                total += float(divergence(network(batch), answers)) * len(batch)
        return total / sum(len(batch) for batch in self.batches)

    def one_at_a_time(self) -> NDArray[np.float64]:
        """What is lost `(groups, widths)` where one group alone leaves the last width; 0 at the last width itself."""
        groups, widths = self.options.shape
        losses, widest = np.zeros((groups, widths)), self.options.widest
        before = self.loss(widest)
        for group in range(groups):
            for width in range(widths - 1):
                choice = widest.copy()
                choice[group] = width
                losses[group, width] = self.loss(choice) - before
            self.progress(group + 1, groups)
        return losses

    def by_group(self, scores: dict[str, float]) -> NDArray[np.float64]:
        """Scores by operator, summed over each group `(groups,)`."""
        return np.array([sum(scores[name] for name in group) for group in self.options.groups])


def divergence(logits: Tensor, answers: Tensor) -> Tensor:
    """Kullback-Leibler divergence of softmax(logits) (n, classes) from softmax(answers), mean over pictures."""
    log_p, log_q = functional.log_softmax(answers, dim=1), functional.log_softmax(logits, dim=1)
    return functional.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
