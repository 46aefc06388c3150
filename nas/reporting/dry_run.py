"""What a budget admits, before anything is trained: TinyNAS's first stage (MCUNet, arXiv 2007.10319, section 3.1)."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.progress import Reporter, Silent
from nas.reporting.tables import how_many, quantity
from nas.searching import Admitted, Prepared
from nas.timing import expected_seconds
from search_spaces.core.population import Population

if TYPE_CHECKING:
    from rich.console import Console

_SAMPLE_A_CELL = 200
_MOST_ROWS = 8
_TOP_SHARE = 80  # percentile: the MACs that the best fifth of the feasible networks exceed


def dry_run_document(dry: Admitted, reporter: Reporter | None = None) -> dict[str, Any]:
    """Size of the space, feasible share, ranges of the feasible figures, what each resolution and width admits.

    `expected_seconds` is None without data: it depends on how many pictures there are.
    """
    feasibility, space = dry.feasibility, dry.parts.space
    fits = feasibility.columns["fits"]
    ranges = {
        column: [_plain(end(values[fits]), values) for end in (np.min, np.median, np.max)]
        for column, values in feasibility.columns.items()
        if column in dry.parts.pricer.columns and fits.any()
    }
    return {
        "space": space.name,
        "networks": float(space.size),
        "sampled": feasibility.sampled,
        "feasible_share": feasibility.share,
        "refused_by_generator": feasibility.refused,
        "patched_share": float((feasibility.columns["split"][fits] > 0).mean()) if fits.any() else 0.0,
        "input": list(space.input_size(space.extremes()[1])),
        "classes": space.settings.classes,
        "budget": dry.parts.budget.describe(dry.parts.runtime),
        "feasible_min_median_max": ranges,
        "admitted": admitted(dry),
        "expected_seconds": expected_seconds(dry, reporter or Silent()) if isinstance(dry, Prepared) else None,
    }


def _plain(value: Any, of: NDArray[Any]) -> float:
    """A count stays one."""
    return int(value) if np.issubdtype(of.dtype, np.integer) else float(value)


def admitted(dry: Admitted) -> list[dict[str, Any]]:
    """For each resolution and width: the share that fits, and the MACs of those (mean, and the best fifth's least).

    The more MACs a corner of the space can afford within the budget, the better its networks: where the figures are
    largest is where the search should end up. Nothing is trained for this.
    """
    space, pricer = dry.parts.space, dry.parts.pricer
    names = [choice.name for choice in space.choices]
    if "resolution" not in names:
        return []
    resolution = names.index("resolution")
    widths = [i for i, name in enumerate(names) if name.endswith("width")]
    rng = np.random.default_rng([dry.config.seed, 3])
    rows = []
    for place in _spread(len(space.choices[resolution].options)):
        pixels = space.choices[resolution].options[place]
        for option in _spread(len(space.choices[widths[0]].options)) if widths else [0]:
            width = space.choices[widths[0]].options[option] if widths else None
            matrix = space.sample(rng, _SAMPLE_A_CELL).matrix.copy()
            matrix[:, resolution] = place
            matrix[:, widths] = option
            columns = pricer(Population(space, space.canonical(matrix)))
            macs = columns["macs"][columns["fits"]]
            row = {"resolution": pixels, "width": width, "feasible_share": float(columns["fits"].mean())}
            row |= {"mean_macs": int(macs.mean()) if len(macs) else None}
            row |= {"top_fifth_macs": int(np.percentile(macs, _TOP_SHARE)) if len(macs) else None}
            rows.append(row)
    return rows


def _spread(options: int) -> list[int]:
    """The positions of at most eight options, both ends among them."""
    return sorted(set(np.linspace(0, options - 1, min(options, _MOST_ROWS)).round().astype(int).tolist()))


def refused_line(refused: int, sampled: int) -> str:
    """What a strict runtime rules out."""
    return (
        f"strict runtime: {refused:,} of {sampled:,} sampled networks fit only by a patch schedule that the runtime's "
        "generator refuses, and are rejected"
    )


def print_dry_run(console: "Console", document: dict[str, Any]) -> None:
    """The document for people."""
    from rich.table import Table

    console.print(f"space {document['space']}: {how_many(document['networks'])} networks")
    console.print(
        f"feasible: {100 * document['feasible_share']:.3g} % of {document['sampled']:,} sampled, "
        f"{100 * document['patched_share']:.0f} % of these by patches"
    )
    if document["refused_by_generator"] is not None:
        console.print(refused_line(document["refused_by_generator"], document["sampled"]))
    for column, (least, median, most) in document["feasible_min_median_max"].items():
        console.print(
            f"  {column:<16} {quantity(column, least)} ... {quantity(column, median)} ... {quantity(column, most)}"
        )
    if document["admitted"]:
        table = Table(
            box=None, pad_edge=False, header_style="bold", title="what the budget admits, by resolution and width"
        )
        for title in ("pixels", "width", "feasible", "mean MACs", "best fifth above"):
            table.add_column(title, justify="right")
        for row in document["admitted"]:
            mean, top = row["mean_macs"], row["top_fifth_macs"]
            table.add_row(
                str(row["resolution"]),
                str(row["width"]),
                f"{100 * row['feasible_share']:.0f} %",
                quantity("macs", mean) if mean else "-",
                quantity("macs", top) if top else "-",
            )
        console.print(table)
    seconds = document["expected_seconds"]
    if seconds is None:
        console.print("expected time: give --data, since it depends on how many pictures there are")
        return
    console.print(
        f"expected time: supernet {seconds['supernet']:.0f} s, {seconds['trials']} evaluations "
        f"{seconds['evaluations']:.0f} s (from {seconds['timed_steps']} timed steps on this machine)"
    )
    if seconds["measuring"]:
        console.print(
            f"measuring speed: {seconds['measuring']:.0f} s meanwhile, {seconds['measuring_each']:.1f} s a network on "
            "the CPU; networks that miss a limit on speed come on top"
        )
