"""What every request passes before a route sees it, and what every answer carries.

Against pages of other sites: the name under which this service was asked must be one of its own (DNS rebinding), and a
change must come from its own pages or from no page at all, as JSON. Against too much: bodies are bounded. Against odd
names: a path that is decoded twice is still a plain one.
"""

import ipaddress
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nas.service.problems import problem, unforeseen
from nas.service.settings import LOOPBACK, ServiceSettings
from search_spaces.core.errors import shown

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MOST_JSON_BYTES = 1 << 20
UPLOADS = "/api/v1/datasets"
_LONGEST_COUNT = 20
_POLICY_OF_PAGES = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        is_answering = False

        async def answer(message: Message) -> None:
            nonlocal is_answering
            if message["type"] == "http.response.start":
                is_answering = True
                _add_headers(message)
            await send(message)

        refused = self._refused(scope)
        if refused is not None:
            await problem(*refused)(scope, receive, answer)
            return
        try:
            await self.app(scope, _bounded(receive, self._limit(scope)), answer)
        except Exception as error:  # noqa: BLE001 - nobody outside learns more than that it failed
            failure = unforeseen(scope, error)
            if not is_answering:
                await failure(scope, receive, answer)

    def _limit(self, scope: Scope) -> int:
        return self.settings.most_upload_bytes if scope["path"] == UPLOADS else MOST_JSON_BYTES

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and words where a request is turned away."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_own_name(host):
            return 421, (
                f"this service does not answer to the name {shown(host)}; ask for it by 127.0.0.1, or start it with "
                "--allow-host NAME"
            )
        if not _is_plain(scope):
            return 400, "a path has no '..', no backslash and no control characters, however it is encoded"
        if scope["method"] in SAFE_METHODS:
            return None
        if not _comes_from_here(headers):
            return 403, "a change must come from this service's own pages, or from no page at all"
        return self._refused_body(scope, headers)

    def _refused_body(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        length = headers.get("content-length", "0")
        has_body = length != "0" or "transfer-encoding" in headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        upload = scope["path"] == UPLOADS
        wanted = "multipart/form-data" if upload else "application/json"
        if has_body and kind != wanted:
            return 415, f"send this as {wanted}, not as {shown(kind)}"
        limit = self._limit(scope)
        is_count = length.isascii() and length.isdecimal() and len(length) < _LONGEST_COUNT
        if not is_count or int(length) > limit:
            return 413, _too_long(limit)
        return None

    def _is_own_name(self, host: str) -> bool:
        name = _name_of(host)
        if name in (*LOOPBACK, *self.settings.hosts, self.settings.host):
            return True
        return not self.settings.is_local and _is_address(name)  # only names can be made to point elsewhere


def _name_of(host: str) -> str:
    """Without its port, in lower case; nothing where it is no name of a host."""
    try:
        parsed = urlsplit(f"//{host}")
    except ValueError:
        return ""
    return (parsed.hostname or "") if parsed.netloc == host and "@" not in host else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _comes_from_here(headers: Headers) -> bool:
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        return False
    return site in (None, "same-origin", "none")


def _is_plain(scope: Scope) -> bool:
    once = unquote(scope.get("raw_path", scope["path"].encode()).decode("latin-1"))
    return all(_has_no_tricks(path) for path in (scope["path"], once, unquote(once)))


def _has_no_tricks(path: str) -> bool:
    return ".." not in path.split("/") and not any(ord(letter) < 32 or letter in "\\\x7f" for letter in path)


def _bounded(receive: Receive, limit: int) -> Receive:
    """Stops reading a body that grows beyond the limit, whatever its head said."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413, _too_long(limit))
        return message

    return bounded


def _too_long(limit: int) -> str:
    return f"at most {limit:,} bytes are taken here"


def _add_headers(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    is_page = headers.get("content-type", "").startswith("text/html")
    headers.setdefault("content-security-policy", _POLICY_OF_PAGES if is_page else _POLICY)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("cache-control", "no-store")
