"""The width of every operator as a choice beside the architecture's.

Sources: SimQ-NAS (arXiv 2312.13301) for searching architecture and quantization policy at once; HAWQ (arXiv 1905.03696)
for operators whose outputs are added sharing a width.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, wraps
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.errors import WrongUse
from search_spaces.core.extended import ExtendedSpace
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.lists import numbers
from search_spaces.core.policy import (
    CALIBRATIONS,
    FP32,
    GRANULARITIES,
    INT8,
    SCHEMES,
    QuantizationPolicy,
    Width,
    quantizable,
    widths,
    with_widths,
)
from search_spaces.core.population import Population
from search_spaces.core.space import Rows, SearchSpace
from search_spaces.core.supernet import Supernet
from search_spaces.core.width_groups import WidthGroups

PREFIX = "quantization."
_MODEL_WIDE = {"scheme": SCHEMES, "granularity": GRANULARITIES, "calibration": CALIBRATIONS}
_REFERENCE_SAMPLES = 64
_SHARES_KEPT = (0.125, 0.25, 0.5)
_EVENNESS = 0.3  # of the shares that a random policy gives its widths: below 1 most have one favourite


def _named(names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(each.name for each in widths(names))
    except WrongUse as error:
        raise ValueError(str(error)) from None


class QuantizationSettings(BaseModel):
    """`quantize`: the widths that an operator may have. `quantize_how`: whether scheme, granularity and calibration are
    choices too; else they are asymmetric, per channel and from the smallest to the largest value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantize: Annotated[tuple[str, ...], BeforeValidator(numbers), AfterValidator(_named)] = (INT8.name, FP32.name)
    quantize_how: bool = False


class WithQuantization(ExtendedSpace):
    """A space whose architectures say how many bits each operator has.

    One choice an operator with weights. Convolutions whose outputs are added, multiplied or joined share one, for the
    tensors that meet there should be kept alike; query, key and value are one operator anyway. The choice of an
    operator that an architecture lacks is inactive. Networks, their training and shared weights are the base's.
    """

    suffix: ClassVar[str] = "quantization"
    own_settings: ClassVar[type[BaseModel]] = QuantizationSettings
    default_objectives: ClassVar[str] = "int8_accuracy,size"
    own: QuantizationSettings
    most_sensitive: tuple[str, ...] = ()
    """Groups in order of what they lose in few bits, where that was measured: a search begins with these wide."""
    _only: Architecture | None = None

    def __init__(self, inner: SearchSpace[Any], own: BaseModel) -> None:
        if isinstance(inner, WithQuantization):
            raise WrongUse(
                f"the space '{inner.name}' has widths of its own; give them as --set quantize=fp32,int8 and leave "
                "--quantize away"
            )
        super().__init__(inner, own)

    @property
    def widths(self) -> tuple[Width, ...]:
        """What an operator may have, from few bits to many."""
        return widths(self.own.quantize)

    def more_choices(self) -> tuple[Choice, ...]:
        names = tuple(each.name for each in self.widths)
        operators = [Choice(f"{PREFIX}{group}", names) for group in self._groups.first]
        how = [Choice(PREFIX + name, options) for name, options in _MODEL_WIDE.items()] if self.own.quantize_how else []
        return (*operators, *how)

    @cached_property
    def _groups(self) -> WidthGroups:
        smallest, largest = self.inner.extremes()
        rng = np.random.default_rng(0)
        known = self.inner.population([smallest, largest]).concatenate(self.inner.neighbours(largest))
        return WidthGroups.of(self.inner.decode(known.concatenate(self.inner.sample(rng, _REFERENCE_SAMPLES))))

    def active(self, matrix: Rows) -> NDArray[np.bool_]:
        inner, own = self._parts(matrix)
        table = self.inner.decode(Population(self.inner, self.inner.canonical(inner)))
        here = self._groups.present(table)
        how = np.ones((len(matrix), own.shape[1] - here.shape[1]), dtype=bool)
        return np.concatenate([self.inner.active(inner), here, how], axis=1)

    def decode(self, population: Population) -> LayerTable:
        inner, own = self._parts(population.matrix)
        table = self.inner.decode(Population(self.inner, inner))
        codes = own[:, self._groups.of_slots(table)]
        bits = np.array([(each.weight_bits, each.input_bits) for each in self.widths], dtype=np.int32)[codes]
        return with_widths(table, bits[..., 0], bits[..., 1], self._per_channel(own))

    def _per_channel(self, own: Rows) -> NDArray[np.bool_]:
        if not self.own.quantize_how:
            return np.ones(len(own), dtype=bool)
        column = len(self._groups.first) + list(_MODEL_WIDE).index("granularity")
        return np.asarray(own[:, column] == GRANULARITIES.index("channel"), dtype=bool)

    def least(self) -> LayerTable | None:
        """The base's, with the fewest bits everywhere."""
        table = self.inner.least()
        if table is None:
            return None
        weights, inputs = (min(each[part] for each in self.widths) for part in (1, 2))
        shape = table.present.shape
        return with_widths(table, np.full(shape, weights), np.full(shape, inputs), np.zeros(shape[0], dtype=bool))

    @property
    def of_weights(self) -> SearchSpace[Any]:
        return self.inner.of_weights

    def supernet(self) -> Supernet:
        """The base's: shared weights are floats, and are quantized when a network is scored."""
        shared: Any = self.inner.supernet()
        shared.activate = _of_inner(shared.activate, self)
        shared.extract = _of_inner(shared.extract, self)
        if hasattr(shared, "activate_many"):
            many = shared.activate_many
            shared.activate_many = lambda members: many([self.inner_architecture(member) for member in members])
        network: Supernet = shared
        return network

    def strata(self, population: Population) -> NDArray[np.intp]:
        return self.inner.strata(Population(self.inner, self._parts(population.matrix)[0]))

    def features(self, population: Population) -> NDArray[np.float64]:
        """The base's features, its own choices, and of each width the share of the operators that have it."""
        inner, own = self._parts(population.matrix)
        active = self.active(population.matrix)[:, len(self.inner.choices) :]
        count = len(self._groups.first)
        here = active[:, :count]
        shares = [
            ((own[:, :count] == code) & here).sum(axis=1, keepdims=True) / here.sum(axis=1, keepdims=True)
            for code in range(len(self.widths))
        ]
        encoded = self.encode(population)[:, sum(len(choice.options) for choice in self.inner.choices) :]
        return np.concatenate([self.inner.features(Population(self.inner, inner)), encoded, *shares], axis=1)

    @property
    def size(self) -> int:
        """Networks times policies; of an operator that a network lacks they are counted too."""
        own = 1
        for choice in self.more_choices():
            own *= len(choice.options)
        return self.inner.size * own

    def extremes(self) -> tuple[Architecture, Architecture]:
        """The base's, the smallest with the fewest bits, the largest with the most."""
        small, large = self.inner.extremes() if self._only is None else (self._only, self._only)
        return self.uniform(small, self.widths[0]), self.uniform(large, self.widths[-1])

    def beginnings(self) -> Sequence[Architecture]:
        """The base's, each with every operator at one width; and those that keep the most sensitive groups wide."""
        inner = [self._only] if self._only is not None else self.inner.beginnings()
        kept = [round(share * len(self.most_sensitive)) for share in _SHARES_KEPT] if self.most_sensitive else []
        return [
            *(self.uniform(one, each) for each in self.widths for one in inner),
            *(self.uniform(inner[-1], self.widths[0], self.most_sensitive[:count]) for count in kept),
        ]

    def uniform(self, architecture: Architecture, each: Width, wide: Sequence[str] = ()) -> Architecture:
        """An architecture of the base with every operator at one width, but for groups with the most bits."""
        names = {group: self.widths[-1].name if group in wide else each.name for group in self.groups}
        own = {f"{PREFIX}{group}": name for group, name in names.items()}
        how = {PREFIX + name: default for name, default in _HOW.items()} if self.own.quantize_how else {}
        told = Architecture(self.name, self.settings.model_dump(mode="json"), {**architecture.options, **own, **how})
        return self.population([told])[0]

    @property
    def groups(self) -> Sequence[str]:
        """Groups of operators that share a width, by the first operator of each."""
        return self._groups.first

    def group_of(self, operator: str) -> str:
        """The group of an operator."""
        return self._groups.first[self._groups.group_of[operator]]

    def of_one(self, network: Architecture) -> "WithQuantization":
        """The policies of one network of the base: this space, whose architectures all have its options.

        For a search in this process; a copy sent to another knows nothing of it.
        """
        alone = type(self)(self.inner, self.own)
        alone._only = network
        alone.most_sensitive = self.most_sensitive
        return alone

    def canonical(self, matrix: Rows) -> Rows:
        if self._only is not None:
            matrix = matrix.copy()
            matrix[:, : len(self.inner.choices)] = self.inner.population([self._only]).matrix
        return super().canonical(matrix)

    def _draw(self, rng: np.random.Generator, n: int) -> Rows:
        """Random architectures; the widths of a policy in random shares, so that uniform policies are not rare."""
        drawn = super()._draw(rng, n)
        shares = rng.dirichlet([_EVENNESS] * len(self.widths), size=n).cumsum(axis=1)
        start, count = len(self.inner.choices), len(self._groups.first)
        coins = rng.random((n, count))
        codes = (coins[:, :, None] > shares[:, None, :-1]).sum(axis=2)
        drawn[:, start : start + count] = codes
        return drawn

    def explain(self) -> list[str]:
        names = ", ".join(each.name for each in self.widths)
        count = len(self._groups.first)
        return [*super().explain(), f"the width of each of up to {count} groups of operators is searched too: {names}"]

    def policy(self, architecture: Architecture) -> QuantizationPolicy:
        """The policy that an architecture carries, for the operators that its network has."""
        population = self.population([architecture])
        own = self._parts(population.matrix)[1][0]
        table = self.inner.decode(Population(self.inner, self._parts(population.matrix)[0]))
        of_slots, known = self._groups.of_slots(table), self.widths
        told = {
            table.slot_names[slot]: known[own[of_slots[slot]]]
            for slot in np.flatnonzero(quantizable(table) & table.present[0])
        }
        how = {name: str(architecture.options.get(PREFIX + name, default)) for name, default in _HOW.items()}
        return QuantizationPolicy(told, **how)


_HOW: Mapping[str, str] = {name: getattr(QuantizationPolicy, name) for name in _MODEL_WIDE}


def _of_inner(method: Callable[[Architecture], Any], space: WithQuantization) -> Callable[[Architecture], Any]:
    @wraps(method)
    def called(architecture: Architecture) -> Any:
        return method(space.inner_architecture(architecture))

    return called


COMBINATOR = WithQuantization
