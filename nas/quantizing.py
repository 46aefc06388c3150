"""`nas quantize`: widths for every operator of one trained network within a budget, by one policy or by all."""

import functools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from nas.core.budget import Budget
from nas.core.trial import Trial
from nas.member import member_folder, network_of, pictures_of
from nas.member_quantization import POLICY_FILE, calibration_batches, table_of
from nas.progress import Report, Reporter, Silent
from nas.quantization.policies import DEFAULT, Task, policy, policy_names
from nas.quantization.policies.integer_program import allocate
from nas.quantization.policies.options import ADDITIVE, Options
from nas.quantization.quantized import quantize
from nas.run import StoredRun
from nas.storage.files import check_free, write_atomically
from nas.training.data import Pictures
from nas.training.loop import evaluate
from predictors.core.metric import METRIC_OF_COLUMN
from predictors.hardware.memory import lacking_widths, memory_rule
from search_spaces.core.errors import Infeasible, WrongUse
from search_spaces.core.policy import FP32, QuantizationPolicy, Width, widths

ALL = "all"


@dataclass(frozen=True)
class Outcome:
    """What one policy found. `figures`: exact, by column. `evaluations`: quantized networks scored on the calibration
    pictures; `gradients`: batches differentiated; the accuracy on validation is not among what was paid for.
    """

    name: str
    policy: QuantizationPolicy
    figures: dict[str, int]
    validation: float
    evaluations: int
    gradients: int
    seconds: float

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "policy": self.name,
            **self.figures,
            "validation_top1": self.validation,
            "evaluations": self.evaluations,
            "gradients": self.gradients,
            "seconds": round(self.seconds, 3),
            "widths": self.policy.to_document()["widths"],
        }


@dataclass(frozen=True)
class QuantizationReport:
    """Outcomes in the order asked; of policies without a uniform width within the budget a note instead.

    `floats`: the network as it was trained, with all in 32 bits. `kept`: the outcome of best validation accuracy, ties
    to the first, whose policy lies at `path`. `test`, `float_test`: accuracy on pictures looked at for these two alone.
    """

    run: str
    id: str
    weights: str
    runtime: str
    budget: Budget
    floats: Outcome
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]
    kept: Outcome
    test: float
    float_test: float
    path: Path

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "run": self.run,
            "id": self.id,
            "weights": self.weights,
            "runtime": self.runtime,
            "budget": self.budget.describe(self.runtime),
            "floats": {**self.floats.figures, "validation_top1": self.floats.validation, "test_top1": self.float_test},
            "policies": [outcome.to_document() for outcome in self.outcomes],
            "notes": list(self.notes),
            "kept": self.kept.name,
            "test_top1": self.test,
            "path": str(self.path),
        }


@dataclass(frozen=True)
class Question:
    """What is asked of the policies: `name` of one, or `all`.

    `widths`: such as fp32,int8,w4a8; those that the runtime executes unless told. `runtime`: the run's unless told.
    """

    budget: str
    name: str = DEFAULT
    widths: str | None = None
    runtime: str | None = None
    allow_unexecutable: bool = False

    @property
    def names(self) -> list[str]:
        """Of the policies."""
        return policy_names() if self.name == ALL else [self.name]


def quantize_member(
    run: StoredRun,
    pick: str,
    question: Question,
    *,
    out: Path | None = None,
    force: bool = False,
    reporter: Reporter | None = None,
) -> QuantizationReport:
    """Finds a policy for one member and writes it: to `out`, or into the member's folder.

    `Infeasible` where no widths are within the budget, with the smallest that can be reached; `WrongUse` where the
    runtime lacks a width, or the budget limits what widths do not decide.
    """
    for each in question.names:
        policy(each)
    if out is not None:
        check_free(out, force)
    trial, runtime = run.pick(pick), question.runtime or run.parts.runtime
    budget = _limits(question.budget)
    among = executed_widths(question.widths, runtime, question.allow_unexecutable)
    table = table_of(run, trial)
    options = Options.of(table, among, runtime, budget.limits)
    allocate(options, np.zeros(options.shape))  # says so where nothing fits, before a network is read
    subject = Subject.of(run, trial, options)
    outcomes, notes = _found(subject, question, reporter or Silent())
    kept = max(outcomes, key=lambda outcome: outcome.validation)
    return QuantizationReport(
        run.name,
        trial.architecture.id,
        subject.weights,
        runtime,
        budget,
        subject.floats(Options.of(table, (FP32,), runtime, {})),
        tuple(outcomes),
        tuple(notes),
        kept,
        subject.top1(kept.policy, "test"),
        subject.float_top1("test"),
        _write(run, trial, kept.policy, out),
    )


def _found(subject: "Subject", question: Question, reporter: Reporter) -> tuple[list[Outcome], list[str]]:
    """What each policy found, and why one of several found nothing."""
    outcomes, notes = [], []
    for name in question.names:
        with reporter.progress(f"policy {name}") as report:
            try:
                outcomes.append(subject.answer(name, functools.partial(_tell, report)))
            except Infeasible as error:
                if question.name != ALL:
                    raise
                notes.append(f"{name}: {error}")
    return outcomes, notes


def _tell(report: Report, done: int, total: int) -> None:
    report(done, total, "")


def executed_widths(names: str | None, runtime: str, allow_unexecutable: bool) -> tuple[Width, ...]:
    """The widths of these names, or all that the runtime executes, from few bits to many; `WrongUse` where it lacks
    one and that is not allowed.
    """
    found = widths(names if names is not None else memory_rule(runtime).widths)
    lacking_widths(runtime, [each.name for each in found], "--widths", allow_unexecutable)
    return found


@dataclass(frozen=True)
class Subject:
    """One trained network, its pictures and its task."""

    network: nn.Module
    weights: str
    size: tuple[int, int]
    pictures: Pictures
    batches: Sequence[Tensor]
    task: Task

    @classmethod
    def of(cls, run: StoredRun, trial: Trial, options: Options) -> "Subject":
        """A member as it is, trained or with inherited weights; calibration pictures are training pictures."""
        network, origin = network_of(run, trial)
        pictures = pictures_of(run, include_test=True)
        size = run.parts.space.input_size(trial.architecture)[1:]
        batches = calibration_batches(pictures, size, run.config.seed)
        return cls(network, origin["weights"], size, pictures, batches, Task.of(network, options, batches))

    def under(self, options: Options) -> "Subject":
        """The same network under other limits."""
        return replace(self, task=replace(self.task, options=options))

    def answer(
        self,
        name: str,
        progress: Callable[[int, int], None] = lambda done, total: None,
        known: dict[bytes, float] | None = None,
    ) -> Outcome:
        """What the policy of that name finds, scored on validation; without asking it where the widest widths fit.

        `known`: losses that were measured for another policy or limit.
        """
        task, began = self.task.fresh(progress, known), time.monotonic()
        options = task.options
        choice = options.widest if options.fits(options.widest) else policy(name)(task)
        seconds, found = time.monotonic() - began, options.policy(choice)
        validation = self.top1(found, "validation")
        evaluations, gradients = task.spent.evaluations, task.spent.gradients
        return Outcome(name, found, options.figures(choice), validation, evaluations, gradients, seconds)

    def floats(self, options: Options) -> Outcome:
        """The network as it is, of options that are floats alone."""
        found, figures = options.policy(options.widest), options.figures(options.widest)
        return Outcome("floats", found, figures, self.float_top1("validation"), 0, 0, 0.0)

    def top1(self, found: QuantizationPolicy, part: str) -> float:
        """Accuracy under a policy on `validation` or `test`: exactly as it will be quantized."""
        quantized = quantize(self.network, self.task.options.names, found, self.batches)
        return self._scored(quantized.simulated(), part)

    def float_top1(self, part: str) -> float:
        """Accuracy without any."""
        return self._scored(self.network, part)

    def _scored(self, network: nn.Module, part: str) -> float:
        images, labels = getattr(self.pictures, part)
        return evaluate(network, images, labels, self.size, self.pictures.mean, self.pictures.std).top1


def _limits(text: str) -> Budget:
    budget = Budget.parse(text)
    other = [METRIC_OF_COLUMN[column].key for column in budget.limits if column not in ADDITIVE]
    if other:
        known = ", ".join(METRIC_OF_COLUMN[column].key for column in ADDITIVE)
        raise WrongUse(f"--budget {other[0]}: a policy is held to {known}, which widths alone decide; leave it away")
    return budget


def _write(run: StoredRun, trial: Trial, found: QuantizationPolicy, out: Path | None) -> Path:
    text = json.dumps(found.to_document(), indent=2) + "\n"
    if out is not None:
        write_atomically(out, text, run.name)
        return out
    folder = member_folder(run, trial.architecture.id)
    with run.directory.lock():
        folder.mkdir(parents=True, exist_ok=True)
        run.directory.write(folder / POLICY_FILE, text)
    return folder / POLICY_FILE
