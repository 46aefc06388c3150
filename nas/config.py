"""One search as a value: what the flags, a TOML file, Python and the service all build."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from nas.core.budget import Budget
from nas.core.fidelity import Fidelity
from nas.core.names import checked_run_name
from nas.core.objective import Objective, parse_objectives
from nas.core.per_patch import PER_PATCH, PerPatch
from nas.core.speed_setup import SpeedSetup
from predictors.hardware.device import parse_reserve
from search_spaces.core.errors import NotFound, WrongUse, did_you_mean, shown
from search_spaces.core.policy import widths
from search_spaces.core.registry import space_class

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_SECONDS = 366 * 86400.0
PER_PATCH_OBJECTIVES = "int8_accuracy,bitops"  # the weights of all have 8 bits
_LARGEST_SEED = 2**32 - 1  # what NumPy and torch both accept


def parse_duration(value: float | str) -> float:
    """'90s', '10m', '1h', '1h30m' or a bare number of seconds, as seconds.

    `WrongUse` where it is no positive finite duration of at most a year.

    >>> parse_duration("1h30m")
    5400.0
    """
    text = str(value).strip()
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|)(?![a-z])", text)
    whole = "".join(number + unit for number, unit in parts) == re.sub(r"\s+", "", text)
    alone = len(parts) == 1 or all(unit for _, unit in parts)
    if isinstance(value, bool) or not (parts and whole and alone):
        raise WrongUse(f"a time is a number with s, m or h, for example 90s, 10m, 1h30m; got {shown(text)}")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise WrongUse(f"a time is more than 0 and at most 366d; got {shown(text)}")
    return seconds


def _explained(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`check` with its `WrongUse` as a validation error, so that one report holds every problem of a configuration."""

    def checked(value: Any) -> Any:
        try:
            return check(value)
        except WrongUse as error:
            # The message is a value of the template, which would take braces in it for its own.
            raise PydanticCustomError("wrong_use", "{message}", {"message": str(error)}) from None

    return checked


def _if_it_parses(parse: Callable[[str], object]) -> AfterValidator:
    """Keeps the text as it was typed, where `parse` accepts it."""
    return AfterValidator(_explained(lambda text: (parse(text), text)[1]))


def _parse_budget(text: str) -> Budget:
    return Budget.parse(text) if text else Budget()


def _parse_schedule(text: str) -> None:
    if text not in ("auto", "none") and not re.fullmatch(r"[1-9]\d?x[1-9]\d{0,3}", text):
        raise WrongUse(f"a schedule is auto, none or PxN (P x P patches up to operator N, as 3x8); got {shown(text)}")


def _parse_quantize(text: str) -> None:
    if text != PER_PATCH:
        widths(text)


def _one_or_several(value: Any) -> Any:
    """A folder alone as a list of one, as in configurations of earlier versions; an empty list as None."""
    if isinstance(value, str | Path):
        value = [value]
    if isinstance(value, list | tuple):
        value = [str(each) if isinstance(each, Path) else each for each in value]
    return value or None


_Text = Annotated[StrictStr, Field(min_length=1)]
_Seconds = Annotated[float, BeforeValidator(_explained(parse_duration))]
_Count = Annotated[StrictInt, Field(ge=1, le=10_000_000)]
_Folders = Annotated[tuple[_Text, ...] | None, BeforeValidator(_one_or_several)]
_Subnets = Annotated[StrictInt, Field(ge=1, le=16)]  # two pictures each of the 32 of a step


class RunConfig(BaseModel):
    """One search. Build it with `checked`, `from_toml` or `updated`: their errors are `WrongUse`, a line a problem.

    None means: chosen later and printed (device: none; reserve: the device's; runtime and evaluator: the space's;
    fidelity: 10 epochs, or the recipe's; objectives: the space's, or with per-patch int8_accuracy,bitops; proxy: nwot
    where the evaluator is zero_cost; sampling: the space's; subnets: the sampling's; measure: batch=32,threads=1;
    backend: inline for a table, else ray_tune; workers: the usable processors, less those of `measure` where speed is
    measured; store: `run.db` in the run's folder; run: numbered after the space; ray_address: a local cluster).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: _Text
    set: dict[StrictStr, StrictStr] = {}
    budget: Annotated[StrictStr, _if_it_parses(_parse_budget)] = ""
    device: _Text | None = None
    predictor: _Folders = None
    reserve: Annotated[StrictStr, _if_it_parses(parse_reserve)] | None = None
    runtime: _Text | None = None
    data: _Text = "digits"
    objectives: Annotated[StrictStr, _if_it_parses(parse_objectives)] = "accuracy,macs"  # or the space's own
    strategy: _Text = "auto"
    evaluator: _Text | None = None
    fidelity: Annotated[StrictStr, _if_it_parses(Fidelity.parse)] | None = None
    table: _Text | None = None
    proxy: _Text | None = None
    recipe: StrictBool = False
    quantize: Annotated[StrictStr, _if_it_parses(_parse_quantize)] | None = None
    per_patch: Annotated[StrictStr, _if_it_parses(PerPatch.parse)] | None = None
    allow_unexecutable: StrictBool = False
    measure: Annotated[StrictStr, _if_it_parses(SpeedSetup.parse)] | None = None
    trials: _Count = 200
    time: _Seconds | None = None
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    workers: _Count | None = None
    backend: Literal["ray_tune", "inline"] | None = None
    ray_address: _Text | None = None
    store: _Text | None = None
    seed: Annotated[StrictInt, Field(ge=0, le=_LARGEST_SEED)] = 0
    run: Annotated[StrictStr, _if_it_parses(checked_run_name)] | None = None
    schedule: Annotated[StrictStr, _if_it_parses(_parse_schedule)] = "auto"
    strict_runtime: StrictBool = False
    count_input: StrictBool = False
    mac_convention: Literal["conv-linear", "products", "fvcore"] = "products"
    supernet_epochs: _Count | None = None
    supernet_from: _Text | None = None
    distill: _Text | None = None
    sampling: _Text | None = None
    subnets: _Subnets | None = None
    tracking: _Text = "tensorboard"
    # Proposal i uses the results of the trials below i - lag: more keeps more workers busy, less learns sooner.
    lag: Annotated[StrictInt, Field(ge=0, le=10_000)] = 8

    @model_validator(mode="before")
    @classmethod
    def _usual_objectives(cls, values: Any) -> Any:
        """The space's own, where nothing else is asked for; an unknown space is told of later."""
        if not isinstance(values, dict) or "objectives" in values or not isinstance(values.get("space"), str):
            return values
        if values.get("quantize") == PER_PATCH:
            return {**values, "objectives": PER_PATCH_OBJECTIVES}
        try:
            name = _space_name(values["space"], values.get("recipe"), values.get("quantize"))
            return {**values, "objectives": space_class(name).default_objectives}
        except WrongUse:
            return values

    @classmethod
    def checked(cls, **values: Any) -> "RunConfig":
        """The configuration of these values; `WrongUse` with a line for each problem."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise WrongUse("\n".join(_line(detail) for detail in error.errors())) from None

    @classmethod
    def from_toml(cls, path: Path, **changes: Any) -> "RunConfig":
        """The configuration in a TOML file, with `changes` (the flags) over it.

        `NotFound` where there is no such file; `WrongUse` where it does not parse, or as `checked`.
        """
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (FileNotFoundError, IsADirectoryError, ValueError, OSError) as error:
            raise _unreadable(path, error) from None
        return cls.checked(**(values | changes))

    def to_toml(self) -> str:
        """TOML that `from_toml` reads as an equal configuration; what is None is left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def updated(self, **changes: Any) -> "RunConfig":
        """A configuration with some values changed, checked again."""
        return RunConfig.checked(**(self.model_dump() | changes))

    def shareable(self) -> "RunConfig":
        """For others: names of files and folders without where these lie; no addresses, which may hold a password.

        >>> RunConfig(space="mcunetv2", data="/home/me/signs", store="sqlite:///x.db").shareable().data
        'signs'
        """
        anchors = [Path(name.partition("@")[0]).name for name in self.set.get("anchors", "").split(",")]
        named = {**self.set, "anchors": ",".join(anchors)} if "anchors" in self.set else self.set
        paths = {"data": self.data, "table": self.table, "distill": self.distill}
        names = {key: Path(path).name or path for key, path in paths.items() if path}
        folders = [Path(path).name or path for path in self.predictor or ()]
        return self.updated(**names, predictor=folders, set=named, store=None, ray_address=None)

    @property
    def space_name(self) -> str:
        """The space with what is searched beside it: `mcunetv2+recipe` with `recipe`, likewise with `quantize`."""
        return _space_name(self.space, self.recipe, self.quantize)

    @property
    def patch_bits(self) -> PerPatch | None:
        """How the patches of each network get their bits, where they do."""
        return PerPatch.parse(self.per_patch or "") if self.quantize == PER_PATCH else None

    @property
    def limits(self) -> Budget:
        """The user's budget; an empty one where none was given."""
        return _parse_budget(self.budget)

    @property
    def speed_setup(self) -> SpeedSetup:
        """How speed is measured, where it is."""
        return SpeedSetup.parse(self.measure) if self.measure else SpeedSetup()

    @property
    def parsed_objectives(self) -> tuple[Objective, ...]:
        """The objectives in their order."""
        return parse_objectives(self.objectives)


def _space_name(space: str, recipe: object, quantize: object) -> str:
    has_widths = quantize and quantize != PER_PATCH  # bits by patch are no choices
    beside = [name for name, given in (("recipe", recipe), ("quantization", has_widths)) if given]
    return "+".join([space, *beside])


def _unreadable(path: Path, error: OSError | ValueError) -> NotFound | WrongUse:
    if isinstance(error, OSError):
        return NotFound(f"the configuration {shown(str(path), 200)} cannot be read: {error.strerror}; check --config")
    if isinstance(error, tomllib.TOMLDecodeError | UnicodeDecodeError):
        return WrongUse(f'{path} is no TOML file: {error}; an example: space = "mcunetv2"')
    return WrongUse(f"{shown(str(path), 200)} is not a path: {error}")


def _line(detail: ErrorDetails) -> str:
    """One validation error as the rule, the value and the way out."""
    key = ".".join(str(part) for part in detail["loc"])[:60]
    kind, got = detail["type"], f"; got {shown(str(detail['input']))}"
    if kind == "wrong_use":
        return detail["msg"]
    if kind == "extra_forbidden":
        known = ", ".join(RunConfig.model_fields)
        return f"unknown option '{key}'{did_you_mean(key, RunConfig.model_fields) or '.'} Known: {known}"
    if kind == "missing":
        return f"the option '{key}' is missing; give for example --{key} mcunetv2"
    if kind == "literal_error":
        expected = detail["ctx"]["expected"]
        options = re.findall("'(.*?)'", expected)
        return f"{key} is {expected}{got}{did_you_mean(str(detail['input']), options)}"
    quotes = " (in quotes)" if kind == "string_type" else ""
    return f"{key}: {detail['msg'][:1].lower()}{detail['msg'][1:]}{quotes}{got}"
