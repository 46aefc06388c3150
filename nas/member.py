"""One member of a run as a network: with inherited weights, or trained; and what it scores on which pictures."""

import functools
import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import nn

from nas.assembly import TRAIN, ZERO_COST
from nas.core.trial import Trial
from nas.member_quantization import POLICY_FILE, member_policy, quantized_member
from nas.progress import Report, Reporter, Silent
from nas.quantization.aware import trainable, write_back
from nas.run import StoredRun
from nas.tracking import parse_sinks
from nas.tracking.tracker import Tracker
from nas.training.checkpoint import from_arrays, model_arrays, previous_path, weights_file
from nas.training.data import DataDescription, Pictures, augmentation, load
from nas.training.device import cores, random_numbers, torch_threads
from nas.training.epochs import Augmentation, FitReport
from nas.training.inheritance import inherit
from nas.training.loop import Fit, Scores, batches, evaluate, fit
from nas.training.recalibrate import calibration_sample, recalibrate
from nas.training.recipes import fine_tune_rate, fit_of
from nas.training.stored_logits import Manifest, StoredLogits
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.combinators.recipe import recipe_of
from search_spaces.core.errors import FitnasError, NotFound, WrongUse
from search_spaces.core.policy import QuantizationPolicy

if TYPE_CHECKING:
    from nas.training.epochs import Progress

EPOCHS = 25
WEIGHTS_FILE, REPORT_FILE = "model.safetensors", "report.json"
INHERITED, FINE_TUNED, FROM_SCRATCH = "inherited", "fine-tuned", "trained from scratch"
IN_SEARCH = "trained in the search"
UNDER_POLICY = " under its quantization policy"


@dataclass(frozen=True)
class MemberReport:
    """What a training of one member gave. `test` comes from pictures that the search never saw. `quantized`: scores of
    both parts under the member's policy, where it has one.
    """

    id: str
    weights: str
    epochs: int
    seconds: float
    seed: int
    validation: Scores
    test: Scores
    class_names: tuple[str, ...]
    path: Path
    teacher: str | None = None
    quantized: Mapping[str, Scores] | None = None

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "id": self.id,
            "weights": self.weights,
            "epochs": self.epochs,
            "seconds": round(self.seconds, 3),
            "seed": self.seed,
            "teacher": self.teacher,
            "class_names": list(self.class_names),
            **{f"{part}_top1": scores.top1 for part, scores in self._parts()},
            **{f"{part}_balanced_top1": scores.balanced_top1 for part, scores in self._parts()},
            **{f"{part}_int8_top1": scores.top1 for part, scores in (self.quantized or {}).items()},
            "confusion": self.test.confusion.tolist(),
        }

    def figures(self) -> dict[str, float]:
        """Scores by part, for a tracker."""
        by_part = self._parts()
        return {f"score/{part}_top1": scores.top1 for part, scores in by_part} | {
            f"score/{part}_balanced_top1": scores.balanced_top1 for part, scores in by_part
        }

    def _parts(self) -> list[tuple[str, Scores]]:
        return [("validation", self.validation), ("test", self.test)]


def member_folder(run: StoredRun, architecture_id: str) -> Path:
    """Where a trained member's weights and report lie."""
    return run.members / architecture_id


def train_member(
    run: StoredRun,
    pick: str = "knee",
    *,
    epochs: int | None = None,
    from_scratch: bool = False,
    seed: int | None = None,
    learning_rate: float | None = None,
    distill: str | Path | None = None,
    inherited: Mapping[str, torch.Tensor] | None = None,
    policy: QuantizationPolicy | None = None,
    reporter: Reporter | None = None,
) -> MemberReport:
    """Trains one member on the training pictures and scores it on validation and test.

    It starts from the weights that it has in the search (those inherited from the supernet, or those of its own
    training) at a tenth of the space's learning rate, or with `from_scratch`, and where the search trained nothing,
    from random ones at all of it. A recipe that was searched says otherwise: all of it holds from scratch, all but the
    learning rate from weights that are trained already. 25 epochs, or the recipe's. `distill`: a folder of a teacher's
    stored answers, which take the place of the labels, for as many epochs as are stored unless `epochs` says fewer.
    `inherited`: weights of a larger network of the same kind by name, to start from what they hold for this one.
    `policy`: the network learns with its rounding in place (see `nas.quantization.aware`), batch norms folded; without
    one a network that carries a policy learns in floats, and is scored under it. A training that was killed goes on
    when the same command is typed again. The newest training of a member replaces the one before.
    """
    reporter = reporter or Silent()
    trial, seed = run.pick(pick), run.config.seed if seed is None else seed
    recipe = recipe_of(trial.architecture)
    if epochs is not None and epochs < 1:
        raise WrongUse(f"--epochs is 1 or more, got {epochs}")
    began = time.monotonic()
    from_scratch = from_scratch or (run.parts.evaluator == ZERO_COST and inherited is None)
    checkpoint = _checkpoint(run, trial, from_scratch, policy)
    with run.directory.lock(), closing(_tracker(run, trial, checkpoint)) as tracker:
        description, pictures = _data(run, include_test=True)
        teacher = stored_answers(run, Path(distill), description, pictures) if distill else None
        epochs = epochs or (teacher.epochs if teacher else int(recipe.get("epochs", EPOCHS)))
        network = _start(run, trial, pictures, seed, from_scratch, inherited)
        size = run.parts.space.input_size(trial.architecture)[1:]
        vary = augmentation(description, pictures.size)
        how = _how(run, recipe, epochs, vary, learning_rate, from_scratch)
        place: dict[str, Any] = {"size": size, "seed": seed, "accelerator": run.config.accelerator, "threads": cores()}
        with reporter.progress(f"training {trial.architecture.id}") as report:
            tell = functools.partial(_progress, report, tracker)
            options = {**place, "progress": tell, "checkpoint": checkpoint, "teacher": teacher}
            fitted = _fitted(run, trial, network, pictures, policy, lambda one: fit(one, pictures, how, **options))
        label, seconds = _label(from_scratch, policy), time.monotonic() - began
        validation, test = (_scores(network, pictures, part, size) for part in ("validation", "test"))
        result = MemberReport(
            trial.architecture.id,
            *(label, fitted.epochs, seconds, seed, validation, test),
            pictures.class_names,
            member_folder(run, trial.architecture.id),
            teacher.manifest.teacher if teacher else None,
            _under_policy(run, trial, network, pictures, policy),
        )
        tracker.figures(result.figures(), fitted.epochs)
        _keep(run, network, result, checkpoint, policy)
    return result


def _start(
    run: StoredRun,
    trial: Trial,
    pictures: Pictures,
    seed: int,
    from_scratch: bool,
    inherited: Mapping[str, torch.Tensor] | None,
) -> nn.Module:
    """The network before its first step: random weights, those of a larger network, or those it has in the search."""
    if inherited is None and not from_scratch:
        return inherited_network(run, trial, pictures)
    network = _fresh(run, trial, seed)
    if inherited is not None:
        inherit(network, inherited)
    return network


def _how(
    run: StoredRun,
    recipe: Mapping[str, Any],
    epochs: int,
    vary: Augmentation,
    learning_rate: float | None,
    from_scratch: bool,
) -> Fit:
    scratch_rate = run.parts.space.learning_rate
    rate = learning_rate or (None if from_scratch else fine_tune_rate(recipe, scratch_rate))
    return fit_of(recipe, epochs=epochs, vary=vary, learning_rate=rate, scratch_rate=scratch_rate)


def _fitted(
    run: StoredRun,
    trial: Trial,
    network: nn.Module,
    pictures: Pictures,
    policy: QuantizationPolicy | None,
    train: Callable[[nn.Module], FitReport],
) -> FitReport:
    """Trains a network in place: itself, or its graph with the policy's rounding."""
    if policy is None:
        return train(network)
    quantized = quantized_member(run, trial, network, pictures, policy)
    graph = trainable(quantized)
    report = train(graph)
    write_back(quantized, graph, network)
    return report


def _under_policy(
    run: StoredRun, trial: Trial, network: nn.Module, pictures: Pictures, policy: QuantizationPolicy | None
) -> dict[str, Scores] | None:
    """Scores by part of a network that is quantized: as it was trained, or as its architecture says."""
    if policy is None:
        if not isinstance(run.parts.space, WithQuantization):
            return None
        policy = member_policy(run, trial)
    quantized = quantized_member(run, trial, network, pictures, policy)
    size = run.parts.space.input_size(trial.architecture)[1:]
    simulated = quantized.simulated()
    return {part: _scores(simulated, pictures, part, size) for part in ("validation", "test")}


def _label(from_scratch: bool, policy: QuantizationPolicy | None) -> str:
    return (FROM_SCRATCH if from_scratch else FINE_TUNED) + (UNDER_POLICY if policy else "")


def _checkpoint(run: StoredRun, trial: Trial, from_scratch: bool, policy: QuantizationPolicy | None) -> Path:
    kind = ("scratch" if from_scratch else "fine") + ("-quantized" if policy else "")
    return run.directory.checkpoints / f"member-{trial.architecture.id}-{kind}.safetensors"


def train_seeds(
    run: StoredRun, pick: str, seeds: int, *, reporter: Reporter | None = None, seed: int | None = None, **options: Any
) -> list[MemberReport]:
    """Trains one member with so many seeds, counted from `seed` (default: the run's); best validation accuracy first.

    The weights of the best, ties to the earlier seed, are what stays: its test accuracy was not looked at for that.
    """
    if seeds < 1:
        raise WrongUse(f"--seeds is 1 or more, got {seeds}")
    first = run.config.seed if seed is None else seed
    best: MemberReport | None = None
    reports = []
    for number in range(first, first + seeds):
        kept = _aside(best) if best else {}
        report = train_member(run, pick, seed=number, reporter=reporter, **options)
        reports.append(report)
        if best is not None and report.validation.top1 <= best.validation.top1:
            for path, content in kept.items():
                run.directory.write(path, content)
        else:
            best = report
    return sorted(reports, key=lambda report: -report.validation.top1)


def _aside(report: MemberReport) -> dict[Path, bytes]:
    """What a training left, to be put back where the next one is worse."""
    return {path: path.read_bytes() for path in (report.path / name for name in (WEIGHTS_FILE, REPORT_FILE))}


def network_of(run: StoredRun, trial: Trial) -> tuple[nn.Module, dict[str, Any]]:
    """The member in eval mode: as trained where it was, else with inherited weights; and a document of its weights'
    origin and scores.
    """
    folder = member_folder(run, trial.architecture.id)
    report = folder / REPORT_FILE
    if report.is_file():
        network = run.parts.space.build(trial.architecture)
        load_weights(network, folder / WEIGHTS_FILE)
        document: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return network.eval(), document
    network = inherited_network(run, trial, pictures_of(run))
    origin = IN_SEARCH if run.parts.evaluator == TRAIN else INHERITED
    return network, {"weights": origin, "validation_top1": trial.metrics.get("top1")}


def inherited_network(run: StoredRun, trial: Trial, pictures: Pictures) -> nn.Module:
    """The member with the weights that it was scored with in the search, in eval mode.

    The supernet's with batch norms recalibrated, or those of its own training. `NotFound` where they were not kept, or
    nothing was trained.
    """
    if run.parts.evaluator == ZERO_COST:
        raise NotFound(
            f"run '{run.name}' trained no network, it asked a proxy; first type: nas train {run.name} --pick "
            f"{trial.architecture.id}"
        )
    if run.parts.evaluator == TRAIN:
        return _kept_network(run, trial)
    return recalibrated(run, trained_supernet(run).extract(trial.architecture), trial, pictures)


def recalibrated(run: StoredRun, network: nn.Module, trial: Trial, pictures: Pictures) -> nn.Module:
    """A network out of the supernet, in eval mode, with the batch-norm statistics that it was scored with."""
    size = run.parts.space.input_size(trial.architecture)[1:]
    sample = calibration_sample(pictures.train.images, run.config.seed)
    with torch_threads(1):  # as in the search: on other numbers of threads the last bits differ
        recalibrate(network, batches(sample, size, pictures.mean, pictures.std))
    return network.eval()


def pictures_of(run: StoredRun, include_test: bool = False) -> Pictures:
    """The run's pictures for training and validation, and those for the test where they are asked for."""
    return _data(run, include_test)[1]


def trained_supernet(run: StoredRun) -> Any:
    """The run's supernet with its trained weights; `NotFound` where it has none."""
    if not run.supernet_path.is_file():
        raise NotFound(
            f"run '{run.name}' has no trained supernet; type: nas resume {run.name}, or train --from-scratch"
        )
    supernet: Any = run.parts.space.supernet()
    from_arrays(supernet, model_arrays(run.supernet_path))
    return supernet


def _kept_network(run: StoredRun, trial: Trial) -> nn.Module:
    path = run.kept_weights / f"{trial.architecture.id}.safetensors"
    if not path.is_file():
        raise NotFound(
            f"the weights of network {trial.architecture.id} were not kept: only those of the front are; type: nas "
            f"train {run.name} --pick {trial.architecture.id} --from-scratch"
        )
    network = run.parts.space.build(trial.architecture)
    load_weights(network, path)
    return network.eval()


def load_weights(network: nn.Module, path: Path) -> None:
    """Loads a safetensors file into `network`; `FitnasError` where it is damaged or of another network."""
    from safetensors import SafetensorError

    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise FitnasError(f"{path} does not hold this network's weights ({error}); train or export it again") from None


def _data(run: StoredRun, include_test: bool) -> tuple[DataDescription, Pictures]:
    """The run's pictures at its largest resolution; `WrongUse` where they have changed."""
    description = run.described_data()
    pictures = load(description, run.picture_size, run.config.seed, include_test=include_test, cache=run.cache)
    return description, pictures


def stored_answers(run: StoredRun, folder: Path, description: DataDescription, pictures: Pictures) -> StoredLogits:
    """A teacher's answers for the run's training pictures, which are read again at the size of the views.

    They are normalised as the run's own, so that the network sees at last what it saw in training.
    """
    size = Manifest.read(folder).size
    if size != pictures.size:
        at_size = load(description, size, run.config.seed, cache=run.cache)
        pictures = replace(at_size, mean=pictures.mean, std=pictures.std)
    return StoredLogits.open(folder, pictures, description)


def _progress(report: Report, tracker: Tracker, at: "Progress") -> None:
    report(at.step, at.steps, f"epoch {at.epoch}/{at.epochs}, loss {at.loss:.3f}")
    tracker.training("training", at)


def _tracker(run: StoredRun, trial: Trial, checkpoint: Path) -> Tracker:
    """Where the training's figures go; those of an earlier training of this member are void unless it goes on."""
    part, going_on = f"member-{trial.architecture.id}", checkpoint.is_file()
    tracker = Tracker(parse_sinks(run.config.tracking), run.tracking, run.name, part, fresh=not going_on)
    tracker.configuration(run.config.shareable().to_toml())
    return tracker


def _fresh(run: StoredRun, trial: Trial, seed: int) -> nn.Module:
    with random_numbers(seed):
        return run.parts.space.build(trial.architecture)


def _scores(network: nn.Module, pictures: Pictures, part: str, size: tuple[int, int]) -> Scores:
    labelled = getattr(pictures, part)
    return evaluate(network, labelled.images, labelled.labels, size, pictures.mean, pictures.std)


def _keep(
    run: StoredRun, network: nn.Module, report: MemberReport, checkpoint: Path, policy: QuantizationPolicy | None
) -> None:
    """Weights, report and policy for good; the checkpoint of their training is not needed any more."""
    report.path.mkdir(parents=True, exist_ok=True)
    run.directory.write(report.path / WEIGHTS_FILE, weights_file(network))
    run.directory.write(report.path / REPORT_FILE, json.dumps(report.to_document(), indent=2) + "\n")
    if policy is not None:
        run.directory.write(report.path / POLICY_FILE, json.dumps(policy.to_document(), indent=2) + "\n")
    for finished in (checkpoint, previous_path(checkpoint)):
        finished.unlink(missing_ok=True)
