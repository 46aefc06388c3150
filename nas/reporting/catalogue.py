"""What there is to choose from, as JSON: spaces, devices, strategies, metrics."""

from collections.abc import Iterable
from typing import Any

from nas.assembly import device_names, make_space, space_names, strategy_class
from nas.strategies import strategy_names
from predictors.core.metric import METRICS
from predictors.hardware.device import load_device
from search_spaces.core.registry import space_class


def space_documents(names: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Of each space, at its published input: what it is, its size, choices, settings, published networks."""
    return [_space(name) for name in (space_names() if names is None else names)]


def _space(name: str) -> dict[str, Any]:
    space, members = make_space(name), space_class(name).members().values()
    return {
        "space": name,
        "title": space.title,
        "source": space.source,
        "networks": float(space.size),
        "choices": {choice.name: list(choice.options) for choice in space.choices},
        "settings": space.settings.model_dump(mode="json"),
        "settings_schema": type(space.settings).model_json_schema(),
        "runtime": space.default_runtime,
        "evaluator": space.default_evaluator,
        "objectives": space.default_objectives,
        "published": {member.name: member.source for member in members},
        "outside": {member.name: member.outside() for member in members if member.outside()},
    }


def device_documents(names: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Of each device: its facts with their sources, and the limits that it gives a network."""
    loaded = [load_device(name) for name in (device_names() if names is None else names)]
    return [device.model_dump(mode="json") | {"name": device.name, "limits": device.limits()} for device in loaded]


def strategy_titles() -> dict[str, str]:
    """By name, what each strategy does."""
    return {name: strategy_title(name) for name in strategy_names()}


def strategy_title(name: str) -> str:
    """What a strategy does, in a line."""
    return (strategy_class(name).__doc__ or "").strip().splitlines()[0]


def metric_documents() -> list[dict[str, Any]]:
    """The table of metrics: key in flags, column in tables, unit, direction, factors of suffixes."""
    names = ("key", "column", "unit", "better", "suffixes", "whole")
    return [{name: getattr(metric, name) for name in names} for metric in METRICS.values()]
