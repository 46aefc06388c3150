"""What `nas bench` tells people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nas.benching import Score, interval

if TYPE_CHECKING:
    from rich.console import Console


def score_row(score: Score) -> dict[str, str]:
    """A score as texts by column title."""
    row = {"device": score.device, "strategy": score.strategy}
    for mark, shares in zip(score.marks, score.shares.T, strict=True):
        low, high = interval(shares)
        row[f"at {mark}"] = f"{shares.mean():.3f} ({low:.3f} to {high:.3f})"
    reached = [count for count in score.needed if count is not None]
    middle = f", median {np.median(reached):.0f}" if len(reached) > len(score.needed) / 2 else ""
    row["90 % reached"] = f"{len(reached)} of {len(score.needed)}{middle}"
    row["distinct"] = f"{score.distinct:.0f}"
    row["s an ask"] = f"{score.ask_seconds:.3f}"
    return row


def print_scores(console: "Console", scores: Sequence[Score]) -> None:
    """The scores as a table, and how to read it."""
    from rich.table import Table

    rows = [score_row(score) for score in scores]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in rows[0] if rows else ():
        table.add_column(title, justify="left" if title in ("device", "strategy") else "right")
    for row in rows:
        table.add_row(*row.values())
    console.print(table)
    console.print(
        "share of the exact front's hypervolume after so many evaluations: mean over seeds (95 % interval); "
        "evaluations to 90 % of it",
        markup=False,
    )
