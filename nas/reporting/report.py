"""A run as one file that opens without a network: what was searched, what was found, and how good it is."""

import importlib.metadata
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from nas.reporting import baselines, html, sections, stitching, widths
from nas.reporting.drawing import drawing_style
from nas.reporting.figures import figures, plotly_js
from nas.reporting.run_view import RunView
from nas.reporting.trials_data import trials_data
from nas.run import StoredRun
from nas.storage.files import check_free, write_atomically

# Nothing may be fetched, whatever a name in the run contains; plotly compiles its WebGL programs from text.
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; base-uri 'none'; form-action 'none'"
)
_NAVIGATION = (
    ("front", "Front"), ("networks", "Networks"), ("stitching", "Stitching"), ("policies", "Bits"),
    ("baselines", "Baselines"), ("resources", "Budget"), ("progress", "Progress"), ("choices", "Choices"),
    ("trained", "Trained"), ("trials", "All trials"), ("commands", "Commands"),
)  # fmt: skip


def write_report(run: StoredRun, out: Path | None = None, force: bool = False) -> Path:
    """Writes the report and returns its path: `report.html` in the run's folder, written anew each time, or `out`.

    `WrongUse` where `out` exists and `force` is not given.
    """
    if out is not None:
        check_free(out, force)
    path = out or run.directory.report
    write_atomically(path, report_html(RunView.of(run)), run.name)
    return path


def report_html(view: RunView) -> str:
    """The whole page."""
    drawn = figures(view)
    body = [
        sections.front(view, drawn),
        sections.networks(view),
        stitching.section(view),
        widths.section(view, {name: int(figure.layout.height) for name, figure in drawn.items()}),
        baselines.section(view),
        sections.resources(view, drawn),
        sections.progress(drawn),
        sections.choices(view, drawn),
        sections.confusions(view, drawn),
        sections.trials(view),
        sections.commands(view),
    ]
    main = "\n".join(part for part in body if part)
    links = "".join(f'<a href="#{place}">{word}</a>' for place, word in _NAVIGATION if f'id="{place}"' in main)
    encoded = ",".join(f"{html.json_text(name)}:{figure.to_json()}" for name, figure in drawn.items())
    return "\n".join(
        [
            _head(view),
            '<body>\n<a class="skip" href="#front">Skip to the front</a>',
            f"<header><h1>Run {html.text(view.name)}</h1>\n{sections.summary(view)}",
            f'<nav aria-label="Sections">{links}</nav></header>',
            f'<main>\n{main}\n</main>\n<footer class="soft">{_made()}</footer>',
            html.data("figures-data", f"{{{encoded}}}"),
            html.data("trials-data", trials_data(view)) if view.trials else "",
            f"<script>{plotly_js()}</script>",
            f"<script>{_asset('report.js')}</script>",
            "</body>\n</html>\n",
        ]
    )


def _head(view: RunView) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{REPORT_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.text(view.name)} - FitNAS report</title>
<style>{_asset("report.css")}
{drawing_style()}</style>
</head>"""


def _made() -> str:
    version = importlib.metadata.version("fitnas")
    return f"Written by FitNAS {version} on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. This file needs no network."


def _asset(name: str) -> str:
    return files("nas.reporting").joinpath(name).read_text(encoding="utf-8")
