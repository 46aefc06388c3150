"""Runs as lists and pages show them: `/runs`, `/runs/{name}`."""

from typing import Any

from fastapi import APIRouter, Query

from nas.reporting.commands import search_command, shown_config
from nas.service.live.live_run import LiveRun
from nas.service.live.summary import figures, told
from nas.service.security.access import Reading
from nas.service.service import Service, Using
from nas.storage.run_directory import RunDirectory
from nas.storage.service_store import LIVE, Labels

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("")
def list_runs(
    caller: Reading,
    service: Using,
    state: str | None = None,
    space: str | None = None,
    tag: str | None = None,
    q: str | None = None,
    limit: int = Query(100, ge=1, le=1000),
    after: str | None = None,
) -> dict[str, Any]:
    """Runs, the newest first; `q` is searched for in names and notes. `next` goes into `after` for more.

    A run that cannot be read is listed with why in `state`.
    """
    rows = sorted(_summaries(service), key=lambda row: (row.get("created", ""), row["name"]), reverse=True)
    wanted = [row for row in rows if _matches(row, state, space, tag, q)]
    names = [row["name"] for row in wanted]
    start = names.index(after) + 1 if after in names else 0
    page = wanted[start : start + limit]
    return {"runs": page, "next": page[-1]["name"] if start + limit < len(wanted) else None}


@router.get("/{name}")
def show_run(name: str, caller: Reading, service: Using) -> dict[str, Any]:
    """One run: its summary, configuration, limits, reference box, choices and data."""
    live = service.live.of(name)
    run = live.run
    config = run.config.shareable()
    data = dict(run.data_document()) if run.data_path.is_file() else {}
    return {
        **one_summary(service, live),
        "config": shown_config(config),
        "command": search_command(config),
        "runtime": run.parts.runtime,
        "numbers": run.parts.numbers,
        "device": run.parts.device.name if run.parts.device else None,
        "reference": run.reference.to_dict(),
        "metric_columns": live.metric_columns,
        "choices": {choice.name: list(choice.options) for choice in run.parts.space.choices},
        "warning": run.parts.warning,
        "data": {key: data.get(key) for key in ("class_names", "counts", "content", "imbalanced", "notes")},
    }


def one_summary(service: Service, live: LiveRun) -> dict[str, Any]:
    """The summary of one run, with its labels and its job."""
    jobs = service.store.jobs(states=LIVE, run=live.run.name)
    labels = service.store.labels().get(live.run.name, Labels())
    return told(figures(live), labels, service.jobs.document(jobs[0]) if jobs else None)


def _summaries(service: Service) -> list[dict[str, Any]]:
    labels = service.store.labels()
    jobs = {job.run: job for job in service.store.jobs(states=LIVE)}
    names = RunDirectory.names(service.settings.root)
    rows = []
    for name in dict.fromkeys([*names, *jobs]):
        job = service.jobs.document(jobs[name]) if name in jobs else None
        # of a run that waits, or has not written its configuration, nothing else is known
        found = service.live.figures(name) if name in names else {"name": name, "state": "created"}
        rows.append(told(found, labels.get(name, Labels()), job))
    return rows


def _matches(row: dict[str, Any], state: str | None, space: str | None, tag: str | None, q: str | None) -> bool:
    text = f"{row['name']} {row['note']}".lower()
    return (
        (state is None or row["state"] == state)
        and (space is None or row.get("space") == space)
        and (tag is None or tag in row["tags"])
        and (q is None or q.lower() in text)
    )
