"""The commands of a run: the one that made it, and what to type next."""

import shlex
from typing import Any

from nas.config import RunConfig
from nas.deployment import ELASTIC, OF_A_RUN, format_for, format_names
from nas.run import StoredRun
from nas.storage.database import shown_url

_WITHOUT_FLAG = ("lag",)


def search_command(config: RunConfig) -> str:
    """The `nas search` line of a configuration: what differs from the defaults. Passwords in URLs are left out.

    >>> search_command(RunConfig.checked(space="mcunetv2", budget="sram=64k", set={"width": "per_block"}, trials=30))
    'nas search --space mcunetv2 --set width=per_block --budget sram=64k --trials 30'
    """
    words = ["nas", "search"]
    for name, field in RunConfig.model_fields.items():
        value = getattr(config, name)
        if value is None or name in _WITHOUT_FLAG or (value == field.default and name != "space"):
            continue
        words += _words(name, value)
    return shlex.join(words)


def shown_config(config: RunConfig) -> dict[str, Any]:
    """A configuration as plain values that may be shown to anybody: without passwords."""
    values = config.model_dump(mode="json")
    return values | ({"store": shown_url(config.store)} if config.store else {})


def _words(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, dict):
        return [word for key, option in value.items() for word in (flag, f"{key}={option}")]
    if isinstance(value, bool):
        return [flag]
    if name == "store":
        return [flag, shown_url(value)]
    return [flag, f"{value:g}s" if name == "time" else str(value)]


def next_commands(run: StoredRun) -> list[str]:
    """What to type after a search."""
    return [
        f"nas report {run.name}",
        f"nas show {run.name} knee",
        f"nas train {run.name} --pick knee --epochs 25",
        f"nas export {run.name} --pick knee --to {format_for(run.parts.runtime)} --out {run.name}-knee/",
    ]


def member_commands(run: str, network: str) -> dict[str, Any]:
    """What to type for one network of a run: what it costs, its training, its export in each format of one network."""
    formats = [name for name in format_names() if name not in (ELASTIC, *OF_A_RUN)]
    return {
        "show": f"nas show {run} {network}",
        "cost": f"nas cost {run}:{network} --layers",
        "train": f"nas train {run} --pick {network} --epochs 25",
        "export": {name: f"nas export {run} --pick {network} --to {name}" for name in formats},
    }
