"""The quantization policies of a run's chosen networks: bits by operator, beside what each loses in few bits."""

from dataclasses import dataclass

from nas.core.trial import Trial
from nas.reporting import html
from nas.reporting.run_view import RunView
from nas.sensitivity import read_sensitivity
from search_spaces.combinators.quantization import WithQuantization


@dataclass(frozen=True)
class OperatorBits:
    """One operator: bits of its weights and of what it multiplies them with, and nats that its group lost alone."""

    name: str
    weight_bits: int
    input_bits: int
    loss: float | None


def operator_bits(view: RunView, trial: Trial) -> list[OperatorBits]:
    """Of a network in execution order; none where its architecture carries no policy."""
    space = view.parts.space
    if not isinstance(space, WithQuantization):
        return []
    losses = read_sensitivity(view.run) or {}
    widths = space.policy(trial.architecture).widths
    return [
        OperatorBits(name, each.weight_bits, each.input_bits, losses.get(space.group_of(name)))
        for name, each in widths.items()
    ]


def marked_policies(view: RunView) -> dict[str, Trial]:
    """The knee and the best by the name of their figure, each once."""
    if not isinstance(view.parts.space, WithQuantization):
        return {}
    return {f"policy {trial.architecture.id}": trial for trial in view.marked.values()}


def section(view: RunView, heights: dict[str, int]) -> str:
    """A figure a network; `heights` of those drawn, in pixels, by name."""
    drawn = [(name, trial) for name, trial in marked_policies(view).items() if name in heights]
    if not drawn:
        return ""
    words = (
        "Bits of each operator in the order of execution: of its weights, and of the activations that it multiplies "
        "(32 is a float). Points: what the answers change, in nats a picture, where the operator's group alone has the "
        "fewest bits; measured on the largest network with shared weights."
    )
    plots = [html.plot(name, f"Bits of {trial.architecture.id}", heights[name], "wide") for name, trial in drawn]
    return html.section("policies", "Bits", html.paragraph(words, "soft"), *plots)
