"""Successive halving against training every candidate to the end, in equal time, by front hypervolume.

Both search the same space under the same budget with stand-alone training; both stop after the same number of seconds.

    FITNAS_DATA=... python benchmarks/halving.py --seconds 150 --seeds 0 1 2
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from results import write_section

import nas

RUNGS = "epochs=2,6,18"


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="vision/person32_cifar100.npz", help="a path below FITNAS_DATA, or digits")
    parser.add_argument("--budget", default="sram=32k")
    parser.add_argument("--seconds", type=int, default=150)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    data = arguments.data if arguments.data == "digits" else str(Path(os.environ["FITNAS_DATA"]) / arguments.data)
    ways = {"halving": RUNGS, "every candidate in full": f"epochs={RUNGS.rsplit(',', 1)[1]}"}
    rows, volumes = [], {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as root:
        for seed in arguments.seeds:
            for index, (name, fidelity) in enumerate(ways.items()):
                run = nas.search(
                    space="mcunetv2",
                    budget=arguments.budget,
                    data=data,
                    fidelity=fidelity,
                    trials=5000,
                    time=f"{arguments.seconds}s",
                    seed=seed,
                    root=root,
                    run=f"r{seed}-{index}",
                )
                front = run.pareto
                volumes[name].append(front.hypervolume)
                rows.append(
                    {
                        "seed": seed,
                        "way": f"{name} ({fidelity})",
                        "networks": len(run.trials),
                        "front": len(front),
                        "best accuracy": f"{front.best().metrics['top1']:.4f}",
                        "hypervolume": f"{front.hypervolume:.4f}",
                    }
                )
                print(rows[-1], flush=True)
    mine, full = (np.array(values) for values in volumes.values())
    higher = int((mine > full).sum())
    notes = [
        "asked: hypervolume of halving higher, 3 seeds",
        f"measured: higher in {higher} of {len(mine)} seeds, mean difference {np.mean(mine - full):+.4f}; "
        f"{arguments.seconds} s each",
    ]
    write_section(f"Successive halving in equal time: {arguments.data}, {arguments.budget}", rows, notes)


if __name__ == "__main__":
    main()
