"""The trials of a run as columns: a tenth of the memory that the trials themselves take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.trial import Trial
from search_spaces.core.choice import Choice
from search_spaces.core.errors import FitnasError

Numbers = NDArray[np.int64]
_INACTIVE = -1


@dataclass(frozen=True)
class TrialTable:
    """n trials, by number; never changed, `with_trials` gives a larger one.

    `metrics` by column, NaN where a trial lacks one; `whole` are the columns in which every figure is a whole number.
    `options` `(n, choices)` are places among a choice's options, -1 where it is inactive.
    """

    choices: tuple[Choice, ...]
    numbers: Numbers
    ids: tuple[str, ...]
    complete: NDArray[np.bool_]
    patches: Numbers
    split: Numbers
    rejected: Numbers
    seconds: NDArray[np.float64]
    metrics: Mapping[str, NDArray[np.float64]]
    whole: frozenset[str]
    options: NDArray[np.int16]
    errors: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, choices: Sequence[Choice]) -> "TrialTable":
        """No trials yet."""
        none = np.empty(0, dtype=np.int64)
        options = np.empty((0, len(choices)), dtype=np.int16)
        return cls(tuple(choices), none, (), none.astype(bool), none, none, none, none.astype(float), {},
                   frozenset(), options)  # fmt: skip

    def __len__(self) -> int:
        return len(self.numbers)

    def column(self, name: str) -> NDArray[np.float64]:
        """A metric of every trial, NaN where a trial lacks it."""
        return self.metrics[name] if name in self.metrics else np.full(len(self), np.nan)

    def rows_of(self, numbers: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where trials stand; all of the numbers must be there."""
        return np.searchsorted(self.numbers, numbers)

    def metrics_of(self, row: int) -> dict[str, float | int]:
        """The metrics of one trial, those alone that it has."""
        found = {name: values[row].item() for name, values in self.metrics.items() if not np.isnan(values[row])}
        return {name: int(value) if name in self.whole else value for name, value in found.items()}

    def with_trials(self, ids: Sequence[str], trials: Sequence[Trial]) -> "TrialTable":
        """This table and trials whose numbers are not in it, with the ids of their networks.

        `FitnasError` for options that the space has not.
        """
        numbers = np.append(self.numbers, [trial.number for trial in trials]).astype(np.int64)
        order = np.argsort(numbers, kind="stable")
        everyone = (*self.ids, *ids)

        def joined(known: NDArray[Any], new: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([known, np.asarray(new, dtype=known.dtype)])[order]

        names = dict.fromkeys([*self.metrics, *(name for trial in trials for name in trial.metrics)])
        metrics = {
            name: joined(self.column(name), [trial.metrics.get(name, np.nan) for trial in trials]) for name in names
        }
        return TrialTable(
            self.choices,
            numbers[order],
            tuple(everyone[place] for place in order.tolist()),
            joined(self.complete, [trial.state == "complete" for trial in trials]),
            joined(self.patches, [trial.patches for trial in trials]),
            joined(self.split, [trial.split for trial in trials]),
            joined(self.rejected, [trial.rejected for trial in trials]),
            joined(self.seconds, [trial.seconds for trial in trials]),
            metrics,
            self._still_whole(names, trials),
            joined(self.options, _places(self.choices, trials)),
            {**self.errors, **{trial.number: trial.error for trial in trials if trial.error}},
        )

    def _still_whole(self, names: Mapping[str, None], trials: Sequence[Trial]) -> frozenset[str]:
        broken = {name for trial in trials for name, value in trial.metrics.items() if not isinstance(value, int)}
        return frozenset(
            name for name in names if name not in broken and (name in self.whole or name not in self.metrics)
        )

    def values(self, name: str, rows: NDArray[np.intp]) -> list[float | int | None]:
        """A metric of some trials as plain JSON values, None where one lacks it."""
        found = self.metrics[name][rows]
        missing = np.isnan(found)
        if name in self.whole and not missing.any():
            whole: list[float | int | None] = found.astype(np.int64).tolist()
            return whole
        plain = (int(value) if name in self.whole and value == value else value for value in found.tolist())
        return [None if value != value else value for value in plain]

    def option_values(self, choice: int, rows: NDArray[np.intp]) -> list[Any]:
        """The options of some trials for one choice, None where it is inactive."""
        options = (*self.choices[choice].options, None)  # -1 is the last
        return [options[place] for place in self.options[rows, choice].tolist()]


def _places(choices: Sequence[Choice], trials: Sequence[Trial]) -> NDArray[np.int16]:
    places = [{option: place for place, option in enumerate(choice.options)} for choice in choices]
    names = [choice.name for choice in choices]
    matrix = np.full((len(trials), len(choices)), _INACTIVE, dtype=np.int16)
    for row, trial in enumerate(trials):
        taken = trial.architecture.options
        try:
            matrix[row] = [
                known[taken[name]] if name in taken else _INACTIVE for name, known in zip(names, places, strict=True)
            ]
        except KeyError as error:
            raise FitnasError(
                f"trial {trial.number} has the option {error}, which its space has not; restore the run from a copy"
            ) from None
    return matrix
