from itertools import product

import numpy as np
import pytest

from predictors.hardware.price import price_population, price_table
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.population import Population
from search_spaces.resnet import layout
from search_spaces.resnet.settings import BASES, Base, default_base
from search_spaces.resnet.space import Resnet


def make(base: str = "resnet50", resolutions: str = "160,224") -> Resnet:
    return Resnet.configured({"base": base, "resolutions": resolutions}, None)


def facts(side: int) -> InputFacts:
    return InputFacts(channels=3, height=side, width=side, classes=10, pictures=100)


# OFA's space


def test_ofas_choices() -> None:
    options = {choice.name: choice.options for choice in make().choices}
    assert options["resolution"] == (160, 224)
    assert options["stem.convs"] == (2, 3)
    assert [options[f"s{stage}.depth"] for stage in (1, 2, 3, 4)] == [(2, 3, 4), (2, 3, 4), (4, 5, 6), (2, 3, 4)]
    widths = [name for name in options if name.endswith("width")]
    assert widths == ["stem.mid_width", "stem.width", *(f"s{stage}.width" for stage in (1, 2, 3, 4))]
    assert all(options[name] == (0.65, 0.8, 1.0) for name in widths)
    expansions = [name for name in options if name.endswith("expansion")]
    assert len(expansions) == 18
    assert all(options[name] == (0.2, 0.25, 0.35) for name in expansions)


def test_channels_are_those_of_ofas_code() -> None:
    """By hand: multiples of 8 of 64 x 0.65 = 41.6 and so on; 20, half of 40, would round down below its 90 %."""
    places = make().layout
    assert places.stem_out.tolist() == [40, 48, 64]
    assert places.stem_mid.tolist() == [24, 24, 32]
    assert [stage.channels.tolist() for stage in places.stages] == [
        [168, 208, 256],
        [336, 408, 512],
        [664, 816, 1024],
        [1328, 1640, 2048],
    ]
    assert places.stages[0].mids.tolist() == [[32, 40, 56], [40, 56, 72], [48, 64, 88]]
    assert places.stages[3].mids[2].tolist() == [408, 512, 720]


def test_the_network_that_the_space_lies_around_is_a_member() -> None:
    space = make(resolutions="224")
    options = {"resolution": 224, "stem.convs": 3, "stem.mid_width": 1.0, "stem.width": 1.0}
    for stage, depth in enumerate((3, 4, 6, 3), start=1):
        options |= {f"s{stage}.depth": depth, f"s{stage}.width": 1.0}
        options |= {f"s{stage}.b{block}.expansion": 0.25 for block in range(1, depth + 1)}
    row = [choice.index(options.get(choice.name, choice.options[0])) for choice in space.choices]
    member = space.architecture(np.array(row, dtype=np.int16))
    assert member.options == options
    published = Resnet.members()["ofa_resnet50"]
    assert space.blueprint(member) == published.blueprint()
    table = space.decode(space.population([member]))
    assert [layer._replace(name="") for layer in table.layers(0)] == [
        layer._replace(name="") for layer in published.table().layers(0)
    ]


# canonical form and counting


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stages of few blocks whose channels coincide for some widths and expansions: small enough to enumerate."""
    monkeypatch.setitem(BASES, "micro", Base(16, (16, 48), (1, 1), (1, 2), pool=False))
    monkeypatch.setattr(layout, "MORE_BLOCKS", (0, 1))
    monkeypatch.setattr(layout, "EXPANSIONS", (0.2, 0.25))
    monkeypatch.setattr("search_spaces.resnet.space.MORE_BLOCKS", (0, 1))


@pytest.mark.usefixtures("tiny")
def test_size_is_the_number_of_distinct_networks() -> None:
    space = make("micro", "24")
    genotypes = np.array(list(product(*(range(len(choice.options)) for choice in space.choices))), dtype=np.int16)
    table = space.decode(Population(space, genotypes))
    columns = (table.in_height, table.in_channels, table.out_channels, table.present)
    networks = np.unique(np.concatenate(columns, axis=1), axis=0)
    assert len(networks) == space.size < len(genotypes)
    assert len(np.unique(space.canonical(genotypes), axis=0)) == space.size


def test_expansions_of_equal_channels_count_once_and_only_at_that_width() -> None:
    space = make("micro", "32")
    names = [choice.name for choice in space.choices]
    stage = space.layout.stages[0]
    assert [len(set(mids)) for mids in stage.mids.tolist()] == [2, 1, 2]
    row = np.zeros((1, len(names)), dtype=np.int16)
    row[0, [names.index("s1.width"), names.index("s1.b1.expansion")]] = [2, 1]  # 64 channels: 12.8 and 16 are both 16
    assert space.architecture(row[0]).options["s1.b1.expansion"] == 0.2
    row[0, names.index("s3.b1.expansion")] = 1
    assert space.architecture(row[0]).options["s3.b1.expansion"] == 0.25


def test_a_shallower_stage_has_no_expansions_for_the_blocks_it_lacks() -> None:
    space = make()
    names = [choice.name for choice in space.choices]
    row = np.full(len(names), 2, dtype=np.int16)
    row[names.index("stem.convs")], row[names.index("resolution")], row[names.index("s3.depth")] = 1, 1, 1
    options = space.architecture(row).options
    assert options["s3.depth"] == 5
    assert "s3.b5.expansion" in options
    assert "s3.b6.expansion" not in options


# bounds


@pytest.mark.parametrize("base", list(BASES))
@pytest.mark.parametrize("runtime", ["analytic", "c", "tinyengine"])
def test_thousands_of_architectures_do_not_undercut_the_bound(base: str, runtime: str) -> None:
    space = make(base, "32,48")
    rng = np.random.default_rng(2)
    samples = space.sample(rng, 700)
    smallest = space.population([space.extremes()[0]])[np.zeros(700, dtype=np.intp)]
    near = space.mutate(rng, smallest, 0.05).concatenate(space.crossover(rng, samples, smallest))
    population = samples.concatenate(near).concatenate(space.neighbours(smallest[0]))
    priced, bound = price_population(population, runtime), price_table(space.least(), runtime)
    rows = population.matrix[:, layout.RESOLUTION]
    for name in ("peak_sram_bytes", "macs_layerwise", "params", "weight_bytes", "flash_bytes"):
        assert (priced[name] >= bound[name][rows]).all(), name


def test_smaller_spaces_keep_everything_but_the_resolutions() -> None:
    smaller = make("small", "64,96").smaller()
    assert smaller is not None
    assert smaller.settings.resolutions == (32, 40, 48)
    assert smaller.settings.base == "small"
    assert make("micro", "8").smaller() is None


# settings


@pytest.mark.parametrize(
    ("side", "base", "resolutions"),
    [
        (8, "micro", (16, 24, 32)),
        (32, "micro", (16, 24, 32)),
        (96, "small", (48, 64, 80, 96)),
        (224, "resnet50", (128, 160, 192, 224)),
        (4000, "resnet50", (128, 160, 192, 224)),
    ],
)
def test_base_and_resolutions_follow_the_data(side: int, base: str, resolutions: tuple[int, ...]) -> None:
    settings = Resnet.configured({}, facts(side)).settings
    assert (settings.base, settings.resolutions) == (base, resolutions)
    assert default_base(resolutions) == base


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bases": "micro"}, "did you mean 'base'"),
        ({"base": "resnet101"}, "'resnet50', 'small' or 'micro'"),
        ({"resolutions": "96,big"}, "got '96,big'"),
        ({"resolutions": "4"}, "greater than or equal to 8"),
        ({"classes": "3"}, "comes from the data"),
    ],
)
def test_bad_settings_are_wrong_use(options: dict[str, str], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        Resnet.configured(options, facts(96))
