"""A network as C99 for microcontrollers: equal to the integer reference bit for bit, in the bytes that were priced."""

import json
from pathlib import Path
from typing import Any

from nas.core.trial import Trial
from nas.deployment.artifact import model_card, open_folder, write_common
from nas.deployment.c_code import firmware
from nas.deployment.c_code.counting import program_instructions
from nas.deployment.c_code.generate import Generated, generate
from nas.deployment.c_code.sizing import program_bytes
from nas.deployment.c_code.target import Target, target_names
from nas.deployment.c_code.target import target as target_of
from nas.deployment.integers import IntegerMember
from nas.deployment.samples import sample_labels, write_samples
from nas.member import network_of
from nas.member_quantization import POLICY_FILE, member_policy, table_of
from nas.run import StoredRun
from nas.storage.files import os_errors_explained, write_atomically
from predictors.hardware.price import Schedule, price_table
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.policy import QuantizationPolicy

RUNTIME = "c"
_TITLE = "generated C"
_INSTEAD = "export it --to onnx --int8"
_PORTABLE = "portable"
_PRICED = ("macs", "macs_layerwise", "params", "weight_bytes", "peak_sram_bytes", "bitops")

_USAGE = """\
Add `network.c`, `weights.c` and the headers to your project; they need neither libc nor an allocator.

    #include "network.h"
    const int8_t *logits = network_run(picture);

- All memory is `network_arena`, {arena:,} bytes, and a little of the stack{image}.
- Input: int8, rows of pixels, {shape} (height, width, channels). A picture is prepared as preprocessing.json says; each
  value x becomes round(x / NETWORK_INPUT_SCALE) + NETWORK_INPUT_ZERO_POINT, within -128 and 127.
- Output: NETWORK_OUTPUTS logits; the largest wins.
- `make` compiles everything for this machine and runs it on test pictures; `make firmware` links `main.c`, which does
  the same, for {title}.
- To profile, define NETWORK_LAYER_BEGIN(number) and NETWORK_LAYER_END(number) in front of network.c.

Compiled for: {title}. The answers equal those of the integer reference bit for bit; `nas verify` proves that on the
pictures of verification.safetensors, and measures arena, stack, flash and instructions on the compiled program."""


def export(run: StoredRun, trial: Trial, folder: Path, *, force: bool = False, target: str | None = None) -> Path:
    """Writes the folder with `network.c` and what belongs to it, under the policy that nas quantize or nas train left
    for the member, else every operator in int8.

    `target`: whose kernels; default: those of the run's device where there are any, else portable ones. The
    promise holds for the runtime `c`, whatever runtime the search had, with the schedule of fewest multiply-accumulates
    within the run's limits, else of least memory. `WrongUse` names the operators, or the widths, that C lacks.
    """
    kernels = target_of(target or _target_of(run))
    policy = member_policy(run, trial)
    network, weights = network_of(run, trial)
    member = IntegerMember.of(run, trial, network, policy)
    files = _Files(run, trial, member, policy, kernels)
    open_folder(folder, force)
    own = files.write(folder)
    manifest = write_common(run, trial, folder, weights, own)
    write_atomically(folder / "README.md", model_card(run, trial, manifest, files.usage(own)))
    return folder


def _target_of(run: StoredRun) -> str:
    """The kernels of the run's device; portable ones where it has none."""
    name = run.parts.device.core_name if run.parts.device else _PORTABLE
    return name if name in target_names() else _PORTABLE


class _Files:
    """One network's sources, its samples, and what the manifest says of them."""

    def __init__(
        self, run: StoredRun, trial: Trial, member: IntegerMember, policy: QuantizationPolicy, kernels: Target
    ) -> None:
        self.run, self.trial, self.member, self.policy, self.target = run, trial, member, policy, kernels
        self.integers = member.network(RUNTIME, _TITLE, _INSTEAD)
        self.size = run.parts.space.input_size(trial.architecture)
        self.table = table_of(run, trial)
        self.priced = self._price()
        self.schedule = (int(self.priced["patches"]), int(self.priced["split"]))
        self.generated = self._generate()

    def _price(self) -> dict[str, Any]:
        """Of a member that was searched in C the schedule that it was given; else the best within the limits."""
        config, limits = self.run.config, dict(self.run.parts.budget.limits)
        schedule: Schedule = "auto"
        if self.run.parts.runtime == RUNTIME:
            schedule = (self.trial.patches, self.trial.split) if self.trial.split else "none"
        priced = _priced(self.table, limits, schedule, config.count_input, config.mac_convention)
        if not priced["fits"]:
            priced = _priced(self.table, {}, schedule, config.count_input, config.mac_convention)
        return priced

    def _generate(self) -> Generated:
        return generate(
            self.integers,
            self.size,
            self.table,
            self.target,
            self.schedule,
            self.run.config.count_input,
            f"{self.trial.architecture.id}: a network of the space {self.run.config.space}.",
        )

    def write(self, folder: Path) -> dict[str, Any]:
        """Writes sources, policy and samples; what the manifest says."""
        inputs, outputs = self.member.samples(self.integers)
        labels = sample_labels(self.member.pictures)
        around = firmware.files(self.generated, inputs, outputs, labels)
        for name, text in {**self.generated.files, **around}.items():
            with os_errors_explained(folder):
                (folder / name).parent.mkdir(exist_ok=True)
            write_atomically(folder / name, text)
        write_atomically(folder / POLICY_FILE, json.dumps(self.policy.to_document(), indent=2) + "\n")
        write_samples(folder, inputs, outputs)
        return {
            "promised": self._promised(),
            "runtime": RUNTIME,
            "schedule": {"patches": self.schedule[0], "split": self.schedule[1]},
            "numbers": "int8",
            "precision": f"int8, weights in the bits that {POLICY_FILE} says; biases int32",
            "searched": self._searched(),
            "c": {"target": self.target.name, "layers": [each.name for each in self.generated.model.program.operators]},
            "quantized": self.member.scores(int8_logits=self.integers),
        }

    def usage(self, own: dict[str, Any]) -> str:
        """The card's last part."""
        _, height, width = self.size
        inside = self.run.config.count_input
        return _USAGE.format(
            arena=own["promised"]["peak_sram_bytes"],
            image=", and the picture has its place in the arena: write it to NETWORK_INPUT" if inside else "",
            shape=f"{height} x {width} x {self.size[0]}",
            title=self.target.title,
        )

    def _promised(self) -> dict[str, int]:
        promised = {column: int(self.priced[column]) for column in _PRICED}
        instructions = program_instructions(self.generated.model)
        counted = {} if instructions is None else {"instructions": round(instructions)}
        return promised | {"flash_bytes": program_bytes(self.generated.model)} | counted

    def _searched(self) -> dict[str, Any]:
        """What the search promised, in the runtime that it was asked for."""
        return {
            "runtime": self.run.parts.runtime,
            "peak_sram_bytes": self.trial.metrics.get("peak_sram_bytes"),
            "schedule": {"patches": self.trial.patches, "split": self.trial.split},
        }


def _priced(
    table: LayerTable, limits: dict[str, float], schedule: Schedule, count_input: bool, convention: str
) -> dict[str, Any]:
    columns = price_table(table, RUNTIME, limits, schedule, count_input, convention)
    return {name: values[0].item() for name, values in columns.items()}


def next_step(written: Path) -> str:
    """The command that proves it."""
    return f"nas verify {written}"
