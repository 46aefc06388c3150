"""The cost of one network for people, and its layers with the peak marked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nas.costing import Cost
from nas.reporting.tables import quantity, schedule
from predictors.core.metric import METRICS, format_quantity
from predictors.hardware.counts import MAC_CONVENTIONS
from predictors.hardware.layer_profile import LayerCost
from predictors.hardware.memory import memory_rule

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = ("macs", "params", "sram", "flash", "size")
_BAR = 24


def print_cost(console: "Console", cost: Cost, layers: bool) -> None:
    """Figures, schedule, the better alternative, and with `layers` every operator."""
    document = cost.to_document(layers=False)
    console.print(f"{cost.subject.name}, {document['resolution']} pixels, runtime {cost.runtime}, int8")
    for key in _SHOWN:
        metric = METRICS[key]
        console.print(f"  {key:<9} {format_quantity(metric, cost.figures[metric.column])}")
    recomputed = cost.figures["macs"] - cost.figures["macs_layerwise"]
    share = f", {100 * recomputed / cost.figures['macs_layerwise']:.1f} % of MACs recomputed" if recomputed else ""
    console.print(f"  schedule  {schedule(cost.figures['patches'], cost.figures['split'])}{share}")
    always = memory_rule(cost.runtime).planned is not None
    counted = "counted" if cost.subject.count_input or always else "not counted (--count-input)"
    console.print(f"  input image {counted}; MACs: {MAC_CONVENTIONS[cost.subject.mac_convention]}")
    for note in cost.subject.notes:
        console.print(f"  {note}", markup=False)
    if cost.schedules is not None:
        admitted, accepted = cost.schedules
        console.print(
            f"  strict runtime: the generator of {cost.runtime} accepts {accepted} of {admitted} patch schedules"
        )
    if cost.budget:
        limits = "; ".join(cost.budget.describe(cost.runtime))
        console.print(f"  {'fits' if cost.figures['fits'] else 'DOES NOT FIT'}: {limits}")
    if cost.alternative is not None:
        better = cost.alternative
        extra = better["macs"] / cost.figures["macs"] - 1
        elsewhere = "" if cost.alternative_runtime == cost.runtime else f"--runtime {cost.alternative_runtime} "
        where = f", runtime {cost.alternative_runtime}" if elsewhere else ""
        console.print(
            f"  with {schedule(better['patches'], better['split'])}{where}: peak SRAM "
            f"{quantity('peak_sram_bytes', better['peak_sram_bytes'])} at {100 * extra:+.1f} % MACs "
            f"({elsewhere}--schedule {better['patches']}x{better['split']})"
        )
    if layers:
        console.print()
        console.print(layers_table(cost.layers))


def layers_table(layers: Sequence[LayerCost]) -> Any:
    """One row an operator: shapes, MACs, bytes alive as a bar, the peak marked."""
    from rich.table import Table

    peak = max(layer.sram_bytes for layer in layers)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("layer", "kind", "in", "out"):
        table.add_column(title)
    for title in ("k", "s", "MACs", "weights", "SRAM"):
        table.add_column(title, justify="right")
    for title in ("", ""):
        table.add_column(title)
    for layer in layers:
        bar = "#" * max(1, round(_BAR * layer.sram_bytes / peak))
        remark = " ".join(([] if not layer.patched else ["by patch"]) + (["<- peak"] if layer.peak else []))
        table.add_row(
            layer.name,
            layer.kind,
            "x".join(map(str, layer.input)),
            "x".join(map(str, layer.output)),
            str(layer.kernel),
            str(layer.stride),
            f"{layer.macs:,}",
            f"{layer.weights:,}",
            f"{layer.sram_bytes:,}",
            bar,
            remark,
            style="bold red" if layer.peak else None,
        )
    return table
