"""Documents as bytes: made once for all who ask alike, with ETag and gzip."""

import gzip
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from fastapi import Request
from fastapi.responses import Response

_LEAST_COMPRESSED = 1000
_LEVEL = 4  # level 9 takes three times as long for a tenth less


class Answer:
    """One document, encoded on one line. A NaN in it is a `ValueError`. `cursor` is the document's, empty without."""

    def __init__(self, document: Any) -> None:
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        self.body = text.encode()
        self.cursor: str = document.get("cursor", "") if isinstance(document, dict) else ""
        # weak: the compressed bytes have the same tag
        self.etag = f'W/"{hashlib.blake2b(self.body, digest_size=9).hexdigest()}"'

    @cached_property
    def compressed(self) -> bytes:
        """The body, gzipped; always the same bytes."""
        return gzip.compress(self.body, _LEVEL, mtime=0)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        return 2 * len(self.body)

    def response(self, request: Request) -> Response:
        """200 with the document, compressed where that is accepted and worth it; 304 where the caller has it."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if len(self.body) < _LEAST_COMPRESSED or not accepts_gzip(request.headers):
            return Response(self.body, media_type="application/json", headers=headers)
        headers["Content-Encoding"] = "gzip"
        return Response(self.compressed, media_type="application/json", headers=headers)


def accepts_gzip(headers: Mapping[str, str]) -> bool:
    """Whether a caller takes gzip.

    >>> accepts_gzip({"accept-encoding": "gzip, br"}), accepts_gzip({"accept-encoding": "gzip;q=0, br"})
    (True, False)
    """
    offers = [offer.strip().replace(" ", "") for offer in headers.get("accept-encoding", "").lower().split(",")]
    return any(offer == "gzip" or (offer.startswith("gzip;") and not offer.endswith("q=0")) for offer in offers)
