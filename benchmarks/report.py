"""How long the report of a run of 10,000 trials takes to write, how large it is, and how soon a browser shows it.

The architectures and their prices are real; their accuracies are made up, since only the report's own speed is
measured. Needs playwright and an installed Chromium:

    OMP_NUM_THREADS=1 python benchmarks/report.py
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from results import write_section
from synthetic_run import write_run

from nas.reporting.report import write_report
from nas.run import StoredRun

_MOST_SECONDS, _MOST_MEGABYTES = 10, 12
_WAIT_MS = 120_000


def seconds_to_show(page_path: Path, browser: str) -> tuple[float, float]:
    """Seconds from opening the file until its first plot is drawn, and until all are."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        try:
            page = opened.new_page(viewport={"width": 1280, "height": 900})
            page.goto(page_path.as_uri())
            page.wait_for_function("document.documentElement.dataset.drawn === 'all'", timeout=_WAIT_MS)
            first = page.evaluate("performance.getEntriesByName('first-plot')[0].startTime")
            every = page.evaluate("performance.getEntriesByName('all-plots')[0].startTime")
        finally:
            opened.close()
    return first / 1000, every / 1000


def main() -> None:
    """Measures once and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--browser", default=shutil.which("chromium") or shutil.which("google-chrome"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        path = write_run(Path(root), "report-speed", arguments.trials).path
        began = time.perf_counter()
        written = write_report(StoredRun.load(path))
        seconds = time.perf_counter() - began
        size = written.stat().st_size / 1e6
        first, every = seconds_to_show(written, arguments.browser)
    rows = [
        {"what": "written in", "measured": f"{seconds:.1f} s", "wanted": f"under {_MOST_SECONDS} s"},
        {"what": "size", "measured": f"{size:.1f} MB", "wanted": f"under {_MOST_MEGABYTES} MB"},
        {"what": "first plot drawn in headless Chromium after", "measured": f"{first:.1f} s"},
        {"what": "every plot drawn after", "measured": f"{every:.1f} s"},
    ]
    note = f"{arguments.trials:,} random architectures of mcunetv2 with real prices; their ACCURACIES ARE MADE UP"
    write_section("Report of a run of 10,000 trials", rows, [note, "Chromium draws in software, without a GPU"])


if __name__ == "__main__":
    main()
