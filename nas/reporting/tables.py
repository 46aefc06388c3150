"""Trials and figures as tables for a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from nas.core.objective import Objective
from nas.core.trial import Trial
from predictors.core.metric import METRIC_OF_COLUMN

if TYPE_CHECKING:
    from rich.table import Table

_FIRST = ("top1", "macs", "peak_sram_bytes", "flash_bytes", "params")
_TITLES = {
    "top1": "accuracy",
    "int8_top1": "int8 accuracy",
    "balanced_top1": "balanced",
    "macs": "MACs",
    "peak_sram_bytes": "peak SRAM",
    "flash_bytes": "flash",
    "weight_bytes": "weights",
    "macs_layerwise": "MACs layer by layer",
    "params": "parameters",
    "images_per_second": "images/s",
    "latency_ms": "latency ms",
    "energy_mj": "energy mJ",
    "zero_cost": "zero-cost score",
}


def title(column: str) -> str:
    """The column's heading for people."""
    return _TITLES.get(column, column.replace("_", " "))


def quantity(column: str, value: float) -> str:
    """A figure short enough for a table: '97.3 %', '3.41 M', '61.2 KiB'."""
    if column.endswith("top1"):
        return f"{100 * value:.1f} %"
    if column.endswith("_bytes"):
        return f"{value / 1024:,.1f} KiB"
    if column in ("macs", "macs_layerwise", "params", "bitops", "bitops_int8"):
        scale, suffix = (1e6, " M") if value >= 1e6 else (1e3, " k")
        return f"{value / scale:,.2f}{suffix}"
    return f"{value:,.4g}"


def measured_words(whose: Mapping[str, str]) -> str:
    """Whose the measured figures of a table are, to end a sentence with; nothing where there are none."""
    return "".join(f"; {METRIC_OF_COLUMN[column].key} {words}" for column, words in whose.items())


def size(count: float) -> str:
    """Bytes on a disk: '812 B', '3.4 MiB'.

    >>> size(812), size(3_565_158)
    ('812 B', '3.4 MiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"


def how_many(networks: float) -> str:
    """A number of networks, of large ones two digits.

    >>> how_many(134), how_many(1.234e23)
    ('134', '1.2e+23')
    """
    return f"{networks:,.0f}" if networks < 1e6 else f"{networks:.2g}"


def schedule(patches: int, split: int) -> str:
    """'layer by layer' or '3x3 patches, 4 blocks'."""
    return "layer by layer" if split == 0 else f"{patches}x{patches} patches, {split} block{'s' if split > 1 else ''}"


def front_table(
    trials: Iterable[Trial],
    objectives: Sequence[Objective],
    marks: dict[int, str],
    balanced: bool,
    measured: Iterable[str] = (),
) -> "Table":
    """One row a member, best first; `marks` by trial number, such as 'knee'; `measured`: further columns."""
    from rich.table import Table

    trials, wanted = list(trials), [o.column for o in objectives]
    usual = [column for column in _FIRST[:4] if any(column in trial.metrics for trial in trials)]
    columns = list(dict.fromkeys([*usual, *wanted, *measured, *(("balanced_top1",) if balanced else ())]))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id")
    for column in columns:
        table.add_column(title(column), justify="right")
    telling = telling_choice(trials)
    for heading in ("schedule", telling, ""):
        table.add_column(heading)
    for trial in trials:
        cells = [quantity(column, trial.metrics[column]) if column in trial.metrics else "-" for column in columns]
        told, how = telling_option(trial, telling), schedule(trial.patches, trial.split)
        table.add_row(trial.architecture.id, *cells, how, told, marks.get(trial.number, ""))
    return table


def telling_choice(trials: Iterable[Trial]) -> str:
    """The heading of the one choice that a short table shows: route where networks are stitched, else pixels."""
    return "route" if any("route" in trial.architecture.options for trial in trials) else "pixels"


def telling_option(trial: Trial, heading: str) -> str:
    """That choice's option in a network; a dash where it has none."""
    return str(trial.architecture.options.get("resolution" if heading == "pixels" else heading, "-"))


def marks_of(best: Trial, knee: Trial) -> dict[int, str]:
    """The words beside the best and the knee of a front."""
    marks = {best.number: "best"}
    marks[knee.number] = f"{marks[knee.number]}, knee" if knee.number in marks else "knee"
    return marks
