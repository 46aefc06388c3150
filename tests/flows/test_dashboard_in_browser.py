"""The dashboard in a real browser: a run is started by the form, watched, questioned, taken away and compared.

Screenshots go to the folder that FITNAS_SCREENSHOTS names, else to the test's own.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.synthetic_run import write_run

httpx = pytest.importorskip("httpx", reason="the service needs pip install 'fitnas[service]'")

WAIT_MS = 180_000
SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@dataclass
class Visitor:
    """One page of a browser. `complaints` are errors and dialogs, `asked` the addresses it fetched."""

    page: Any
    address: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def is_clean(self) -> bool:
        """Nothing complained, nothing was fetched from elsewhere, nothing is wider than the page."""
        foreign = [url for url in self.asked if not url.startswith((self.address, "data:", "blob:"))]
        assert (self.complaints, foreign) == ([], [])
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and token of `nas serve` over a folder with one run whose note is a script."""
    folder = tmp_path_factory.mktemp("served")
    write_run(folder / "runs", "seen", 40, failed=1)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "nas", "serve", "--port", "0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        address, _, secret = process.stdout.readline().strip().partition("/#token=")
        assert secret, (folder / "log").read_text()
        headers = {"Authorization": f"Bearer {secret}"}
        said = httpx.patch(f"{address}/api/v1/runs/seen", json={"note": SCRIPT}, headers=headers)
        assert said.status_code == 200, said.text
        yield address, secret
    finally:
        process.terminate()
        process.wait(timeout=30)


def visitor(browser: Any, service: tuple[str, str], width: int = 1280, scheme: str = "light") -> Visitor:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True)
    made = Visitor(context.new_page(), service[0])
    made.go(f"/#token={service[1]}")
    made.page.wait_for_selector("[data-run=seen]")
    return made


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("FITNAS_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_run_from_the_form_to_the_zip(browser: Any, service: tuple[str, str], screenshots: Path) -> None:
    seen = visitor(browser, service)
    page = seen.page
    assert service[1] not in page.url  # neither in the history nor over anybody's shoulder
    page.click("nav >> text=New run")
    page.wait_for_selector("input[name=trials]")
    page.get_by_label("resolutions").fill("16")
    page.fill("input[name=trials]", "8")
    page.fill("input[name=supernet_epochs]", "1")
    page.fill("input[name=run]", "web")
    page.fill("input[name=budget-sram]", "8k")
    page.wait_for_selector("code:has-text('--budget sram=8k')")
    assert 0 < float(page.get_attribute("[data-share]", "data-share")) < 1
    assert "--set resolutions=16" in page.inner_text("code.command")
    page.screenshot(path=screenshots / "start.png", full_page=True)
    page.click("text=Start the search")
    page.wait_for_url("**/runs/web")
    page.wait_for_selector("h1 .badge.training, h1 .badge.searching, h1 .badge.complete")
    page.wait_for_selector("[data-pick=best]")  # points have come without anything being done here
    page.wait_for_selector("h1 .badge.complete")
    page.wait_for_function("document.querySelectorAll('.plot')[0].data?.at(-1).x.length > 0")
    _question(page)
    page.screenshot(path=screenshots / "run.png", full_page=True)
    page.click("[data-pick=best] a")
    page.wait_for_selector(".drawing img")
    page.select_option("select[name=format]", "pytorch")
    page.click("button:text-is('Export')")
    with page.expect_download(timeout=WAIT_MS) as download:
        page.click("text=Download as zip")
    assert download.value.suggested_filename.startswith("web-")
    page.screenshot(path=screenshots / "network.png", full_page=True)
    assert seen.is_clean()


def _question(page: Any) -> None:
    """A slider re-picks from what was found; three axes; the cheapest above a level."""
    slider = page.locator("input[data-limit=macs]")
    least = float(slider.get_attribute("min"))
    slider.focus()
    page.keyboard.press("Home")  # by keyboard: the smallest budget
    page.wait_for_function(  # the network of that budget, in the place of the one before
        """([least]) => {
            const [, amount, unit] = document.querySelector("[data-pick=best]").innerText.match(/([\\d.]+) ([kM])\\b/);
            return Math.abs(amount * { k: 1e3, M: 1e6 }[unit] / least - 1) < 0.01;
        }""",
        arg=[least],
    )
    found = page.inner_text("[data-pick=best]")
    amount, unit = re.search(r"([\d.]+) ([kM])\b", found).groups()
    assert float(amount) * {"k": 1e3, "M": 1e6}[unit] == pytest.approx(least, rel=0.01)
    page.click("text=As it was searched")
    page.locator("label:has-text('z') select").first.select_option("params")
    page.wait_for_function("document.querySelectorAll('.plot')[0].data?.at(-1).type === 'scatter3d'")
    page.locator("label:has-text('z') select").first.select_option("")
    field_ = page.get_by_label("Least accuracy")
    field_.fill("5")
    field_.press("Enter")
    page.wait_for_selector("[data-pick=cheapest]")


def test_names_are_text_and_keys_are_enough(browser: Any, service: tuple[str, str]) -> None:
    seen = visitor(browser, service)
    page = seen.page
    assert SCRIPT in page.inner_text("[data-run=seen]")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == "/runs/seen":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/seen")
    page.wait_for_selector("[data-pick=knee]")
    page.go_back()
    page.wait_for_selector("[data-run=seen]")
    assert seen.is_clean()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light"), (390, "dark")])
def test_every_page_fits(browser: Any, service: tuple[str, str], screenshots: Path, width: int, scheme: str) -> None:
    seen = visitor(browser, service, width, scheme)
    pages = {
        "runs": ("/", "[data-run=seen]"),
        "run": ("/runs/seen", "[data-pick=knee]"),
        "network": ("/runs/seen/networks/knee", ".drawing img"),
        "start": ("/start", "[data-share]"),
        "datasets": ("/datasets", "input[type=file]"),
        "jobs": ("/jobs", "h1"),
    }
    for name, (path, awaited) in pages.items():
        seen.go(path)
        seen.page.wait_for_selector(awaited)
        seen.page.screenshot(path=screenshots / f"{name}-{width}-{scheme}.png", full_page=True)
        assert seen.is_clean(), name


def test_fronts_over_each_other(browser: Any, service: tuple[str, str], screenshots: Path) -> None:
    seen = visitor(browser, service)
    page = seen.page
    page.wait_for_selector("[data-run=web]")
    page.check("input[aria-label='Compare seen']")
    page.check("input[aria-label='Compare web']")
    page.click("text=Compare")
    page.wait_for_function("document.querySelector('.plot')?.data?.length === 2")
    page.screenshot(path=screenshots / "compare.png", full_page=True)
    assert seen.is_clean()
