"""`nas token`: who may ask the service of this folder for what."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.options import Json

if TYPE_CHECKING:
    from nas.storage.service_store import ServiceStore

token = typer.Typer(help="Named tokens of the service: create, list, revoke.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, or what it is for.", show_default=False)]
_Store = Annotated[
    str | None, typer.Option("--store", help="As given to nas serve; default: this folder's.", show_default=False)
]


@token.command("create")
def create(
    name: _Name,
    role: Annotated[str, typer.Option("--role", help="read, run (also start and change work) or admin.")] = "run",
    store: _Store = None,
    json: Json = False,
) -> None:
    """Make a token; its secret is shown this once."""
    from nas.cli.search_session import print_json
    from nas.service.security.tokens import Tokens

    with _opened(store) as tables:
        secret = Tokens(tables).create(name, role)
    if json:
        print_json({"name": name, "role": role, "token": secret})
    else:
        typer.echo(secret)


@token.command("list")
def list_(store: _Store = None, json: Json = False) -> None:
    """Tell which tokens there are; not their secrets, which nobody knows."""
    from nas.cli.search_session import print_json

    with _opened(store) as tables:
        tokens = tables.tokens()
    if json:
        names = ("name", "role", "created", "used", "revoked")
        print_json([{name: getattr(each, name) for name in names} for each in tokens])
        return
    for each in tokens:
        state = f"revoked {each.revoked}" if each.revoked else f"last used {each.used or 'never'}"
        typer.echo(f"{each.name}: {each.role}, made {each.created}, {state}")


@token.command("revoke")
def revoke(name: _Name, store: _Store = None) -> None:
    """Take a token out of use, at once."""
    with _opened(store) as tables:
        tables.revoke_token(name)


def _opened(store: str | None) -> "ServiceStore":
    from nas.assembly import RUNS
    from nas.service.settings import ServiceSettings, open_store

    return open_store(ServiceSettings(Path(RUNS).absolute(), store=store))
