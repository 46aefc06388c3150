"""What people change of a run: `PATCH` and `DELETE /runs/{name}`; what was exported of it: `/runs/{name}/exports`."""

import tempfile
import zipfile
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from nas.run import StoredRun
from nas.service.routes.runs import one_summary
from nas.service.security.access import Administering, Reading, Running
from nas.service.security.names import inside, run_directory
from nas.service.service import Service, Using
from nas.storage.service_store import LIVE, Labels
from search_spaces.core.errors import Refused

router = APIRouter(prefix="/runs/{name}", tags=["runs"])
_CHUNK = 1 << 18


class RunChange(BaseModel):
    """What to change; what is left away stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    note: Annotated[str, StringConstraints(max_length=4000)] | None = None
    tags: list[Annotated[str, StringConstraints(pattern=r"^[\w.\-]{1,32}$")]] | None = None


@router.patch("")
def change_run(name: str, change: RunChange, caller: Running, service: Using) -> dict[str, Any]:
    """Another name, note or tags; the run's summary as it is then. A run that somebody works on keeps its name."""
    directory = run_directory(service.settings.root, name)
    if change.name is not None and change.name != name:
        _refuse_at_work(service, name)
        service.live.forget(name)
        StoredRun(directory).rename(change.name)
        service.store.rename(name, change.name)
        name = change.name
    before = service.store.labels().get(name, Labels())
    note = before.note if change.note is None else change.note
    tags = before.tags if change.tags is None else tuple(dict.fromkeys(change.tags))
    service.store.set_labels(name, Labels(note, tags))
    service.live.forget(name)
    return one_summary(service, name)


@router.delete("")
def delete_run(name: str, caller: Administering, service: Using) -> dict[str, int]:
    """Removes a run for good: its folder, and its trials in a shared database. `Refused` while it is worked on."""
    directory = run_directory(service.settings.root, name)
    _refuse_at_work(service, name)
    service.live.forget(name)
    freed = StoredRun(directory).delete()
    service.store.set_labels(name, Labels())
    return {"freed_bytes": freed}


@router.get("/exports")
def list_exports(name: str, caller: Reading, service: Using) -> list[dict[str, Any]]:
    """Folders that were exported, with their files and sizes."""
    folder = run_directory(service.settings.root, name).path / "export"
    places = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        {"folder": place.name, "files": {path.name: path.stat().st_size for path in place.iterdir() if path.is_file()}}
        for place in places
        if place.is_dir() and not place.is_symlink()
    ]


@router.get("/exports/{folder}.zip", response_class=StreamingResponse)
def download_export(name: str, folder: str, caller: Reading, service: Using) -> StreamingResponse:
    """One exported folder as a zip; links in it are left out."""
    place = run_directory(service.settings.root, name).path / "export"
    root = inside(place, place / folder)
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - closed behind the last chunk
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.is_symlink():
                opened.write(path, f"{root.name}/{path.relative_to(root)}")
    packed.seek(0)
    headers = {"content-disposition": f'attachment; filename="{name}-{root.name}.zip"'}
    return StreamingResponse(_chunks(packed), media_type="application/zip", headers=headers)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _refuse_at_work(service: Service, name: str) -> None:
    jobs = service.store.jobs(states=LIVE, run=name)
    if jobs:
        raise Refused(f"job {jobs[0].id} ({jobs[0].kind}) works on the run '{name}', or waits to; stop it first")
