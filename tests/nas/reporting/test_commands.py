import shlex

from nas.config import RunConfig
from nas.reporting.commands import search_command, shown_config

SECRET = "postgresql://me:secret@host/runs"


def test_the_command_makes_the_same_configuration():
    config = RunConfig.checked(
        space="mcunetv2", set={"width": "per_block"}, device="stm32f746", reserve="sram=16k", data="/my pictures",
        objectives="accuracy,sram", trials=7, time="90s", count_input=True, seed=3, schedule="3x4", run="a",
    )  # fmt: skip
    words = shlex.split(search_command(config))
    assert words[:2] == ["nas", "search"]
    given = {}
    for flag, value in zip(words[2:], [*words[3:], ""], strict=True):
        if flag.startswith("--"):
            given[flag[2:].replace("-", "_")] = True if value.startswith("--") or not value else value
    key, option = given.pop("set").split("=")
    numbers = {name: int(given.pop(name)) for name in ("trials", "seed")}
    assert RunConfig.checked(**given, **numbers, set={key: option}) == config


def test_no_password_is_shown():
    config = RunConfig.checked(space="mcunetv2", store=SECRET)
    assert "secret" not in search_command(config)
    assert "secret" not in str(shown_config(config))
