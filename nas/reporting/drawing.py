"""One network as a drawing: a row an operator, its memory as a bar, patches shaded, the peak marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

from nas.core.trial import Trial
from nas.costing import layers_of
from nas.reporting.tables import quantity, schedule
from nas.run import StoredRun
from nas.storage.files import check_free, write_atomically
from predictors.hardware.layer_profile import LayerCost

_WIDTH, _ROW, _HEAD = 640, 17, 78
_BLOCK, _KIND, _SHAPE, _BAR, _BAR_END = 8, 92, 202, 286, 545
_FARTHEST_LIMIT = 2.5  # a limit this many times beyond the peak would leave the bars too short to compare

# Colours stand in rules, not in variables: other programs than browsers draw these too.
_LIGHT = {"ink": "#1f2328", "soft": "#59636e", "bar": "#3178c6", "peak": "#d1434b", "patch": "#fff1e0", "page": "#fff"}
_DARK = {
    "ink": "#e6edf3",
    "soft": "#9198a1",
    "bar": "#4c8fdb",
    "peak": "#f0616a",
    "patch": "#3a2a17",
    "page": "#15191f",
}


@dataclass(frozen=True)
class Drawing:
    """What is drawn. `limit` is the budget's on peak SRAM in bytes, None where there is none."""

    title: str
    subtitles: Sequence[str]
    layers: Sequence[LayerCost]
    patches: int
    limit: float | None

    def svg(self, styled: bool = True) -> str:
        """A standalone SVG; with `styled` False one that relies on `drawing_style` in its page."""
        height = _HEAD + _ROW * len(self.layers) + 14
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="net" role="img" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" font-family="system-ui, sans-serif" font-size="11">',
            f"<title>{escape(self.title)}</title><desc>{escape(self._description())}</desc>",
            f"<style>{drawing_style()}</style>" if styled else "",
            f'<rect class="page" width="{_WIDTH}" height="{height}" rx="6"/>',
            _text(_BLOCK, 19, self.title, "ink", weight="600", size=13),
            *(_text(_BLOCK, 35 + 15 * row, words, "soft") for row, words in enumerate(self.subtitles)),
            *(_text(x, _HEAD - 8, words, "ink", weight="600") for x, words in _HEADINGS),
            *self._patched(),
            *self._blocks(),
            *self._limit_line(height),
            *(line for row, layer in enumerate(self.layers) for line in self._operator(row, layer)),
            "</svg>",
        ]
        return "\n".join(part for part in parts if part) + "\n"

    @property
    def _full_scale(self) -> float:
        peak = max(layer.sram_bytes for layer in self.layers)
        return max(peak, self.limit) if self.limit and self.limit <= _FARTHEST_LIMIT * peak else peak

    def _x(self, size: float) -> float:
        return round(_BAR + (_BAR_END - _BAR) * size / self._full_scale, 1)

    def _description(self) -> str:
        peak = next(layer for layer in self.layers if layer.peak)
        return f"{', '.join(self.subtitles)}. {len(self.layers)} operators; the most memory is alive at {peak.name}."

    def _patched(self) -> list[str]:
        count = sum(layer.patched for layer in self.layers)
        if not count:
            return []
        words = f"{self.patches} x {self.patches} patches, one after the other"
        shade = f'<rect class="patch" x="0" y="{_HEAD - 2}" width="{_WIDTH}" height="{_ROW * count}"/>'
        return [shade, _text(_WIDTH - 8, _HEAD - 8, words, "peak", anchor="end")]

    def _blocks(self) -> list[str]:
        """The name of each block once, with a bracket along its operators."""
        lines, row = [], 0
        for name, group in groupby(self.layers, key=lambda layer: layer.name.rpartition(".")[0] or layer.name):
            count = len(list(group))
            top, bottom = _HEAD + _ROW * row, _HEAD + _ROW * (row + count) - 4
            lines.append(f'<path class="bracket" d="M{_KIND - 8} {top} h-4 v{bottom - top} h4"/>')
            lines.append(_text(_BLOCK, top + 11, name, "ink", weight="600"))
            row += count
        return lines

    def _operator(self, row: int, layer: LayerCost) -> list[str]:
        y = _HEAD + _ROW * row
        end = self._x(layer.sram_bytes)
        words = f"{quantity('peak_sram_bytes', layer.sram_bytes)}{' peak' if layer.peak else ''}"
        halo = "" if layer.patched else " over"  # its colour is the page's, which the shade of patches is not
        return [
            _text(_KIND, y + 11, _kind(layer), "ink"),
            _text(_SHAPE, y + 11, " x ".join(map(str, layer.output)), "soft"),
            f'<rect class="{"peakbar" if layer.peak else "bar"}" x="{_BAR}" y="{y + 1}" width="{end - _BAR:.1f}" '
            f'height="{_ROW - 5}" rx="2"><title>{escape(_tip(layer))}</title></rect>',
            _text(end + 5, y + 11, words, ("peak" if layer.peak else "soft") + halo),
        ]

    def _limit_line(self, height: int) -> list[str]:
        if not self.limit or self.limit > self._full_scale:
            return []
        x, words = self._x(self.limit), f"limit {quantity('peak_sram_bytes', self.limit)}"
        return [
            f'<path class="limit" d="M{x} {_HEAD - 2} V{height - 13}"/>',
            _text(x, height - 3, words, "peak", anchor="middle"),
        ]


def drawing_of(run: StoredRun, trial: Trial, mark: str = "") -> Drawing:
    """The drawing of one network of a run; `mark` says what it is, such as 'knee'."""
    layers = layers_of(run, trial)
    figures = [
        f"{quantity(column, trial.metrics[column])} {words}" for column, words in _SAID if column in trial.metrics
    ]
    pixels = " x ".join(map(str, run.parts.space.input_size(trial.architecture)[1:]))
    title = f"{trial.architecture.id}{f', {mark}' if mark else ''} of run {run.name}"
    planned = ", ".join([f"{pixels} pixels", schedule(trial.patches, trial.split), f"runtime {run.parts.runtime}"])
    return Drawing(
        title, (", ".join(figures), planned), layers, trial.patches, run.parts.budget.limits.get("peak_sram_bytes")
    )


def write_drawing(run: StoredRun, trial: Trial, path: Path, force: bool = False) -> None:
    """Writes a network's drawing as a standalone SVG; `WrongUse` where the file exists and `force` is not given."""
    check_free(path, force)
    marks = [which for which in ("best", "knee") if len(run.pareto) and run.pick(which).number == trial.number]
    write_atomically(path, drawing_of(run, trial, " and ".join(marks)).svg(), run.name)


_HEADINGS = ((_BLOCK, "block"), (_KIND, "operator"), (_SHAPE, "output"), (_BAR, "memory alive"))
_SAID = (("top1", "accuracy"), ("macs", "MACs"), ("peak_sram_bytes", "SRAM"), ("flash_bytes", "flash"))


def drawing_style() -> str:
    """The drawing's colours, light and dark; printed always light."""
    dark = f"@media (prefers-color-scheme: dark) {{ {_rules(_DARK)} }}"
    return f"{_rules(_LIGHT)} {dark} @media print {{ {_rules(_LIGHT)} }}"


def _rules(colours: dict[str, str]) -> str:
    filled = {"ink": "ink", "soft": "soft", "peak": "peak", "bar": "bar", "peakbar": "peak", "patch": "patch"}
    fills = [f".net .{name} {{ fill: {colours[colour]} }}" for name, colour in {**filled, "page": "page"}.items()]
    lines = [
        f".net .over {{ stroke: {colours['page']}; stroke-width: 3px; paint-order: stroke }}",
        f".net .bracket {{ fill: none; stroke: {colours['soft']} }}",
        f".net .limit {{ fill: none; stroke: {colours['peak']}; stroke-dasharray: 4 3 }}",
    ]
    return " ".join([*fills, *lines])


def _kind(layer: LayerCost) -> str:
    size = f" {layer.kernel}x{layer.kernel}" if layer.kind in ("conv", "depthwise") else ""
    return f"{layer.kind}{size}{f' / {layer.stride}' if layer.stride > 1 else ''}"


def _tip(layer: LayerCost) -> str:
    return f"{layer.name}: {layer.macs:,} MACs, {layer.weights:,} weights, {layer.sram_bytes:,} B alive"


def _text(x: float, y: float, words: str, colour: str, weight: str = "", size: int = 0, anchor: str = "") -> str:
    extra = f' font-weight="{weight}"' if weight else ""
    extra += f' font-size="{size}"' if size else ""
    extra += f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{colour}" x="{x:g}" y="{y:g}"{extra}>{escape(words)}</text>'
