"""What `nas search` and `nas resume` do between the flags and the exit code."""

import sys
from pathlib import Path
from typing import Any

from nas.assembly import PROPOSE, RUNS, Parts, assemble
from nas.cli.console import TerminalReporter, stdout
from nas.conductor import StopReason
from nas.config import RunConfig
from nas.core.budget import Budget
from nas.progress import Reporter
from nas.reporting.outcome import outcome_document, print_outcome
from nas.run import StoredRun
from nas.searching import Admitted, Outcome, Prepared, admit, prepare, resume, start
from predictors.core.metric import METRIC_OF_COLUMN
from search_spaces.core.errors import WrongUse

_STOPPED_EARLY = 5
_EXIT_OF = {
    StopReason.TRIALS: 0,
    StopReason.EXHAUSTED: 0,
    StopReason.DEADLINE: _STOPPED_EARLY,
    StopReason.INTERRUPTED: 130,
    StopReason.TERMINATED: 143,
}


class Session:
    """One `nas search`: the configuration from flags and file, then the search or its dry run."""

    def __init__(self, given: dict[str, Any], settings: list[str], file: Path | None) -> None:
        named = {name: given[name] for name in RunConfig.model_fields if name in given}
        flags = {name: value for name, value in named.items() if value is not None and value is not False}
        if "budget" in flags:
            Budget.parse(flags["budget"])  # an empty --budget is a mistake in a script, not a wish for no budget
        changes = flags | ({"set": parsed_settings(settings)} if settings else {})
        if file is None and "space" not in changes:
            raise WrongUse("name a search space, for example: nas search --space mcunetv2; nas spaces lists them")
        self.config = RunConfig.from_toml(file, **changes) if file else RunConfig.checked(**changes)
        self.data_given = "data" in self.config.model_fields_set

    def search(self, *, force: bool, as_json: bool, json_events: bool, quiet: bool) -> int:
        """Searches and prints the front; returns the exit code."""
        reporter = TerminalReporter(quiet, json_events)
        prepared = prepare(self.config, reporter=reporter)
        self._tell_of_data(prepared, reporter)
        self._tell(prepared, reporter)
        with reporter.searching():
            outcome = start(prepared, reporter, RUNS, force)
        return finished(outcome, as_json=as_json, quiet=json_events)

    def search_there(
        self, server: str, token_file: Path | None, *, dry_run: bool, force: bool, as_json: bool, json_events: bool,
        quiet: bool,
    ) -> int:  # fmt: skip
        """The same on a service; what only works here is `WrongUse`."""
        if dry_run or json_events:
            raise WrongUse("--server searches; leave --dry-run and --json-events away")
        from nas.cli.remote import search_there

        return search_there(self.config, server, token_file, force=force, as_json=as_json, quiet=quiet)

    @property
    def needs_no_data(self) -> bool:
        """Whether only the space's own rule is asked for: without data it trains nothing."""
        return self.config.strategy == PROPOSE and not self.data_given

    def propose(self, *, as_json: bool, quiet: bool) -> int:
        """Prints what the space's own rule gives for the budget, for its published input."""
        from nas.reporting.proposals import Proposals, print_proposals

        reporter = TerminalReporter(quiet)
        parts = assemble(self.config, None)
        _tell_of_published_input(parts, reporter)
        for line in (*parts.space.explain(), *parts.budget.describe(parts.runtime), *parts.notes()):
            reporter.note(f"space {parts.space.name}: {line}")
        _tell_of_the_gate(parts, reporter)
        document = Proposals.of(parts, reporter).to_document()
        if as_json:
            print_json(document)
        else:
            print_proposals(stdout(), document)
        return 0

    def _tell_of_data(self, prepared: Prepared, reporter: TerminalReporter) -> None:
        if not self.data_given:
            reporter.note("no --data: using scikit-learn's digits")
        for line in prepared.description.lines():
            reporter.note(f"data {line}")

    def _tell(self, prepared: Admitted, reporter: TerminalReporter) -> None:
        for line in prepared.parts.space.explain():
            reporter.note(f"space {prepared.parts.space.name}: {line}")
        for line in prepared.parts.budget.describe(prepared.parts.runtime):
            reporter.note(f"budget {line}")
        if prepared.config.time:
            reporter.note(
                "with --time the archive depends on the machine's speed; by --trials alone it follows from the seed"
            )
        _tell_of_the_gate(prepared.parts, reporter, from_above=self._comes_from_above(prepared.parts))
        feasible = prepared.feasibility
        if prepared.parts.budget and not feasible.binding and not prepared.parts.measure:
            reporter.note(
                "the budget does not bind: every sampled architecture fits; a tighter one would change the search"
            )
        elif prepared.parts.budget:
            what = "exact limits" if prepared.parts.measure else "budget"
            reporter.note(f"{100 * feasible.share:.2g} % of {feasible.sampled:,} sampled architectures fit the {what}")
        if feasible.refused is not None:
            from nas.reporting.dry_run import refused_line

            reporter.note(refused_line(feasible.refused, feasible.sampled))

    def _comes_from_above(self, parts: Parts) -> bool:
        """Whether networks beyond the limits are measured too, and trained: a rule comes down from them."""
        return self.config.strategy == PROPOSE and parts.space.rule_exceeds_budget

    def dry_run(self, *, as_json: bool, quiet: bool) -> int:
        """Prints what the budget admits; without data, of the space's published input."""
        from nas.reporting.dry_run import dry_run_document, print_dry_run

        reporter = TerminalReporter(quiet)
        dry = prepare(self.config, reporter=reporter) if self.data_given else admit(self.config, reporter=reporter)
        if isinstance(dry, Prepared):
            self._tell_of_data(dry, reporter)
        else:
            _tell_of_published_input(dry.parts, reporter)
        self._tell(dry, reporter)
        document = dry_run_document(dry, reporter)
        if as_json:
            print_json(document)
        else:
            print_dry_run(stdout(), document)
        return 0


def _tell_of_published_input(parts: Parts, reporter: Reporter) -> None:
    channels, height, width = parts.space.input_size(parts.space.extremes()[1])
    size = f"{channels} channels, up to {height}x{width} pixels, {parts.space.settings.classes:,} classes"
    reporter.note(f"no --data: the space's published input, {size}")


def _tell_of_the_gate(parts: Parts, reporter: Reporter, from_above: bool = False) -> None:
    """Whose slow figures a search holds to its limits or improves, and what that means for its archive."""
    if parts.gate is None:
        return
    of = "of networks within the exact limits" + (" and of those the rule comes down from" if from_above else " alone")
    for column, whose in parts.gate.whose.items():
        reporter.note(f"{METRIC_OF_COLUMN[column].key} {whose}; asked {of}")
    if not parts.gate.repeatable:
        reporter.note("measured figures vary: what is found (the archive) may differ between runs of the same seed")


def resume_run(name: str, *, as_json: bool, json_events: bool, quiet: bool) -> int:
    """Goes on with a run and prints its front; returns the exit code."""
    from nas.storage.run_directory import RunDirectory

    reporter = TerminalReporter(quiet, json_events)
    with reporter.searching():
        outcome = resume(StoredRun(RunDirectory.open(RUNS, name)), reporter)
    return finished(outcome, as_json=as_json, quiet=json_events)


def finished(outcome: Outcome, *, as_json: bool, quiet: bool) -> int:
    """Prints how a search ended and returns its exit code."""
    if as_json:
        print_json(outcome_document(outcome))
    elif not quiet:
        print_outcome(stdout(), outcome)
    code = _EXIT_OF[outcome.reason]
    if code:
        sys.stderr.write(f"nas: {outcome.conclusion}; everything is saved, go on with: nas resume {outcome.run.name}\n")
    return code


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    import json

    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def parsed_settings(settings: list[str]) -> dict[str, str]:
    """The values of repeated `--set KEY=VALUE`; `WrongUse` where one is malformed or given twice."""
    result: dict[str, str] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not (equals and key.strip() and value.strip()):
            raise WrongUse(f"--set is KEY=VALUE, for example --set width=per_block; got '{text}'")
        if key.strip() in result:
            raise WrongUse(f"--set {key.strip()} is given twice")
        result[key.strip()] = value.strip()
    return result
