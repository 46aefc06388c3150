"""`nas spaces`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nas.cli.options import Json


def spaces(
    name: Annotated[
        str | None, typer.Argument(metavar="[SPACE]", help="One space in full.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List the search spaces, or tell all about one."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.reporting.catalogue import space_documents
    from nas.reporting.tables import how_many

    documents = space_documents([name] if name else None)
    if json:
        print_json(documents[0] if name else documents)
        return
    console = stdout()
    for document in documents:
        console.print(f"[bold]{document['space']}[/bold]: {document['title']}")
        console.print(f"  source: {document['source']}", markup=False)
        console.print(
            f"  {how_many(document['networks'])} networks at its published input, runtime {document['runtime']}, "
            f"evaluator {document['evaluator']}"
        )
        published = ", ".join(document["published"])
        if published:
            console.print(f"  published networks (nas cost NAME): {published}", markup=False)
        for member, lines in document["outside"].items() if name else ():
            for line in lines:
                console.print(f"  {member} is outside its own published space, {line}", markup=False)
        if name:
            console.print(f"  settings (--set): {_in_words(document['settings'])}", markup=False)
            for choice, options in document["choices"].items():
                console.print(f"  {choice}: {', '.join(map(str, options))}", markup=False)


def _in_words(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which trained networks are named alone."""
    found = dict(settings)
    for key, value in settings.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            found[key] = ",".join(each["name"] for each in value)
    return found
