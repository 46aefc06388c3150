"""What there is to choose from: `/spaces`, `/devices`, `/strategies`, `/metrics-table`."""

import functools
from typing import Any

from fastapi import APIRouter

from nas.reporting.catalogue import device_documents, metric_documents, space_documents, strategy_titles
from nas.service.security.access import Reading

router = APIRouter(tags=["catalogue"])


@functools.cache
def _spaces() -> list[dict[str, Any]]:
    return space_documents()


@router.get("/spaces")
def list_spaces(caller: Reading) -> list[dict[str, Any]]:
    """Every search space in full, as `nas spaces --json`."""
    return _spaces()


@router.get("/spaces/{name}")
def show_space(name: str, caller: Reading) -> dict[str, Any]:
    """One search space in full, at its published input: size, choices, settings, published networks."""
    return space_documents([name])[0]


@router.get("/devices")
def list_devices(caller: Reading) -> list[dict[str, Any]]:
    """Every device: facts with their sources, and the limits that it gives a network."""
    return device_documents()


@router.get("/strategies")
def list_strategies(caller: Reading) -> dict[str, str]:
    """By name, what each search strategy does."""
    return strategy_titles()


@router.get("/metrics-table")
def list_metrics(caller: Reading) -> list[dict[str, Any]]:
    """The metrics: key in budgets, column in tables, unit, direction, factors of suffixes."""
    return metric_documents()
