"""Accuracy looked up in a table of known results: CSV or Parquet, such as the `trials.parquet` of an earlier run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.candidates import Price, Prices
from nas.core.trial import Trial
from nas.strategies.strategy import Strategy
from predictors.core.metric import METRICS
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import NotFound, WrongUse
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

if TYPE_CHECKING:
    import pandas as pd

_CHOICE = "choice."
_MOST_AT_ONCE = 64


class TableEvaluator:
    """Gives the figures of the row that holds an architecture.

    A row names every active choice, in a column of the choice's name (with or without `choice.` before it), and figures
    by metric column or key: `top1` (or `accuracy`) at least, as a fraction. Several rows of one architecture count as
    their mean; rows without accuracy, and those whose `state` is not complete, are left out. `NotFound` where the file
    does not exist, `WrongUse` where it is no table of this space.
    """

    def __init__(self, space: SearchSpace[Any], path: Path) -> None:
        self.space = space
        table = _read(path)
        self.known, figures = _rows(space, table, path)
        self.figures = dict(zip(self.known.keys(), figures, strict=True))

    def evaluate(self, architecture: Architecture) -> Mapping[str, float]:
        """The row's figures; `WrongUse` where the table has no such row."""
        key = self.space.population([architecture]).keys()[0]
        if key not in self.figures:
            raise WrongUse(f"architecture {architecture.id} does not stand in the table")
        return self.figures[key]

    def price(self, price: Price) -> Price:
        """`price`, for which only what stands in the table fits."""

        def priced(population: Population) -> Prices:
            columns = dict(price(population))
            inside = np.array([key in self.figures for key in population.keys()], dtype=bool)  # noqa: SIM118
            columns["fits"] = np.asarray(columns.get("fits", True)) & inside
            return columns

        return priced

    def strategy(self, strategy: Strategy) -> Strategy:
        """`strategy`, each of whose candidates becomes the nearest row that was not evaluated."""
        return _Snapped(strategy, self.known)


class _Snapped(Strategy):
    """Moves candidates to the nearest known architecture: fewest choices that differ, ties to the earlier row."""

    def __init__(self, inner: Strategy, known: Population) -> None:
        super().__init__(inner.space, inner.objectives, inner.trials, inner.budget)
        self._inner, self._left = inner, known.matrix

    def ask(self, n: int, rng: np.random.Generator) -> Population:
        """At most 64 rows, each once, that were not told."""
        wanted = self._inner.ask(min(n, _MOST_AT_ONCE), rng).matrix
        free = np.ones(len(self._left), dtype=bool)
        chosen = []
        for row in wanted[: len(free)]:
            distance = np.where(free, (self._left != row).sum(axis=1), len(row) + 1)
            nearest = int(np.argmin(distance))
            free[nearest] = False
            chosen.append(nearest)
        return Population(self.space, self._left[np.array(chosen, dtype=np.intp)])

    def tell(self, trials: Sequence[Trial]) -> None:
        """Takes them out of what is left."""
        self._inner.tell(trials)
        told = set(self.space.population([trial.architecture for trial in trials]).keys())
        keys = Population(self.space, self._left).keys()
        self._left = self._left[np.array([key not in told for key in keys], dtype=bool)]


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd

    if not path.is_file():
        raise NotFound(f"--table {path} does not exist; give a .csv or .parquet of known results")
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise WrongUse(f"--table {path}: known results come as .csv or .parquet")
    try:
        return pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise WrongUse(f"--table {path} cannot be read as a table: {error}") from None


def _rows(space: SearchSpace[Any], table: "pd.DataFrame", path: Path) -> tuple[Population, list[dict[str, float]]]:
    """The distinct architectures of the table and their figures."""
    names = {choice.name: _column(table, choice.name) for choice in space.choices}
    missing = [name for name, column in names.items() if not column]
    figures = _figures(table)
    if missing or "top1" not in figures:
        lack = f"a column for the choice '{missing[0]}'" if missing else "a column top1 or accuracy"
        raise WrongUse(f"--table {path} lacks {lack}; it needs one for every choice of the space '{space.name}'")
    matrix, usable = _matrix(space, table, names)
    usable &= np.isfinite(figures["top1"])
    if "state" in table:
        usable &= (table["state"] == "complete").to_numpy(dtype=bool)
    rows = space.canonical(matrix[usable])
    if not len(rows):
        raise WrongUse(f"--table {path}: none of its {len(table):,} rows is a scored architecture of this space")
    distinct, where = np.unique(rows, axis=0, return_inverse=True)
    counts = np.bincount(where.ravel())
    means = {name: np.bincount(where.ravel(), values[usable]) / counts for name, values in figures.items()}
    found = [{name: float(v[i]) for name, v in means.items() if np.isfinite(v[i])} for i in range(len(distinct))]
    return Population(space, distinct), found


def _column(table: "pd.DataFrame", choice: str) -> str:
    """The column of a choice; empty where there is none."""
    return next((name for name in (choice, _CHOICE + choice) if name in table), "")


def _figures(table: "pd.DataFrame") -> dict[str, NDArray[np.float64]]:
    """Measured figures by metric column; what is priced exactly is not taken from a table."""
    measured = {m.column: m.key for m in METRICS.values() if not m.whole}
    found = {}
    for column, key in {**measured, "balanced_top1": "balanced_top1"}.items():
        name = column if column in table else key
        if name in table:
            found[column] = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return found


def _matrix(
    space: SearchSpace[Any], table: "pd.DataFrame", names: Mapping[str, str]
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Option indices `(rows, choices)`, and which rows are of the space. An empty cell is an inactive choice."""
    import pandas as pd

    shape = (len(table), len(space.choices))
    matrix, given = np.zeros(shape, dtype=np.int16), np.zeros(shape, dtype=bool)
    usable = np.ones(len(table), dtype=bool)
    for column, choice in enumerate(space.choices):
        place = {_plain(option): index for index, option in enumerate(choice.options)}
        codes, values = pd.factorize(table[names[choice.name]])  # an empty cell has the code -1, the last entry below
        index = np.array([*(place.get(_plain(value), -1) for value in values), -1], dtype=np.int16)[codes]
        given[:, column] = codes >= 0
        usable &= (index >= 0) | (codes < 0)
        matrix[:, column] = np.maximum(index, 0)
    usable &= (given | ~space.active(space.canonical(matrix))).all(axis=1)
    return matrix, usable


def _plain(value: Any) -> float | str:
    """Numbers compare as numbers, whatever type a file gave them."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)
