"""A report in a real browser: it draws, it can be moved, and it asks the network for nothing."""

from typing import Any

import pytest

from benchmarks.synthetic_run import write_run
from nas.reporting.report import write_report

_WAIT_MS = 120_000
_CLASSES = ["<script>alert(1)</script>", "disc"]


class Visit:
    """One page, opened and drawn; `complaints` are errors of the page, `asked` the addresses it fetched."""

    def __init__(self, browser: Any, path: Any, **options: Any) -> None:
        self.page = browser.new_page(**({"viewport": {"width": 1280, "height": 900}} | options))
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_function("document.documentElement.dataset.drawn === 'all'", timeout=_WAIT_MS)

    def range(self) -> list[float]:
        return list(self.page.evaluate("document.querySelector('.plot').layout.xaxis.range"))

    def drag(self) -> None:
        box = self.page.locator(".plot .nsewdrag").first.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x - 60, y, steps=4)
        self.page.mouse.up()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    import json

    run = write_run(tmp_path_factory.mktemp("runs"), "seen", 30, failed=1)
    folder = run.members / run.knee().architecture.id
    folder.mkdir(parents=True)
    trained = {"id": run.knee().architecture.id, "class_names": _CLASSES, "confusion": [[3, 1], [0, 4]]}
    (folder / "report.json").write_text(json.dumps({**trained, "validation_top1": 0.5, "test_top1": 0.875}))
    return run, write_report(run)


@pytest.fixture(scope="module")
def visit(browser, report):
    return Visit(browser, report[1])


def test_it_opens_without_errors_and_without_the_network(visit, report):
    assert visit.complaints == []
    assert visit.asked == [report[1].as_uri()]


def test_every_figure_is_drawn(visit):
    drawn = visit.page.evaluate("[...document.querySelectorAll('.plot')].map((p) => !!p.querySelector('.main-svg'))")
    assert len(drawn) == 7
    assert all(drawn)
    assert visit.page.locator(".plot .scatterlayer .point").count() > 30
    labels = visit.page.locator(".confusion .xtick").all_text_contents()
    assert _CLASSES[0] in labels


def test_a_figure_can_be_moved(visit):
    before = visit.range()
    visit.drag()
    visit.page.wait_for_function(f"document.querySelector('.plot').layout.xaxis.range[0] > {before[0]}")
    assert visit.range()[0] > before[0]


def test_the_table_sorts_by_keyboard_and_turns_its_pages(visit, report):
    page = visit.page
    button = page.get_by_role("button", name="accuracy", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("th[aria-sort=descending]").inner_text() == "accuracy"
    best = report[0].best()
    assert page.locator("#trials-table tbody tr").first.locator("td").nth(1).inner_text() == best.architecture.id
    assert page.locator("#trials-table tbody tr").count() == 25
    page.locator("#trials-next").click()
    assert page.locator("#trials-table tbody tr").count() == 5
    assert page.locator("#trials-table tbody tr").last.locator("td").nth(2).inner_text() == "failed"
    page.locator("#trials-front").check()
    assert page.locator("#trials-table tbody tr").count() == len(report[0].pareto)


def test_nothing_sticks_out_on_a_phone_and_dark_is_dark(browser, report):
    phone = Visit(browser, report[1], viewport={"width": 390, "height": 800}, color_scheme="dark")
    wide = "document.documentElement.scrollWidth"
    assert phone.page.evaluate(wide) <= 390
    assert phone.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    ink = "getComputedStyle(document.querySelector('.plot .xtick text')).fill"
    assert phone.page.evaluate(ink) == "rgb(230, 237, 243)"
    phone.page.emulate_media(color_scheme="light")
    phone.page.wait_for_function(f"{ink} === 'rgb(31, 35, 40)'")
    assert phone.complaints == []
    phone.page.close()


def test_ten_thousand_trials_open_and_move(browser, tmp_path):
    large = Visit(browser, write_report(write_run(tmp_path, "large", 10_000)))
    before = large.range()
    large.drag()
    large.page.wait_for_function(f"document.querySelector('.plot').layout.xaxis.range[0] > {before[0]}")
    assert large.range()[0] > before[0]
    assert large.page.locator("#trials-where").inner_text() == "page 1 of 400, 10,000 trials"
    assert large.complaints == []
    large.page.close()
