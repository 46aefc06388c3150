"""Errors as problem details (RFC 9457, `application/problem+json`), in the words of the command line."""

import sys
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from nas.service.security.redaction import redacted
from search_spaces.core.errors import FitnasError, Infeasible, NotFound, Refused, WrongUse

MEDIA_TYPE = "application/problem+json"
_STATUS: dict[type[FitnasError], int] = {
    WrongUse: HTTPStatus.UNPROCESSABLE_ENTITY,
    Infeasible: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    Refused: HTTPStatus.CONFLICT,
}


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """A problem document; `more` are members of its own, such as `exit_code`."""
    title = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": int(status), "detail": redacted(detail), **more}
    return JSONResponse(document, status, dict(headers or {}), media_type=MEDIA_TYPE)


def status_of(error: FitnasError) -> int:
    """The HTTP status of an error of ours."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def answer_problems(app: FastAPI) -> None:
    """Registers what becomes of errors."""
    app.add_exception_handler(FitnasError, _ours)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _malformed)


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FitnasError)
    return problem(status_of(error), str(error), exit_code=error.exit_code)


async def _of_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), dict(error.headers or {}))


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    lines = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "\n".join(lines), exit_code=WrongUse.exit_code)


def unforeseen(scope: Scope, error: Exception) -> JSONResponse:
    """What is told of an error that no route explains: the log has all of it, who asked learns that it was not their
    mistake.
    """
    if isinstance(error, FitnasError):
        return problem(status_of(error), str(error), exit_code=error.exit_code)
    sys.stderr.write(redacted("".join(traceback.format_exception(error))))
    return problem(500, f"{scope['method']} {scope['path']} failed; the service's log says why")
