"""Policies for a fixed network side by side: greedy, sensitivity, relevance, Hessian and one uniform width.

For each data set and seed a random network of `mcunetv2` within `flash=512k,macs=3M` is trained from random weights.
Widths are int8, w4a8 and w2a8; the limits on size lie at shares of the way from all w2a8 to all int8, of which w4a8 has
a third: where no width is as narrow as 2 bits, every policy keeps these networks' accuracy, and there is nothing to
compare. Policies see 256 training pictures without labels; test pictures decide here, which none of them saw.

    FITNAS_DATA=... python benchmarks/policies.py --seeds 0 1 2 --keep results/

With `--keep` each seed's figures are written there as soon as they are known, and a later call takes them from there.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section
from scipy.stats import t as student

import nas
from nas.core.budget import Budget
from nas.member_quantization import calibration_batches
from nas.pricing import Pricer
from nas.quantization.policies import Task, policy_names
from nas.quantization.policies.options import Options
from nas.quantizing import Subject
from nas.training.data import augmentation, describe, load
from nas.training.device import random_numbers
from nas.training.loop import SCRATCH_RATE, Fit, fit
from search_spaces.core.policy import FP32, INT8, width, widths

AMONG = widths("int8,w4a8,w2a8")
W2A8 = width("w2a8")
SHARES = (0.25, 0.15, 0.5)
"""At the first each policy is timed; at the others it is told the losses that were measured before."""

DATA = {"sign digits": "sign_digits_96.zip", "person32": "person32_cifar100.npz"}
LIMITS = "flash=512k,macs=3M"
EPOCHS = {"sign digits": 15, "person32": 6}
RESOLUTION = {"sign digits": "48", "person32": "32"}
Row = dict[str, Any]


def subject_of(name: str, seed: int) -> tuple[Subject, Any]:
    """A random network, trained, and its operator table."""
    path = Path(os.environ["FITNAS_DATA"]) / "vision" / DATA[name]
    space = nas.space("mcunetv2", str(path), resolutions=RESOLUTION[name])
    rng, fits = np.random.default_rng([seed, 5]), np.zeros(1, dtype=bool)
    while not fits.any():
        population = space.sample(rng, 64)
        fits = Pricer(space, "onnxruntime", Budget.parse(LIMITS), "none")(population)["fits"]
    architecture = population[int(np.flatnonzero(fits)[0])]
    size = space.input_size(architecture)[1:]
    pictures = load(describe(path), size, seed, include_test=True)
    with random_numbers(seed):
        network = space.build(architecture)
    how = Fit(EPOCHS[name], SCRATCH_RATE, augmentation=augmentation(describe(path), size))
    fit(network, pictures, how, size=size, seed=seed, accelerator="cpu", threads=1)
    table = space.decode(space.population([architecture]))
    batches = calibration_batches(pictures, size, seed)
    task = Task.of(network, Options.of(table, AMONG, "onnxruntime", {}), batches)
    return Subject(network, "trained from scratch", size, pictures, batches, task), table


def sizes_of(options: Options) -> dict[str, float]:
    """The limits by name, in bytes."""
    low, high = (options.figures(options.uniform(AMONG.index(each)))["weight_bytes"] for each in (W2A8, INT8))
    return {f"{share:.0%} of the way to int8": low + share * (high - low) for share in SHARES}


def one_seed(data: str, seed: int) -> list[Row]:
    """Every policy at every size, and the network in floats and all in int8."""
    subject, table = subject_of(data, seed)
    rows: list[Row] = []
    alone = {"floats": FP32, "int8": INT8}
    for name, each in alone.items():
        options = Options.of(table, [each], "onnxruntime", {})
        test = subject.top1(options.policy(options.widest), "test")
        rows.append({"size": name, "policy": name, "test": test, **options.figures(options.widest)})
    known: dict[bytes, float] = {}
    for number, (size, limit) in enumerate(sizes_of(subject.task.options).items()):
        limited = subject.under(Options.of(table, AMONG, "onnxruntime", {"weight_bytes": limit}))
        for policy in policy_names():
            losses = {} if number == 0 else known
            own = limited.answer(policy, known=losses)
            known.update(losses)
            row = {"size": size, "test": subject.top1(own.policy, "test"), **own.to_document()}
            rows.append({name: value for name, value in row.items() if number == 0 or name != "seconds"})
            print(data, seed, {**rows[-1], "widths": None}, flush=True)
    return rows


def kept(folder: Path | None, data: str, seed: int) -> list[Row]:
    """The figures of one seed, from the folder where they are there."""
    file = folder / f"{data.replace(' ', '-')}-{seed}.json" if folder else None
    if file is not None and file.is_file():
        known: list[Row] = json.loads(file.read_text())
        return known
    rows = one_seed(data, seed)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(rows))
    return rows


def interval(values: Sequence[float]) -> str:
    """Mean and half of its 95 % interval (Student's t), in points."""
    points = 100 * np.array(values)
    if len(points) < 2:
        return f"{points.mean():.2f}"
    half = student.ppf(0.975, len(points) - 1) * points.std(ddof=1) / np.sqrt(len(points))
    return f"{points.mean():.2f} +- {half:.2f}"


def table_rows(found: dict[str, list[list[Row]]]) -> list[dict[str, object]]:
    """A row for each data set, size and policy."""
    rows: list[dict[str, object]] = []
    for data, seeds in found.items():
        for cells in zip(*seeds, strict=True):
            row = {"data": data, "limit": cells[0]["size"], "policy": cells[0]["policy"]}
            row["test accuracy, %"] = interval([cell["test"] for cell in cells])
            row["KiB"] = f"{np.mean([cell['weight_bytes'] for cell in cells]) / 1024:.1f}"
            row["M BitOPs"] = f"{np.mean([cell['bitops'] for cell in cells]) / 1e6:.0f}"
            for name in ("evaluations", "gradients", "seconds"):
                if name in cells[0]:
                    row[name] = f"{np.mean([cell[name] for cell in cells]):.1f}"
            rows.append(row)
    return rows


def notes_of(found: dict[str, list[list[Row]]]) -> list[str]:
    """Mean over all limits and networks, and each policy against the best, network by network."""
    limited = [[row for row in rows if "of the way" in row["size"]] for seeds in found.values() for rows in seeds]
    means = {
        policy: [float(np.mean([row["test"] for row in rows if row["policy"] == policy])) for rows in limited]
        for policy in policy_names()
    }
    ranked = sorted(means, key=lambda policy: -float(np.mean(means[policy])))
    best = means[ranked[0]]
    behind = [f"{name} {interval(np.subtract(means[name], best).tolist())}" for name in ranked[1:]]
    return [
        f"mean over limits and networks: {', '.join(f'{name} {100 * np.mean(means[name]):.2f} %' for name in ranked)}",
        f"against {ranked[0]} on the same network, mean over limits, points, interval over {len(best)} networks: "
        + "; ".join(behind),
        f"the default of `nas quantize --policy` is the best: {ranked[0]}; where an interval holds 0, "
        "the order may be chance",
        "asked: greedy, sensitivity, relevance, Hessian at equal size in a table; intervals: 95 %, Student's t over "
        "seeds; one of 418 test pictures of sign digits is 0.24 points, one of 1,000 of person32 0.10",
        f"seconds: one thread beside other work, at {SHARES[0]:.0%} alone, where nothing was known before",
    ]


def main() -> None:
    """Runs what is not kept and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--keep", type=Path, help="folder of each seed's figures")
    arguments = parser.parse_args()
    found = {data: [kept(arguments.keep, data, seed) for seed in arguments.seeds] for data in arguments.data}
    write_section("Policies for a fixed network at equal size", table_rows(found), notes_of(found))


if __name__ == "__main__":
    main()
