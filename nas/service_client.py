"""The service over HTTP, as the command line asks it: the only file that knows httpx."""

import json
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from search_spaces.core.errors import FitnasError, Infeasible, NotFound, Refused, WrongUse

_SECONDS = httpx.Timeout(60.0, read=60.0)
_ATTEMPTS = 20
_SECONDS_BETWEEN_ATTEMPTS = 1.0
_ENDED = ("complete", "failed", "cancelled", "interrupted")
_ERRORS: tuple[type[FitnasError], ...] = (WrongUse, Infeasible, NotFound)


class ServiceClient:
    """A service at an address, asked with a token. Its errors are those that the command line would have raised.

    Close it behind the last use. `FitnasError` where nobody answers.
    """

    def __init__(self, address: str, token: str) -> None:
        self.address = address.rstrip("/")
        headers = {"authorization": f"Bearer {token}"}
        try:
            self._http = httpx.Client(base_url=f"{self.address}/api/v1/", headers=headers, timeout=_SECONDS)
        except (httpx.InvalidURL, ValueError) as error:
            raise WrongUse(
                f"--server is an address such as http://host:8080; got {address[:100]!r} ({error})"
            ) from None

    def __enter__(self) -> "ServiceClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """A document."""
        return self._asked("GET", path)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        """What was made."""
        return self._asked("POST", path, **({} if body is None else {"json": body}), **more)

    def upload(self, path: Path) -> str:
        """The id of a data set: a zip, or a folder, which is zipped. `NotFound` where there is neither."""
        if not path.exists():
            raise NotFound(f"the data {str(path)!r} does not exist here; give a folder, a zip, digits or dataset:ID")
        if path.is_file() and path.suffix.lower() != ".zip":
            raise WrongUse(f"{path} is no zip; a service takes a folder or a zip of class folders")
        with tempfile.TemporaryFile() as packed:
            if path.is_dir():
                _pack(path, packed)
                packed.seek(0)
            with packed if path.is_dir() else path.open("rb") as content:
                files = {"file": (f"{path.name.removesuffix('.zip')}.zip", content, "application/zip")}
                found = self.post("datasets", files=files, timeout=httpx.Timeout(60.0, read=None, write=None))
        return str(found["id"])

    def follow(self, job: str) -> Iterator[tuple[str, Any]]:
        """Events of a job until it has ended: ('log', text) and ('job', document). A stream that breaks is taken up
        again where it was.
        """
        place, failures = "0", 0
        while True:
            try:
                for kind, identifier, document in self._stream(f"jobs/{job}/events", place):
                    place, failures = identifier or place, 0
                    yield kind, document["text"] if kind == "log" else document
                    if kind == "job" and document["state"] in _ENDED:
                        yield from self._rest(job, place)
                        return
            except httpx.TransportError as error:
                failures += 1
                if failures > _ATTEMPTS:
                    raise self._silent(error) from None
            time.sleep(_SECONDS_BETWEEN_ATTEMPTS)

    def _rest(self, job: str, place: str) -> Iterator[tuple[str, Any]]:
        """What the log holds behind a place."""
        text = self.get(f"jobs/{job}/log?after={place}")["text"]
        if text:
            yield "log", text

    def _stream(self, path: str, place: str) -> Iterator[tuple[str, str, Any]]:
        """Server-sent events: kind, id, data."""
        with self._http.stream("GET", path, headers={"last-event-id": place}) as answer:
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise _error_of(answer)
            kind = identifier = data = ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    identifier = value
                elif name == "data":
                    data = value
                elif not line and data:
                    yield kind, identifier, json.loads(data)
                    kind = identifier = data = ""

    def _asked(self, method: str, path: str, **more: Any) -> Any:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise self._silent(error) from None
        if answer.is_error:
            raise _error_of(answer)
        return answer.json()

    def _silent(self, error: Exception) -> FitnasError:
        return FitnasError(f"nobody answers at {self.address} ({error}); is nas serve running there?")


def _error_of(answer: httpx.Response) -> FitnasError:
    """The problem document as the error that the service met."""
    try:
        document = answer.json()
        words = str(document["detail"])
    except (ValueError, KeyError, TypeError):
        return FitnasError(f"the service answered {answer.status_code}, and not as nas serve does; check --server")
    if answer.status_code == httpx.codes.CONFLICT:
        return Refused(words)
    found = next((kind for kind in _ERRORS if kind.exit_code == document.get("exit_code")), FitnasError)
    return found(words)


def _pack(folder: Path, file: Any) -> None:
    """Pictures and sounds hardly shrink: they are stored as they are. Links are left out."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                packed.write(path, str(path.relative_to(folder)))
