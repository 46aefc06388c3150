"""What one network costs: an architecture's JSON, RUN:ID, a published member, a .tflite or .onnx file, or an MCUNet
configuration file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.assembly import device_budget, published_members, restore_space
from nas.core.budget import Budget
from nas.importing import format_names, import_network, is_foreign
from predictors.hardware.counts import PRODUCTS
from predictors.hardware.device import load_device
from predictors.hardware.latency.operator_classes import operator_classes
from predictors.hardware.layer_profile import LayerCost, layer_profile
from predictors.hardware.memory import memory_rule, runtime_names
from predictors.hardware.price import Schedule, parse_schedule, price_table, schedules_of
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import NotFound, WrongUse, did_you_mean, shown
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.registry import space_names
from search_spaces.core.space import PublishedMember

if TYPE_CHECKING:
    from nas.core.trial import Trial
    from nas.run import StoredRun

_LARGEST_FILE_BYTES = 16 << 20
_HOLD_CODE = (".pth", ".pt", ".pkl", ".pickle", ".ckpt", ".h5", ".hdf5", ".keras", ".pb", ".joblib")
_FOREIGN_RUNTIMES = {"tflite": ("tflm", "c")}  # the first that is known prices the file; else the papers' rule
_PATCHES = "c"  # who would execute patches where the runtime does not
_REPORTED = ("macs", "macs_layerwise", "params", "weight_bytes", "flash_bytes", "peak_sram_bytes")


@dataclass(frozen=True)
class Subject:
    """A network to price, with the runtime and schedule that it is meant for; of a published or foreign one also what
    to note. `unknown`: operators whose multiply-accumulates are missing, by name with their number.
    """

    name: str
    table: LayerTable
    runtime: str
    schedule: Schedule = "none"
    count_input: bool = False
    strict_runtime: bool = False
    mac_convention: str = PRODUCTS
    notes: tuple[str, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """Exact figures under one schedule.

    `alternative`: those of least peak where patches would save memory, under the runtime `alternative_runtime`, which
    is another one where this one executes no patches. `schedules`: how many patch schedules the network admits and,
    where only those count, how many of them the runtime's generator accepts.
    """

    subject: Subject
    runtime: str
    figures: dict[str, Any]
    layers: list[LayerCost]
    budget: Budget
    alternative: dict[str, Any] | None
    alternative_runtime: str
    schedules: tuple[int, int] | None = None

    @property
    def operator_classes(self) -> dict[str, int]:
        """Work, traffic and number of operators by class: what rows of measured networks name as columns."""
        found = operator_classes(self.subject.table)
        return dict(zip(found.columns, map(int, found.values[0]), strict=True))

    def to_document(self, layers: bool) -> dict[str, Any]:
        """Plain JSON values."""
        document = {
            "network": self.subject.name,
            **{column: self.figures[column] for column in _REPORTED},
            "runtime": self.runtime,
            "mac_convention": self.subject.mac_convention,
            "resolution": int(min(self.subject.table.in_height[0, 0], self.subject.table.in_width[0, 0])),
            "schedule": _schedule(self.figures),
            "runs_in_tinyengine": self.figures["runs_in_tinyengine"],
            "budget": self.budget.describe(self.runtime),
            "fits": self.figures["fits"],
            "notes": list(self.subject.notes),
            "unknown_operators": dict(self.subject.unknown),
            "operator_classes": self.operator_classes,
            "alternative": None,
        }
        if self.alternative is not None:
            kept = {column: self.alternative[column] for column in ("macs", "peak_sram_bytes")}
            where = {"schedule": _schedule(self.alternative), "runtime": self.alternative_runtime}
            document["alternative"] = {**kept, **where}
        if self.schedules is not None:
            document["schedules"] = dict(zip(("admitted", "accepted"), self.schedules, strict=True))
        if layers:
            document["layers"] = [layer.to_document() for layer in self.layers]
        return document


def _schedule(figures: dict[str, Any]) -> dict[str, int]:
    return {"patches": figures["patches"], "split": figures["split"]}


def cost(
    what: str,
    *,
    runtime: str | None = None,
    schedule: str | None = None,
    device: str | None = None,
    reserve: str | None = None,
    count_input: bool = False,
    mac_convention: str | None = None,
    strict_runtime: bool = False,
) -> Cost:
    """Prices the network that `what` names.

    Without a schedule: the one that a run or an export promised; on a device the one of least MACs that fits it; else
    layer by layer, with the best patched alternative. `strict_runtime`: only schedules that the runtime's own generator
    accepts.
    """
    subject = find_subject(what)
    budget, runtime_of_device = Budget(), None
    if device is not None:
        chip = load_device(device)
        budget, runtime_of_device = device_budget(chip, reserve), chip.runtime
    elif reserve is not None:
        raise WrongUse("--reserve is what the firmware keeps of a device's memory; name one with --device")
    convention = mac_convention or subject.mac_convention
    strict = strict_runtime or subject.strict_runtime
    counted = count_input or subject.count_input
    subject = replace(subject, count_input=counted, mac_convention=convention, strict_runtime=strict)
    runtime = runtime or runtime_of_device or subject.runtime
    wanted = parse_schedule(schedule) if schedule else ("auto" if device else subject.schedule)
    figures = _price(subject, runtime, budget, wanted)
    patching = runtime if memory_rule(runtime).planned is None else _PATCHES
    best = _price(subject, patching, Budget(), "auto")
    layers = _layers(subject, runtime, figures["patches"], figures["split"])
    saves = best["peak_sram_bytes"] < figures["peak_sram_bytes"]
    admitted = [int(schedules_of(subject.table, runtime, strict)[0]) for strict in (False, True)]
    counts = (admitted[0], admitted[1]) if strict else None
    return Cost(subject, runtime, figures, layers, budget, best if saves else None, patching, counts)


def _price(subject: Subject, runtime: str, budget: Budget, schedule: Schedule) -> dict[str, Any]:
    limits = dict(budget.limits) or None
    rules = (limits, schedule, subject.count_input, subject.mac_convention, subject.strict_runtime)
    columns = price_table(subject.table, runtime, *rules)
    return {name: values[0].item() for name, values in columns.items()}


def find_subject(what: str) -> Subject:
    """The network meant; `NotFound` where it is neither a file, nor RUN:ID, nor a published member."""
    members = published_members()
    if what in members:
        space, member = members[what]
        return Subject(member.name, member.table(), space.default_runtime, notes=_notes(member))
    if "\0" not in what and Path(what).is_file():
        return _from_file(Path(what))
    name, colon, pick = what.partition(":")
    if colon and pick and "/" not in name:
        return _from_run(name, pick)
    if what in space_names():
        raise WrongUse(
            f"'{what}' is a search space; nas spaces {what} tells all about it, nas search --space {what} --dry-run "
            "prices it"
        )
    hint = did_you_mean(what, members) or "."
    raise NotFound(
        f"{shown(what)} is no file, no RUN:ID and no published network{hint} Published: {', '.join(members)}; files: "
        f"an architecture.json, an MCUNet configuration, or a network as .{', .'.join(format_names())}"
    )


def _notes(member: PublishedMember) -> tuple[str, ...]:
    return (f"source: {member.source}", *(f"outside its own published space, {line}" for line in member.outside()))


def _from_run(name: str, pick: str) -> Subject:
    from nas.assembly import RUNS
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory

    run = StoredRun(RunDirectory.open(RUNS, name))
    return _of_trial(run, run.pick(pick))


def _of_trial(run: "StoredRun", trial: "Trial") -> Subject:
    space = run.parts.space
    schedule: Schedule = (trial.patches, trial.split) if trial.split else "none"
    table = space.decode(space.population([trial.architecture]))
    name, config = f"{run.name}:{trial.architecture.id}", run.config
    rules = (config.count_input, config.strict_runtime, config.mac_convention)
    return Subject(name, table, run.parts.runtime, schedule, *rules)


def layers_of(run: "StoredRun", trial: "Trial") -> list[LayerCost]:
    """The operators of a run's network under the runtime and the schedule that it was priced for."""
    subject = _of_trial(run, trial)
    return _layers(subject, subject.runtime, trial.patches, trial.split)


def _layers(subject: Subject, runtime: str, patches: int, split: int) -> list[LayerCost]:
    rules = (subject.count_input, subject.mac_convention)
    return layer_profile(subject.table, runtime, patches, split, *rules)


def _from_file(path: Path) -> Subject:
    if path.suffix.lower() in _HOLD_CODE:
        raise WrongUse(
            f"{path.name} can hold code and is not read; convert the network to .{' or .'.join(format_names())}, "
            "weights alone with safetensors.torch.save_file"
        )
    if is_foreign(path):
        return _foreign(path)
    if path.stat().st_size > _LARGEST_FILE_BYTES:
        raise WrongUse(f"{path} has {path.stat().st_size:,} bytes; an architecture is a small JSON file")
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except ValueError as error:
        raise WrongUse(
            f"{path} is no JSON file ({error}); give an architecture.json, an MCUNet configuration, or a network as "
            f".{', .'.join(format_names())}"
        ) from None
    if isinstance(document, dict) and "blocks" in document:
        from search_spaces.mcunetv2.published import member_of, read_mcunet_configuration

        member = member_of(path.stem, str(path), read_mcunet_configuration(text))
        return Subject(member.name, member.table(), "tinyengine")
    architecture = Architecture.from_json(text)
    space = restore_space(architecture)
    table = space.decode(space.population([architecture]))
    return _as_promised(path, Subject(architecture.id, table, space.default_runtime))


def _foreign(path: Path) -> Subject:
    imported, name = import_network(path), path.suffix.lower().removeprefix(".")
    known = [runtime for runtime in _FOREIGN_RUNTIMES.get(name, ()) if runtime in runtime_names()]
    runtime = known[0] if known else "analytic"
    return Subject(path.name, imported.table, runtime, notes=imported.notes, unknown=imported.unknown)


def _as_promised(path: Path, subject: Subject) -> Subject:
    """With the runtime and schedule of the manifest beside an exported architecture."""
    manifest = path.parent / "manifest.json"
    if path.name != "architecture.json" or not manifest.is_file():
        return subject
    try:
        promised = json.loads(manifest.read_text(encoding="utf-8"))
        patches, split = promised["schedule"]["patches"], promised["schedule"]["split"]
        if promised["id"] != subject.name:
            return subject
        schedule: Schedule = (patches, split) if split else "none"
        return replace(subject, runtime=promised["runtime"], schedule=schedule, count_input=promised["count_input"])
    except (ValueError, KeyError, TypeError):
        raise WrongUse(f"{manifest} is damaged; export the network again, or move it away") from None
