"""Where networks run: the accelerator, its precision, threads and memory of this process."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

import torch

from search_spaces.core.errors import WrongUse, did_you_mean

ACCELERATORS = ("auto", "cpu", "cuda", "mps")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def pick_accelerator(name: str = "auto") -> torch.device:
    """The device called `name`; `auto` takes CUDA, then MPS, then the CPU. `WrongUse` where it is not there."""
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if here[kind]))
    if name not in here:
        known = ", ".join(ACCELERATORS)
        raise WrongUse(f"unknown accelerator '{name}'{did_you_mean(name, ACCELERATORS)} (known: {known})")
    if not here[name]:
        found = ", ".join(kind for kind, present in here.items() if present)
        raise WrongUse(
            f"accelerator '{name}' is not usable by this torch (usable here: {found}); try --accelerator auto"
        )
    return torch.device(name)


def cores() -> int:
    """CPU cores that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Runs the body with `count` torch threads (None: as it is), then as before.

    The number is part of a result: sums are split among threads, so other numbers round differently.
    """
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before if count is None else count)
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def pinned(count: int) -> Iterator[None]:
    """Runs the body, and what threads it starts, on the last `count` processors of this process; then as before.

    The first ones serve most interrupts. Where the system cannot pin, the body runs as it is. `WrongUse` where there
    are fewer processors than that.
    """
    if count > cores():
        raise WrongUse(f"{count} threads want as many processors, and this process may use {cores()}; ask for fewer")
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def random_numbers(seed: int) -> Iterator[None]:
    """Runs the body with torch's generators (CPU and CUDA) started at `seed`, then puts the CPU's back as it was."""
    state = torch.get_rng_state()
    try:
        torch.manual_seed(seed)
        yield
    finally:
        torch.set_rng_state(state)


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 where a CUDA device computes in it; elsewhere full precision, which is as fast for networks this small.

    bfloat16 has the exponent of float32, so that no loss scaling is needed.
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


@cache
def keep_freed_memory() -> bool:
    """Lets this process reuse freed memory instead of returning it to the system; False where that cannot be set.

    By default glibc gives the memory of every large tensor back and the system clears it again at the next step:
    measured 15-30 % of a training step on a CPU.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 2**30) and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
