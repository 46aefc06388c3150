"""New work: `POST /runs`, its preview; `/runs/{name}/stop`, `/resume`, `/train`, `/export`."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Literal

import anyio
import anyio.to_thread
from fastapi import APIRouter, Body, Header, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from nas.anchors import resolved_options
from nas.assembly import assemble
from nas.config import RunConfig
from nas.deployment import exporter, writes_whole_run
from nas.deployment.c_code.target import target
from nas.reporting.commands import search_command
from nas.reporting.dry_run import dry_run_document
from nas.searching import Admitted, prepare
from nas.service.datasets import PREFIX
from nas.service.jobs.supervisor import EXPORT, RESUME, SEARCH, TRAIN
from nas.service.security.access import Caller, Running
from nas.service.security.names import run_directory
from nas.service.service import Service, Using
from nas.storage.run_directory import RunDirectory
from nas.storage.service_store import LIVE, Job
from search_spaces.core.errors import NotFound, WrongUse
from search_spaces.core.registry import space_class

router = APIRouter(prefix="/runs", tags=["work"])
_ADMIN_ONLY = ("table", "predictor", "distill", "store", "ray_address")
_PATH = re.compile(r"[/\\]|\.toml\b")
_SECONDS_FOR_A_TURN = 30
_SLOTS = anyio.CapacityLimiter(2)
_TURNS: dict[str, anyio.Lock] = {}

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
    target: str | None = None


@router.post("", status_code=202)
def start_run(
    values: Configuration,
    caller: Running,
    service: Using,
    response: Response,
    force: bool = False,
    idempotency_key: Annotated[str | None, Header(max_length=64)] = None,
) -> dict[str, Any]:
    """Queues a search. The same Idempotency-Key with the same body starts nothing anew: it gets the same run and job,
    as the job is then. `force` replaces a run of that name, for admins.
    """
    asked = hashlib.sha256(json.dumps([values, force], sort_keys=True).encode()).hexdigest()
    job_id = None if idempotency_key is None else _job_id(caller.name, idempotency_key)
    if force and caller.role != "admin":
        raise HTTPException(403, "force=true deletes the run that is there, which is for admins; choose another name")
    with service.starting:
        job = _started_before(service, job_id, asked)
        if job is None:
            config = _config(values, caller, service)
            options, _ = resolved_options(space_class(config.space_name), config.set, service.settings.root)
            assemble(config, None, options)  # unknown names are told now, what the budget admits once it is surveyed
            name = _free_name(config, service, force)
            command = ["search", "--config", "config.toml", "--json-events", *(["--force"] if force else [])]
            told = {"command": command, "config": config.updated(run=name).to_toml(), "asked": asked}
            job = service.jobs.add(SEARCH, name, told, caller.name, job_id)
    response.headers["location"] = f"/api/v1/runs/{job.run}"
    return {"run": job.run, "job": service.jobs.document(job)}


@router.post("/preview")
async def preview_run(values: Configuration, caller: Running, service: Using) -> dict[str, Any]:
    """What the budget admits of the space for this data, before anything is trained: `nas search --dry-run --json`.

    One at a time for each caller, and two in all: who waits holds no thread.
    """
    async with _turn(caller):
        return await anyio.to_thread.run_sync(_preview, values, caller, service)


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
    if told.target:
        target(told.target)
    if writes_whole_run(told.to):
        raise WrongUse(f"--to {told.to} writes the whole run; on the command line: nas export {name} --to {told.to}")
    identifier = service.live.now(name).id_of(told.pick)
    folder = "-".join(filter(None, [identifier, told.to, "int8" if told.int8 else "", told.target]))
    out = run_directory(service.settings.root, name).export / folder
    words = ["export", name, "--pick", identifier, "--to", told.to, "--out", str(out), "--force"]
    words += ["--int8"] if told.int8 else []
    words += ["--target", told.target] if told.target else []
    return service.jobs.document(service.jobs.add(EXPORT, name, {"command": words}, caller.name))


def _job_id(caller: str, key: str) -> str:
    """So that a job and the key it was asked under are written at once."""
    return hashlib.sha256(f"{caller}\0{key}".encode()).hexdigest()[:24]


def _started_before(service: Service, job_id: str | None, asked: str) -> Job | None:
    job = next(iter(service.store.jobs(ids=[job_id])), None) if job_id else None
    if job is not None and job.arguments.get("asked") != asked:
        raise HTTPException(409, "this Idempotency-Key was used for another request; use a new one")
    return job


@asynccontextmanager
async def _turn(caller: Caller) -> AsyncIterator[None]:
    own = _TURNS.setdefault(caller.name, anyio.Lock())
    async with AsyncExitStack() as held:
        try:
            with anyio.fail_after(_SECONDS_FOR_A_TURN):
                await held.enter_async_context(own)
                await held.enter_async_context(_SLOTS)
        except TimeoutError:
            told = "other previews are being computed; ask again in a moment"
            raise HTTPException(503, told, {"Retry-After": "5"}) from None
        yield


def _preview(values: dict[str, Any], caller: Caller, service: Service) -> dict[str, Any]:
    config = _config(values, caller, service)
    prepared = prepare(config, service.settings.root)
    # without the times of a training step, for which data must be read and networks be built
    document = dry_run_document(Admitted(prepared.config, prepared.parts, prepared.feasibility))
    return {**document, "command": search_command(config.shareable())}


def _config(values: dict[str, Any], caller: Caller, service: Service) -> RunConfig:
    """The configuration, with the service's own store and cluster. Paths of this machine are for admins to name."""
    if caller.role != "admin":
        forbidden = [name for name in _ADMIN_ONLY if values.get(name) is not None]
        data = values.get("data", "digits")
        if data != "digits" and not str(data).startswith(PREFIX):
            forbidden.append("data")
        forbidden += [name for name in ("device", "set") if _PATH.search(json.dumps(values.get(name)))]
        if "wandb" in str(values.get("tracking")):
            forbidden.append("tracking")
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
