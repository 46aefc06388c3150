"""Processes that start at once: forked from one that has imported what a search needs."""

import multiprocessing
from collections.abc import Callable
from multiprocessing import forkserver
from typing import Any

import pytest

# beside the command line: what a search and a training import once they run
_IMPORTED = ["nas.cli.main", "nas.searching", "nas.distilling", "torch._dynamo", "torch.onnx"]


def forked(target: Callable[..., object], *arguments: Any) -> multiprocessing.process.BaseProcess:
    """Runs a function of a module in a process of its own, with one thread; the process is started."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        forkserver.ensure_running()
    process = context.Process(target=target, args=arguments)
    process.start()
    return process
