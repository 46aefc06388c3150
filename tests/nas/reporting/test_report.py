import json
import re
from html.parser import HTMLParser

import pytest

from nas.reporting.report import report_html, write_report
from nas.reporting.run_view import RunView
from search_spaces.core.errors import WrongUse

EVIL = "<script>alert(1)</script>"
_FETCHES = {"src", "href", "data", "poster", "srcset", "action"}


class Page(HTMLParser):
    """What a browser would see: tags with attributes, and the text outside of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self._raw = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._raw = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag):
        self._raw = ""

    def handle_data(self, data):
        if not self._raw:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page(run):
    return Page(report_html(RunView.of(run)))


def document(html, identifier):
    return json.loads(re.search(rf'id="{identifier}">(.*?)</script>', html, re.DOTALL)[1])


def test_nothing_is_fetched(plain_run):
    seen = page(plain_run)
    linked = [value for _, found in seen.tags for name, value in found.items() if name in _FETCHES]
    assert linked
    assert all(value.startswith("#") for value in linked)
    assert not [tag for tag, _ in seen.tags if tag in ("link", "iframe", "img", "object", "embed")]
    policy = next(found["content"] for tag, found in seen.tags if "http-equiv" in found)
    assert policy.startswith("default-src 'none'")


def test_it_says_what_was_found(plain_run):
    text = page(plain_run).text
    best, knee = plain_run.best(), plain_run.knee()
    for trial in (best, knee):
        assert f"{100 * trial.metrics['top1']:.1f} % accuracy" in text
        assert trial.architecture.id in text
    assert "sram <= 65,536 B (64 KiB), runtime tinyengine" in text
    assert f"{plain_run.pareto.hypervolume:.4f}" in text
    assert "nas search --space mcunetv2 --budget sram=64k,flash=512k --trials 40 --run plain" in text
    assert "nas train plain --pick knee" in text
    assert "2 x made up: it failed" in text
    assert "No network is trained yet" in text


def test_the_table_of_trials_is_whole(plain_run):
    table = document(report_html(RunView.of(plain_run)), "trials-data")
    columns = {column["name"]: column for column in table["columns"]}
    assert columns["id"]["values"] == [trial.architecture.id for trial in plain_run.trials]
    assert columns["accuracy"]["values"][:3] == [None, None, round(plain_run.trials[2].metrics["top1"], 6)]
    kinds = columns["kind"]
    assert [kinds["words"][place] for place in kinds["values"]].count("failed") == 2
    assert all(len(column["values"]) == 40 for column in table["columns"])


def test_names_stay_names(make_run, pretend_training):
    run = make_run()
    pretend_training(run, [EVIL, 'b" onload="x', "c & d"])
    run.directory.write(run.directory.config, run.directory.config.read_text().replace('"digits"', f"'/data/{EVIL}'"))
    html = report_html(RunView.of(type(run)(run.directory)))
    assert EVIL not in html
    assert "alert(1)" in html
    assert sum(tag == "script" for tag, _ in Page(html).tags) == 4  # figures, trials, plotly, the page's own
    figure = next(value for name, value in document(html, "figures-data").items() if name.startswith("confusion"))
    assert figure["layout"]["xaxis"]["ticktext"][0] == "&lt;script&gt;alert(1)&lt;/script&gt;"


def test_trained_members(make_run, pretend_training):
    run = make_run()
    pretend_training(run, ["a", "b"])
    broken = run.members / "broken"
    broken.mkdir()
    (broken / "report.json").write_text('{"id": "x"}')
    text = page(run).text
    assert "validation 75.0 %, test 50.0 % on 11 pictures that the search never saw" in text
    assert "members/broken/report.json is damaged" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trials": 0, "state": "training", "planned": 50}, "No network has been evaluated yet (state: training)"),
        ({"trials": 4, "failed": 4, "state": "failed"}, "The front is empty"),
        ({"trials": 1}, "best and knee are one network"),
        ({"trials": 5, "state": "searching", "planned": 50}, "State: searching, 5 of 50 trials"),
        ({"trials": 5, "budget": ""}, "The run has no limit"),
        ({"trials": 9, "objectives": "accuracy"}, "Pareto front"),
    ],
)
def test_unusual_runs_are_told_as_they_are(make_run, options, said):
    run = make_run(**options)
    with run.directory.lock():  # its driver lives
        assert said in page(run).text


def test_a_run_whose_driver_died_is_interrupted(make_run):
    assert "State: interrupted, 5 of 50 trials" in page(make_run(trials=5, state="searching", planned=50)).text


def test_the_report_of_a_run_is_written_anew_and_no_other_file_is(make_run, tmp_path):
    run = make_run()
    assert write_report(run) == write_report(run) == run.directory.report
    other = tmp_path / "page.html"
    write_report(run, other)
    with pytest.raises(WrongUse, match="--force"):
        write_report(run, other)
    assert write_report(run, other, force=True) == other
    with pytest.raises(WrongUse, match="does not exist"):
        write_report(run, tmp_path / "no" / "page.html")


def test_ten_thousand_trials_stay_light(make_run):
    written = write_report(make_run(trials=10_000))
    assert written.stat().st_size < 12e6
