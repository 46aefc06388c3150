"""How a search ended, for the command line that asked for it: `/runs/{name}/outcome`."""

import io
from typing import Any

from fastapi import APIRouter
from rich.console import Console

from nas.reporting.commands import next_commands
from nas.reporting.outcome import print_front, run_document
from nas.service.security.access import Reading
from nas.service.service import Using

router = APIRouter(prefix="/runs/{name}", tags=["runs"])
_COLUMNS = 200


@router.get("/outcome")
def show_outcome(name: str, caller: Reading, service: Using) -> dict[str, Any]:
    """`document`: as `nas show --json`, with what to type next; `text`: the same for people."""
    run = service.live.stored(name)
    document = {**run_document(run), "next": next_commands(run)}
    text = io.StringIO()
    console = Console(file=text, width=_COLUMNS, highlight=False, soft_wrap=True)
    print_front(console, run)
    console.print(f"{document['trials']} networks evaluated, {document['rejected']:,} candidates rejected before")
    return {"document": document, "text": text.getvalue()}
