"""Devices: `/devices`."""

from typing import Any

from fastapi import APIRouter

from nas.reporting.catalogue import device_document
from nas.service.security.access import Reading
from predictors.hardware.device import device_names, load_device

router = APIRouter(prefix="/devices", tags=["what there is to choose from"])


@router.get("")
def list_devices(caller: Reading) -> list[dict[str, Any]]:
    """Every device and the limits that it gives, as `nas devices --json`."""
    return [device_document(load_device(name)) for name in device_names()]
