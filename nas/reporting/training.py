"""What a training gave, for people: accuracies, and which classes are taken for which."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nas.deployment import format_for
from nas.member import MemberReport
from nas.run import StoredRun

if TYPE_CHECKING:
    from rich.console import Console

_MOST_CLASSES_IN_TABLE = 20
_MOST_CONFUSIONS = 10


def training_document(reports: Sequence[MemberReport]) -> dict[str, Any]:
    """The report whose weights were kept, as JSON; of several seeds also each one's figures, their mean and spread."""
    document = {**reports[0].to_document(), "path": str(reports[0].path)}
    if len(reports) > 1:
        document["seeds"] = [
            {"seed": r.seed, "validation_top1": r.validation.top1, "test_top1": r.test.top1} for r in reports
        ]
        document["spread"] = {"validation": spread(_of(reports, "validation")), "test": spread(_of(reports, "test"))}
    return document


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, sample standard deviation (0 of a single value), least and greatest.

    >>> spread([0.5, 0.75])["deviation"]
    0.1767766952966369
    """
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "deviation": deviation, "least": min(values), "greatest": max(values)}


def _of(reports: Sequence[MemberReport], part: str) -> list[float]:
    return [getattr(report, part).top1 for report in reports]


def print_training(console: "Console", run: StoredRun, reports: Sequence[MemberReport]) -> None:
    """Accuracy on validation and test, the confusion of the test pictures, and the next commands.

    Of several seeds (the best on validation first) also mean and spread; the rest is of the first, which was kept.
    """
    for report in sorted(reports, key=lambda report: report.seed):
        console.print(
            f"network {report.id}, seed {report.seed}, {report.weights}, {report.epochs} epochs in "
            f"{report.seconds:.0f} s: validation {100 * report.validation.top1:.1f} %, test "
            f"{100 * report.test.top1:.1f} % (mean over classes {100 * report.test.balanced_top1:.1f} %), "
            f"{int(report.test.confusion.sum()):,} pictures"
        )
        if report.quantized:
            shares = ", ".join(f"{part} {100 * scores.top1:.1f} %" for part, scores in report.quantized.items())
            console.print(f"  in the bits of its quantization policy: {shares}")
    report = reports[0]
    if len(reports) > 1:
        for part in ("validation", "test"):
            figures = spread(_of(reports, part))
            console.print(
                f"{part}, {len(reports)} seeds: {100 * figures['mean']:.2f} % +- {100 * figures['deviation']:.2f} "
                f"(standard deviation; {100 * figures['least']:.1f} to {100 * figures['greatest']:.1f} %)"
            )
        console.print(f"kept: the weights of seed {report.seed}, the best on validation")
    if len(report.class_names) <= _MOST_CLASSES_IN_TABLE:
        console.print(confusion_table(report))
    else:
        _print_largest_confusions(console, report)
    console.print(f"weights and report: {report.path}/")
    form = format_for(run.parts.runtime)
    console.print(
        f"next: nas export {run.name} --pick {report.id} --to {form} --out {run.name}-{report.id}/", markup=False
    )


def confusion_table(report: MemberReport) -> Any:
    """Rows are the true classes, columns the predicted ones."""
    from rich.table import Table

    table = Table(
        box=None, pad_edge=False, header_style="bold", title="test pictures: true class by row, predicted by column"
    )
    table.add_column("")
    for name in report.class_names:
        table.add_column(name, justify="right")
    for name, row in zip(report.class_names, report.test.confusion.tolist(), strict=True):
        table.add_row(name, *(str(count) if count else "." for count in row))
    return table


def _print_largest_confusions(console: "Console", report: MemberReport) -> None:
    wrong = report.test.confusion.copy()
    for index in range(len(wrong)):
        wrong[index, index] = 0
    cells = sorted(((int(c), i, j) for (i, j), c in _cells(wrong)), reverse=True)[:_MOST_CONFUSIONS]
    for count, true, predicted in cells:
        if count:
            console.print(
                f"  {count} of class '{report.class_names[true]}' taken for '{report.class_names[predicted]}'",
                markup=False,
            )


def _cells(matrix: Any) -> list[tuple[tuple[int, int], int]]:
    return [((i, j), int(matrix[i, j])) for i in range(len(matrix)) for j in range(len(matrix))]
