"""What a search over stitches says of its anchors: what training them together cost each, and whether it paid."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from nas.anchors import ALONE
from nas.core.trial import Trial
from nas.reporting import html
from nas.reporting.run_view import RunView
from nas.reporting.tables import quantity
from nas.run import StoredRun
from search_spaces.stitching.routes import letter

_CHOICE = "route"


@dataclass(frozen=True)
class AnchorOutcome:
    """An anchor with its validation accuracy alone and after the training together; None where it is not known.

    Alone is not known of one whose classifier was replaced, together not of one that was not evaluated.
    """

    letter: str
    name: str
    alone: float | None
    trial: Trial | None

    @property
    def together(self) -> float | None:
        """With the shared weights."""
        return None if self.trial is None else self.trial.metrics.get("top1")

    @property
    def lost(self) -> str:
        """In words: points it lost, or what is not known."""
        if self.alone is None:
            return "its classifier is new, so that it has no accuracy of its own here"
        if self.together is None:
            return f"{quantity('top1', self.alone)} alone, not evaluated together"
        points = 100 * (self.together - self.alone)
        told = f"{quantity('top1', self.alone)} alone, {quantity('top1', self.together)} trained together"
        return f"{told} ({points:+.1f} points)"


def anchor_outcomes(run: StoredRun, trials: Sequence[Trial]) -> list[AnchorOutcome]:
    """The anchors of a run in order of cost; none where it stitches nothing."""
    space = run.parts.space
    if not space.names_trained:
        return []
    path = run.path / ALONE
    alone = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    complete = {trial.architecture.options.get(_CHOICE): trial for trial in trials if trial.state == "complete"}
    letters = [letter(number) for number in range(len(space.settings.anchors))]
    return [
        AnchorOutcome(own, anchor.name, alone.get(own), complete.get(own))
        for own, anchor in zip(letters, space.settings.anchors, strict=True)
    ]


def anchor_lines(run: StoredRun, trials: Sequence[Trial]) -> list[str]:
    """A line an anchor, for the end of a search."""
    return [f"anchor {anchor.letter}, {anchor.name}: {anchor.lost}" for anchor in anchor_outcomes(run, trials)]


def section(view: RunView) -> str:
    """The anchors, and the best stitch within the budget beside them and beside what was trained alone."""
    anchors = anchor_outcomes(view.run, view.trials)
    if not anchors:
        return ""
    lost = [[anchor.letter, anchor.name, anchor.lost] for anchor in anchors]
    tables = [html.table(["", "anchor", "validation accuracy"], lost, (0, 1, 2)), "<h3>Does it pay?</h3>"]
    headings = ["network", "what it is", "validation", "test", "MACs", "seconds of training"]
    tables.append(html.table(headings, _beside(view, anchors), (0, 1)))
    tables.append(
        html.paragraph(
            "Within the budget: the best stitch, the anchors that fit, and members trained alone. One distilled for as "
            f"long as the stitches were trained is the fairest rival: nas train {view.name} --pick ID --from-scratch "
            "--distill LOGITS, then write this report again.",
            "soft",
        )
    )
    return html.section("stitching", "Stitching", *tables)


def _beside(view: RunView, anchors: Sequence[AnchorOutcome]) -> list[list[str]]:
    own = {anchor.trial.number for anchor in anchors if anchor.trial is not None}
    on_front = [trial for trial in view.front if trial.number not in own]
    rows = []
    if on_front and all("top1" in trial.metrics for trial in on_front):
        best = max(on_front, key=lambda trial: trial.metrics["top1"])
        rows.append(_row(best, "the best stitch", best.metrics["top1"]))
    fitting = {trial.number for kind in ("front", "dominated") for trial in _of_kind(view, kind)}
    rows += [
        _row(anchor.trial, f"anchor {anchor.letter} alone", anchor.alone)
        for anchor in anchors
        if anchor.trial is not None and anchor.trial.number in fitting
    ]
    by_id = {trial.architecture.id: trial for trial in view.trials}
    for member in view.trained:
        trial, document = by_id.get(member.id), member.document
        teacher = ", distilled" if document.get("teacher") else ""
        if trial is not None:
            row = _row(trial, f"{document['weights']}{teacher}", document["validation_top1"])
            rows.append([*row[:3], quantity("top1", document["test_top1"]), row[4], f"{document['seconds']:.0f}"])
    return rows


def _of_kind(view: RunView, kind: str) -> list[Trial]:
    return [view.trials[row] for row in view.of_kind(kind)]


def _row(trial: Trial, what: str, top1: float | None) -> list[str]:
    shown = "-" if top1 is None else quantity("top1", top1)
    route = str(trial.architecture.options.get(_CHOICE, trial.architecture.id))
    return [route, what, shown, "-", quantity("macs", trial.metrics["macs"]), "-"]
