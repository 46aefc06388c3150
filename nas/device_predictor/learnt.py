"""Figures learnt from whole networks that were measured: by their operators' work, whatever space they are of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nas.core.measured import Target
from nas.device_predictor.predictor import ROWS, DevicePredictor, Floats, figures_of, network_tables, space_of
from nas.device_predictor.scores import Scores, scores_of
from nas.storage.any_rows import NetworkRows
from nas.storage.counted_rows import CountedRows
from predictors.core.conformal import is_enough
from predictors.hardware.latency import COVERAGE, DEFAULT, LatencyPrediction, LatencyPredictor, latency_predictor
from predictors.hardware.latency.operator_classes import COLUMNS, operator_classes
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import LayerTable


@dataclass(frozen=True)
class LearntPredictor(DevicePredictor):
    """Rows of networks that were all measured, and the name of the model that learns from them.

    Rows of networks of a space serve that space alone, counted ones any.
    """

    rows: NetworkRows
    model_name: str = DEFAULT

    def __post_init__(self) -> None:
        figures_of(self.rows)
        space_of(self.rows)

    @property
    def target(self) -> Target:
        """Whose figure it is."""
        return self.rows.target

    @property
    def column(self) -> str:
        """What is predicted, and its unit."""
        return self.rows.column

    @property
    def space_name(self) -> str | None:
        """The space that the rows are of; None of counted ones."""
        return space_of(self.rows)

    @property
    def source(self) -> str:
        """For people."""
        return f"{len(self.rows.ids)} networks"

    @property
    def has_interval(self) -> bool:
        """Whether the rows are enough."""
        return is_enough(len(self.rows.ids), COVERAGE)

    @cached_property
    def model(self) -> LatencyPredictor:
        """Learnt from the rows; `WrongUse` where they are too few or all alike."""
        return latency_predictor(self.model_name).fit(self._inputs, figures_of(self.rows), columns=self._columns)

    @property
    def _columns(self) -> Sequence[str]:
        """The features learnt from: of counted rows those that somebody counted."""
        return self.rows.columns if isinstance(self.rows, CountedRows) else COLUMNS

    @cached_property
    def _inputs(self) -> Floats:
        return self._features(self.rows)

    def _features(self, rows: NetworkRows) -> Floats:
        """Of rows `(n, f)`; `WrongUse` where they do not tell a feature that was learnt from."""
        if isinstance(rows, CountedRows):
            return self._chosen(rows.columns, np.array(rows.counts))
        tables = [operator_classes(table).values for _, table in network_tables(rows)]
        return self._chosen(COLUMNS, np.concatenate(tables))

    def _chosen(self, columns: Sequence[str], values: Floats) -> Floats:
        unknown = [name for name in self._columns if name not in columns]
        if unknown:
            raise WrongUse(f"the columns {', '.join(unknown)} are missing, from which the predictor has learnt")
        return values[:, [columns.index(name) for name in self._columns]]

    def predict(self, table: LayerTable) -> LatencyPrediction:
        """Of the networks of a table."""
        return self.model.predict(self._chosen(COLUMNS, operator_classes(table).values))

    def predict_rows(self, rows: NetworkRows) -> LatencyPrediction:
        """Of rows."""
        return self.model.predict(self._features(rows))

    def cross_validated(self) -> Scores:
        """Of each row predicted from others."""
        model, measured = self.model, figures_of(self.rows)
        interval = model.predict(self._inputs)
        predicted = measured / np.exp(model.left_out_ratios)
        ends = (interval.low, interval.high)
        return scores_of(self.rows.ids, measured, predicted, ends, None, model.outliers, 0)

    def write(self, folder: Path) -> Mapping[str, Path]:
        """The rows."""
        self.rows.write(folder / ROWS)
        return {"rows_sha256": folder / ROWS}
