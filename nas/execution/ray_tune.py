"""Evaluations in worker processes, scheduled by Ray Tune. The only file that knows Ray.

Tune asks a searcher for configurations; ours hands it the conductor's proposals, one architecture a trial, and brings
the results back. Workers live as long as the search (`reuse_actors`); the evaluator's arrays lie once in Ray's object
store. Nothing that Tune writes is read again: a search is resumed from its own store.

What was measured, and why it is as it is: see `docs/decisions`.
"""

import contextlib
import json
import logging
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.search import Searcher

from nas.conductor import Conductor, Proposal
from nas.execution.backend import Accounting, Backend, MakeEvaluator, Outcome, Stopwatch, described, evaluate
from nas.execution.signals import StopOnSignals
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError

_STORE_BYTES = 256 * 2**20
_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",  # the private cluster listens on the loopback interface alone
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours saves and stops
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # Tune's snapshots grow with the number of trials; nobody reads them
}
_WORKER_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
