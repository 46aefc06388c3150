"""The sections of a report, each from a view of the run to HTML."""

import json
from pathlib import Path

from nas.assembly import ACCURACY_OF
from nas.front_latency import promises
from nas.reporting import html
from nas.reporting.commands import next_commands, search_command
from nas.reporting.drawing import drawing_of
from nas.reporting.figures import MOST_BARS, Figures, most_confused, resource_limits
from nas.reporting.parallel import MOST_CHOICES, MOST_LINES
from nas.reporting.run_view import DOMINATED, FAILED, FRONT, OVER_BUDGET, RunView, TrainedMember
from nas.reporting.tables import measured_words, quantity, schedule, telling_choice, telling_option, title
from nas.run import UNFINISHED
from predictors.core.metric import METRICS
from predictors.hardware.counts import MAC_CONVENTIONS

_FIGURES_OF_A_MEMBER = ("top1", "balanced_top1", "macs", "peak_sram_bytes", "flash_bytes", "params")
_IN_A_SENTENCE = {"top1": "accuracy", "macs": "MACs", "peak_sram_bytes": "of SRAM"}
_MOST_ERRORS = 5


def summary(view: RunView) -> str:
    """One sentence on the run, its state, and tiles with the figures that matter."""
    parts = [f'<p class="lead">{html.text(sentence(view))}</p>', _state(view), _tiles(view)]
    return "\n".join(part for part in parts if part)


def sentence(view: RunView) -> str:
    """What the search found, as one would say it to a colleague."""
    limits = "; ".join(view.parts.budget.describe(view.parts.runtime)) or "no limit"
    evaluated = f"{len(view.trials):,} network{'s' if len(view.trials) != 1 else ''} of {view.config.space}"
    start = f"Of {evaluated} evaluated on {Path(view.config.data).name} under {limits}, "
    if not view.marked:
        return start + "none is complete and within the budget: there is no front yet."
    best, knee = (_in_words(view, mark) for mark in ("best", "knee"))
    count = f"{len(view.front):,} form{'s' if len(view.front) == 1 else ''} the Pareto front"
    if view.marked["best"].number == view.marked["knee"].number:
        return f"{start}{count}; best and knee are one network: {best}."
    return f"{start}{count}. The best has {best}; the knee, the best compromise, has {knee}."


def _in_words(view: RunView, mark: str) -> str:
    figures = view.marked[mark].metrics
    columns = list(dict.fromkeys([o.column for o in view.parts.objectives] + list(_IN_A_SENTENCE)))
    named = {column: _IN_A_SENTENCE.get(column, title(column)) for column in columns if column in figures}
    return ", ".join(f"{quantity(column, figures[column])} {words}" for column, words in named.items())


def _state(view: RunView) -> str:
    """What a reader has to know before believing the figures."""
    state, parts = view.run.state, []
    if view.parts.unexecutable:
        parts.append(f"Not executable: {view.parts.unexecutable}. Accuracy is simulated, and no latency is known.")
    if state in UNFINISHED or (state != "complete" and len(view.trials) < view.config.trials):
        parts.append(
            f"State: {state}, {len(view.trials):,} of {view.config.trials:,} trials. This report shows the run as it "
            f"stood; write it again later with: nas report {view.name}"
        )
    failed = view.errors()
    if failed:
        parts.append(f"{sum(count for _, count in failed):,} evaluations failed:")
        parts += [f"{count:,} x {message or 'no message'}" for message, count in failed[:_MOST_ERRORS]]
    parts += [f"Take care: {view.parts.warning}."] if view.parts.warning else []
    parts += [f"{path} is damaged and left out; train that network again" for path in view.damaged]
    return "\n".join(html.paragraph(words, "warn") for words in parts)


def _tiles(view: RunView) -> str:
    rejected = sum(trial.rejected for trial in view.trials)
    seconds = sum(trial.seconds for trial in view.trials)
    tiles = [(f"{len(view.trials):,}", f"networks evaluated in {seconds:,.0f} s"), (f"{rejected:,}", "rejected before")]
    tiles.append((f"{len(view.front):,}", "on the front"))
    if view.marked:
        tiles.insert(0, (f"{view.front.hypervolume:.4f}", "hypervolume, of the box from ideal to limits"))
        first = view.parts.objectives[0].column
        for mark in ("knee", "best"):
            shown = quantity(first, view.marked[mark].metrics[first])
            tiles.insert(0, (shown, f"{title(first)} of the {mark}"))
    tiles += [
        (quantity("top1", member.document["test_top1"]), f"test accuracy of {member.id}, trained")
        for member in view.trained
    ]
    cells = "".join(
        f'<div class="tile"><b>{html.text(value)}</b><span>{html.text(of)}</span></div>' for value, of in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def front(view: RunView, figures: Figures) -> str:
    """The front's figures, and its table in full."""
    objectives = ", ".join(f"{o.key} ({o.metric.better} is better)" for o in view.parts.objectives)
    hidden = [kind for kind in (OVER_BUDGET, FAILED) if len(view.of_kind(kind))]
    asked = f" {' and '.join(hidden)} points show when their name in the legend is chosen." if hidden else ""
    plots = [
        html.plot(name, _front_caption(view, name), 380)
        for name in figures
        if name == "front" or name.startswith("front ")
    ]
    note = html.paragraph(
        f"Objectives: {objectives}. Faint points are dominated; dashed lines are limits.{asked} Drag to move, use the "
        "tool bar to zoom, double-click to see all.",
        "soft",
    )
    if not view.marked:
        return html.section("front", "Pareto front", _empty(view), note if plots else "", _grid(plots))
    return html.section("front", "Pareto front", note, _grid(plots), "<h3>All members</h3>", _front_table(view))


def _empty(view: RunView) -> str:
    if not view.trials:
        return html.paragraph(f"No network has been evaluated yet (state: {view.run.state}); nothing can be drawn.")
    return html.paragraph("The front is empty: no evaluated network is complete and within the budget.")


def _front_caption(view: RunView, name: str) -> str:
    first = title(view.parts.objectives[0].column)
    across = name.removeprefix("front").strip()
    others = [objective.column for objective in view.parts.objectives[1:]]
    against = title(across or others[0]) if across or others else "evaluations"
    limited = across in view.parts.budget.limits and across not in others
    return f"{first} against {against}{' (a limit, no objective: members may lie anywhere)' if limited else ''}"


def _grid(plots: list[str]) -> str:
    return f'<div class="grid">{"".join(plots)}</div>' if plots else ""


def _front_table(view: RunView) -> str:
    shown = list(dict.fromkeys([*(o.column for o in view.parts.objectives), *_FIGURES_OF_A_MEMBER]))
    columns = [column for column in shown if any(column in trial.metrics for trial in view.front)]
    tested = {member.id: quantity("top1", member.document["test_top1"]) for member in view.trained}
    kept = {each.id: [f"{figure:.4g}" for figure in (each.promised, each.measured)] for each in promises(view.run)}
    rows, telling = [], telling_choice(view.front)
    for trial in view.front:
        marks = [mark for mark, marked in view.marked.items() if marked.number == trial.number]
        figures = [quantity(column, trial.metrics[column]) if column in trial.metrics else "-" for column in columns]
        told = telling_option(trial, telling)
        id_ = trial.architecture.id
        last = [tested.get(id_, "not trained"), told, schedule(trial.patches, trial.split), str(trial.number)]
        rows.append([id_, ", ".join(marks), *figures, *(kept.get(id_, ["-", "-"]) if kept else []), *last])
    promised = ["promised ms", "measured ms"] if kept else []
    headings = [
        "network",
        "",
        *(title(column) for column in columns),
        *promised,
        "test, trained",
        telling,
        "schedule",
        "trial",
    ]
    return html.table(headings, rows, (0, 1, len(headings) - 2))


def networks(view: RunView) -> str:
    """The knee and the best, drawn operator by operator."""
    if not view.marked:
        return ""
    by_number: dict[int, list[str]] = {}
    for mark in ("knee", "best"):
        by_number.setdefault(view.marked[mark].number, []).append(mark)
    drawings = [
        drawing_of(view.run, view.marked[marks[0]], " and ".join(marks)).svg(styled=False)
        for marks in by_number.values()
    ]
    boxes = "".join(f'<div class="net-box scroll" tabindex="0">{svg}</div>' for svg in drawings)
    words = (
        "One row an operator, in the order of execution: its output as channels x height x width, and the bytes that "
        f"are alive while it runs ({view.parts.numbers}, runtime {view.parts.runtime}). Shaded operators run patch by "
        "patch."
    )
    return html.section(
        "networks", "The chosen networks", html.paragraph(words, "soft"), f'<div class="grid">{boxes}</div>'
    )


def resources(view: RunView, figures: Figures) -> str:
    """How much of each limit the members use."""
    if not resource_limits(view):
        words = "The run has no limit on memory, size or work: give one with --budget, or a chip with --device."
        return html.section("resources", "Use of the budget", html.paragraph(words))
    if "resources" not in figures:
        return ""
    device = view.parts.device
    chip = f"{device.title}, less what is reserved for the rest of the firmware" if device else "the budget"
    which = "every member" if len(view.front) <= MOST_BARS else f"{MOST_BARS} members, evenly spread, best and knee"
    caption = f"Use of {which}, as a share of the limits ({chip}); the dashed line is the limit"
    return html.section("resources", "Use of the budget", _plot(figures, "resources", caption))


def progress(figures: Figures) -> str:
    """How the hypervolume grew."""
    if "hypervolume" not in figures:
        return ""
    caption = (
        "Hypervolume: the share of the reference box that the front dominates, against evaluations and against the "
        "seconds that they took, added up over workers, without the supernet's training"
    )
    return html.section("progress", "How the search went", _plot(figures, "hypervolume", caption))


def choices(view: RunView, figures: Figures) -> str:
    """Parallel coordinates."""
    if "parallel" not in figures:
        return ""
    total = len(view.choices)
    caption = (
        f"A line a network: the choices on which {title(view.parts.objectives[0].column)} depends most by rank "
        f"correlation (at most {MOST_CHOICES} of {total}), then the metrics. Front members in colour, at most "
        f"{MOST_LINES} others grey. Drag along an axis to keep the lines that pass there"
    )
    return html.section("choices", "Choices and what they gave", _plot(figures, "parallel", caption, "wide"))


def confusions(view: RunView, figures: Figures) -> str:
    """What each trained member takes for what."""
    if not view.trained and not view.marked:
        return ""
    if not view.trained:
        words = (
            f"No network is trained yet: {ACCURACY_OF[view.parts.evaluator]}. Type: nas train {view.name} --pick knee"
        )
        return html.section("trained", "Trained networks", html.paragraph(words))
    parts = [part for member in view.trained for part in _trained(member, figures)]
    return html.section("trained", "Trained networks", *parts)


def _trained(member: TrainedMember, figures: Figures) -> list[str]:
    document, name = member.document, f"confusion {member.id}"
    words = (
        f"{document.get('weights', 'trained')}, {document.get('epochs', '?')} epochs: validation "
        f"{quantity('top1', document['validation_top1'])}, test {quantity('top1', document['test_top1'])} on "
        f"{int(member.confusion.sum()):,} pictures that the search never saw."
    )
    shown, total = len(most_confused(member)), len(member.class_names)
    kept = f"; the {shown} of {total} classes with the most mistakes" if shown < total else ""
    caption = f"Test pictures: true class by row, predicted by column, coloured by the share of the true class{kept}"
    return [f"<h3>{html.text(member.id)}</h3>", html.paragraph(words), _plot(figures, name, caption, "confusion")]


def _plot(figures: Figures, name: str, caption: str, style: str = "") -> str:
    return html.plot(name, caption, int(figures[name].layout.height), style)


def trials(view: RunView) -> str:
    """The place of the table of every trial; the page's script fills it."""
    if not view.trials:
        return ""
    controls = """<div class="controls">
<button type="button" id="trials-previous">Previous</button>
<button type="button" id="trials-next">Next</button>
<span id="trials-where" role="status"></span>
<label>network id <input type="search" id="trials-find" size="12"></label>
<label><input type="checkbox" id="trials-front"> front only</label>
<label><input type="checkbox" id="trials-choices"> choices</label>
</div>
<noscript><p>The table needs JavaScript; the same rows stand in trials.parquet.</p></noscript>
<div class="scroll" tabindex="0"><table id="trials-table"><thead></thead><tbody></tbody></table></div>"""
    counts = {kind: len(view.of_kind(kind)) for kind in (FRONT, DOMINATED, OVER_BUDGET, FAILED)}
    words = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
    note = html.paragraph(f"{words}. A column's name sorts by it. The same rows stand in trials.parquet.", "soft")
    printed = html.paragraph("The table is not printed.", "printed")
    return html.section("trials", "All trials", note, controls, printed)


def commands(view: RunView) -> str:
    """How to make it again, and what to type next."""
    following = [f"nas resume {view.name}"] if len(view.trials) < view.config.trials else []
    following += next_commands(view.run) if view.marked else [f"nas report {view.name}"]
    metrics = [m for m in METRICS.values() if m.column in view.metric_columns]
    measured = measured_words(view.parts.whose)
    conventions = (
        f"SRAM and flash are for {view.parts.numbers} and runtime {view.parts.runtime}{measured}; MACs count "
        f"{MAC_CONVENTIONS[view.config.mac_convention]}, with what patches compute again; unless it says trained, "
        f"{ACCURACY_OF[view.parts.evaluator]}, and always on validation pictures."
    )
    facts = {
        "created": view.record.created,
        "last change": view.record.updated,
        "data": f"{view.config.data}, hash {view.record.data_hash[:16]}",
        "space": f"{view.config.space}, {json.dumps(view.parts.space.settings.model_dump(mode='json'))}",
        "seed": str(view.config.seed),
        "metrics": ", ".join(f"{m.key} ({m.unit or 'no unit'})" for m in metrics),
    }
    return html.section(
        "commands",
        "Made by, and what to type next",
        f"<pre>{html.text(search_command(view.config))}</pre>",
        "<h3>Next</h3>",
        f"<pre>{html.text(chr(10).join(following))}</pre>",
        "<h3>Whose figures these are</h3>",
        html.paragraph(conventions),
        html.table(["", ""], list(facts.items()), (0, 1)),
    )
