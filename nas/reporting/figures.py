"""The figures of a run. The only file that knows plotly.

Colours are of middle lightness and backgrounds transparent, so that a figure can be read on white and on black; the
report's script gives text and grid the page's own colours.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from nas.core.objective import Objective
from nas.core.trial import Trial
from nas.reporting.history import hypervolume_history
from nas.reporting.parallel import Axis, parallel_axes, parallel_rows
from nas.reporting.run_view import DOMINATED, FAILED, FRONT, OVER_BUDGET, RunView, TrainedMember
from nas.reporting.stitching import anchor_outcomes
from nas.reporting.tables import quantity, schedule, title
from nas.reporting.widths import OperatorBits, marked_policies, operator_bits
from predictors.core.metric import METRIC_OF_COLUMN, METRICS

ACCENT, SECOND, FAINT, LIMIT, TEXT = "#d9730d", "#3178c6", "rgba(139,148,158,0.55)", "#d1434b", "#768390"
MOST_BARS = 24
_MANY_POINTS = 1500  # beyond, points are drawn by WebGL: SVG would be slow to pan
_MOST_PANELS = 4  # a browser keeps 16 WebGL contexts, a figure takes three
_FARTHEST_LIMIT = 2.5  # a limit this many times beyond the data would squeeze the data into a corner
_MOST_CLASSES, _MOST_NUMBERED, _LONGEST_NAME = 60, 24, 28

Figure: TypeAlias = go.Figure
Figures: TypeAlias = dict[str, go.Figure]


def plotly_js() -> str:
    """The whole of plotly.js, for a page that needs no network."""
    return str(get_plotlyjs())


def figures(view: RunView) -> Figures:
    """Every figure that the run has something to show in, by name.

    `front` (first objective against the second) and `front <column>` for further objectives and limited metrics,
    `hypervolume`, `parallel`, `resources`, `policy <id>` of the knee and the best where widths were searched, and
    `confusion <id>` for each trained member.
    """
    made: Figures = {}
    if not view.trials:
        return made
    for index, column in enumerate(panel_columns(view)):
        made["front" if index == 0 else f"front {column}"] = front(view, column)
    made["hypervolume"] = hypervolume(view)
    if len(view.of_kind(FRONT, DOMINATED)) > 1:
        made["parallel"] = parallel(view)
    if len(view.front) and resource_limits(view):
        made["resources"] = resources(view)
    made |= {name: policy(operator_bits(view, trial)) for name, trial in marked_policies(view).items()}
    return made | {f"confusion {member.id}": confusion(member) for member in view.trained}


def panel_columns(view: RunView) -> list[str]:
    """What the first objective is shown against: the other objectives, then limited metrics; else the number."""
    first, *others = [objective.column for objective in view.parts.objectives]
    limited = [column for column in view.parts.budget.limits if column != first]
    return list(dict.fromkeys([*others, *limited]))[:_MOST_PANELS] or ["number"]


def front(view: RunView, across: str) -> go.Figure:
    """The first objective against the column `across`; failed and over-budget trials are off until asked for."""
    first = view.parts.objectives[0]
    x, y = _column(view, across), _column(view, first.column)
    # a failed trial has a price but no score: it is drawn along the edge
    y = np.where(np.isfinite(y), y, np.nanmin(y) if np.isfinite(y).any() else 0.0)
    figure = go.Figure(layout=_layout(380))
    for kind, colour, symbol, shown in (
        (DOMINATED, FAINT, "circle", True),
        (OVER_BUDGET, LIMIT, "x", "legendonly"),
        (FAILED, TEXT, "x-thin-open", "legendonly"),
    ):
        rows = view.of_kind(kind)
        rows = rows[np.isfinite(x[rows])]
        if len(rows):
            figure.add_trace(_points(view, rows, x, y, kind, colour, symbol, shown))
    if len(view.front):
        _add_front(figure, view, across, first)
    _add_anchors(figure, view, across, first)
    ranges = {"x": _range(x, view, across), "y": _range(y, view, first.column)}
    for letter, column in (("x", across), ("y", first.column)):
        figure.update_layout({f"{letter}axis": {**_axis(column), "range": ranges[letter]}})
        if column in view.parts.budget.limits:
            _add_limit(figure, view, letter, column, ranges[letter])
    return figure


def _points(view: RunView, rows: Any, x: Any, y: Any, kind: str, colour: str, symbol: str, shown: bool | str) -> Any:
    return _scatter(view)(
        x=x[rows],
        y=y[rows],
        mode="markers",
        name=f"{kind} ({len(rows):,})",
        visible=shown,
        marker={"color": colour, "size": 6 if len(rows) <= _MANY_POINTS else 4, "symbol": symbol},
        text=[view.trials[row].architecture.id for row in rows],
        hovertemplate=f"%{{text}} ({kind})<br>%{{x}}, %{{y}}<extra></extra>",
    )


def _scatter(view: RunView) -> Any:
    """SVG, or WebGL for all traces of a figure with many points: a WebGL layer would cover SVG ones."""
    return go.Scattergl if len(view.trials) > _MANY_POINTS else go.Scatter


def _add_front(figure: go.Figure, view: RunView, across: str, first: Objective) -> None:
    """The members, joined by a staircase where the two axes are the two objectives; best and knee ringed."""
    members = list(view.front)
    second = next((o for o in view.parts.objectives if o.column == across), None)
    is_plane = second is not None and len(view.parts.objectives) == 2
    if second is not None:
        members.sort(key=lambda trial: float(second.oriented(trial.metrics[across])))
    figure.add_trace(
        _scatter(view)(
            x=[_value(trial, across) for trial in members],
            y=[_value(trial, first.column) for trial in members],
            mode="lines+markers" if is_plane else "markers",
            line={"shape": "hv", "color": ACCENT, "width": 1.5},
            marker={"color": ACCENT, "size": 9},
            name=f"front ({len(members)})",
            text=[_words(trial) for trial in members],
            hovertemplate="%{text}<extra></extra>",
        )
    )
    for mark, symbol, size in (("best", "star-open", 19), ("knee", "circle-open", 19)):
        trial = view.marked[mark]
        figure.add_trace(
            _scatter(view)(
                x=[_value(trial, across)],
                y=[_value(trial, first.column)],
                mode="markers",
                name=mark,
                marker={"symbol": symbol, "size": size, "color": SECOND, "line": {"width": 2.5}},
                hoverinfo="skip",
            )
        )


def _add_anchors(figure: go.Figure, view: RunView, across: str, first: Objective) -> None:
    """Networks that others were stitched from, by letter."""
    anchors = [anchor for anchor in anchor_outcomes(view.run, view.trials) if anchor.trial is not None]
    if not anchors:
        return
    figure.add_trace(
        go.Scatter(
            x=[_value(anchor.trial, across) for anchor in anchors if anchor.trial],
            y=[_value(anchor.trial, first.column) for anchor in anchors if anchor.trial],
            mode="markers+text",
            name="anchors",
            text=[anchor.letter for anchor in anchors],
            cliponaxis=False,  # the letter of the best one stands above it
            textposition="top left",
            marker={"symbol": "diamond-open", "size": 15, "color": SECOND, "line": {"width": 2}},
            hovertext=[f"{anchor.name}: {anchor.lost}" for anchor in anchors],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )


def _words(trial: Trial) -> str:
    """A network's figures for a box beside the pointer."""
    known = [m.column for m in METRICS.values() if m.column in trial.metrics]
    lines = [f"{title(column)} {quantity(column, trial.metrics[column])}" for column in known]
    return "<br>".join([f"<b>{trial.architecture.id}</b>", *lines, schedule(trial.patches, trial.split)])


def _add_limit(figure: go.Figure, view: RunView, letter: str, column: str, shown: list[float]) -> None:
    limit = view.parts.budget.limits[column]
    place, text = _scaled(column, limit), f"limit {quantity(column, limit)}"
    if not shown[0] <= place <= shown[1]:
        edge = "beyond" if place > shown[1] else "before"
        figure.add_annotation(
            text=f"{title(column)}: {text}, {edge} the edge", xref="paper", yref="paper", x=1, y=0,
            showarrow=False, xanchor="right", yanchor="bottom", font={"color": LIMIT},
        )  # fmt: skip
        return
    across = letter == "x"
    (figure.add_vline if across else figure.add_hline)(
        place,
        line={"color": LIMIT, "dash": "dash", "width": 1.5},
        annotation={"text": text, "font": {"color": LIMIT}},
        annotation_position="bottom left" if across else "bottom right",
    )


def _range(values: NDArray[np.float64], view: RunView, column: str) -> list[float]:
    """What the axis shows: the data, and the limit where it is not far away."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    limit = view.parts.budget.limits.get(column)
    if limit is not None and 0 < _scaled(column, limit) <= _FARTHEST_LIMIT * high:
        low, high = min(low, _scaled(column, limit)), max(high, _scaled(column, limit))
    margin = 0.06 * (high - low or abs(high) or 1.0)
    return [low - margin, high + margin]


def hypervolume(view: RunView) -> go.Figure:
    """The share of the reference box that the front takes, against evaluations and against their seconds."""
    grown = hypervolume_history(view.trials, view.parts.objectives, view.run.reference, view.parts.budget)
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    for place, (across, words) in enumerate(
        ((grown.evaluations, "evaluations"), (grown.seconds, "seconds of evaluation")), 1
    ):
        line = {"shape": "hv", "color": SECOND, "width": 2}
        figure.add_trace(
            go.Scatter(x=across, y=grown.volumes, mode="lines", line=line, name="hypervolume"), row=1, col=place
        )
        figure.update_xaxes(title_text=words, rangemode="tozero", row=1, col=place, **_LINES)
        figure.update_yaxes(rangemode="tozero", row=1, col=place, **_LINES)
    figure.update_yaxes(title_text="hypervolume", row=1, col=1)
    return figure.update_layout(_layout(300) | {"showlegend": False})


def parallel(view: RunView) -> go.Figure:
    """A line a network over the choices that matter most and the metrics; front members in colour."""
    rows = parallel_rows(view)
    front_rows = np.isin(rows, view.of_kind(FRONT)).astype(int)
    trace = go.Parcoords(
        line={"color": front_rows, "colorscale": [[0, "#b5bcc4"], [1, ACCENT]], "cmin": 0, "cmax": 1},
        dimensions=[_dimension(axis, rows) for axis in parallel_axes(view)],
        labelangle=-25,
        labelside="top",
    )
    return go.Figure(trace, _layout(420) | {"margin": {"l": 50, "r": 50, "t": 90, "b": 30}})


def _dimension(axis: Axis, rows: NDArray[np.intp]) -> dict[str, Any]:
    values = axis.values[rows]
    drawn: dict[str, Any] = {"label": html.escape(axis.label)}
    if axis.options is None:
        return drawn | {"values": [_scaled(axis.label, value) for value in values], **_axis_of_line(axis.label)}
    ticks = list(range(-1 if (values < 0).any() else 0, len(axis.options)))
    names = ["off" if tick < 0 else html.escape(str(axis.options[tick])) for tick in ticks]
    span = [ticks[0] - 0.2, ticks[-1] + 0.2]
    return drawn | {"values": values, "tickvals": ticks, "ticktext": names, "range": span}


def _axis_of_line(column: str) -> dict[str, Any]:
    return {
        "label": _axis(column)["title"]["text"],
        "tickformat": _axis(column).get("tickformat", ".4~g").replace("~s", ".3~s"),
    }


def resource_limits(view: RunView) -> dict[str, float]:
    """The ceilings that a member's use is a share of; floors such as accuracy are no resource."""
    less = {metric.column for metric in METRICS.values() if metric.better == "less"}
    return {column: limit for column, limit in view.parts.budget.limits.items() if column in less}


def resources(view: RunView) -> go.Figure:
    """How much of each limit every front member uses, in percent; of a long front the members evenly spread."""
    spread = np.unique(np.linspace(0, len(view.front) - 1, min(len(view.front), MOST_BARS)).round().astype(int))
    numbers = {view.front.trials[row].number for row in spread} | {trial.number for trial in view.marked.values()}
    members = [trial for trial in view.front if trial.number in numbers][::-1]
    limits = resource_limits(view)
    height = 130 + 22 * len(members) * max(1, min(2, len(limits)))
    figure = go.Figure(layout=_layout(height) | {"showlegend": True})
    names = [_marked_name(view, trial) for trial in members]
    for (column, limit), colour in zip(limits.items(), (SECOND, ACCENT, "#2da44e", "#8957e5", TEXT), strict=False):
        used = [trial.metrics[column] for trial in members]
        figure.add_trace(
            go.Bar(
                y=names,
                x=[value / limit for value in used],
                orientation="h",
                name=f"{title(column)}, limit {quantity(column, limit)}",
                marker={"color": colour},
                text=[f"{quantity(column, value)}, {100 * value / limit:.0f} %" for value in used],
                textposition="auto",
                hovertemplate="%{y}: %{text}<extra></extra>",
            )
        )
    figure.add_vline(1.0, line={"color": LIMIT, "dash": "dash", "width": 1.5})
    figure.update_xaxes(tickformat=".0%", title_text="share of the limit", range=[0, 1.06], **_LINES)
    return figure.update_yaxes(type="category", automargin=True)


def _marked_name(view: RunView, trial: Trial) -> str:
    marks = [mark for mark, marked in view.marked.items() if marked.number == trial.number]
    return " ".join([trial.architecture.id, *(f"({mark})" for mark in marks)])


def policy(operators: Sequence[OperatorBits]) -> go.Figure:
    """Bits of weights and activations of each operator as bars, and what its group loses alone as points."""
    names = [each.name for each in operators]
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    figure.update_layout(
        _layout(380) | {"showlegend": True, "barmode": "group", "margin": {"b": 130, "l": 60, "r": 60}}
    )
    for title_, values, colour in (
        ("bits of weights", [each.weight_bits for each in operators], SECOND),
        ("bits of activations", [each.input_bits for each in operators], ACCENT),
    ):
        figure.add_trace(go.Bar(x=names, y=values, name=title_, marker={"color": colour}))
    if any(each.loss is not None for each in operators):
        losses = [each.loss for each in operators]
        points = go.Scatter(x=names, y=losses, name="loss alone", mode="markers", marker={"color": LIMIT, "size": 6})
        figure.add_trace(points, secondary_y=True)
        figure.update_yaxes(title_text="nats a picture", rangemode="tozero", nticks=5, secondary_y=True, showgrid=False)
    figure.update_xaxes(type="category", tickangle=-60, tickfont={"size": 9}, **_LINES)
    return figure.update_yaxes(
        title_text="bits", type="log", range=[0, 1.6], tickvals=[2, 4, 8, 16, 32], secondary_y=False, **_LINES
    )


def confusion(member: TrainedMember) -> go.Figure:
    """True classes by row, predicted ones by column, coloured by the share of the true class."""
    kept = most_confused(member)
    counts = member.confusion[np.ix_(kept, kept)]
    total = member.confusion.sum(axis=1)[kept]
    # plotly reads a little HTML in labels
    names = [html.escape(_shortened(member.class_names[index])) for index in kept]
    places = list(range(len(kept)))
    heatmap = go.Heatmap(
        z=counts / np.maximum(total, 1)[:, None],
        customdata=counts,
        colorscale=[[0, "rgba(49,120,198,0)"], [1, "rgba(49,120,198,0.85)"]],
        zmin=0,
        zmax=1,
        xgap=1,
        ygap=1,
        colorbar={"tickformat": ".0%", "thickness": 10, "title": {"text": "of the class", "side": "right"}},
        hovertemplate="true %{y}, predicted %{x}: %{customdata} pictures, %{z:.1%}<extra></extra>",
    )
    if len(kept) <= _MOST_NUMBERED:
        heatmap.update(text=np.where(counts > 0, counts.astype(str), ""), texttemplate="%{text}")
    figure = go.Figure(heatmap, _layout(min(820, 190 + 30 * len(kept))))
    ticks = {"tickvals": places, "ticktext": names, "showgrid": False, "zeroline": False, "automargin": True}
    figure.update_xaxes(title_text="predicted", **ticks)
    return figure.update_yaxes(title_text="true", autorange="reversed", **ticks)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."


def most_confused(member: TrainedMember) -> NDArray[np.intp]:
    """The classes that are shown: all, or of very many the sixty with the most mistakes, in their order."""
    wrong = member.confusion.sum(axis=0) + member.confusion.sum(axis=1) - 2 * np.diag(member.confusion)
    return np.sort(np.argsort(-wrong, kind="stable")[:_MOST_CLASSES])


_LINES: Mapping[str, Any] = {"gridcolor": "rgba(139,148,158,0.25)", "zeroline": False, "linecolor": TEXT}


def _layout(height: int) -> dict[str, Any]:
    return {
        "template": {},
        "height": height,
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": TEXT},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 60, "r": 20, "t": 34, "b": 50},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "hovermode": "closest",
        "dragmode": "pan",
    }


def _axis(column: str) -> dict[str, Any]:
    """Title and number format of a column's axis; bytes are drawn in KiB."""
    name = {"number": "evaluations"}.get(column, title(column))
    metric = METRIC_OF_COLUMN.get(column)
    unit = metric.unit if metric else ""
    if unit == "fraction":
        return {"title": {"text": name}, "tickformat": ".1~%", **_LINES}
    if unit == "B":
        return {"title": {"text": f"{name}, KiB"}, **_LINES}
    named = name if column in ("macs", "params", "number") or name.endswith(unit) else f"{name}, {unit}"
    # with prefixes 0.05 ms would be 50m
    return {"title": {"text": named}, "tickformat": "~s" if metric is None or metric.whole else ".4~g", **_LINES}


def _scaled(column: str, value: float) -> float:
    return value / 1024 if column.endswith("_bytes") else float(value)


def _value(trial: Trial, column: str) -> float:
    return float(trial.number) if column == "number" else _scaled(column, trial.metrics[column])


def _column(view: RunView, column: str) -> NDArray[np.float64]:
    if column == "number":
        return np.asarray([trial.number for trial in view.trials], dtype=np.float64)
    return view.column(column) / (1024 if column.endswith("_bytes") else 1)
