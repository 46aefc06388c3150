"""What there is to choose from, as plain JSON values: spaces, devices, strategies, metrics."""

from typing import Any

from nas.assembly import make_space, strategy_class
from nas.strategies import strategy_names
from predictors.core.metric import METRICS
from predictors.hardware.device import Device
from search_spaces.core.registry import space_class


def space_document(name: str) -> dict[str, Any]:
    """A space for its published input: choices, settings with their schema, published networks; `WrongUse` for an
    unknown name.
    """
    space, members = make_space(name), space_class(name).members().values()
    return {
        "space": name,
        "title": space.title,
        "source": space.source,
        "networks": float(space.size),
        "choices": {choice.name: list(choice.options) for choice in space.choices},
        "settings": space.settings.model_dump(mode="json"),
        "settings_schema": type(space.settings).model_json_schema(),
        "objectives": space.default_objectives,
        "runtime": space.default_runtime,
        "evaluator": space.default_evaluator,
        "published": {member.name: member.source for member in members},
        "outside": {member.name: member.outside() for member in members if member.outside()},
    }


def device_document(device: Device) -> dict[str, Any]:
    """A device's facts, and the limits that it gives."""
    return device.model_dump(mode="json") | {"name": device.name, "limits": device.limits()}


def strategies_document() -> dict[str, str]:
    """What each strategy is, in a line, by name."""
    return {name: (strategy_class(name).__doc__ or "").strip().splitlines()[0] for name in strategy_names()}


def metrics_document() -> list[dict[str, Any]]:
    """The table of metrics; `suffixes` maps a unit to its factor to the column's unit."""
    return [
        {
            "key": metric.key,
            "column": metric.column,
            "unit": metric.unit,
            "better": metric.better,
            "suffixes": metric.suffixes,
            "whole": metric.whole,
        }
        for metric in METRICS.values()
    ]
