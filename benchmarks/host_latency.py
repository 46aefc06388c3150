"""Latency on this machine, learnt from 30 networks as `nas profile` chooses and measures them, of 50 others.

The others are drawn at random from the space, as its networks are drawn for a supernet. All run in onnxruntime on one
thread. Stop other work first: a busy machine shows in `unconfirmed`.

    PYTHONPATH=. python benchmarks/host_latency.py --spaces mcunetv2 cct
    PYTHONPATH=. python benchmarks/host_latency.py --spaces mcunetv2 --quantize fp32,int8,w4 --set resolutions=32
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from results import write_section

from nas.config import RunConfig
from nas.core.measured import FP32, Measured, Target
from nas.device_predictor import LearntPredictor, Scores
from nas.evaluation.host_profile import host_profile
from nas.profiling import precision_of, prepare_profile
from nas.searching import admit
from nas.shared_weights import curriculum
from nas.storage.measured_rows import MeasuredRows
from search_spaces.core.population import Population

LEARNT, ASKED = 30, 50


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spaces", nargs="+", default=["mcunetv2", "cct"])
    parser.add_argument("--set", nargs="+", default=[])
    parser.add_argument("--quantize", default=None, help="widths that each operator may have")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    told = {"set": dict(each.split("=", 1) for each in arguments.set), "quantize": arguments.quantize}
    rows = [one_space(RunConfig.checked(space=name, seed=arguments.seed, **told)) for name in arguments.spaces]
    widths = f"widths {arguments.quantize} at random" if arguments.quantize else FP32
    write_section(
        f"Latency on this machine from 30 profiled networks{' in mixed widths' if arguments.quantize else ''}",
        rows,
        [f"onnxruntime, {widths}, 1 thread, batch 1; {ASKED} networks asked, seed {arguments.seed}"],
    )


def one_space(config: RunConfig) -> dict[str, object]:
    """One line of the table."""
    target = Target(precision=precision_of(config))
    with tempfile.TemporaryDirectory() as folder:
        profile = prepare_profile(config, target, LEARNT, Path(folder) / "rows.csv")
        known = profile.run()
    others = drawn(config, set(known.architectures))
    asked = MeasuredRows(target, tuple(others), tuple(host_profile(others.space, others, target)))
    scores = LearntPredictor(known).evaluate(asked)
    return line(config.space_name, scores, [figure for rows in (known, asked) for figure in rows.figures if figure])


def drawn(config: RunConfig, known: set[object]) -> Population:
    """`ASKED` different networks of the space, at random."""
    admitted = admit(config)
    parts = admitted.parts
    plan = curriculum(parts.space, parts.pricer, admitted.feasibility, config.seed)
    pool = plan.draw(np.random.default_rng([config.seed, 77]), 4 * ASKED)
    fresh = [architecture for architecture in dict.fromkeys(pool) if architecture not in known]
    return parts.space.population(fresh[:ASKED])


def line(name: str, scores: Scores, figures: list[Measured]) -> dict[str, object]:
    """What is shown of a space."""
    values = [figure.value for figure in figures]
    return {
        "space": name,
        "ms": f"{min(values):.2f} to {max(values):.2f}",
        "within 10 %": f"{100 * scores.within_10_percent:.0f} %",
        "within 5 %": f"{100 * scores.within_5_percent:.0f} %",
        "Kendall": f"{scores.kendall:.3f}",
        "RMSPE": f"{100 * scores.rmspe:.1f} %",
        "90 % interval": f"+- {100 * scores.interval:.0f} %, holds {100 * (scores.covered or 0):.0f} %",
        "extrapolated": scores.extrapolated,
        "unconfirmed": f"{sum(not figure.is_confirmed for figure in figures)} of {len(figures)}",
    }


if __name__ == "__main__":
    main()
