"""Successive halving against full training in equal training time, on networks whose accuracy is known beforehand.

NAS-Bench-201 lists what each of its 15,625 networks reached after 12 and after 200 epochs. The search is FitNAS's own
(conductor, evolution, halving); only the training is read from the table, and its time is counted in epochs. So a
comparison that would take weeks takes seconds, and can be repeated with many seeds.

    FITNAS_DATA=... python benchmarks/halving_known.py --seeds 10
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results import write_section
from scipy.stats import t as student

from nas.benching import NasBench201
from nas.conductor import Conductor, Proposal
from nas.core.fidelity import Fidelity
from nas.core.objective import parse_objectives
from nas.core.pareto import Reference
from nas.execution.backend import Stage
from nas.halving import Halving
from nas.strategies.evolution import Evolution
from search_spaces.core.architecture import Architecture
from search_spaces.core.population import Population

FEW, MANY = 12, 200  # epochs
CHANCE = {"c10": 0.1, "c100": 0.01}
OBJECTIVES = parse_objectives("accuracy,macs")
TRIALS = 200  # the default of a search: what its strategy scales with


class Known:
    """The table by row of the space's matrix: costs, and accuracy after few and many epochs."""

    def __init__(self, space: NasBench201, path: Path, data: str) -> None:
        self.space = space
        table = space.table(path)
        self.macs = 1e6 * table["flops_m_c10"].to_numpy(dtype=np.float64)
        self.usable = table["connected"].to_numpy(dtype=bool)
        columns = {FEW: f"{data}_test_acc_{FEW}ep", MANY: f"{data}_eval_acc_{MANY}ep"}
        self.top1 = {epochs: table[column].to_numpy(dtype=np.float64) / 100 for epochs, column in columns.items()}

    def price(self, population: Population) -> dict[str, NDArray[Any]]:
        """What is known before any training."""
        rows, ones = self.space.rows(population), np.ones(len(population), dtype=np.int64)
        return {"macs": self.macs[rows], "fits": self.usable[rows], "patches": ones, "split": 0 * ones}

    def stages(self, architecture: Architecture, fidelity: Fidelity) -> Iterator[tuple[int, Stage]]:
        """Epochs trained since the stage before, and what was found."""
        row, before, so_far = self.space.rows(self.space.population([architecture]))[0], 0, {}
        for epochs in fidelity.rungs:
            top1 = float(self.top1[epochs][row])
            so_far[fidelity.column(epochs)] = top1
            yield epochs - before, Stage({"top1": top1, "epochs": epochs, **so_far}, epochs == fidelity.epochs)
            before = epochs

    def reference(self, chance: float) -> Reference:
        """Full accuracy and the fewest MACs to chance and the most."""
        macs = self.macs[self.usable]
        return Reference((1.0, macs.min()), (chance, macs.max()))


def searched(known: Known, chance: float, fidelity: Fidelity, epochs: int, seed: int) -> Conductor:
    """One search that ends when so many epochs were trained."""
    spent = 0.0
    conductor = Conductor(
        known.space,
        Evolution(known.space, OBJECTIVES, TRIALS),
        known.price,
        objectives=OBJECTIVES,
        record=lambda trial: None,
        trials=10_000,
        reference=known.reference(chance),
        seed=seed,
        deadline=epochs,
        clock=lambda: spent,
        halving=Halving(fidelity, OBJECTIVES) if len(fidelity.rungs) > 1 else None,
    )
    while isinstance(proposal := conductor.propose(), Proposal):
        for trained, stage in known.stages(proposal.architecture, fidelity):
            spent += trained
            if stage.last or not conductor.goes_on(proposal.number, {**stage.metrics}):
                break
        conductor.report(proposal.number, stage.metrics, 0.0)
    return conductor


def compared(known: Known, data: str, full: int, seeds: int) -> dict[str, Any]:
    """A row: both ways for the time of so many full trainings."""
    ways = {"halving": Fidelity((FEW, MANY)), "in full": Fidelity((MANY,))}
    found: dict[str, list[Conductor]] = {
        way: [searched(known, CHANCE[data], fidelity, full * MANY, seed) for seed in range(seeds)]
        for way, fidelity in ways.items()
    }
    volumes = {way: np.array([one.front.hypervolume for one in each]) for way, each in found.items()}
    difference = volumes["halving"] - volumes["in full"]
    half = student.ppf(0.975, seeds - 1) * difference.std(ddof=1) / np.sqrt(seeds)
    row: dict[str, Any] = {"data": data, "time": f"{full} full trainings"}
    for way, each in found.items():
        count = np.mean([len(one.trials) for one in each])
        row[way] = f"{volumes[way].mean():.4f} ({count:.0f} networks)"
    return row | {
        "difference": f"{difference.mean():+.4f} ({difference.mean() - half:+.4f} to {difference.mean() + half:+.4f})",
        "halving higher": f"{int((difference > 0).sum())} of {seeds} seeds",
    }


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--full", type=int, nargs="+", default=[10, 25, 50], help="full trainings' time")
    arguments = parser.parse_args()
    path, rows = Path(os.environ["FITNAS_DATA"]) / "bench" / "nas_bench_201.parquet", []
    for data in CHANCE:
        known = Known(NasBench201(), path, data)
        for full in arguments.full:
            rows.append(compared(known, data, full, arguments.seeds))
            print(rows[-1], flush=True)
    notes = [
        f"front hypervolume by accuracy and MACs; epochs={FEW},{MANY} against epochs={MANY}, equal epochs in all; 95 % "
        "intervals of the paired difference",
        "the search is FitNAS's own; accuracies are read from NAS-Bench-201 (arXiv 2001.00326)",
    ]
    write_section("Successive halving in equal time: NAS-Bench-201", rows, notes)


if __name__ == "__main__":
    main()
