from pathlib import Path

import pytest

from nas.config import RunConfig, parse_duration
from search_spaces.core.errors import NotFound, WrongUse


def test_defaults_are_those_of_the_command_line() -> None:
    config = RunConfig.checked(space="mcunetv2")
    assert (config.data, config.objectives, config.strategy) == ("digits", "accuracy,macs", "auto")
    assert (config.trials, config.seed, config.lag, config.backend) == (200, 0, 8, None)
    assert config.budget == ""
    assert not config.limits
    assert [o.key for o in config.parsed_objectives] == ["accuracy", "macs"]


def test_toml_round_trip(tmp_path: Path) -> None:
    config = RunConfig.checked(
        space="mcunetv2", set={"width": "per_block", "resolutions": "96,128"}, budget="sram=64k,flash=512k",
        device="stm32f746", reserve="sram=0,flash=32k", data='./pictures of "signs"\\x', time="1h30m", workers=2,
        seed=2**32 - 1, run="signs", schedule="3x8", count_input=True, store="sqlite:///r.db", supernet_from="other",
    )  # fmt: skip
    path = tmp_path / "run.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    assert RunConfig.from_toml(path) == config
    assert RunConfig.from_toml(path).to_toml() == config.to_toml()
    assert RunConfig.from_toml(path, seed=3) == config.updated(seed=3)
    plain = RunConfig.checked(space="x")
    path.write_text(plain.to_toml(), encoding="utf-8")
    assert RunConfig.from_toml(path) == plain


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("10min", 600),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (" 2 m ", 120),
        ("45", 45),
        (7, 7),
        (0.5, 0.5),
        ("1d", 86400),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert RunConfig.checked(space="x", time=text).time == seconds


@pytest.mark.parametrize(
    "text", ["", "m", "0", "0s", "-5m", "nan", "inf", "5 parsecs", "5x", "10m5", "1e9", "999999d", "1h-5m", "5ms", True]
)
def test_other_durations_are_wrong_use(text: str) -> None:
    with pytest.raises(WrongUse, match="a time is"):
        RunConfig.checked(space="x", time=text)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"spaces": "x"}, "unknown option 'spaces'; did you mean 'space'"),
        ({"trials": 0}, "trials: .*greater than or equal to 1; got '0'"),
        ({"trials": "200"}, "trials: .*valid integer"),
        ({"trials": True}, "trials"),
        ({"workers": 0}, "workers"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"accelerator": "cud"}, "accelerator is 'auto'.*did you mean 'cuda'"),
        ({"backend": "ray"}, "backend is .*did you mean 'ray_tune'"),
        ({"budget": "ram=256k"}, "did you mean 'sram'"),
        ({"budget": "{}"}, "no limit in '{}'"),
        ({"reserve": "macs=1"}, "--reserve: unknown key 'macs'"),
        ({"objectives": "acuracy"}, "did you mean 'accuracy'"),
        ({"objectives": ""}, "objectives are metrics"),
        ({"run": "../x"}, "run name"),
        ({"run": "\0"}, "run name"),
        ({"schedule": "3"}, "a schedule is"),
        ({"schedule": "0x3"}, "a schedule is"),
        ({"set": {"depth": 3}}, r"set\.depth: .*string \(in quotes\)"),
        ({"set": "depth=3"}, "set: .*dictionary"),
        ({"device": ""}, "device"),
        ({"space": None}, "space"),
        ({"lag": -1}, "lag"),
        ({"count_input": "yes"}, "count_input"),
    ],
)
def test_bad_values_are_wrong_use_in_one_line(values: dict[str, object], said: str) -> None:
    with pytest.raises(WrongUse, match=said) as caught:
        RunConfig.checked(**({"space": "x"} | values))
    assert len(str(caught.value).splitlines()) == 1


def test_every_problem_has_its_line() -> None:
    with pytest.raises(WrongUse) as caught:
        RunConfig.checked(trails=5, seed=-1, budget="sram=0", time="x")
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert any("'space' is missing" in line for line in lines)
    assert any("did you mean 'trials'" in line for line in lines)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(WrongUse) as caught:
        RunConfig.checked(space="x", run="a" * 10_000, accelerator="b" * 10_000)
    assert len(str(caught.value)) < 800


def test_a_configuration_is_frozen_and_changes_are_checked() -> None:
    config = RunConfig.checked(space="x")
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1
    with pytest.raises(WrongUse, match="seed"):
        config.updated(seed=-1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"space = ", "no TOML"),
        (b"\xff\xfe", "no TOML"),
        (b'space = "x"\ntrails = 5', "did you mean 'trials'"),
        (b"", "'space' is missing"),
        (b'[space]\nname = "x"', "space: .*string"),
    ],
)
def test_bad_files_are_wrong_use(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(WrongUse, match=said):
        RunConfig.from_toml(path)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(NotFound, match="cannot be read"):
            RunConfig.from_toml(path)
    with pytest.raises(WrongUse, match="not a path"):
        RunConfig.from_toml(Path("a\0b"))


def test_predictors_are_a_list_and_one_alone_is_taken_too(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('space = "mcunetv2"\npredictor = "boards/one"\n')  # of earlier versions
    assert RunConfig.from_toml(tmp_path / "run.toml").predictor == ("boards/one",)
    (tmp_path / "run.toml").write_text('space = "mcunetv2"\npredictor = ["boards/one", "two"]\n')
    config = RunConfig.from_toml(tmp_path / "run.toml")
    assert config.predictor == ("boards/one", "two")
    assert config.shareable().predictor == ("one", "two")
    assert RunConfig.checked(space="mcunetv2", predictor=Path("one")).predictor == ("one",)
    assert RunConfig.checked(space="mcunetv2", predictor=[]).predictor is None
    with pytest.raises(WrongUse, match="predictor"):
        RunConfig.checked(space="mcunetv2", predictor=["one", 3])
