"""One evaluation after the other in this process: no start-up, easy to debug."""

from nas.conductor import Conductor, Proposal
from nas.execution.backend import Accounting, Backend, Evaluator, MakeEvaluator, Outcome, Stopwatch, outcomes
from nas.execution.signals import Abandoned, StopOnSignals


class Inline(Backend):
    """Evaluates in the calling process; `Settings.workers` above 1 has no effect."""

    def run(self, conductor: Conductor, make_evaluator: MakeEvaluator) -> Accounting:
        """See `Backend.run`; what building the evaluator raises is raised."""
        watch = Stopwatch()
        with StopOnSignals(conductor) as signals:
            evaluator = None
            while isinstance(proposal := conductor.propose(), Proposal):
                try:
                    with signals.abandonable():
                        evaluator = evaluator or make_evaluator()
                        outcome = _evaluated(conductor, evaluator, proposal)
                except Abandoned:
                    break
                watch.result(outcome.seconds)
                outcome.report_to(conductor, proposal.number)
        return watch.accounting(1, conductor.evaluation_seconds)


def _evaluated(conductor: Conductor, evaluator: Evaluator, proposal: Proposal) -> Outcome:
    """The outcome of the last stage that the conductor lets it reach."""
    for outcome in outcomes(evaluator, proposal.architecture):
        if outcome.last or not conductor.goes_on(proposal.number, outcome.metrics):
            break
    return outcome


BACKEND = Inline
