"""What zero-cost proxies cost and how they order networks, beside NASLib's published scores of the same networks.

Networks of NAS-Bench-201 that NASLib scored (White et al., arXiv 2104.01177), built anew with fresh weights and shown
32 pictures of CIFAR-100; accuracy is that of CIFAR-10 after 200 epochs.

    PYTHONPATH=. FITNAS_DATA=... python benchmarks/proxies.py --networks 100
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from results import write_section

from predictors.core.scores import kendall, spearman
from predictors.zero_cost import zero_cost_proxy
from tests.golden.nb201_network import nb201_network

PUBLISHED = {"nwot": "nwot", "synflow": "synflow", "jacob_cov": "jacov", "grad_norm": "grad_norm", "snip": "snip"}
PICTURES = 32


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = Path(os.environ["FITNAS_DATA"])
    table = pd.read_parquet(data / "bench" / "zc_proxies_nb201_nb301_subset.parquet")
    known = table[(table.space == "nasbench201") & (table.dataset == "cifar10")]
    known = known.sample(arguments.networks, random_state=arguments.seed).reset_index(drop=True)
    scores, seconds = ask(known, data)
    accuracy = known.eval_accuracy_200ep.to_numpy(dtype=float)
    rows = [row(name, scores[name], known[column], accuracy, seconds[name]) for name, column in PUBLISHED.items()]
    exact = {"params": "parameters", "flops": "MACs"}
    rows += [
        {"proxy": title, "Kendall with accuracy": f"{kendall(accuracy, known[column].to_numpy(dtype=float)):.3f}"}
        for column, title in exact.items()
    ]
    write_section(
        "Zero-cost proxies on NAS-Bench-201",
        rows,
        [f"{arguments.networks} networks, seed {arguments.seed}, {PICTURES} pictures, one thread, CPU"],
    )


def ask(known: pd.DataFrame, data: Path) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Scores `(n,)` and seconds a network of each proxy."""
    with np.load(data / "vision" / "person32_cifar100.npz") as arrays:
        pictures = torch.tensor(arrays["x_train"][:PICTURES]).permute(0, 3, 1, 2) / 255
    pictures = (pictures - pictures.mean((0, 2, 3), keepdim=True)) / pictures.std((0, 2, 3), keepdim=True)
    labels = torch.arange(PICTURES) % 10
    scores = {name: np.full(len(known), np.nan) for name in PUBLISHED}
    seconds = dict.fromkeys(PUBLISHED, 0.0)
    for place, operations in enumerate(known.arch):
        torch.manual_seed(place)
        network = nb201_network([int(number) for number in operations.strip("()").split(",")])
        for name in PUBLISHED:
            began = time.perf_counter()
            scores[name][place] = zero_cost_proxy(name).score(network, pictures, labels)
            seconds[name] += (time.perf_counter() - began) / len(known)
    return scores, seconds


def row(name: str, ours: np.ndarray, theirs: pd.Series, accuracy: np.ndarray, seconds: float) -> dict[str, str]:
    """One line of the table, of the networks that have both scores."""
    published = theirs.to_numpy(dtype=float)
    both = np.isfinite(ours) & np.isfinite(published)
    return {
        "proxy": zero_cost_proxy(name).title,
        "Kendall with accuracy": f"{kendall(accuracy[both], ours[both]):.3f}",
        "NASLib's": f"{kendall(accuracy[both], published[both]):.3f}",
        "Spearman, ours and NASLib's": f"{spearman(published[both], ours[both]):.3f}",
        "without a figure": str(int((~np.isfinite(ours)).sum())),
        "s a network": f"{seconds:.2f}",
    }


if __name__ == "__main__":
    main()
