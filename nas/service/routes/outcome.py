"""How a search ended, for the command line that asked for it: `/runs/{name}/outcome`."""

import io
from typing import Annotated, Any

from fastapi import APIRouter, Query
from rich.console import Console

from nas.reporting.commands import next_commands
from nas.reporting.member import member_document, print_member
from nas.reporting.outcome import print_front, run_document
from nas.service.security.access import Reading
from nas.service.service import Using

router = APIRouter(prefix="/runs/{name}", tags=["runs"])
_COLUMNS = 200


@router.get("/outcome")
def show_outcome(
    name: str, caller: Reading, service: Using, pick: Annotated[str | None, Query(max_length=200)] = None
) -> dict[str, Any]:
    """`document`: as `nas show --json`, with what to type next; `text`: the same for people. With `pick` of one network
    (best, knee, a number, an id or its beginning).
    """
    run = service.live.stored(name)
    text = io.StringIO()
    console = Console(file=text, width=_COLUMNS, highlight=False, soft_wrap=True)
    if pick is not None:
        trial = run.pick(pick)
        print_member(console, run, trial)
        return {"document": member_document(run, trial), "text": text.getvalue()}
    document = {**run_document(run), "next": next_commands(run)}
    print_front(console, run)
    console.print(f"{document['trials']} networks evaluated, {document['rejected']:,} candidates rejected before")
    return {"document": document, "text": text.getvalue()}
