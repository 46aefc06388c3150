"""What was promised beside what was measured, as a table."""

from typing import TYPE_CHECKING

from nas.deployment.verification import Check, Verification

if TYPE_CHECKING:
    from rich.console import Console

_WORDS = {True: "holds", False: "BROKEN", None: "not measured"}


def print_verification(console: "Console", found: Verification) -> None:
    """One row a check."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure")
    for title in ("promised", "measured", "within"):
        table.add_column(title, justify="right")
    table.add_column("")
    table.add_column("how")
    for check in found.checks:
        measured = "" if check.measured is None else _number(check.measured)
        table.add_row(check.figure, _number(check.promised), measured, _within(check), _WORDS[check.holds], check.how)
    console.print(f"{found.folder}: {found.kind}", markup=False)
    console.print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"


def _within(check: Check) -> str:
    if check.at_most:
        return "at most"
    return f"{100 * check.tolerance:g} %" if check.tolerance else "exact"
