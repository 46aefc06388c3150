import gzip
import json

import pytest

from nas.reporting.comparison import comparison
from nas.reporting.drawing import drawing_of
from nas.reporting.member import member_document
from nas.reporting.run_view import RunView
from nas.run import StoredRun

SUMMARY = {
    "name", "space", "state", "job", "trials", "trials_planned", "created", "updated", "evaluation_seconds",
    "eta_seconds", "budget", "limits", "objectives", "best", "knee", "hypervolume", "sparkline", "note", "tags",
    "unexecutable", "problem",
}  # fmt: skip


def get(client, path, **parameters):
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_runs_are_listed_and_damaged_ones_say_why(client):
    rows = get(client, "/runs")["runs"]
    assert all(set(row) == SUMMARY for row in rows)
    by_name = {row["name"]: row for row in rows}
    assert set(by_name) == {"signs", "made-up", "empty", "hurt", "half"}
    assert by_name["signs"]["trials"] == 8
    assert by_name["signs"]["state"] == "complete"
    assert by_name["empty"]["best"] is None
    assert {name for name, row in by_name.items() if row["state"] == "unreadable"} == {"hurt", "half"}
    assert "damaged" in by_name["hurt"]["problem"]
    created = [row["created"] or "" for row in rows]
    assert created == sorted(created, reverse=True)


def test_the_list_page_by_page_and_filtered(client):
    names, after = [], None
    while True:
        page = get(client, "/runs", limit=2, **({"after": after} if after else {}))
        names += [row["name"] for row in page["runs"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(names) == ["empty", "half", "hurt", "made-up", "signs"]
    assert [row["name"] for row in get(client, "/runs", q="MADE")["runs"]] == ["made-up"]
    assert [row["name"] for row in get(client, "/runs", state="interrupted")["runs"]] == ["empty"]
    assert get(client, "/runs", space="tinyvit")["runs"] == []
    assert client.get("/runs", params={"after": "nowhere"}).status_code == 422


def test_one_run(client, searched):
    document = get(client, "/runs/signs")
    assert document.keys() >= SUMMARY
    assert document["best"]["id"] == searched.best().architecture.id
    assert document["best"]["metrics"] == dict(searched.best().metrics)
    assert document["knee"]["number"] == searched.knee().number
    assert document["hypervolume"] == searched.pareto.hypervolume
    assert document["limits"] == dict(searched.parts.budget.limits)
    assert document["reference"] == searched.reference.to_dict()
    assert document["choices"].keys() == {choice.name for choice in searched.parts.space.choices}
    assert document["sparkline"][-1][0] == 8
    # where the data lies is nobody's business
    assert str(searched.config.data) not in json.dumps(document)
    assert document["data"]["class_names"] == ["disc", "square"]


def test_trials_as_columns(client, searched):
    page = get(client, "/runs/signs/trials", options=True)
    view = RunView.of(searched)
    assert (page["cursor"], page["more"]) == ("0-7", False)
    rows = [dict(zip(page["columns"], row, strict=True)) for row in page["rows"]]
    for row, trial, kind in zip(rows, view.trials, view.kinds, strict=True):
        assert (row["number"], row["id"], row["kind"]) == (trial.number, trial.architecture.id, kind)
        assert {column: row[column] for column in trial.metrics} == dict(trial.metrics)
        options = {name.removeprefix("choice."): row[name] for name in row if name.startswith("choice.")}
        assert {name: option for name, option in options.items() if option is not None} == trial.architecture.options
    assert page["front"] == [trial.number for trial in view.front]


def test_trials_by_cursor(client):
    seen, cursor, more = [], "", True
    while more:
        page = get(client, "/runs/made-up/trials", limit=17, after=cursor)
        seen += [row[0] for row in page["rows"]]
        cursor, more = page["cursor"], page["more"]
    assert seen == list(range(60))
    assert get(client, "/runs/made-up/trials", after=cursor)["rows"] == []
    assert [row[0] for row in get(client, "/runs/made-up/trials", after="0-9,11-58")["rows"]] == [10, 59]
    failed = get(client, "/runs/made-up/trials", limit=1)
    row = dict(zip(failed["columns"], failed["rows"][0], strict=True))
    assert (row["kind"], row["error"], row["top1"]) == ("failed", "made up: it failed", None)
    assert client.get("/runs/made-up/trials", params={"after": "0-"}).status_code == 422


def test_front_history_and_a_run_without_trials(client, searched):
    front = get(client, "/runs/signs/front")
    assert front["numbers"] == [trial.number for trial in searched.pareto]
    assert [member["metrics"] for member in front["members"]] == [dict(trial.metrics) for trial in searched.pareto]
    assert (front["best"], front["knee"]) == (searched.best().number, searched.knee().number)
    history = get(client, "/runs/signs/history")
    assert history["hypervolume"][-1] == front["hypervolume"]
    assert history["evaluations"][-1] == 8
    empty = get(client, "/runs/empty/front")
    assert (empty["numbers"], empty["best"], empty["knee"], empty["hypervolume"]) == ([], None, None, 0.0)
    assert get(client, "/runs/empty/history") == {"evaluations": [0], "seconds": [0.0], "hypervolume": [0.0]}
    assert get(client, "/runs/empty/trials")["rows"] == []
    assert client.get("/runs/empty/architectures/best").status_code == 404


@pytest.mark.parametrize("path", ["/runs/made-up/front", "/runs/made-up/trials", "/runs/made-up", "/runs"])
def test_what_did_not_change_is_not_sent_again(client, path):
    first = client.get(path)
    tag = first.headers["etag"]
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers={"If-None-Match": 'W/"another"'}).status_code == 200


def test_large_answers_are_compressed_where_that_is_accepted(client):
    with client.stream("GET", "/runs/made-up/trials", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    plain = client.get("/runs/made-up/trials", headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed) == plain.content
    assert len(packed) < len(plain.content) / 2


def test_one_network(client, searched):
    knee = searched.knee()
    by_id = get(client, f"/runs/signs/architectures/{knee.architecture.id}")
    assert (
        by_id
        == get(client, "/runs/signs/architectures/knee")
        == get(client, f"/runs/signs/architectures/{knee.number}")
    )
    same = json.loads(json.dumps(member_document(searched, knee)))
    assert {key: by_id[key] for key in same} == same
    assert (by_id["kind"], "knee" in by_id["marks"]) == ("front", True)
    assert max(layer["sram_bytes"] for layer in by_id["layers"]) == knee.metrics["peak_sram_bytes"]
    assert by_id["commands"]["export"]["onnx"] == f"nas export signs --pick {knee.architecture.id} --to onnx"
    assert "optuna" not in by_id["commands"]["export"]
    assert client.get("/runs/signs/architectures/ffff").status_code == 404


def test_its_drawing(client, searched):
    drawing = client.get("/runs/signs/architectures/best/drawing.svg")
    assert drawing.headers["content-type"] == "image/svg+xml"
    best = searched.best()
    marks = [mark for mark in ("best", "knee") if searched.pick(mark) == best]
    assert drawing.text == drawing_of(searched, best, " and ".join(marks)).svg()


def test_health(client):
    health = get(client, "/runs/made-up/health")
    assert health["failures"] == [{"error": "made up: it failed", "count": 3}]
    assert health["evaluated"] == sum(health["kinds"].values()) == 60
    assert 0 < health["share_feasible"] <= 1
    assert health["rejected"] > 0


def test_the_report_has_its_own_policy(client):
    page = client.get("/runs/signs/report")
    assert page.status_code == 200, page.text
    assert "<h1>Run signs</h1>" in page.text
    assert "default-src 'none'; script-src 'unsafe-inline'" in page.headers["content-security-policy"]


def test_compare(client, runs_folder):
    document = get(client, "/compare", run=["signs", "made-up"])
    runs = [StoredRun.load(runs_folder / name) for name in ("signs", "made-up")]
    assert document == json.loads(json.dumps(comparison(runs)))
    assert {name: len(front) for name, front in document["fronts"].items()} == {r.name: len(r.pareto) for r in runs}
    assert client.get("/compare", params={"run": ["signs"]}).status_code == 422
    assert client.get("/compare", params={"run": ["signs", "signs"]}).status_code == 422


@pytest.mark.parametrize("below", ["", "/trials", "/front", "/history", "/health", "/events", "/architectures/best"])
@pytest.mark.parametrize(("name", "status"), [("nowhere", 404), ("hurt", 500), ("half", 404), ("UPPER", 422)])
def test_what_cannot_be_read_is_a_problem(client, name, status, below):
    answer = client.get(f"/runs/{name}{below}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]
