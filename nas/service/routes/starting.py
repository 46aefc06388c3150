"""New work: `POST /runs`, its preview; `/runs/{name}/stop`, `/resume`, `/train`, `/export`."""

import hashlib
import json
import threading
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from nas.config import RunConfig
from nas.deployment import exporter, writes_whole_run
from nas.reporting.commands import search_command
from nas.reporting.dry_run import dry_run_document
from nas.searching import Admitted, prepare
from nas.service.datasets import PREFIX
from nas.service.jobs.supervisor import EXPORT, RESUME, SEARCH, TRAIN
from nas.service.security.access import Caller, Running
from nas.service.security.names import run_directory
from nas.service.service import Service, Using
from nas.storage.run_directory import RunDirectory
from nas.storage.service_store import LIVE
from search_spaces.core.errors import NotFound, WrongUse

router = APIRouter(prefix="/runs", tags=["work"])
_ADMIN_ONLY = ("table", "predictor", "distill", "store", "ray_address")
_SECONDS_FOR_A_TURN = 30
_previewing = threading.Lock()

Configuration = Annotated[dict[str, Any], Body(description="A RunConfig, as in run.toml; data may be dataset:ID")]


class Training(BaseModel):
    """What `nas train` is told."""

    model_config = ConfigDict(extra="forbid")

    pick: str = "knee"
    epochs: int | None = Field(None, ge=1)
    from_scratch: bool = False
    quantized: bool = False


class Export(BaseModel):
    """What `nas export` is told."""

    model_config = ConfigDict(extra="forbid")

    pick: str = "knee"
    to: str = "pytorch"
    int8: Literal[True] | None = None


@router.post("", status_code=202)
def start_run(
    values: Configuration,
    caller: Running,
    service: Using,
    response: Response,
    force: bool = False,
    idempotency_key: Annotated[str | None, Header(max_length=64)] = None,
) -> dict[str, Any]:
    """Queues a search. The same Idempotency-Key with the same body is answered alike and starts nothing anew."""
    asked = hashlib.sha256(json.dumps([values, force], sort_keys=True).encode()).hexdigest()
    key = None if idempotency_key is None else hashlib.sha256(f"{caller.name}\0{idempotency_key}".encode()).hexdigest()
    with service.starting:
        known = None if key is None else service.store.answer(key)
        if known is not None:
            if known[0] != asked:
                raise HTTPException(409, "this Idempotency-Key was used for another request; use a new one")
            return json.loads(known[1])  # type: ignore[no-any-return]
        config = _config(values, caller, service)
        name = _free_name(config, service, force)
        config = config.updated(run=name)
        command = ["search", "--config", "config.toml", "--json-events", *(["--force"] if force else [])]
        job = service.jobs.add(SEARCH, name, {"command": command, "config": config.to_toml()}, caller.name)
        answer = {"run": name, "job": service.jobs.document(job)}
        if key is not None:
            service.store.keep_answer(key, asked, json.dumps(answer))
    response.headers["location"] = f"/api/v1/runs/{name}"
    return answer


@router.post("/preview")
def preview_run(values: Configuration, caller: Running, service: Using) -> dict[str, Any]:
    """What the budget admits of the space for this data, before anything is trained: `nas search --dry-run --json`."""
    config = _config(values, caller, service)
    if not _previewing.acquire(timeout=_SECONDS_FOR_A_TURN):
        raise HTTPException(503, "other previews are being computed; ask again in a moment", {"Retry-After": "5"})
    try:
        prepared = prepare(config, service.settings.root)
        # without the times of a training step, for which data must be read and networks be built
        document = dry_run_document(Admitted(prepared.config, prepared.parts, prepared.feasibility))
        return {**document, "command": search_command(config.shareable())}
    finally:
        _previewing.release()


@router.post("/{name}/stop", status_code=202)
def stop_run(name: str, caller: Running, service: Using) -> dict[str, Any]:
    """Ends the job at work on a run, or waiting to; what is recorded is saved, and the run can be resumed."""
    jobs = service.store.jobs(states=LIVE, run=name)
    if not jobs:
        run_directory(service.settings.root, name)
        raise NotFound(f"no job of this service works on the run '{name}'")
    return service.jobs.document(service.jobs.cancel(jobs[0].id))


@router.post("/{name}/resume", status_code=202)
def resume_run(name: str, caller: Running, service: Using) -> dict[str, Any]:
    """Goes on with an interrupted search from its last recorded trial."""
    run_directory(service.settings.root, name)
    job = service.jobs.add(RESUME, name, {"command": ["resume", name, "--json-events"]}, caller.name)
    return service.jobs.document(job)


@router.post("/{name}/train", status_code=202)
def train_network(name: str, told: Training, caller: Running, service: Using) -> dict[str, Any]:
    """Trains one network of a run for good and tests it, as `nas train` does."""
    identifier = service.live.now(name).id_of(told.pick)
    words = ["train", name, "--pick", identifier, "--json"]
    words += ["--epochs", str(told.epochs)] if told.epochs else []
    words += ["--from-scratch"] * told.from_scratch + ["--quantized"] * told.quantized
    return service.jobs.document(service.jobs.add(TRAIN, name, {"command": words}, caller.name))


@router.post("/{name}/export", status_code=202)
def export_network(name: str, told: Export, caller: Running, service: Using) -> dict[str, Any]:
    """Writes one network for use elsewhere, as `nas export` does; GET /runs/{name}/exports lists what is there."""
    exporter(told.to)
    if writes_whole_run(told.to):
        raise WrongUse(f"--to {told.to} writes the whole run; on the command line: nas export {name} --to {told.to}")
    identifier = service.live.now(name).id_of(told.pick)
    out = run_directory(service.settings.root, name).export / f"{identifier}-{told.to}{'-int8' if told.int8 else ''}"
    words = ["export", name, "--pick", identifier, "--to", told.to, "--out", str(out), "--force"]
    words += ["--int8"] if told.int8 else []
    return service.jobs.document(service.jobs.add(EXPORT, name, {"command": words}, caller.name))


def _config(values: dict[str, Any], caller: Caller, service: Service) -> RunConfig:
    """The configuration, with the service's own store and cluster. Paths of this machine are for admins to name."""
    if caller.role != "admin":
        forbidden = [name for name in _ADMIN_ONLY if values.get(name) is not None]
        data = values.get("data", "digits")
        if data != "digits" and not str(data).startswith(PREFIX):
            forbidden.append("data")
        if forbidden:
            raise HTTPException(
                403, f"{', '.join(forbidden)}: places on the service's machine are for admins; upload data, and give "
                "it as dataset:ID"
            )  # fmt: skip
    config = RunConfig.checked(**service.datasets.resolved(values))
    own = {"store": service.settings.store, "ray_address": service.settings.ray_address}
    return config.updated(**{key: value for key, value in own.items() if value and getattr(config, key) is None})


def _free_name(config: RunConfig, service: Service, force: bool) -> str:
    """The run's name, or the next number of its space; `WrongUse` where it is taken."""
    taken = {*RunDirectory.names(service.settings.root), *(job.run for job in service.store.jobs(states=LIVE))}
    if config.run is not None:
        if config.run in taken and not force:
            raise WrongUse(f"the run '{config.run}' exists already; resume it, choose another name, or give force=true")
        return config.run
    number = 1
    while f"{config.space}-{number:03d}" in taken:
        number += 1
    return f"{config.space}-{number:03d}"
