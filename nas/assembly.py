"""The one place where a name becomes a part."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nas.board_forecast import board_forecast
from nas.config import RunConfig
from nas.core.budget import Budget
from nas.core.objective import Objective
from nas.core.per_patch import PER_PATCH, PerPatch
from nas.device_predictor import DevicePredictor, load_predictors
from nas.gate import Gate
from nas.pricing import EXACT_COLUMNS, Forecast, Forecasts, Pricer
from nas.storage.sheet import LATENCY
from nas.tracking import parse_sinks
from nas.training.sampling import sampling_class
from predictors.core.metric import METRICS
from predictors.hardware.device import Device, device_names, load_device
from predictors.hardware.memory import lacking_operators, lacking_widths, memory_rule, runtime_names
from predictors.hardware.price import parse_schedule
from predictors.zero_cost import zero_cost_proxy
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse, unknown
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class, space_names
from search_spaces.core.space import PublishedMember, SearchSpace

if TYPE_CHECKING:
    from nas.strategies.strategy import Strategy

RUNS = Path("runs")  # where runs lie unless another folder is told
SUPERNET, TRAIN, TABLE, ZERO_COST = EVALUATORS = ("supernet", "train", "table", "zero_cost")
PROPOSE = "propose"
DEFAULT_PROXY = "nwot"
# What is known of a network before it is trained for good.
ACCURACY_OF = {
    SUPERNET: "accuracy is that of weights inherited from the supernet",
    TRAIN: "accuracy is that of its own training in the search",
    TABLE: "accuracy is that of the table of known results",
    ZERO_COST: "accuracy is not known: nothing was trained, and a zero-cost proxy is none",
}
MEASURED_COLUMNS = ("top1", "zero_cost")
QUANTIZED_COLUMNS = ("int8_top1",)
QUANTIZING = "onnxruntime"
# Measured on this machine, before an evaluation; of another device nothing is known.
SPEED_COLUMNS = ("images_per_second", "latency_ms")

__all__ = ["device_names", "runtime_names", "space_names"]


def make_space(
    name: str, options: Mapping[str, str] | None = None, facts: InputFacts | None = None
) -> SearchSpace[Any]:
    """The space of that name for `--set` options and data; without data, for its published input."""
    return space_class(name).configured(options or {}, facts)


def restore_space(architecture: Architecture) -> SearchSpace[Any]:
    """The space that an architecture belongs to, from the settings it carries."""
    return space_class(architecture.space).restored(architecture.settings)


def published_members() -> dict[str, tuple[type[SearchSpace[Any]], PublishedMember]]:
    """Every published network of every space by name."""
    classes = [space_class(name) for name in space_names()]
    return {name: (space, member) for space in classes for name, member in space.members().items()}


@dataclass(frozen=True)
class Parts:
    """What a configuration names, resolved for one space."""

    space: SearchSpace[Any]
    device: Device | None
    runtime: str
    budget: Budget
    objectives: tuple[Objective, ...]
    pricer: Pricer
    evaluator: str
    sampling: str
    gate: Gate | None = None
    predictors: tuple[DevicePredictor, ...] = ()
    proxy: str | None = None
    patch_bits: PerPatch | None = None
    unexecutable: str = ""
    """What of the networks the runtime does not execute, in words; empty where it executes all."""

    @property
    def whose(self) -> Mapping[str, str]:
        """Whose the figures are that are not exact, by column: measured or predicted ones, other than accuracy."""
        proxied = {"zero_cost": f"{zero_cost_proxy(self.proxy).title} of untrained networks"} if self.proxy else {}
        return {**(self.gate.whose if self.gate else {}), **self.pricer.predicted, **proxied}

    @property
    def warning(self) -> str:
        """What whoever believes in a run's figures has to know first; empty where there is nothing."""
        if not self.proxy:
            return ""
        return (
            f"zero_cost is {self.whose['zero_cost']}, NOT their accuracy. How well it orders networks is to be "
            "checked on a run whose accuracy is known (--evaluator supernet or train): nas predictor proxies --run RUN"
        )

    @property
    def numbers(self) -> str:
        """In which numbers SRAM, flash and size are counted, for people."""
        return "the policy's widths" if isinstance(self.space, WithQuantization) else "int8"

    @property
    def measure(self) -> Gate | None:
        """Figures that take seconds a network, where a limit is on one."""
        return self.gate if self.gate and self.budget.restricted_to(self.gate.whose) else None

    def notes(self) -> list[str]:
        """What to tell of the predictors before a search; `WrongUse` where one knows no network of the space."""
        return [line for predictor in self.predictors for line in predictor.notes(self.space)]

    def remembering(self, file: Path) -> "Parts":
        """The same, whose slow figures are kept in a file: each network is asked once by all that open it."""
        return replace(self, gate=self.gate.kept_in(file)) if self.gate else self


def assemble(config: RunConfig, facts: InputFacts | None, options: Mapping[str, str] | None = None) -> Parts:
    """Resolves everything that a configuration names, for data of these facts; every unknown name is `WrongUse`.

    `options` are those of the space where some name trained networks, which are resolved in them.
    """
    options = dict(config.set if options is None else options)
    if config.recipe and config.fidelity:
        options.setdefault("recipe_epochs", "")  # the fidelity says how long
    if config.quantize and config.patch_bits is None:
        options.setdefault("quantize", config.quantize)
    return assemble_for(make_space(config.space_name, options, facts), config)


def assemble_for(space: SearchSpace[Any], config: RunConfig) -> Parts:
    """The same for a space that is made already."""
    predictors = load_predictors([Path(folder) for folder in config.predictor or ()])
    device = device_of(config, predictors)
    runtime = config.runtime or _usual_runtime(space, predictors, device)
    forecast = _forecast(space, predictors, device, runtime)
    unexecutable = _unexecutable(space, runtime, config)
    _check_runtime(runtime, predictors)
    if config.reserve and device is None:
        raise WrongUse("--reserve is what the firmware keeps of a device's memory; name one with --device")
    budget = config.limits
    if device is not None:
        budget = budget.merged_with(device_budget(device, config.reserve))
    quantized = QUANTIZED_COLUMNS if isinstance(space, WithQuantization) or config.patch_bits else ()
    check_columns(budget, config, runtime, (*quantized, *(forecast.whose if forecast else ())))
    evaluator = evaluator_name(config, space)
    check_score(config, evaluator)
    strategy_class(config.strategy)
    if config.strategy == PROPOSE and not space.has_rule():
        raise WrongUse(
            f"--strategy {PROPOSE} is for spaces with a published rule, and '{space.name}' has none; spaces that have "
            f"one: {', '.join(name for name in space_names() if space_class(name).has_rule())}"
        )
    parse_sinks(config.tracking)
    sampling = config.sampling or space.default_sampling
    sampling_class(sampling).number(config.subnets)
    schedule = parse_schedule(config.schedule)
    gate = gate_of(space, budget, config, forecast.whose if forecast else ())
    budget = budget.judged_by({**(gate.whose if gate else {}), **(forecast.whose if forecast else {})})
    rules = (config.count_input, config.mac_convention)
    strict, per_patch = config.strict_runtime, config.patch_bits is not None
    pricer = Pricer(space, runtime, budget, schedule, *rules, forecast, per_patch, strict)
    what = (space, device, runtime, budget, config.parsed_objectives, pricer, evaluator, sampling, gate, predictors)
    proxy = (config.proxy or DEFAULT_PROXY) if evaluator == ZERO_COST else None
    return Parts(*what, proxy, config.patch_bits, unexecutable)


def _forecast(
    space: SearchSpace[Any], predictors: Sequence[DevicePredictor], device: Device | None, runtime: str
) -> Forecasts | None:
    """What is predicted: by the predictors, and of a device with a calibration its latency where none of them does."""
    parts: list[Forecast] = [each.forecast(space) for each in predictors]
    board = board_forecast(device, runtime)
    if board is not None and LATENCY not in {each.column for each in predictors}:
        parts.append(board)
    return Forecasts(tuple(parts)) if parts else None


def device_of(config: RunConfig, predictors: Sequence[DevicePredictor]) -> Device | None:
    """The device whose memory is the budget; None where none is named, or one of which predictors alone know.

    `WrongUse` where a predictor is of another device.
    """
    name = config.device
    if name is None or not predictors:
        return load_device(name) if name else None
    for theirs in (predictor.target.device for predictor in predictors):
        if theirs not in (name, Path(name).stem):
            raise WrongUse(
                f"--device {name}: the predictor is of the device {theirs}; name that, or leave --device away, or fit "
                "a predictor from rows of yours"
            )
    return load_device(name) if name in device_names() or Path(name).is_file() else None


def _usual_runtime(space: SearchSpace[Any], predictors: Sequence[DevicePredictor], device: Device | None) -> str:
    """That of a predictor, so that memory and latency are of one program; else the device's, else the space's own, or
    where architectures say their widths, one that executes more than one.
    """
    told = [each.target.runtime for each in predictors if each.target.runtime in runtime_names()]
    usual = QUANTIZING if isinstance(space, WithQuantization) else space.default_runtime
    return told[0] if told else device.runtime if device else usual


def _unexecutable(space: SearchSpace[Any], runtime: str, config: RunConfig) -> str:
    """What of a search's networks the runtime does not execute; `WrongUse` where that is not allowed."""
    if config.per_patch and config.patch_bits is None:
        raise WrongUse(f"--per-patch says how --quantize {PER_PATCH} finds bits; give both, or leave --per-patch away")
    if config.patch_bits is None and memory_rule(runtime).lacks:
        largest = space.decode(space.population([space.extremes()[1]]))
        if lacking_operators(runtime, largest, config.allow_unexecutable):
            return f"operators that the runtime {runtime} does not execute"
    if config.patch_bits is None:
        asked = [each.name for each in space.widths] if isinstance(space, WithQuantization) else []
        lacking = lacking_widths(runtime, asked, "--quantize", config.allow_unexecutable)
        return f"operators of {', '.join(lacking)}, which the runtime {runtime} does not execute" if lacking else ""
    if not config.allow_unexecutable:
        raise WrongUse(
            f"--quantize {PER_PATCH}: no runtime here executes patches of several widths; price and score them all "
            "the same with --allow-unexecutable"
        )
    _check_patches(space, config)
    return "patches with bits of their own (QuantMCU), which no runtime here executes"


def _check_patches(space: SearchSpace[Any], config: RunConfig) -> None:
    """`WrongUse` where patches cannot have bits of their own."""
    if not space.decode(space.population([space.extremes()[1]])).cut.any():
        raise WrongUse(
            f"--quantize {PER_PATCH}: networks of '{space.name}' have no patch schedules; take a space of "
            "convolutions, such as mcunetv2"
        )
    if config.schedule == "none":
        raise WrongUse(f"--quantize {PER_PATCH} and --schedule none: there are no patches; leave one of them away")
    if config.mac_convention == "fvcore":
        raise WrongUse(
            f"--quantize {PER_PATCH}: bit operations are those of multiplications, and --mac-convention fvcore counts "
            "norms and poolings too; leave one of them away"
        )


def _check_runtime(runtime: str, predictors: Sequence[DevicePredictor]) -> None:
    """`WrongUse` where memory is that of one runtime and latency that of another that has a memory rule too."""
    for theirs in (predictor.target.runtime for predictor in predictors):
        if theirs != runtime and theirs in runtime_names():
            raise WrongUse(
                f"--runtime {runtime}: the predictor is of the runtime {theirs}, so memory and latency would be of two "
                f"programs; give --runtime {theirs}, or fit a predictor from rows of {runtime}"
            )


def gate_of(space: SearchSpace[Any], budget: Budget, config: RunConfig, predicted: Collection[str] = ()) -> Gate | None:
    """What measures speed on this machine; None where neither a limit nor an objective is about it.

    What is `predicted` is not measured.
    """
    named = {*budget.limits, *(objective.column for objective in config.parsed_objectives)} - set(predicted)
    columns = [column for column in SPEED_COLUMNS if column in named]
    if not columns:
        if config.measure:
            raise WrongUse(
                "--measure says how speed is measured; limit it (--budget throughput=100/s) or leave it away"
            )
        return None
    setup = config.speed_setup

    def ask(population: Population) -> Mapping[str, NDArray[Any]]:
        from nas.evaluation.host_speed import host_speed  # loads torch, once there is a network to measure

        return host_speed(space, columns, setup, population)

    runs = (f"{QUANTIZING} at the policy's widths",) if isinstance(space, WithQuantization) else ()
    return Gate(space, ask, {column: setup.whose(column, *runs) for column in columns}, repeatable=False)


def device_budget(device: Device, reserve: str | None) -> Budget:
    """The limits that a device gives, less the reserve for the rest of the firmware."""
    return Budget.from_limits(device.limits(reserve), f"device {device.name}")


def check_columns(budget: Budget, config: RunConfig, runtime: str, predicted: Collection[str] = ()) -> None:
    """`WrongUse` where a limit or an objective is neither exact nor measured nor predicted: it says what is missing."""
    known = (*EXACT_COLUMNS, *MEASURED_COLUMNS, *predicted, *(() if config.device else SPEED_COLUMNS))
    named = [(column, "--budget") for column in budget.limits]
    named += [(objective.column, "--objectives") for objective in config.parsed_objectives]
    key_of = {metric.column: metric.key for metric in METRICS.values()}
    for column, flag in named:
        if column not in known:
            where = f"device {config.device}, runtime {runtime}" if config.device else f"runtime {runtime}"
            usable = ", ".join(key_of[column] for column in known if column in key_of)
            raise WrongUse(
                f"{flag} {key_of[column]}: there is no predictor of {key_of[column]} for {where}, so it cannot be "
                f"promised; metrics that need none: {usable}{_without_device(column)}"
            )


def _without_device(column: str) -> str:
    if column not in SPEED_COLUMNS:
        return ""
    learnt = "; nas profile and nas predictor fit learn latency of your own device" if column == "latency_ms" else ""
    return f"{learnt}; without --device it is measured on this machine"


def evaluator_name(config: RunConfig, space: SearchSpace[Any]) -> str:
    """The evaluator of a search; `WrongUse` where it is unknown, or options are given that belong to another."""
    implied = {TABLE: config.table, ZERO_COST: config.proxy, TRAIN: config.fidelity}
    name = config.evaluator or next((one for one, option in implied.items() if option), space.default_evaluator)
    if name not in EVALUATORS:
        raise WrongUse(unknown("evaluator", name, EVALUATORS))
    options: dict[str, dict[str, object]] = {
        SUPERNET: {
            "--supernet-epochs": config.supernet_epochs,
            "--supernet-from": config.supernet_from,
            "--distill": config.distill,
            "--sampling": config.sampling if config.sampling != space.default_sampling else None,
            "--subnets": config.subnets,
        },
        TRAIN: {"--fidelity": config.fidelity},
        TABLE: {"--table": config.table},
        ZERO_COST: {"--proxy": config.proxy},
    }
    for owner, theirs in options.items():
        for flag, value in theirs.items():
            if value is not None and owner != name:
                raise WrongUse(f"{flag} belongs to --evaluator {owner}; this search has {name}: leave one of them away")
    if config.supernet_from:
        for flag, value in options[SUPERNET].items():
            if value is not None and flag != "--supernet-from":
                raise WrongUse(
                    f"{flag} says how a supernet is trained, --supernet-from takes a trained one; leave one away"
                )
    if name == TABLE and config.patch_bits:
        raise WrongUse(f"--quantize {PER_PATCH} looks at values, which a table has not; take another --evaluator")
    if name == TABLE and not config.table:
        raise WrongUse("--evaluator table needs known results: --table FILE.csv or .parquet")
    if name == SUPERNET and config.recipe:
        raise WrongUse("shared weights know nothing of a recipe; with --recipe choose --evaluator train or table")
    return name


def check_score(config: RunConfig, evaluator: str) -> None:
    """`WrongUse` where accuracy is asked of an evaluator that trains nothing, or a proxy's score of one that does."""
    objectives = {objective.key for objective in config.parsed_objectives}
    if "zero_cost" in config.limits.limits:
        raise WrongUse("--budget zero_cost: a proxy's score has no scale that is known before; make it an objective")
    if evaluator != ZERO_COST:
        if "zero_cost" in objectives:
            raise WrongUse(
                f"--objectives zero_cost: a proxy's score comes from --evaluator {ZERO_COST} alone, and this search "
                f"has {evaluator}; add that, or write --objectives accuracy,macs"
            )
        return
    zero_cost_proxy(config.proxy or DEFAULT_PROXY)
    is_limited = bool({"top1", *QUANTIZED_COLUMNS} & config.limits.limits.keys())
    if objectives & {"accuracy", "int8_accuracy"} or is_limited:
        raise WrongUse(
            f"{'--budget' if is_limited else '--objectives'} accuracy: --evaluator {ZERO_COST} trains nothing, so that "
            "no accuracy is known; write --objectives zero_cost,macs, or choose --evaluator supernet or train"
        )
    if config.recipe or config.strategy == PROPOSE:
        flag = "--recipe" if config.recipe else f"--strategy {PROPOSE}"
        raise WrongUse(f"{flag} goes by accuracy, and --evaluator {ZERO_COST} measures none; leave one of them away")


def strategy_class(name: str) -> "type[Strategy]":
    """The strategy of that name."""
    from nas import strategies

    return strategies.strategy_class(name)
