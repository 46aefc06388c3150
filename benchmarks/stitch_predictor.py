"""Accuracy of stitches, predicted from some that were measured: does it order the others?

The measured ones are those published with SN-Net (DeiT, 71) and SN-Netv2 (DeiT III S and L, 134): ziplab/SN-Net and
ziplab/SN-Netv2 (Apache-2.0). Kendall's tau is that of predicted against measured accuracy of stitches that were not
learnt from, beside that of multiply-accumulates on the same ones. Everything that a model fits is fitted to what it
learns from. Asked: at least 0.85 for SN-Netv2 in 5-fold cross-validation.

    FITNAS_DATA=... python benchmarks/stitch_predictor.py
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results import write_section
from scipy.stats import kendalltau
from sklearn.model_selection import RepeatedKFold, ShuffleSplit

from predictors.accuracy import DEFAULT, Prediction, accuracy_predictor, accuracy_predictor_names
from search_spaces.snnet import SnNet
from search_spaces.snnetv2 import SnNetV2
from search_spaces.stitching.routes import Route, snnetv2_routes

FOLDS, ASKED = 5, 0.85
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stitches:
    """Measured stitches: features `(n, f)`, multiply-accumulates and top-1 `(n,)`; how many to learn from, too."""

    title: str
    features: Floats
    macs: Floats
    top1: Floats
    fewer: Sequence[int]

    @classmethod
    def published(cls, title: str, file: Path, space: Any, routes: Sequence[Route], fewer: Sequence[int]) -> "Stitches":
        """Those of a file whose lines are in the order of the routes."""
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        if len(rows) != len(routes):
            raise ValueError(f"expected a line for each of {len(routes)} routes in {file}, got {len(rows)}")
        features = space.features(space.population([space.member(route.name) for route in routes]))
        macs, percent = (np.array([row[key] for row in rows], dtype=np.float64) for key in ("flops", "acc1"))
        return cls(title, features, macs, percent / 100, fewer)

    def predicted(self, model: str, learnt: NDArray[np.intp], asked: NDArray[np.intp]) -> Prediction:
        """By a new model that knows the `learnt` ones alone."""
        return accuracy_predictor(model).fit(self.features[learnt], self.top1[learnt]).predict(self.features[asked])

    def tau(self, scores: Floats, asked: NDArray[np.intp]) -> float:
        """Kendall's tau of scores with accuracy of the `asked` ones."""
        return float(kendalltau(scores, self.top1[asked]).statistic)


def read(folder: Path) -> list[Stitches]:
    """Both sets."""
    two, three = SnNetV2.configured({}, None), SnNet.configured({"deeper": "true"}, None)
    # the published order, which the space itself sorts by cost
    both_ways = snnetv2_routes([anchor.depth for anchor in two.settings.anchors])
    name = "snnetv2_deit3_s_l_imagenet_stitches.jsonl"
    v2 = Stitches.published("SN-Netv2, DeiT III S and L", folder / name, two, both_ways, (20, 40, 80))
    name = "snnet_deit_ti_s_b_stitches.jsonl"
    v1 = Stitches.published("SN-Net, DeiT Ti, S and B", folder / name, three, three.enumerated, (20, 40))
    return [v2, v1]


def compared(stitches: Stitches, learnt_from: str, splits: Any) -> tuple[dict[str, Any], float]:
    """A row: means over splits of what is learnt and asked, and the lowest; and the default model's mean."""
    pairs = list(splits.split(stitches.features))
    taus = {"MACs alone": [stitches.tau(stitches.macs[asked], asked) for _, asked in pairs]}
    for model in accuracy_predictor_names():
        taus[model] = [stitches.tau(stitches.predicted(model, learnt, asked).mean, asked) for learnt, asked in pairs]
    row = {"stitches": f"{stitches.title} ({len(stitches.top1)})", "learnt from": learnt_from}
    row |= {way: f"{np.mean(each):.3f} ({min(each):.3f})" for way, each in taus.items()}
    return row, float(np.mean(taus[DEFAULT]))


def within_deviations(stitches: Stitches, splits: Any) -> str:
    """How often the default model's error is within one and two of the deviations that it tells."""
    far = []
    for learnt, asked in splits.split(stitches.features):
        found = stitches.predicted(DEFAULT, learnt, asked)
        far.append(np.abs(found.mean - stitches.top1[asked]) / found.std)
    shares = [100 * float(np.mean(np.concatenate(far) < deviations)) for deviations in (1, 2)]
    return f"{shares[0]:.0f} % and {shares[1]:.0f} %"


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10, help="of cross-validation, and draws a number of stitches")
    repeats = parser.parse_args().repeats
    sets, rows, reached = read(Path(os.environ["FITNAS_DATA"]) / "snnet"), [], []
    folds = RepeatedKFold(n_splits=FOLDS, n_repeats=repeats, random_state=0)
    for stitches in sets:
        row, tau = compared(stitches, f"{FOLDS - 1} of {FOLDS} folds", folds)
        rows.append(row)
        reached.append(tau)
        for count in stitches.fewer:
            draws = ShuffleSplit(repeats, train_size=count, test_size=len(stitches.top1) - count, random_state=0)
            rows.append(compared(stitches, f"{count}", draws)[0])
        print(*rows, sep="\n", flush=True)
    whole = [f"{kendalltau(each.macs, each.top1).statistic:.3f}" for each in sets]
    notes = [
        f"asked: {DEFAULT} at least {ASKED} for SN-Netv2 by {FOLDS}-fold cross-validation; reached {reached[0]:.3f}",
        f"Kendall's tau with measured accuracy of those not learnt from: mean (lowest) of {FOLDS * repeats} folds or "
        f"{repeats} draws; MACs alone on a whole set {whole[0]} and {whole[1]}",
        f"errors of {DEFAULT} within one and two of its deviations: {within_deviations(sets[0], folds)} for SN-Netv2",
    ]
    write_section("Accuracy of stitches, predicted", rows, notes)


if __name__ == "__main__":
    main()
