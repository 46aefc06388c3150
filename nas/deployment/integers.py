"""A member of a run in integers: the reference that every runtime is held to, and what it scores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.core.trial import Trial
from nas.deployment.samples import sample_inputs
from nas.member import pictures_of
from nas.member_quantization import quantized_member
from nas.quantization.integer import IntegerNetwork
from nas.quantization.integer_forms import check_integers
from nas.quantization.quantized import Quantized
from nas.run import StoredRun
from nas.training.data import Pictures
from nas.training.loop import logits_of, score
from predictors.hardware.memory import memory_rule
from search_spaces.core.errors import FitnasError, WrongUse
from search_spaces.core.policy import QuantizationPolicy

# Share of pictures, or pictures where there are few, that may get another class. A deep network of weak margins turns
# one rounding into others, so that even rounded floats give up to 6 % of pictures another class than the reference.
_MOST_OTHERS, _FEW = 0.25, 5


@dataclass(frozen=True)
class IntegerMember:
    """A member under its policy, and the run's pictures."""

    quantized: Quantized
    pictures: Pictures
    size: tuple[int, int]

    @classmethod
    def of(cls, run: StoredRun, trial: Trial, network: nn.Module, policy: QuantizationPolicy) -> "IntegerMember":
        """Ranges come from the run's calibration sample of the training pictures.

        `FitnasError` where a batch norm was never trained or the pictures teach nothing.
        """
        pictures = pictures_of(run, include_test=True)
        size = run.parts.space.input_size(trial.architecture)[1:]
        return cls(quantized_member(run, trial, network, pictures, policy), pictures, size)

    def scores(self, **executed: Callable[[Tensor], Tensor]) -> dict[str, Any]:
        """Accuracy by who executes the network, beside the integer reference, on validation and test pictures; and the
        share of the test pictures that all give the same class, ties to the lower number.

        `FitnasError` where one differs from the reference for more than rounding can explain.
        """
        everyone: dict[str, Callable[[Tensor], Tensor]] = {
            "integer_reference": IntegerNetwork.of(self.quantized),
            **executed,
        }
        found: dict[str, Any] = {name: {} for name in everyone}
        classes: dict[str, NDArray[np.integer[Any]]] = {}
        for part in ("validation", "test"):
            images, labels = getattr(self.pictures, part)
            for name, network in everyone.items():
                logits = self._logits(network, images)
                classes[name] = logits.argmax(axis=1)
                found[name][f"{part}_top1"] = score(classes[name], labels, logits.shape[1]).top1
        return {**found, "same_class": _agreement(classes)}

    def network(self, runtime: str, title: str, instead: str) -> IntegerNetwork:
        """From quantized picture to int8 logits, for a runtime of that title; `WrongUse` names the operators and widths
        that it lacks, and what to do `instead`.
        """
        try:
            integers = IntegerNetwork.of(self.quantized, integer_logits=True)
        except WrongUse:
            raise
        except FitnasError:
            # the last operator computes floats: what those are is said by the network that ends in floats
            integers = IntegerNetwork.of(self.quantized)
        check_integers(integers, self.quantized.policy.widths, memory_rule(runtime).widths, title, instead)
        return integers

    def samples(self, integers: IntegerNetwork) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Test pictures as the network's second operator reads them, (n, height, width, channels), and the logits."""
        values = integers.tensors(sample_inputs(self.pictures, self.size))
        given = next(each.output for each in integers.operators if integers.input in each.inputs)
        inputs = values[given].permute(0, 2, 3, 1).numpy().astype(np.int8)
        return inputs, values[integers.output].flatten(1).numpy().astype(np.int8)

    def _logits(self, network: Callable[[Tensor], Tensor], images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return logits_of(_Called(network), images, self.size, self.pictures.mean, self.pictures.std)


def _agreement(classes: dict[str, NDArray[np.integer[Any]]]) -> float:
    first, *others = classes.values()
    same = np.logical_and.reduce([first == other for other in others])
    differing = int((~same).sum())
    if differing > max(_FEW, _MOST_OTHERS * len(same)):
        raise FitnasError(
            f"{' and '.join(classes)} give {differing} of {len(same)} test pictures different classes, more than "
            "rounding explains: the runtime computes something else on this machine"
        )
    return float(same.mean())


class _Called(nn.Module):
    """A function as a network."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits."""
        return self.function(pictures)
