"""Facts of a chip, read from TOML: memory that an arena can use, clock, and where each figure comes from.

A device is one file in `devices/`; its name is the file's name. A user's own file serves as well, by its path.
"""

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from predictors.core.metric import METRICS, Metric, format_quantity, parse_quantity
from search_spaces.core.errors import NotFound, WrongUse, did_you_mean

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Bytes = Annotated[int, Field(gt=0, le=2**40)]
_RESERVABLE = {"sram": "sram_bytes", "flash": "flash_bytes"}


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SramBank(_Facts):
    """One block of on-chip RAM; `in_arena`: the contiguous region for the arena lies in it."""

    name: Text
    address: Annotated[int, Field(ge=0)]
    bytes: Bytes
    in_arena: bool


class Reserve(_Facts):
    """Memory kept for the rest of the firmware, and why that much."""

    sram_bytes: Annotated[int, Field(ge=0)]
    flash_bytes: Annotated[int, Field(ge=0)]
    reason: Text


class Calibration(_Facts):
    """Cycles that an instruction of a runtime's programs takes, on average of networks; `error`: as a fraction."""

    runtime: Text
    cycles_per_instruction: Annotated[float, Field(gt=0, le=100)]
    error: Annotated[float, Field(ge=0, lt=1)]
    source: Text


class Sources(_Facts):
    """Document and place of each figure."""

    core: Text
    clock_hz: Text
    sram_bytes: Text
    sram_banks: Text
    flash_bytes: Text


class Device(_Facts):
    """A chip. `sram_bytes`: the contiguous bytes that one arena can use, which may be less than the chip's RAM."""

    name: Text
    title: Text
    core: Text
    cores: Annotated[int, Field(gt=0)]
    clock_hz: Annotated[int, Field(gt=0)]
    sram_bytes: Bytes
    sram_note: Text
    sram_banks: Annotated[tuple[SramBank, ...], Field(strict=False, min_length=1)]
    flash_bytes: Bytes
    runtime: Text
    reserve: Reserve
    sources: Sources
    calibration: Calibration | None = None

    @model_validator(mode="after")
    def _arena_is_one_region(self) -> "Device":
        banks = sorted((bank for bank in self.sram_banks if bank.in_arena), key=lambda bank: bank.address)
        if any(low.address + low.bytes != high.address for low, high in pairwise(banks)):
            raise ValueError("sram_banks: the banks with in_arena = true are not neighbours in memory")
        total = sum(bank.bytes for bank in banks)
        if self.sram_bytes > total:
            raise ValueError(f"sram_bytes: {self.sram_bytes} is more than the {total} bytes of the in_arena banks")
        for key in _RESERVABLE.values():
            if getattr(self.reserve, key) >= getattr(self, key):
                raise ValueError(f"reserve.{key}: leaves nothing of the device's {getattr(self, key)} bytes")
        return self

    @property
    def core_name(self) -> str:
        """The core as compilers have it: 'Cortex-M4F', with a unit for floats, is 'cortex-m4'."""
        return re.sub(r"^(cortex-m\d+)f$", r"\1", self.core.lower())

    @property
    def sram_total_bytes(self) -> int:
        """All on-chip RAM of the banks listed, whether an arena can use it or not."""
        return sum(bank.bytes for bank in self.sram_banks)

    def limits(self, reserve: str | None = None) -> dict[str, int]:
        """The budget that the device sets, by column, in bytes.

        `reserve` such as "sram=16k,flash=0" replaces the device's own reserve key by key; `WrongUse` where it is
        malformed or leaves nothing for the network.
        """
        kept = {key: getattr(self.reserve, column) for key, column in _RESERVABLE.items()} | parse_reserve(reserve)
        result = {}
        for key, column in _RESERVABLE.items():
            left = getattr(self, column) - kept[key]
            if left <= 0:
                has = format_quantity(METRICS[key], getattr(self, column))
                raise WrongUse(f"reserve {key}={kept[key]} B leaves nothing: {self.name} has {has}; reserve less")
            result[METRICS[key].column] = left
        return result


def parse_reserve(text: str | None) -> dict[str, int]:
    """Bytes by key of "sram=16k,flash=64k"; zero is allowed; nothing for None or an empty text; else `WrongUse`."""
    result: dict[str, int] = {}
    for part in (text or "").split(",") if text and text.strip() else []:
        key, sign, value = (piece.strip() for piece in part.partition("="))
        if key not in _RESERVABLE:
            raise WrongUse(f"--reserve: unknown key '{key}'{did_you_mean(key, _RESERVABLE)}. Known: sram, flash")
        if not sign or not value:
            raise WrongUse(f"--reserve: expected {key}=BYTES, for example {key}=16k, got '{part.strip()}'")
        if key in result:
            raise WrongUse(f"--reserve: '{key}' is given twice; give it once")
        result[key] = _reserved_bytes(METRICS[key], value)
    return result


def _reserved_bytes(metric: Metric, value: str) -> int:
    # Unlike a budget, a reserve may be nothing at all.
    zero = re.fullmatch(r"0+(?:\.0*)?\s*(\S*)", value)
    return 0 if zero and zero[1] in metric.suffixes else int(parse_quantity(metric, value))


def device_names() -> list[str]:
    """Names of the devices that come with the package, sorted."""
    folder = files("predictors.hardware").joinpath("devices")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_device(name: str | Path) -> Device:
    """The device of that name, or of a user's TOML file where `name` is a path or ends in .toml.

    `WrongUse` names the key where the file is broken or incomplete, and the nearest name where the name is unknown;
    `NotFound` where the path leads nowhere.
    """
    text = str(name)
    if isinstance(name, Path) or text.endswith(".toml"):
        return _from_path(Path(text))
    known = device_names()
    if text not in known:
        hint = did_you_mean(text[:80], known)
        raise WrongUse(f"unknown device {_short(text)}{hint}. Known: {', '.join(known)}; or the path of your own .toml")
    entry = files("predictors.hardware").joinpath("devices", f"{text}.toml")
    return _parse(entry.read_bytes(), text, f"device '{text}'")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _from_path(path: Path) -> Device:
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        message = f"device file {_short(str(path))} cannot be read: {why}. `nas devices` lists the known devices"
        raise NotFound(message) from error
    return _parse(content, path.stem, f"device file {_short(str(path))}")


def _parse(content: bytes, name: str, where: str) -> Device:
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUse(f"{where} is not valid TOML: {error}") from error
    if "name" in table:
        raise WrongUse(f"{where}: 'name' is the name of the file; remove the key")
    try:
        return Device.model_validate(table | {"name": name})
    except ValidationError as error:
        raise WrongUse(f"{where}: " + "; ".join(_problem(item) for item in error.errors())) from error


def _problem(item: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "missing":
        return f"'{key}' is missing"
    if item["type"] == "extra_forbidden":
        return f"unknown key '{key}'{did_you_mean(str(item['loc'][-1]), _siblings(item['loc']))}"
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"'{key}': {message}, got {_short(str(item['input']))}" if key else message


def _siblings(location: tuple[Any, ...]) -> list[str]:
    parts: dict[str, type[BaseModel]] = {"reserve": Reserve, "sources": Sources, "sram_banks": SramBank}
    owner = Device if len(location) == 1 else parts[str(location[0])]
    return list(owner.model_fields)
