"""What policies found for one network, for people: accuracy beside size and bit operations."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from nas.quantizing import Outcome, QuantizationReport
from predictors.core.metric import METRICS, format_quantity

if TYPE_CHECKING:
    from rich.console import Console


def print_quantization(console: "Console", report: QuantizationReport) -> None:
    """A row a policy, the trained network first; then the test accuracy of what is kept."""
    console.print(f"network {report.id}, {report.weights}; " + "; ".join(report.budget.describe(report.runtime)))
    console.print(_table(report))
    for note in report.notes:
        console.print(note, markup=False)
    console.print(
        f"kept: {report.kept.name}, test {100 * report.test:.1f} % against {100 * report.float_test:.1f} % in floats"
    )
    console.print(f"policy: {report.path}", markup=False, soft_wrap=True)


def _table(report: QuantizationReport) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("policy")
    for name in ("validation", "size", "BitOPs", "evaluations", "gradients", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("operators by width")
    for outcome in (report.floats, *report.outcomes):
        table.add_row(*_cells(outcome))
    return table


def _cells(outcome: Outcome) -> list[str]:
    counts = Counter(each.name for each in outcome.policy.widths.values())
    return [
        outcome.name,
        f"{100 * outcome.validation:.1f} %",
        format_quantity(METRICS["size"], outcome.figures["weight_bytes"]),
        format_quantity(METRICS["bitops"], outcome.figures["bitops"]),
        f"{outcome.evaluations:,}",
        f"{outcome.gradients:,}",
        f"{outcome.seconds:.1f}",
        ", ".join(f"{count} {name}" for name, count in sorted(counts.items())),
    ]
