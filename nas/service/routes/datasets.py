"""Data sets to search with: `/datasets`."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile

from nas.config import RunConfig
from nas.service.security.access import Administering, Reading, Running
from nas.service.service import Service, Using
from nas.storage.run_directory import RunDirectory
from nas.storage.service_store import LIVE
from search_spaces.core.errors import FitnasError

router = APIRouter(prefix="/datasets", tags=["data"])


@router.get("")
def list_datasets(caller: Reading, service: Using) -> list[dict[str, Any]]:
    """Those that were uploaded, the oldest first."""
    return service.datasets.all()


@router.post("", status_code=201)
def add_dataset(
    caller: Running, service: Using, file: Annotated[UploadFile, File()], name: Annotated[str, Form()] = ""
) -> dict[str, Any]:
    """A zip of class folders; one that is there is not kept twice. Its id goes into a run's data: dataset:ID."""
    return service.datasets.add(file.file, name or file.filename or "")


@router.get("/{dataset}")
def show_dataset(dataset: str, caller: Reading, service: Using) -> dict[str, Any]:
    """Classes, counts, what was left out."""
    return service.datasets.find(dataset)


@router.delete("/{dataset}", status_code=204)
def delete_dataset(dataset: str, caller: Administering, service: Using) -> None:
    """Removes one that no run uses."""
    with service.starting:
        service.datasets.delete(dataset, _used_by(service, dataset))


def _used_by(service: Service, dataset: str) -> list[str]:
    path, found = str(service.datasets.path(dataset)), []
    for name in RunDirectory.names(service.settings.root):
        try:
            config = RunConfig.from_toml(RunDirectory(service.settings.root / name).config)
        except FitnasError:
            continue  # a run that cannot be read uses nothing
        found += [name] if config.data == path else []
    for job in service.store.jobs(states=LIVE):
        waits = path in str(job.arguments.get("config", "")) and job.run not in found
        found += [job.run] if waits else []
    return found
