"""The dashboard's files: one page for every address of a page, its modules and style, and plotly.js.

plotly.js is that of the installed plotly package, so that nothing is fetched from elsewhere and nothing is vendored.
"""

import functools
import hashlib
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Header, Response

from nas.reporting.figures import plotly_js
from search_spaces.core.errors import NotFound

router = APIRouter(include_in_schema=False)
_KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
_ADDRESSES = ("/", "/start", "/datasets", "/jobs", "/compare", "/runs/{name}", "/runs/{name}/networks/{network}")
_PLOTLY = "plotly.js"

IfNoneMatch = Annotated[str | None, Header()]


@functools.cache
def _file(name: str) -> tuple[bytes, str]:
    """Content and tag of a file of the dashboard; `NotFound` where there is none of that name."""
    known = {each.name: each for each in files("nas.service.dashboard").iterdir() if each.is_file()}
    if name == _PLOTLY:
        content = plotly_js().encode()
    elif name in known and f".{name.rpartition('.')[2]}" in _KINDS:
        content = known[name].read_bytes()
    else:
        raise NotFound(f"the dashboard has no file {name[:60]!r}")
    return content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def _answer(name: str, known: str | None) -> Response:
    content, tag = _file(name)
    headers = {"etag": tag, "cache-control": "no-cache"}  # asked for each time, sent once
    if known == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_KINDS[f".{name.rpartition('.')[2]}"], headers=headers)


def _page(if_none_match: IfNoneMatch = None) -> Response:
    """The same document for every page: its script looks at the address."""
    return _answer("index.html", if_none_match)


for _address in _ADDRESSES:
    router.add_api_route(_address, _page, methods=["GET"])


@router.get("/static/{name}")
def show_file(name: str, if_none_match: IfNoneMatch = None) -> Response:
    """A module, the style, or plotly.js."""
    return _answer(name, if_none_match)
