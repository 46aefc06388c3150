"""What takes more than what is in memory: one network of a run, its drawing, the whole report."""

import asyncio
import gzip
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.core.trial import Trial
from nas.reporting.drawing import drawing_of
from nas.reporting.member import member_document
from nas.run import StoredRun
from nas.service.live.moment import Moment
from search_spaces.core.errors import NotFound

_LEVEL = 4


@dataclass(frozen=True)
class PageReport:
    """A report, gzipped, and the Content-Security-Policy that it is made for."""

    compressed: bytes
    policy: str


def architecture(moment: Moment, pick: str) -> dict[str, Any]:
    """All that is known of the network that `pick` means; errors as `Moment.row_of`."""
    trial = _trial(moment, pick)
    kind = moment.kinds[int(moment.table.rows_of(np.asarray([trial.number]))[0])]
    return member_document(moment.run, trial) | {"kind": kind, "marks": _marks(moment, trial)}


def drawing(moment: Moment, pick: str) -> str:
    """The network as SVG text; errors as `Moment.row_of`."""
    trial = _trial(moment, pick)
    return drawing_of(moment.run, trial, " and ".join(_marks(moment, trial))).svg()


def _marks(moment: Moment, trial: Trial) -> list[str]:
    return [mark for mark, number in moment.marked.items() if number == trial.number]


def _trial(moment: Moment, pick: str) -> Trial:
    number = int(moment.table.numbers[moment.row_of(pick)])
    with moment.run.store() as store:
        found = store.trials_of(moment.name, [number])
    if not found:
        raise NotFound(f"trial {number} of run '{moment.name}' is gone: the run was deleted or replaced")
    return found[0][1]


async def report(run: StoredRun) -> PageReport:
    """The run's page, written by a process of its own: what draws it takes seconds and more memory than the service."""
    processes = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        return await asyncio.get_running_loop().run_in_executor(processes, _report, run)
    finally:
        processes.shutdown(wait=False, cancel_futures=True)


def _report(run: StoredRun) -> PageReport:
    from nas.reporting.report import REPORT_POLICY, report_html
    from nas.reporting.run_view import RunView

    return PageReport(gzip.compress(report_html(RunView.of(run)).encode(), _LEVEL), REPORT_POLICY)
