"""`nas verify`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Json


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that nas export wrote.", show_default=False)],
    json: Json = False,
) -> None:
    """Measure every promised figure again: memory, size, MACs, answers. Exit code 6 where a promise is broken."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.deployment.verification import verify_folder
    from nas.reporting.verification import print_verification

    found = verify_folder(folder)
    if json:
        print_json(found.to_document())
    else:
        print_verification(stdout(), found)
    found.raise_broken()
