import json
from pathlib import Path
from typing import Any

import pytest

from search_spaces.core.errors import WrongUse
from search_spaces.mcunetv2.configuration import read_mcunet_configuration


def configuration(**changes: Any) -> dict[str, Any]:
    conv = {"name": "MBInvertedConvLayer", "in_channels": 8, "out_channels": 8, "kernel_size": 3, "stride": 1}
    expanding = {**conv, "expand_ratio": 3, "mid_channels": None, "use_se": False}
    identity = {"name": "IdentityLayer"}
    document = {
        "name": "ProxylessNASNets",
        "bn": {"eps": 1e-5},
        "unknown": 7,
        "resolution": 48,
        "first_conv": {"in_channels": 3, "out_channels": 8, "kernel_size": 3, "stride": 2},
        "blocks": [
            {"mobile_inverted_conv": {**expanding, "expand_ratio": 1}, "shortcut": None},
            {"mobile_inverted_conv": {"name": "ZeroLayer"}, "shortcut": identity},
            {"mobile_inverted_conv": expanding, "shortcut": identity},
            {"mobile_inverted_conv": {**expanding, "mid_channels": 20}, "shortcut": identity},
        ],
        "feature_mix_layer": None,
        "classifier": {"out_features": 10},
    }
    return {**document, **changes}


def test_blocks_are_read_and_empty_ones_skipped() -> None:
    arguments = read_mcunet_configuration(json.dumps(configuration()))
    assert arguments["input_size"] == [3, 48, 48]
    assert arguments["stem"] == {"out": 8, "kernel": 3, "stride": 2}
    assert [block["mid"] for block in arguments["blocks"]] == [0, 24, 20]
    assert [block["residual"] for block in arguments["blocks"]] == [False, True, True]
    assert (arguments["mix"], arguments["classes"]) == (0, 10)


MIX = {"in_channels": 8, "out_channels": 64, "kernel_size": 1, "stride": 1}


def test_a_mix_layer_is_read() -> None:
    mixed = configuration(feature_mix_layer=MIX)
    assert read_mcunet_configuration(json.dumps(mixed))["mix"] == 64


def broken(index: int, part: str, **changes: Any) -> str:
    document = configuration()
    document["blocks"][index][part].update(changes)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not parse"),
        ("[" * 100_000, "does not parse"),
        ("[]", "the file"),
        ("7", "the file"),
        ("{}", "name"),
        (json.dumps(configuration(name="ResNet")), "ProxylessNASNets"),
        (json.dumps(configuration(blocks=[{}])), "blocks.0.mobile_inverted_conv"),
        (json.dumps(configuration(blocks=7)), "blocks"),
        (json.dumps(configuration(resolution="48")), "resolution"),
        (json.dumps(configuration(resolution=10**9)), "resolution"),
        (json.dumps(configuration(classifier={"out_features": 0})), "out_features"),
        (json.dumps(configuration(feature_mix_layer={**MIX, "kernel_size": 3})), "feature_mix_layer.kernel_size"),
        (json.dumps(configuration(feature_mix_layer={**MIX, "in_channels": 9})), "feature_mix_layer does not fit"),
        (broken(0, "mobile_inverted_conv", use_se=True), "use_se"),
        (broken(0, "mobile_inverted_conv", kernel_size=1), "kernel_size"),
        (broken(0, "mobile_inverted_conv", act_func="swish"), "act_func"),
        (broken(0, "mobile_inverted_conv", kernel_size=4), "even kernel"),
        (broken(0, "mobile_inverted_conv", name="Conv"), "MBInvertedConvLayer"),
        (broken(0, "mobile_inverted_conv", in_channels=9), "block 0 does not fit"),
        (broken(3, "mobile_inverted_conv", stride=2), "block 3 does not fit"),
    ],
)
def test_what_is_no_configuration_is_wrong_use(text: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        read_mcunet_configuration(text)


def test_every_published_file_is_read(fitnas_data: Path) -> None:
    files = sorted((fitnas_data / "mcu" / "net_configs").glob("*.json"))
    assert len(files) >= 4
    for file in files:
        arguments = read_mcunet_configuration(file.read_text())
        assert arguments["classes"] == 1000
        assert len(arguments["blocks"]) > 10
