"""Searches that cost next to nothing: a proxy asked of networks of 16 x 16 pixels, a tenth of a second each."""

from typing import Any

from nas.config import RunConfig

TINY: dict[str, Any] = {
    "space": "mcunetv2",
    "set": {"resolutions": "16"},
    "evaluator": "zero_cost",
    "objectives": "zero_cost,macs",
    "backend": "inline",
    "tracking": "none",
    "trials": 5,
}
LONG = TINY | {"trials": 400}


def as_toml(values: dict[str, Any]) -> str:
    return RunConfig.checked(**values).to_toml()
