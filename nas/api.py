"""The same path from Python: a space, prices, a search, a run that was saved."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nas.anchors import resolved_options
from nas.assembly import RUNS, make_space
from nas.config import RunConfig
from nas.core.budget import Budget
from nas.pricing import Pricer
from nas.progress import Reporter, Silent
from nas.run import StoredRun
from predictors.hardware.price import parse_schedule
from search_spaces.core.architecture import Architecture
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

if TYPE_CHECKING:
    from nas.accuracy_predictor import AccuracyScores, LearntAccuracy
    from nas.baselines import Baselines
    from nas.deployment.verification import Verification
    from nas.device_predictor import DevicePredictor
    from nas.member import MemberReport
    from nas.quantizing import QuantizationReport
    from nas.reporting.figures import Figure


class Run(StoredRun):
    """A run and what can be done with it; `nas.search` and `nas.load` return one."""

    def train(self, pick: str = "knee", quantized: bool = False, **options: Any) -> "MemberReport":
        """Trains one member; see `nas.member.train_member` for the options. `quantized`: with its policy's rounding in
        place, its own or that of `quantize`, else int8.
        """
        from nas.member import train_member
        from nas.member_quantization import member_policy

        if quantized:
            options["policy"] = member_policy(self, self.pick(pick))
        return train_member(self, pick, **options)

    def quantize(
        self,
        budget: str,
        pick: str = "knee",
        policy: str | None = None,
        widths: str | None = None,
        runtime: str | None = None,
        allow_unexecutable: bool = False,
    ) -> "QuantizationReport":
        """Finds widths for every operator of one member within a budget, such as `size=50k`; keeps the best policy.

        `policy`: one of greedy, sensitivity, relevance, hessian, uniform, or all. See `nas.quantizing`.
        """
        from nas.quantizing import Question, quantize_member

        named = {"name": policy} if policy else {}
        question = Question(budget, widths=widths, runtime=runtime, allow_unexecutable=allow_unexecutable, **named)
        return quantize_member(self, pick, question)

    def baselines(self, force: bool = False) -> "Baselines":
        """Of a joint search of architecture and widths: what it is compared with, searched now; the report shows it."""
        from nas.baselines import search_baselines

        return search_baselines(self, force)

    def export(
        self,
        pick: str | None = None,
        to: str = "pytorch",
        out: str | Path | None = None,
        force: bool = False,
        **options: str | Path | None,
    ) -> Path:
        """Writes one member (default: the knee) for use elsewhere and returns the folder, by default in the run's own.

        Formats such as `optuna` write the whole run. `options` are those of the format, such as timm's `hub_dir`.
        """
        from nas.deployment import export_member

        return export_member(self, pick, to, out, force, **options)

    def figures(self) -> "dict[str, Figure]":
        """Plotly figures by name: front, hypervolume, parallel, resources, `policy <id>` where widths were searched,
        `confusion <id>` of trained members.
        """
        from nas.reporting.figures import figures
        from nas.reporting.run_view import RunView

        return figures(RunView.of(self))

    def drawing(self, pick: str = "knee") -> str:
        """One network block by block as SVG text: bytes alive at each operator, patches shaded, the peak marked."""
        from nas.reporting.drawing import drawing_of

        return drawing_of(self, self.pick(pick), pick).svg()

    def report(self, out: str | Path | None = None, force: bool = False) -> Path:
        """Writes the run as one HTML file, by default `report.html` in its folder, and returns the path."""
        from nas.reporting.report import write_report

        return write_report(self, None if out is None else Path(out), force)


def space(name: str, data: str | None = None, **settings: Any) -> SearchSpace[Any]:
    """The space of that name; for its published input, or for `data` (a folder, zip, `.npz` or name).

    `settings` are what `--set` takes: `nas.space("mcunetv2", width="per_block")`.
    """
    facts: InputFacts | None = None
    if data is not None:
        from nas.training.data import describe

        facts = describe(data).facts
    told = {key: str(value) for key, value in settings.items()}
    options, _ = resolved_options(space_class(name), told, RUNS)
    return make_space(name, options, facts)


def price(
    space: SearchSpace[Any] | str,
    population: Population | Architecture,
    runtime: str | None = None,
    budget: str | None = None,
    schedule: str = "auto",
    count_input: bool = False,
    mac_convention: str = "products",
    strict_runtime: bool = False,
) -> pd.DataFrame:
    """Exact figures, one row an architecture: macs, macs_layerwise, params, flash_bytes, weight_bytes, peak_sram_bytes,
    patches, split, runs_in_tinyengine, fits.

    With a budget the schedule of least MACs among those that fit, without one the one of least peak. `strict_runtime`:
    only schedules that the runtime's own generator accepts.
    `nas.price(architecture.space, architecture)` prices a single one in the space of its own settings.
    """
    if isinstance(population, Architecture):
        restored = space_class(population.space).restored(population.settings)
        population = restored.population([population])
    found = population.space if isinstance(space, str) else space
    limits = Budget.parse(budget) if budget else Budget()
    rules = (limits, parse_schedule(schedule), count_input, mac_convention)
    pricer = Pricer(found, runtime or found.default_runtime, *rules, strict_runtime=strict_runtime)
    return pd.DataFrame(pricer(population))


def search(
    space: str,
    budget: str = "",
    data: str = "digits",
    *,
    set: Mapping[str, str] | None = None,  # noqa: A002 - the configuration's own word
    root: str | Path = "runs",
    force: bool = False,
    reporter: Reporter | None = None,
    **options: Any,
) -> Run:
    """Searches and returns the run; `options` are those of `RunConfig` (`trials`, `time`, `seed`, `run`, ...).

    Errors are those of the command line, as exceptions: `WrongUse`, `Infeasible`, `NotFound`.
    """
    from nas.searching import prepare, start

    config = RunConfig.checked(space=space, budget=budget, data=str(data), set=dict(set or {}), **options)
    reporter = reporter or Silent()
    prepared = prepare(config, Path(root), reporter)
    return Run(start(prepared, reporter, Path(root), force).run.directory)


def profile(
    space: str,
    out: str | Path,
    data: str | None = None,
    *,
    budget: str = "",
    set: Mapping[str, str] | None = None,  # noqa: A002 - the configuration's own word
    runtime: str = "onnxruntime",
    threads: int = 1,
    batch: int = 1,
    samples: int = 30,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> pd.DataFrame:
    """Latencies of networks that span a space, measured on this machine: the rows of `out`, a CSV file that goes on
    where it was begun.
    """
    from nas.core.measured import Target
    from nas.profiling import precision_of, prepare_profile

    given = {"data": str(data)} if data is not None else {}
    config = RunConfig.checked(space=space, budget=budget, set=dict(set or {}), seed=seed, **given)
    target = Target(runtime=runtime, precision=precision_of(config), threads=threads, batch=batch)
    prepare_profile(config, target, samples, Path(out), reporter=reporter).run(reporter)
    return pd.read_csv(out)


def fit_predictor(
    figures: str | Path,
    out: str | Path,
    device: str | None = None,
    model: str | None = None,
    force: bool = False,
    calibrate: str | Path | None = None,
    **target: str | int,
) -> "DevicePredictor":
    """Learns latency or energy on a device from measured networks, such as `profile` writes, or takes a lookup table of
    operators, and keeps it in the folder `out`.

    That is what `nas.search(..., predictor=out)` takes, or several in a list. `cross_validated()` and `evaluate(rows)`
    of what is given tell how good it is. `calibrate`: measured networks for a lookup table. `target`: `runtime`,
    `precision`, `threads`, `batch` where the file does not say.
    """
    from nas.predicting import fit_predictor as learn

    calibrating = None if calibrate is None else Path(calibrate)
    return learn(Path(figures), Path(out), None, model, force, calibrating, device=device, **target)[0]


def fit_accuracy_predictor(
    runs: Sequence[str | Path],
    out: str | Path,
    model: str | None = None,
    proxies: str | None = None,
    data: str | None = None,
    *,
    root: str | Path = RUNS,
    force: bool = False,
    reporter: Reporter | None = None,
) -> "LearntAccuracy":
    """Learns accuracy from runs of one space (names in `root`, or folders) or files of rows; keeps it in `out`.

    `cross_validated()` of what is given tells how good it is; see `nas.accuracy_fitting.fit_accuracy` for the options.
    """
    from nas.accuracy_fitting import fit_accuracy

    return fit_accuracy(runs, Path(out), model, proxies, data, force, Path(root), reporter)[0]


def evaluate_accuracy_predictor(
    folder: str | Path,
    run: str | Path,
    data: str | None = None,
    *,
    root: str | Path = RUNS,
    reporter: Reporter | None = None,
) -> "AccuracyScores":
    """How well a predictor knows another run of its space, or a file of rows: Kendall, RMSE, interval."""
    from nas.accuracy_fitting import evaluate_accuracy

    return evaluate_accuracy(Path(folder), run, data, Path(root), reporter).scores


def verify(folder: str | Path) -> "Verification":
    """What an exported folder promised, measured again; `raise_broken()` of it raises where a promise is not kept.

    `NotFound` where the folder is no export, `WrongUse` where nothing of its kind can be verified.
    """
    from nas.deployment.verification import verify_folder

    return verify_folder(Path(folder))


def load(path: str | Path) -> Run:
    """The run in a folder such as `runs/signs`."""
    return Run.load(path)
