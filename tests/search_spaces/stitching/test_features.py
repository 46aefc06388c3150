"""What a predictor of accuracy sees of a route."""

import numpy as np
import pytest

from search_spaces.snnet import SnNet
from search_spaces.snnetv2 import SnNetV2
from search_spaces.stitching.features import SECTIONS, route_features, section_anchors, stitches_each_way
from search_spaces.stitching.routes import Part, Route

DEPTHS = (8, 16)  # a block of the first, two of the second a section


def test_one_network_is_itself_everywhere() -> None:
    assert section_anchors(Route((Part(1, 0, 16),)), DEPTHS).tolist() == [1.0] * SECTIONS
    assert route_features([Route((Part(0, 0, 8),))], DEPTHS, [1000])[0].tolist() == [np.log(1000), *[0.0] * 8, 0, 0]


def test_a_cut_inside_a_section_shows_in_its_mean() -> None:
    there_and_back = Route((Part(0, 0, 3), Part(1, 6, 11), Part(0, 6, 8)), (0, 1))
    # the second part ends in the middle of the sixth section, the third begins behind it: the gap is the second's
    assert section_anchors(there_and_back, DEPTHS).tolist() == [0, 0, 0, 1, 1, 1, 0, 0]
    earlier = Route((Part(0, 0, 3), Part(1, 6, 11), Part(0, 5, 8)), (0, 1))
    # half of the section is run by the second, all of it by the first
    assert section_anchors(earlier, DEPTHS).tolist() == pytest.approx([0, 0, 0, 1, 1, 1 / 3, 0, 0])


def test_stitches_are_counted_each_way() -> None:
    assert stitches_each_way(Route((Part(1, 0, 16),))) == (0, 0)
    assert stitches_each_way(Route((Part(0, 0, 3), Part(1, 6, 11), Part(0, 6, 8)), (0, 1))) == (1, 1)
    assert stitches_each_way(Route((Part(0, 0, 3), Part(2, 6, 16)), (0,))) == (1, 0)


@pytest.mark.parametrize("space", [SnNet.configured({"deeper": "true"}, None), SnNetV2.configured({}, None)])
def test_every_route_has_its_own_features(space: SnNet | SnNetV2) -> None:
    features = space.features(space.population([space.member(route.name) for route in space.routes]))
    assert features.shape == (len(space.routes), SECTIONS + 3)
    assert np.isfinite(features).all()
    assert len(np.unique(features, axis=0)) == len(space.routes)
