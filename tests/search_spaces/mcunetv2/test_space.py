from itertools import product

import numpy as np
import pytest

from predictors.hardware.price import bound_table, price_population, price_table
from search_spaces.blocks.mbconv_layers import mbconv_layers
from search_spaces.core.layer_table import Kind, LayerTable
from search_spaces.core.population import Population
from search_spaces.mcunetv2 import decode, layout, space
from search_spaces.mcunetv2.settings import BACKBONES, Backbone, Mcunetv2Settings
from search_spaces.mcunetv2.space import Mcunetv2


def make(backbone: str = "full", width: str = "per_stage", resolutions: tuple[int, ...] = (96, 128)) -> Mcunetv2:
    return Mcunetv2.configured(
        {"backbone": backbone, "width": width, "resolutions": ",".join(map(str, resolutions))}, None
    )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """One stage, one kernel, one expansion: small enough to enumerate."""
    monkeypatch.setitem(BACKBONES, "micro", Backbone(16, 16, (24,), (2,), 48, fused_stages=1))
    monkeypatch.setattr(layout, "KERNELS", (3,))
    for module in (layout, decode, space):
        monkeypatch.setattr(module, "EXPANSIONS", (3,))
        monkeypatch.setattr(module, "DEPTHS", (2, 3))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("width", ["per_stage", "per_block"])
def test_size_is_the_number_of_distinct_networks(width: str) -> None:
    tiny_space = make("micro", width, (16, 24))
    genotypes = np.array(list(product(*(range(len(choice.options)) for choice in tiny_space.choices))), dtype=np.int16)
    table = tiny_space.decode(Population(tiny_space, genotypes))
    columns = (table.in_height, table.in_channels, table.out_channels, table.kernel, table.present)
    networks = np.unique(np.concatenate(columns, axis=1), axis=0)
    assert len(networks) == tiny_space.size < len(genotypes)
    assert len(np.unique(tiny_space.canonical(genotypes), axis=0)) == tiny_space.size


def test_the_space_is_large() -> None:
    # once-for-all's five stages of (9^2 + 9^3 + 9^4) blocks are 2e19; ours adds fused blocks, widths and resolutions
    assert make().size > 1e19
    assert make(width="per_block").size > make().size


def test_the_papers_choices() -> None:
    options = {choice.name: choice.options for choice in make(resolutions=(96, 128)).choices}
    assert options["resolution"] == (96, 128)
    assert options["s3.depth"] == (2, 3, 4)
    assert options["s3.width"] == (0.5, 0.75, 1.0)
    assert options["s3.b1.expand"] == (3, 4, 6)
    assert options["s3.b2.kernel"] == (3, 5, 7)
    # blocks without a depthwise convolution: first, and in the leading stages where nothing is down-sampled
    assert options["first.kernel"] == (1, 3)
    assert options["s1.b2.kernel"] == (1, 3, 5, 7)
    assert options["s1.b1.kernel"] == (3, 5, 7)
    per_block = {choice.name for choice in make(width="per_block").choices}
    assert "s3.b2.width" in per_block
    assert "s3.width" not in per_block


def test_the_largest_member_is_the_published_backbone() -> None:
    """Stage widths and strides of ProxylessNAS as MCUNet uses them (mit-han-lab/mcunet, ofa_proxyless.py)."""
    full = make(resolutions=(224,))
    layers = full.decode(full.population([full.extremes()[1]])).layers(0)
    projected = [(layer.out_channels, layer.out_height) for layer in layers if layer.name.endswith("project")]
    stages = [(24, 56)] * 4 + [(40, 28)] * 4 + [(80, 14)] * 4 + [(96, 14)] * 4 + [(192, 7)] * 4
    assert projected == [(16, 112), *stages, (320, 7)]
    assert layers[0].out_channels == 32
    assert layers[-1].in_channels == 320


def test_residuals_stand_where_shapes_allow_but_not_in_the_first_block() -> None:
    for width in ("per_stage", "per_block"):
        small = make("small", width, (48, 64))
        population = small.sample(np.random.default_rng(0), 100)
        for row, architecture in enumerate(population):
            layers = small.decode(population[row : row + 1]).layers(0)
            blocks = small.blueprint(architecture).arguments["blocks"]
            assert not blocks[0]["residual"]
            assert [b["residual"] for b in blocks[1:]] == [b["stride"] == 1 and b["in"] == b["out"] for b in blocks[1:]]
            assert sum(layer.kind == Kind.ADD for layer in layers) == sum(b["residual"] for b in blocks)


@pytest.mark.parametrize("width", ["per_stage", "per_block"])
@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_decoded_rows_are_the_layers_of_the_blueprint(backbone: str, width: str) -> None:
    settings = Mcunetv2Settings.model_validate(
        {"backbone": backbone, "width": width, "resolutions": (24, 50), "channels": 2, "aspect": (3, 4), "classes": 5}
    )
    any_space = Mcunetv2(settings)
    population = any_space.sample(np.random.default_rng(1), 100)
    table = any_space.decode(population)
    for row, architecture in enumerate(population):
        expected = mbconv_layers(any_space.blueprint(architecture).arguments)
        assert [layer._replace(name="") for layer in table.layers(row)] == [
            layer._replace(name="") for layer in expected
        ]


def test_a_channel_equal_for_two_widths_counts_once() -> None:
    micro = make("micro", resolutions=(24, 32))
    column = [choice.name for choice in micro.choices].index("stem.width")
    row = micro.sample(np.random.default_rng(0), 1).matrix.copy()
    row[0, column] = 2  # 16 channels, as 0.75 gives by rounding to multiples of 8
    assert micro.canonical(row)[0, column] == 1
    assert micro.architecture(row[0]).options["stem.width"] == 0.75


@pytest.mark.parametrize("width", ["per_stage", "per_block"])
@pytest.mark.parametrize("backbone", list(BACKBONES))
@pytest.mark.parametrize("runtime", ["analytic", "c", "tinyengine"])
def test_thousands_of_architectures_do_not_undercut_the_bound(backbone: str, width: str, runtime: str) -> None:
    any_space = make(backbone, width, (32, 48))
    rng = np.random.default_rng(2)
    samples = any_space.sample(rng, 700)
    smallest = any_space.population([any_space.extremes()[0]])[np.zeros(700, dtype=np.intp)]
    near = any_space.mutate(rng, smallest, 0.05).concatenate(any_space.crossover(rng, samples, smallest))
    population = samples.concatenate(near).concatenate(any_space.neighbours(smallest[0]))
    priced = price_population(population, runtime)
    bound = bound_table(any_space.least(), runtime)
    rows = population.matrix[:, any_space.layout.resolution]
    for name in ("peak_sram_bytes", "macs_layerwise", "params", "weight_bytes", "flash_bytes"):
        assert (priced[name] >= bound[name][rows]).all(), name
    within = {"peak_sram_bytes": float(np.quantile(priced["peak_sram_bytes"], 0.3))}
    fitting, least = price_population(population, runtime, within), price_table(any_space.least(), runtime, within)
    admitted = fitting["fits"]
    assert least["fits"][rows[admitted]].all()
    assert (fitting["macs"][admitted] >= least["macs"][rows[admitted]]).all()


def test_per_stage_the_bound_is_the_smallest_member_itself() -> None:
    full = make(resolutions=(96,))
    smallest = price_population(full.population([full.extremes()[0]]), "tinyengine")
    assert {name: values.tolist() for name, values in price_table(full.least(), "tinyengine").items()} == {
        name: values.tolist() for name, values in smallest.items()
    }


def test_smaller_spaces_keep_everything_but_the_resolutions() -> None:
    smaller = make(width="per_block").smaller()
    assert smaller is not None
    assert smaller.settings.resolutions == (48, 64, 80)
    assert smaller.settings.model_dump(exclude={"resolutions"}) == make(width="per_block").settings.model_dump(
        exclude={"resolutions"}
    )
    assert make(resolutions=(8,)).smaller() is None


def test_published_members_have_a_table_and_a_network() -> None:
    assert set(Mcunetv2.members()) == {"mcunetv2_large", "mobilenet_v2"}
    for member in Mcunetv2.members().values():
        assert isinstance(member.table(), LayerTable)
        assert member.blueprint().factory == "MbconvNetwork"
