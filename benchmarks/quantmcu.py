"""QuantMCU on networks trained here: what the patch stage's bits cost in accuracy, and what the paper leaves open.

For each data set and seed one network of `mcunetv2` at 32 pixels whose patch schedule fits 12 KiB of SRAM, trained
alone. Then one part of the method at a time is changed: bits, lambda, the outliers' threshold, who decides, the
entropy. Settings are compared on validation pictures; the default is scored on test pictures too, which chose nothing.

    FITNAS_DATA=... python benchmarks/quantmcu.py --seeds 0 1 2 --keep results/

With `--keep` the trained networks are kept there, and a later call takes them from there.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import write_section
from safetensors.torch import load_file
from torch import Tensor

from nas.assembly import make_space, restore_space
from nas.core.budget import Budget
from nas.core.per_patch import MOST_BITS, PerPatch
from nas.evaluation.quantized import RANGE_PICTURES
from nas.pricing import Pricer
from nas.quantization.capture import capture
from nas.quantization.per_patch import PatchQuantized, Schedule, quantize_per_patch
from nas.storage.files import write_atomically
from nas.training.checkpoint import weights_file
from nas.training.data import Pictures, augmentation, describe, load
from nas.training.device import random_numbers
from nas.training.loop import SCRATCH_RATE, Fit, fit, prepare
from nas.training.recalibrate import calibration_sample, even_parts
from search_spaces.core.architecture import Architecture
from search_spaces.core.policy import quantizable_names

DATA = {"sign digits": ("sign_digits_96.zip", 20), "person32": ("person32_cifar100.npz", 8)}
SIZE, RUNTIME, BUDGET, BATCH = (32, 32), "analytic", "sram=12k", 256
MACS = (2e6, 5e6)
USUAL = "lambda=0.85,outliers=4,bits=8:6:5:4:3:2"
FEW = USUAL.replace("8:6:5:4:3:2", "8:4:2")
SETTINGS = {
    "lambda": [USUAL.replace("0.85", weight) for weight in ("0.8", "0.87")],
    "bits": [FEW, FEW.replace("8:4:2", "8:4:3")],
    "entropy": [FEW.replace("0.85", "0.3") + ",entropy=codes"],
    "bits, lambda": [FEW.replace("0.85", "0.77")],
    "outliers": [USUAL.replace("outliers=4", f"outliers={one}") for one in ("3", "none")],
    "decided by": [USUAL.replace("outliers=4", "outliers=3") + ",by=position"],
}
MOST_COMPARED = 500  # validation pictures on which settings are compared
TITLE = "QuantMCU: bits by patch, and what the paper leaves open"


@dataclass(frozen=True)
class Trained:
    """A trained network and the pictures that it is scored on."""

    architecture: Architecture
    network: torch.nn.Module
    pictures: Pictures
    seed: int

    def batches(self, images: Any) -> list[Tensor]:
        """Pictures in parts, as the network reads them."""
        whole = torch.from_numpy(images)
        parts = even_parts(len(whole), BATCH)
        return [prepare(whole[part], SIZE, self.pictures.mean, self.pictures.std) for part in parts]

    def quantized(self, settings: PerPatch) -> PatchQuantized:
        """Under the schedule of the budget."""
        space = restore_space(self.architecture)
        table = space.decode(space.population([self.architecture]))
        price = Pricer(space, RUNTIME, Budget.parse(BUDGET)).one(self.architecture)
        sample = calibration_sample(self.pictures.train.images, self.seed)[:RANGE_PICTURES]
        schedule = Schedule(price["patches"], price["split"], RUNTIME)
        captured = capture(self.network, quantizable_names(table))
        return quantize_per_patch(captured, table, schedule, self.batches(sample), settings)


@dataclass(frozen=True)
class Figures:
    """Accuracies 0..1; `reduction`: how many times fewer bit operations the patch stage has than in 8 bits, `whole`
    the same of the network; `in_eight`: share of patches that keep 8 bits.
    """

    floats: float
    int8: float
    ours: float
    reduction: float
    whole: float
    in_eight: float


def trained(name: str, seed: int, folder: Path) -> Trained:
    """A network of the space by its seed, trained or taken from the folder."""
    file, epochs = DATA[name]
    description = describe(Path(os.environ["FITNAS_DATA"]) / "vision" / file)
    space = make_space("mcunetv2", {"resolutions": str(SIZE[0])}, description.facts)
    pictures = load(description, SIZE, seed, include_test=True)
    stem = f"{name.split()[0]}-{seed}"
    kept, weights = folder / f"{stem}.json", folder / f"{stem}.safetensors"
    if weights.is_file():
        architecture = Architecture.from_json(kept.read_text())
        network = space.build(architecture)
        network.load_state_dict(load_file(weights))
        return Trained(architecture, network.eval(), pictures, seed)
    population = space.sample(np.random.default_rng(seed), 2000)
    prices = Pricer(space, RUNTIME, Budget.parse(BUDGET))(population)
    wanted = prices["fits"] & (prices["patches"] > 1) & (prices["macs"] > MACS[0]) & (prices["macs"] < MACS[1])
    architecture = population[int(np.flatnonzero(wanted)[0])]
    with random_numbers(seed):
        network = space.build(architecture)
    how = Fit(epochs, SCRATCH_RATE, augmentation=augmentation(description, SIZE))
    fit(network, pictures, how, size=SIZE, seed=seed, accelerator="cpu", threads=1)
    kept.write_text(architecture.to_json())
    write_atomically(weights, weights_file(network))
    return Trained(architecture, network, pictures, seed)


@torch.no_grad()
def figures(one: Trained, quantized: PatchQuantized, part: str) -> Figures:
    """On `validation` or `test` pictures."""
    labelled, most = getattr(one.pictures, part), MOST_COMPARED if part == "validation" else None
    batches = one.batches(labelled.images[:most])
    labels = torch.from_numpy(np.asarray(labelled.labels[:most], dtype=np.int64))

    def accuracy(answers: Sequence[Tensor]) -> float:
        return float((torch.cat(list(answers)).argmax(dim=1) == labels).double().mean())

    plain = quantized.eight.simulated()
    answers = [quantized.run(batch) for batch in batches]
    in_eight = torch.cat([mask for _, mask in answers]).double().mean(dim=0).numpy()
    return Figures(
        accuracy([one.network(batch) for batch in batches]),
        accuracy([plain(batch) for batch in batches]),
        accuracy([logits for logits, _ in answers]),
        quantized.int8_stage_bitops() / quantized.stage_bitops(in_eight),
        quantized.int8_bitops() / quantized.bitops(in_eight),
        float(in_eight.mean()),
    )


def row(changed: str, text: str, data: str, part: str, found: Sequence[Figures]) -> dict[str, object]:
    """The mean over networks, and the worst loss."""
    loss = np.array([100 * (each.int8 - each.ours) for each in found])
    return {
        "changed": changed,
        "setting": f"`{text}`",
        "data": data,
        "scored on": part,
        "float": f"{100 * np.mean([each.floats for each in found]):.1f} %",
        "int8": f"{100 * np.mean([each.int8 for each in found]):.1f} %",
        "per patch": f"{100 * np.mean([each.ours for each in found]):.1f} %",
        "points lost, mean (worst)": f"{loss.mean():+.2f} ({loss.max():+.2f})",
        "patch stage, times fewer BitOPs": f"{np.mean([each.reduction for each in found]):.2f} "
        f"({min(each.reduction for each in found):.2f})",
        "network": f"{np.mean([each.whole for each in found]):.2f}",
        f"patches in {MOST_BITS} bits": f"{100 * np.mean([each.in_eight for each in found]):.0f} %",
    }


def main() -> None:
    """Trains, ablates and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--keep", type=Path, help="folder of the trained networks")
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        networks = {name: [trained(name, seed, folder) for seed in arguments.seeds] for name in DATA}
    tested: list[Figures] = []
    for name, several in networks.items():
        usual = [(one, one.quantized(PerPatch.parse(USUAL))) for one in several]
        for part in ("test", "validation"):
            found = [figures(one, quantized, part) for one, quantized in usual]
            rows.append(row("default", USUAL, name, part, found))
            tested += found if part == "test" else []
    write_section(TITLE, rows, _notes(rows, tested, arguments.seeds))
    for changed, texts in SETTINGS.items():
        for text in texts:
            for name, several in networks.items():
                settings = PerPatch.parse(text)
                found = [figures(one, one.quantized(settings), "validation") for one in several]
                rows.append(row(changed, text, name, "validation", found))
        write_section(TITLE, rows, _notes(rows, tested, arguments.seeds))  # what is known so far


def _notes(rows: Sequence[dict[str, object]], found: Sequence[Figures], seeds: Sequence[int]) -> list[str]:
    told = [
        f"{one['data']}: {one['patch stage, times fewer BitOPs']} times, points lost {one['points lost, mean (worst)']}"
        for one in rows
        if one["scored on"] == "test"
    ]
    lost, fewer = (
        np.mean([100 * (each.int8 - each.ours) for each in found]),
        np.mean([each.reduction for each in found]),
    )
    return [
        "asked: patch stage at least 2.2 times fewer BitOPs than 8-bit patch inference at no more than 1 point of "
        f"accuracy; measured on test pictures with the default, mean of all {len(found)} networks: {fewer:.2f} times, "
        f"points lost {lost:+.2f}; by data set, mean (worst network): {'; '.join(told)}",
        f"seeds {', '.join(map(str, seeds))}: each another network of mcunetv2, another split and another training; "
        f"settings were compared on at most {MOST_COMPARED} validation pictures each; the default has the most "
        "reduction of those that test for outliers and lose no more than a point there, as the mean of all networks; "
        "three other defaults were scored on the test pictures before it, and none was chosen by them",
        "weights have 8 bits throughout; halos and padded borders are counted in both",
    ]


if __name__ == "__main__":
    main()
