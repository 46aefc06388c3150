"""`nas strategies`."""

from nas.cli.options import Json


def strategies(json: Json = False) -> None:
    """List the search strategies."""
    from nas.assembly import strategy_class
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.strategies import strategy_names

    rows = {name: (strategy_class(name).__doc__ or "").strip().splitlines()[0] for name in strategy_names()}
    if json:
        print_json(rows)
        return
    for name, text in rows.items():
        stdout().print(f"{name}: {text}", markup=False)
