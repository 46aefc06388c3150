"""What a training gave, for people: accuracies, and which classes are taken for which."""

from typing import TYPE_CHECKING, Any

from nas.member import MemberReport
from nas.run import StoredRun

if TYPE_CHECKING:
    from rich.console import Console

_MOST_CLASSES_IN_TABLE = 20
_MOST_CONFUSIONS = 10


def print_training(console: "Console", run: StoredRun, report: MemberReport) -> None:
    """Accuracy on validation and test, the confusion of the test pictures, and the next commands."""
    console.print(
        f"network {report.id}, {report.weights}, {report.epochs} epochs in {report.seconds:.0f} s: "
        f"validation {100 * report.validation.top1:.1f} %, test {100 * report.test.top1:.1f} % "
        f"(mean over classes {100 * report.test.balanced_top1:.1f} %), {int(report.test.confusion.sum()):,} pictures"
    )
    if len(report.class_names) <= _MOST_CLASSES_IN_TABLE:
        console.print(confusion_table(report))
    else:
        _print_largest_confusions(console, report)
    console.print(f"weights and report: {report.path}/")
    console.print(
        f"next: nas export {run.name} --pick {report.id} --to pytorch --out {run.name}-{report.id}/", markup=False
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
