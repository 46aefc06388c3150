"""Searches whose supernet is trained in another way than by sandwiches."""

import tomllib
from pathlib import Path

import pytest

SPACE = ("--space", "mcunetv2", "--set", "resolutions=16,24", "--trials", "4", "--supernet-epochs", "1")
MORE = ("--backend", "inline", "--seed", "3", "--budget", "sram=12k")


@pytest.mark.parametrize("chosen", [("uniform",), ("multi", "--subnets", "3")])
def test_a_search_with_another_sampling_is_recorded_and_reused(nas, pictures, chosen):
    result = nas("search", *SPACE, *MORE, "--data", str(pictures), "--sampling", *chosen, "--run", "s")
    assert result.code == 0, result.err
    config = tomllib.loads(Path("runs/s/config.toml").read_text())
    assert config["sampling"] == chosen[0]
    assert config.get("subnets") == (3 if len(chosen) > 1 else None)
    reused = nas("search", *SPACE[:-2], *MORE, "--data", str(pictures), "--supernet-from", "s", "--run", "t")
    assert reused.code == 0, reused.err


def test_a_resume_with_another_sampling_is_refused(nas, pictures):
    result = nas("search", *SPACE, *MORE, "--data", str(pictures), "--run", "s")
    assert result.code == 0, result.err
    path = Path("runs/s/config.toml")
    text = path.read_text()
    assert 'sampling = "sandwich"' in text
    path.write_text(text.replace('"sandwich"', '"multi"').replace("trials = 4", "trials = 5"))
    resumed = nas("resume", "s")
    assert resumed.code == 1
    assert "belongs to another training" in resumed.err
    assert "sampling sandwich instead of multi" in resumed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sampling", "sandwhich"), "did you mean 'sandwich'"),
        (("--sampling", "multi", "--evaluator", "train"), "--sampling belongs to --evaluator supernet"),
        (("--subnets", "2", "--fidelity", "epochs=3"), "--subnets belongs to --evaluator supernet"),
        (("--sampling", "uniform", "--subnets", "2"), "choose --sampling multi or sandwich"),
        (("--sampling", "multi", "--subnets", "17"), "subnets"),
    ],
)
def test_options_that_do_not_go_together(nas, arguments, message):
    result = nas("search", *SPACE[:4], *arguments)
    assert result.code == 2
    assert message in result.err
    assert not Path("runs").exists()
