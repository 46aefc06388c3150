"""Trained networks stitched into a family: what lies between them, and what they lose.

For each seed three networks of one depth are trained, stitched (`snnet`) and trained on together. Asked: in
every gap between neighbouring anchors a stitch at 40 to 60 % of the way in MACs, within 2 points of the line between
them, no anchor losing more than 2 points, and all of it in under 20 minutes a seed. The line is that of the anchors as
they were trained alone. Beside each stitch stands what least squares alone makes of it. Accuracies are those of test
pictures, which neither trainings nor search saw.

    python benchmarks/stitching.py --seeds 0 1 2
    python benchmarks/stitching.py --space tinynet --resolution 48 --seeds 0
"""

import argparse
import functools
import json
import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from results import write_section

import nas
from nas.anchors import beginning
from nas.run import StoredRun
from nas.training.checkpoint import from_arrays, model_arrays, to_arrays, weights_file
from nas.training.data import Pictures, augmentation, describe, load
from nas.training.device import cores, random_numbers
from nas.training.loop import evaluate, fit
from nas.training.recipes import fit_of
from search_spaces.core.architecture import Architecture

# Channels, heads and MLP ratio of each layer.
_WIDTHS, _DEPTH = ((64, 2, 1.0), (96, 3, 2.0), (128, 4, 3.0)), 6
ANCHORS: dict[str, list[dict[str, Any]]] = {
    "vit": [
        {"dim": dim, "depth": _DEPTH}
        | {f"layer{n}.{k}": v for n in range(_DEPTH) for k, v in (("heads", heads), ("mlp_ratio", ratio))}
        for dim, heads, ratio in _WIDTHS
    ],
    "tinynet": [{"depth": 1.0, "width": width} for width in (0.2, 0.41, 0.8)],
}
TITLES = {"vit": "vision transformers", "tinynet": "convolutional networks"}
BETWEEN = (0.4, 0.6)


def anchor_folder(space: Any, number: int, pictures: Pictures, vary: Any, job: Any) -> Path:
    """Trains one anchor and leaves it as an export does: architecture, weights, the seed of its split."""
    sizes = {"resolution": space.settings.resolutions[-1]} if space.name == "tinynet" else {}
    options = {**sizes, **ANCHORS[space.name][number]}
    architecture = Architecture(space.name, space.settings.model_dump(mode="json"), options)
    with random_numbers(job.seed):
        network = space.build(architecture)
    how = fit_of({}, epochs=job.anchor_epochs, vary=vary, scratch_rate=space.learning_rate)
    fit(network, pictures, how, size=space.input_size(architecture)[1:], seed=job.seed, threads=cores())
    folder = job.folder / f"anchor{number}"
    folder.mkdir()
    (folder / "architecture.json").write_text(architecture.to_json())
    (folder / "model.safetensors").write_bytes(weights_file(network))
    (folder / "manifest.json").write_text(json.dumps({"seed": job.seed}))
    return folder


def test_accuracy(run: StoredRun, pictures: Pictures, weights: Any) -> dict[str, float]:
    """Top-1 on test pictures of every route, by name, with these shared weights."""
    space: Any = run.parts.space
    supernet = space.supernet()
    from_arrays(supernet, weights)
    size = space.input_size(space.extremes()[0])[1:]
    assert pictures.test is not None
    images, labels = pictures.test
    score = functools.partial(evaluate, size=size, mean=pictures.mean, std=pictures.std)
    return {
        route.name: score(supernet.extract(space.member(route.name)).eval(), images, labels).top1
        for route in space.routes
    }


def started(run: StoredRun, pictures: Pictures) -> dict[str, Any]:
    """Shared weights right after the least-squares fit."""
    supernet = run.parts.space.supernet()
    begin = beginning(run, pictures)
    assert begin is not None
    begin(supernet)
    return to_arrays(supernet)


def rows_of(run: StoredRun, fitted: dict[str, float], trained: dict[str, float]) -> list[Any]:
    """The anchors, and of every gap the best stitch in its middle. A fitted anchor is what it was alone."""
    space: Any = run.parts.space
    macs = dict(zip([route.name for route in space.routes], macs_of(run), strict=True))
    letters = [route.name for route in space.routes if route.is_anchor]
    rows = [_row(name, macs[name], fitted[name], fitted[name], trained[name]) for name in letters]
    for low, high in pairwise(letters):
        share = {name: (value - macs[low]) / (macs[high] - macs[low]) for name, value in macs.items()}
        middle = [name for name in macs if BETWEEN[0] <= share[name] <= BETWEEN[1]]
        best = max(middle, key=lambda name: trained[name] - _on_line(fitted[low], fitted[high], share[name]))
        rows.append(
            _row(best, macs[best], _on_line(fitted[low], fitted[high], share[best]), fitted[best], trained[best])
        )
    return rows


def macs_of(run: StoredRun) -> list[int]:
    """Multiply-accumulates of every route, in the space's order."""
    space: Any = run.parts.space
    population = space.population([space.member(route.name) for route in space.routes])
    return [int(value) for value in run.parts.pricer(population)["macs"]]


def _on_line(low: float, high: float, share: float) -> float:
    return low + share * (high - low)


def _row(name: str, macs: int, line: float, fitted: float, trained: float) -> dict[str, Any]:
    return {
        "route": name,
        "MACs": f"{macs / 1e6:.2f} M",
        "alone, or on the line": f"{line:.4f}",
        "least squares alone": f"{fitted:.4f}",
        "trained together": f"{trained:.4f}",
        "difference in points": f"{100 * (trained - line):+.2f}",
    }


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="vision/sign_digits_96.zip", help="a path below FITNAS_DATA")
    parser.add_argument("--space", choices=list(ANCHORS), default="vit")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--resolution", default="32")
    parser.add_argument("--patch", default="8")
    parser.add_argument("--anchor-epochs", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=50, help="of the training together")
    options = parser.parse_args()
    settings = {"preset": "micro", "resolution": options.resolution, "patch": options.patch}
    if options.space == "tinynet":
        settings = {"resolutions": options.resolution}
    data = str(Path(os.environ["FITNAS_DATA"]) / options.data)
    description, rows = describe(data), []
    for seed in options.seeds:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            space = nas.space(options.space, data, **settings)
            size = space.input_size(space.extremes()[1])[1:]
            pictures = load(description, size, seed, include_test=True, cache=Path(scratch))
            vary = augmentation(description, size)
            job = argparse.Namespace(seed=seed, anchor_epochs=options.anchor_epochs, folder=Path(scratch))
            folders = [anchor_folder(space, number, pictures, vary, job) for number in range(len(ANCHORS[space.name]))]
            trained_anchors = time.monotonic() - began
            run = nas.search(
                "snnet",
                data=data,
                set={"anchors": ",".join(map(str, folders))},
                seed=seed,
                supernet_epochs=options.epochs,
                root=Path(scratch) / "runs",
            )
            seconds = time.monotonic() - began
            fitted = test_accuracy(run, pictures, started(run, pictures))
            trained = test_accuracy(run, pictures, model_arrays(run.supernet_path))
            found = rows_of(run, fitted, trained)
            spent = f"{seconds:.0f} (anchors {trained_anchors:.0f})"
            rows += [{"seed": seed, "seconds": spent, **row} for row in found]
            print(*rows[-len(found) :], sep="\n", flush=True)
    notes = [
        f"{options.data}, {', '.join(f'{name} {value}' for name, value in settings.items())}; anchors "
        f"{options.anchor_epochs} epochs each, together {options.epochs}",
        "asked: stitches within 2 points of the line, anchors losing at most 2, under 1,200 s a seed",
    ]
    write_section(f"Stitching three trained {TITLES[options.space]}", rows, notes)


if __name__ == "__main__":
    main()
