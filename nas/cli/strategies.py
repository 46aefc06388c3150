"""`nas strategies`."""

from nas.cli.options import Json


def strategies(json: Json = False) -> None:
    """List the search strategies."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.reporting.catalogue import strategy_titles

    rows = strategy_titles()
    if json:
        print_json(rows)
        return
    for name, text in rows.items():
        stdout().print(f"{name}: {text}", markup=False)
