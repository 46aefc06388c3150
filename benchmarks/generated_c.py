"""Generated C: what was promised of it beside what the compiled programs need, answer and take.

    python benchmarks/generated_c.py [--networks 50]

Random architectures of `mcunetv2` under random schedules, on this machine and on simulated boards; MobileNetV2, plain
layers with random weights, for instructions and for arenas beside those of TensorFlow Lite Micro.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from random_networks import RandomNetwork, with_statistics
from results import write_section
from torch import Tensor, nn

from nas import onnx_door
from nas.deployment.c_code import host
from nas.deployment.c_code.board import BoardProgram
from nas.deployment.c_code.generate import Generated, generate
from nas.deployment.c_code.target import target, target_names
from nas.deployment.qemu.boards import board
from nas.importing import import_network
from nas.quantization.integer import IntegerNetwork
from nas.quantization.quantized import quantize
from predictors.hardware.memory.tflm import head_bytes
from predictors.hardware.price import price_table, schedules_of
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.policy import QuantizationPolicy, quantizable_names

GRIDS = (2, 3, 4)
MORE_MACS = 1.2
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
Row = dict[str, object]


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, bounded: bool = True
) -> nn.Module:
    """With its batch norm, and ReLU6 where it is bounded."""
    made = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*made, *([nn.ReLU6()] if bounded else []))


class Inverted(nn.Module):
    """MobileNetV2's block (arXiv 1801.04381, Figure 3)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        first = [convolution(inputs, inner, 1)] if expansion > 1 else []
        depthwise = convolution(inner, inner, 3, stride, inner)
        self.body = nn.Sequential(*first, depthwise, convolution(inner, outputs, 1, bounded=False))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        """Of the same height and width, or half of them."""
        made: Tensor = self.body(maps)
        return maps + made if self.adds else made


class MobileNetV2(nn.Module):
    """Table 2 of the paper, channels in multiples of 8, for two classes."""

    def __init__(self, width: float) -> None:
        super().__init__()
        channels = _channels(32 * width)
        layers: list[nn.Module] = [convolution(3, channels, 3, 2)]
        for expansion, outputs, repeats, stride in STAGES:
            for number in range(repeats):
                made = _channels(outputs * width)
                layers.append(Inverted(channels, made, stride if number == 0 else 1, expansion))
                channels = made
        last = max(1280, _channels(1280 * width))
        self.features = nn.Sequential(*layers, convolution(channels, last, 1))
        self.classifier = nn.Linear(last, 2)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.classifier(self.features(pictures).mean((2, 3)))
        return logits


def _channels(wanted: float) -> int:
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * wanted else nearest + 8


def table_of(network: nn.Module, side: int) -> LayerTable:
    """Its operators, from its ONNX file."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.onnx"
        path.write_bytes(onnx_door.fixed_onnx_file(network, (3, side, side), 1))
        return import_network(path).table


def random_schedule(network: RandomNetwork, rng: np.random.Generator) -> tuple[int, int]:
    """A patch schedule that the network admits, or none."""
    blocks = np.flatnonzero(network.table.cut[0] & network.table.present[0])
    for split in rng.permutation(np.arange(1, len(blocks) + 1))[:8].tolist():
        grid = int(rng.choice(GRIDS))
        try:
            price_table(network.table, "c", schedule=(grid, split))
        except Exception:  # noqa: BLE001 - not admitted: the next one
            continue
        return grid, split
    return 1, 0


def random_networks(networks: int) -> Iterator[Row]:
    """Promised beside measured, one row a target."""
    for name in target_names():
        kernels, rng = target(name), np.random.default_rng(0)
        exact = equal = patched = logits = 0
        above = []
        count = networks if name == "cortex-m4" else max(networks // 5, 2)
        for seed in range(2000, 2000 + count):
            network = RandomNetwork(seed, "24,32,40")
            schedule = random_schedule(network, rng)
            made = generate(network.integers, network.size, network.table, kernels, schedule)
            priced = price_table(network.table, "c", schedule=schedule if schedule[1] else "none")
            promised = int(priced["peak_sram_bytes"][0])
            inputs, outputs = network.samples(2)
            with tempfile.TemporaryDirectory() as folder:
                program = BoardProgram.of(made, board(kernels.board), Path(folder))
                done, here = program.run(inputs), host.execute(Path(folder), inputs)
            exact += done.arena_bytes == here.arena_bytes == promised and 0 <= promised - done.written_bytes < 4
            differing = (done.outputs != outputs).sum() + (here.outputs != outputs).sum()
            equal, logits, patched = equal + int(differing == 0), logits + 2 * outputs.size, patched + (schedule[1] > 0)
            above.append(
                int(price_table(network.table, "c", schedule="none")["peak_sram_bytes"][0])
                / int(head_bytes(network.table)[0])
            )
            print(name, seed, schedule, promised, done.arena_bytes, differing, flush=True)
        yield {
            "target": name,
            "networks": count,
            "with patches": patched,
            "arena exact to the byte": exact,
            "answers bit-equal": f"{equal} ({logits:,} logits)",
            "arena over TFLM's head, layer by layer": f"{np.mean(above):.2f}, at most {max(above):.2f}",
        }


def mobilenet(width: float, side: int) -> tuple[IntegerNetwork, LayerTable, Tensor]:
    """In integers, with random weights."""
    torch.manual_seed(0)
    pictures = torch.randn(8, 3, side, side)
    network = with_statistics(MobileNetV2(width), pictures)
    table = table_of(network, side)
    quantized = quantize(network, quantizable_names(table), QuantizationPolicy.uniform(table), [pictures])
    return IntegerNetwork.of(quantized, integer_logits=True), table, pictures


def instructions() -> Iterator[Row]:
    """MobileNetV2-0.35 at 96 pixels on every target, and the seconds that it takes to know."""
    integers, table, pictures = mobilenet(0.35, 96)
    values = integers.tensors(pictures[:1])
    given = next(each.output for each in integers.operators if integers.input in each.inputs)
    inputs = values[given].permute(0, 2, 3, 1).numpy().astype(np.int8)
    outputs = values[integers.output].flatten(1).numpy().astype(np.int8)
    for name in target_names():
        kernels = target(name)
        made: Generated = generate(integers, (3, 96, 96), table, kernels)
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            program = BoardProgram.of(made, board(kernels.board), Path(folder))
            done, flash = program.run(inputs), program.weigh().flash
            seconds = time.monotonic() - began
        yield {
            "target": name,
            "M instructions": f"{done.instructions[0] / 1e6:.1f}",
            "a multiply-accumulate": f"{done.instructions[0] / 10_656_688:.2f}",
            "arena": f"{done.arena_bytes:,}",
            "TFLM head": f"{int(head_bytes(table)[0]):,}",
            "stack": done.stack_bytes,
            "flash": f"{flash:,}",
            "other logits": int((done.outputs != outputs).sum()),
            "s to compile, run and weigh": f"{seconds:.1f}",
        }


def arenas() -> Iterator[Row]:
    """MobileNetV2-1.0: the least arena in C at most 20 % more multiply-accumulates, beside TensorFlow Lite Micro's."""
    network = MobileNetV2(1.0).eval()
    for side in (96, 128, 160, 192, 224):
        table = table_of(network, side)
        head, image = int(head_bytes(table)[0]), 3 * side * side
        row: Row = {"pixels": side, "TFLM head": f"{head:,}", "schedules": int(schedules_of(table, "c")[0])}
        for counted in (False, True):
            best = least(table, counted)
            row[f"C, image {'' if counted else 'not '}counted"] = (
                f"{best[0]:,} ({best[2]}x{best[3]}, {best[1] - 1:+.0%} MACs), {head / best[0]:.1f} x lower"
            )
        row["image"] = f"{image:,}"
        yield row


def least(table: LayerTable, count_input: bool) -> tuple[int, float, int, int]:
    """Bytes, multiply-accumulates over those layer by layer, and the schedule of least memory within 20 % of these."""
    macs = float(price_table(table, "c", schedule="none")["macs"][0])
    most = int(price_table(table, "c", schedule="none", count_input=count_input)["peak_sram_bytes"][0])
    found, low = (most, 1.0, 1, 0), 1
    while low < found[0]:  # the schedule of least work within a limit, for smaller and smaller limits
        limits = {"peak_sram_bytes": found[0] - 1, "macs": MORE_MACS * macs}
        priced = price_table(table, "c", limits, "auto", count_input)
        if not priced["fits"][0]:
            return found
        patches, split = int(priced["patches"][0]), int(priced["split"][0])
        found = (int(priced["peak_sram_bytes"][0]), float(priced["macs"][0]) / macs, patches, split)
    return found


def main() -> None:
    """Writes the sections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=50)
    told = parser.parse_args()
    write_section("Generated C: arenas of MobileNetV2-1.0", list(arenas()), ARENA_NOTES)
    write_section("Generated C: MobileNetV2-0.35 at 96 pixels", list(instructions()), INSTRUCTION_NOTES)
    write_section("Generated C: random networks", list(random_networks(told.networks)), RANDOM_NOTES)


ARENA_NOTES = [
    "the schedule of least memory among those with at most 20 % more multiply-accumulates than layer by layer; asked: "
    "at least 4 times lower at 96 pixels, 6 times from 128, image not counted",
]
INSTRUCTION_NOTES = [
    "QEMU's instruction count of one picture, random weights; asked on Cortex-M4: at most 50 M, goal 30 M (CMSIS-NN "
    "44.5 M, plain loops 137 M; on Cortex-M55 CMSIS-NN 12.1 M); compile, run and verify in under 5 s",
]
RANDOM_NOTES = [
    "random architectures of mcunetv2 and schedules, int8, two pictures; compiled with gcc under sanitizers on this "
    "machine, and for the target's simulated board; arenas painted before each run",
    "asked: arena exact to the byte, answers bit-equal; arena never above TFLM's head",
]

if __name__ == "__main__":
    main()
