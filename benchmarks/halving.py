"""Successive halving against training every candidate to the end, in equal time, by front hypervolume.

Both search the same space under the same budget with stand-alone training and stop after the same number of seconds.
They run side by side, each on a core of its own (which of them on which changes with the seed), so that whatever else
the machine does slows both.

    FITNAS_DATA=... python benchmarks/halving.py --seconds 480 --seeds 0 1 2
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section

import nas

HALVING, FULL = "halving", "every candidate in full"


def searched(arguments: argparse.Namespace) -> dict[str, Any]:
    """One search, in this process; its figures."""
    path = arguments.data if arguments.data == "digits" else str(Path(os.environ["FITNAS_DATA"]) / arguments.data)
    run = nas.search(
        space="mcunetv2",
        set=dict(option.split("=", 1) for option in arguments.set),
        budget=arguments.budget,
        data=path,
        fidelity=fidelity_of(arguments.way, arguments.rungs),
        time=f"{arguments.seconds}s",
        seed=arguments.seeds[0],
        backend="inline",
        workers=1,
        root=arguments.root,
        run=arguments.way.split()[0],
    )
    front = run.pareto
    to_the_end = sum(trial.metrics["epochs"] == int(arguments.rungs.rsplit(",", 1)[-1]) for trial in run.trials)
    return {
        "networks": len(run.trials),
        "of them to the end": to_the_end,
        "front": len(front),
        "best accuracy": front.best().metrics["top1"],
        "hypervolume": front.hypervolume,
    }


def fidelity_of(way: str, rungs: str) -> str:
    """All rungs, or the last alone."""
    return f"epochs={rungs if way == HALVING else rungs.rsplit(',', 1)[-1]}"


def side_by_side(seed: int, root: str) -> dict[str, dict[str, Any]]:
    """Both ways with a seed, each in a process on a core of its own."""
    cores = sorted(os.sched_getaffinity(0))
    ways = (HALVING, FULL) if seed % 2 == 0 else (FULL, HALVING)
    command = [sys.executable, *sys.argv, "--root", root, "--seeds", str(seed), "--way"]
    started = {
        way: subprocess.Popen(["taskset", "--cpu-list", str(core), *command, way], stdout=subprocess.PIPE, stderr=None)
        for core, way in zip(cores, ways, strict=False)
    }
    return {way: json.loads(process.communicate()[0].splitlines()[-1]) for way, process in started.items()}


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="vision/sign_digits_96.zip", help="a path below FITNAS_DATA, or digits")
    parser.add_argument("--set", nargs="*", default=["resolutions=12,16,24,32"], metavar="KEY=VALUE")
    parser.add_argument("--budget", default="sram=32k")
    parser.add_argument("--rungs", default="3,9,27", help="epochs")
    parser.add_argument("--seconds", type=int, default=480)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--way", choices=(HALVING, FULL), help=argparse.SUPPRESS)
    parser.add_argument("--root", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(searched(arguments)))
        return
    rows, volumes = [], {HALVING: [], FULL: []}
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as root:
            found = side_by_side(seed, root)
        for way, figures in found.items():
            volumes[way].append(figures["hypervolume"])
            shown = {name: f"{value:.4f}" if isinstance(value, float) else value for name, value in figures.items()}
            rows.append({"seed": seed, "way": f"{way} ({fidelity_of(way, arguments.rungs)})", **shown})
            print(rows[-1], flush=True)
    mine, full = (np.array(values) for values in volumes.values())
    notes = [
        "asked: hypervolume of halving higher, 3 seeds",
        f"measured: higher in {int((mine > full).sum())} of {len(mine)} seeds, mean difference "
        f"{np.mean(mine - full):+.4f}; {arguments.seconds} s each, side by side, one core each",
    ]
    where = ", ".join([arguments.data, arguments.budget, *arguments.set])
    write_section(f"Successive halving in equal time: {where}", rows, notes)


if __name__ == "__main__":
    main()
