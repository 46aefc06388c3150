"""How much of a search's wall time the workers do not spend evaluating: 200 real supernet evaluations by evolution.

The supernet is trained for one epoch only, since its quality does not matter here. Ray's start is included in the first
share and left out of the second; its cluster comes up while the supernet is trained.

    FITNAS_DATA=... python benchmarks/overhead.py --workers 2
"""

import argparse
import os
import tempfile
from pathlib import Path

from results import write_section

from nas.config import RunConfig
from nas.progress import Silent
from nas.searching import prepare, start

_MOST_WITH_START, _MOST_WITHOUT_START = 0.20, 0.10


def main() -> None:
    """Searches once and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--budget", default="sram=64k,flash=512k")
    arguments = parser.parse_args()
    data = Path(os.environ["FITNAS_DATA"]) / "vision" / "sign_digits_96.zip"
    config = RunConfig.checked(
        space="mcunetv2",
        budget=arguments.budget,
        data=str(data),
        trials=arguments.trials,
        workers=arguments.workers,
        supernet_epochs=1,
    )
    with tempfile.TemporaryDirectory() as root:
        outcome = start(prepare(config), Silent(), Path(root))
        account = outcome.accounting
        assert account is not None
        seconds = [trial.seconds for trial in outcome.run.trials]
    row = {
        "evaluations": len(seconds),
        "workers": account.workers,
        "seconds each (mean, longest)": f"{sum(seconds) / len(seconds):.2f}, {max(seconds):.2f}",
        "wall s": f"{account.wall_seconds:.1f}",
        "start s": f"{account.start_seconds:.1f}",
        "not evaluating": f"{100 * account.idle_share:.1f} %",
        "without start": f"{100 * account.idle_share_without_start:.1f} %",
    }
    asked = f"asked: at most {100 * _MOST_WITH_START:.0f} % with Ray's start, {100 * _MOST_WITHOUT_START:.0f} % without"
    write_section("Wall time not spent evaluating", [row], [asked])


if __name__ == "__main__":
    main()
