"""A network as an int8 TensorFlow Lite file for TensorFlow Lite Micro, equal to the integer reference bit for bit.

Extra `tflite`.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas import tflite_door
from nas.core.trial import Trial
from nas.deployment.artifact import model_card, open_folder, write_common
from nas.deployment.integers import IntegerMember
from nas.deployment.samples import write_samples
from nas.member import network_of
from nas.member_quantization import POLICY_FILE, member_policy, table_of
from nas.quantization.affine import Affine
from nas.quantization.integer import IntegerNetwork
from nas.run import StoredRun
from nas.storage.files import write_atomically
from predictors.hardware.counts import CODE_BYTES
from predictors.hardware.memory.tflm import head_bytes, tail_bytes
from predictors.hardware.price import price_table
from search_spaces.core.errors import FitnasError
from search_spaces.core.policy import QuantizationPolicy

FILE_NAME = "model.tflite"
RUNTIME = "tflm"
_TITLE = "TensorFlow Lite Micro"
_INSTEAD = "export it --to onnx --int8"
_PRICED = ("macs", "macs_layerwise", "params", "weight_bytes", "peak_sram_bytes", "bitops")

_USAGE = """\
`model.tflite` runs in TensorFlow Lite Micro (and in LiteRT) with an arena of {arena:,} bytes on a 64-bit machine, a few
kB less on a microcontroller, whose pointers are shorter. It needs the operators {operators}.

- Input: int8 {shape}, (1, height, width, channels). A picture is prepared as preprocessing.json says; each value x
  becomes round(x / {input_scale!r}) + {input_zero}, within -128 and 127.
- Output: int8, one logit a class; a logit is {output_scale!r} x (value - {output_zero}), and the largest wins.

As bytes of C source: `xxd -i model.tflite`. The answers equal those of the integer reference bit for bit; `nas verify`
proves that on the test pictures of verification.safetensors, and measures the arena."""


def export(run: StoredRun, trial: Trial, folder: Path, *, force: bool = False) -> Path:
    """Writes the folder with `model.tflite`, under the policy that nas quantize or nas train left for the member, else
    every operator in int8.

    The promise holds for the runtime `tflm`, whatever runtime the search had. `WrongUse` names the operators, or the
    widths, that TensorFlow Lite Micro lacks; `FitnasError` where the interpreter's answers are not the reference's.
    """
    tflite_door.require("--to tflite")
    policy = member_policy(run, trial)
    network, weights = network_of(run, trial)
    member = IntegerMember.of(run, trial, network, policy)
    integers = member.network(RUNTIME, _TITLE, _INSTEAD)
    export_file = _File(run, trial, integers, member)
    open_folder(folder, force)
    own = export_file.write(folder, policy)
    manifest = write_common(run, trial, folder, weights, own)
    write_atomically(folder / "README.md", model_card(run, trial, manifest, export_file.usage(own)))
    return folder


class _File:
    """One network's file, its samples, and what the manifest says of them."""

    def __init__(self, run: StoredRun, trial: Trial, integers: IntegerNetwork, member: IntegerMember) -> None:
        from nas.tflite_door.writing import tflite_file

        self.run, self.trial, self.integers, self.member = run, trial, integers, member
        self.size = run.parts.space.input_size(trial.architecture)
        self.written = tflite_file(integers, self.size)

    def write(self, folder: Path, policy: QuantizationPolicy) -> dict[str, Any]:
        """Writes file, policy and samples, executes them; what the manifest says."""
        write_atomically(folder / FILE_NAME, self.written.content)
        write_atomically(folder / POLICY_FILE, json.dumps(policy.to_document(), indent=2) + "\n")
        inputs, outputs = self.member.samples(self.integers)
        write_samples(folder, inputs, outputs)
        check(folder / FILE_NAME, inputs, outputs)
        given, answer = self.written.kept
        return {
            "promised": self._promised(),
            "runtime": RUNTIME,
            "schedule": {"patches": 1, "split": 0},
            "numbers": "int8",
            "precision": f"int8, weights with a scale for each channel where {POLICY_FILE} says so; biases int32",
            "searched": self._searched(),
            "tflite": {
                "file": FILE_NAME,
                "operators": list(self.written.operators),
                "input": {"shape": [1, *self.size[1:], self.size[0]], **_document(given)},
                "output": _document(answer),
                "zero_weights": self.written.zero_weights,
                "zero_macs": self.written.zero_macs,
            },
            "quantized": self.member.scores(int8_logits=self.integers),
        }

    def usage(self, own: dict[str, Any]) -> str:
        """The card's last part."""
        given, answer = self.written.kept
        return _USAGE.format(
            arena=own["promised"]["peak_sram_bytes"],
            operators=", ".join(self.written.operators),
            shape="x".join(map(str, own["tflite"]["input"]["shape"])),
            input_scale=given.scale,
            input_zero=given.zero_point,
            output_scale=answer.scale,
            output_zero=answer.zero_point,
        )

    def _promised(self) -> dict[str, int]:
        table = replace(table_of(self.run, self.trial), widths=None)  # all in int8
        priced = price_table(table, RUNTIME, mac_convention=self.run.config.mac_convention)
        file_bytes = len(self.written.content)
        return {
            **{column: int(priced[column][0]) for column in _PRICED},
            "flash_bytes": file_bytes + CODE_BYTES,
            "file_bytes": file_bytes,
            "arena_head_bytes": int(head_bytes(table)[0]),
            "arena_tail_bytes": int(tail_bytes(table)[0]),
        }

    def _searched(self) -> dict[str, Any]:
        """What the search promised, in the runtime that it was asked for."""
        trial = self.trial
        return {
            "runtime": self.run.parts.runtime,
            "peak_sram_bytes": trial.metrics.get("peak_sram_bytes"),
            "schedule": {"patches": trial.patches, "split": trial.split},
        }


def check(path: Path, inputs: Any, outputs: Any) -> None:
    """`FitnasError` where TensorFlow Lite Micro answers anything else."""
    from nas.tflite_door.interpreters import TFLM, execute

    differing = int((execute(path, inputs, TFLM).outputs != outputs).any(axis=1).sum())
    if differing:
        raise FitnasError(f"{_TITLE} answers {differing} of {len(inputs)} test pictures otherwise than the reference")


def _document(how: Affine) -> dict[str, Any]:
    return {"scale": how.scale, "zero_point": how.zero_point}


def next_step(written: Path) -> str:
    """The command that proves it."""
    return f"nas verify {written}"
