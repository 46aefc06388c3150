"""Accelerators by name, threads, random numbers."""

import os

import pytest
import torch

from nas.training.device import cores, keep_freed_memory, pick_accelerator, random_numbers, torch_threads
from search_spaces.core.errors import WrongUse


def test_cpu_is_always_there_and_auto_finds_something() -> None:
    assert pick_accelerator("cpu") == torch.device("cpu")
    assert pick_accelerator().type in {"cpu", "cuda", "mps"}


def test_an_unknown_accelerator_gets_a_hint() -> None:
    with pytest.raises(WrongUse, match="did you mean 'cuda'"):
        pick_accelerator("cudda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_missing_accelerator_is_named() -> None:
    with pytest.raises(WrongUse, match=r"'cuda' is not usable.*--accelerator auto"):
        pick_accelerator("cuda")


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with torch_threads(2):
        assert torch.get_num_threads() == 2
        with torch_threads(None):
            assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_random_numbers_follow_the_seed_and_leave_the_generator_alone() -> None:
    state = torch.get_rng_state()
    with random_numbers(7):
        first = torch.rand(3)
    with random_numbers(7):
        assert torch.equal(torch.rand(3), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_cores_are_those_of_this_process() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_freed_memory_can_be_asked_for_twice() -> None:
    assert keep_freed_memory() == keep_freed_memory()
