import pytest

from search_spaces.core.aspect import size_at
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.rounding import make_divisible
from search_spaces.mcunetv2.settings import default_backbone
from search_spaces.mcunetv2.space import Mcunetv2


def facts(height: int, width: int, channels: int = 3) -> InputFacts:
    return InputFacts(channels=channels, height=height, width=width, classes=10, pictures=100)


@pytest.mark.parametrize(
    ("resolutions", "backbone"), [((16, 24, 32), "micro"), ((40,), "micro"), ((48, 96), "small"), ((96, 128), "full")]
)
def test_the_backbone_follows_the_largest_resolution(resolutions: tuple[int, ...], backbone: str) -> None:
    assert default_backbone(resolutions) == backbone


@pytest.mark.parametrize(
    ("height", "width", "aspect"),
    [(96, 96, (1, 1)), (100, 96, (1, 1)), (480, 640, (3, 4)), (640, 480, (4, 3)), (10, 1000, (1, 4)), (70, 10, (4, 1))],
)
def test_the_aspect_comes_from_the_data(height: int, width: int, aspect: tuple[int, int]) -> None:
    assert Mcunetv2.configured({}, facts(height, width)).settings.aspect == aspect


@pytest.mark.parametrize(
    ("resolution", "aspect", "size"),
    [
        (96, (1, 1), (96, 96)),
        (96, (3, 4), (96, 128)),
        (96, (4, 3), (128, 96)),
        (16, (1, 4), (16, 64)),
        (20, (9, 10), (20, 24)),
    ],
)
def test_the_short_side_is_the_resolution(resolution: int, aspect: tuple[int, int], size: tuple[int, int]) -> None:
    assert size_at(resolution, aspect) == size


@pytest.mark.parametrize(
    ("channels", "rounded"), [(1, 8), (12, 16), (16, 16), (18, 24), (20, 24), (60, 64), (32 * 0.35, 16)]
)
def test_channels_are_multiples_of_8_and_no_less_than_nine_tenths(channels: float, rounded: int) -> None:
    assert make_divisible(channels) == rounded
    assert rounded >= 0.9 * channels


def test_the_published_input_without_data() -> None:
    settings = Mcunetv2.configured({}, None).settings
    assert settings.backbone == "full"
    assert settings.width == "per_stage"
    assert settings.resolutions == (96, 128, 160, 192, 224, 256)
    assert (settings.channels, settings.classes, settings.aspect) == (3, 1000, (1, 1))


def test_what_is_set_wins() -> None:
    settings = Mcunetv2.configured({"resolutions": "64, 48,64", "width": "per_block"}, facts(300, 300, 1)).settings
    assert settings.resolutions == (48, 64)
    assert settings.backbone == "small"
    assert settings.width == "per_block"
    assert settings.channels == 1
    assert Mcunetv2.configured({"backbone": "micro"}, None).settings.backbone == "micro"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"resolution": "96"}, "did you mean 'resolutions'"),
        ({"resolutions": ""}, "expected pixels"),
        ({"resolutions": "96,big"}, "got '96,big'"),
        ({"resolutions": "4"}, "greater than or equal to 8"),
        ({"resolutions": "96,4000"}, "less than or equal to 1024"),
        ({"backbone": "huge"}, "'full', 'small' or 'micro'"),
        ({"width": "2"}, "'per_stage' or 'per_block'"),
        ({"classes": "3"}, "comes from the data"),
        ({"channels": "1"}, "comes from the data"),
        ({"aspect": "1,2"}, "comes from the data"),
    ],
)
def test_bad_settings_are_wrong_use(options: dict[str, str], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        Mcunetv2.configured(options, facts(96, 96))


@pytest.mark.parametrize(
    "changes",
    [
        {"resolutions": []},
        {"resolutions": [32, 32]},
        {"resolutions": [64, 32]},
        {"aspect": [0, 1]},
        {"classes": 1},
        {"x": 1},
    ],
)
def test_settings_that_no_space_wrote_are_refused(changes: dict[str, object]) -> None:
    good = Mcunetv2.configured({}, None).settings.model_dump(mode="json")
    with pytest.raises(WrongUse):
        Mcunetv2.restored({**good, **changes})


def test_explanations_name_sizes_and_backbone() -> None:
    lines = " ".join(Mcunetv2.configured({"resolutions": "96,128"}, facts(480, 640, 1)).explain())
    for part in ("backbone full", "width per_stage", "96x128, 128x168", "channels 1"):
        assert part in lines
