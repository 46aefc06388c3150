"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run: a folder under runs/.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No notes and no progress; errors still show.")]
Pick = Annotated[str, typer.Option("--pick", help="knee, best, the id of a network or a trial number.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder to write; default: in the run's folder.", show_default=False)
]
Server = Annotated[
    str | None, typer.Option("--server", metavar="URL", help="Ask the service there.", show_default=False)
]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="With --server: the file of its token.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
