"""Which supernets can be trained in which way is known before one is trained."""

from typing import Any

import pytest

from nas.shared_weights import check_sampling
from search_spaces.blocks.elastic_mbconv import ElasticMbconv
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.mcunetv2.space import Mcunetv2
from search_spaces.vit.space import Vit

DIGITS = InputFacts(channels=1, height=8, width=8, classes=10, pictures=1797)


@pytest.mark.parametrize("kind", [Mcunetv2, Vit])
@pytest.mark.parametrize("name", ["sandwich", "uniform", "multi"])
def test_every_way_trains_our_supernets(kind: type[Any], name: str) -> None:
    check_sampling(kind.configured({}, DIGITS), name)


def test_a_supernet_that_cannot_share_a_pass_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Mcunetv2, "supernet", lambda self: ElasticMbconv(self.locate(self.extremes()[1])[0], self.locate)
    )
    space = Mcunetv2.configured({}, DIGITS)
    check_sampling(space, "uniform")
    with pytest.raises(WrongUse, match="'mcunetv2': it runs one sub-network at a time; choose --sampling sandwich or"):
        check_sampling(space, "multi")


def test_what_the_supernet_says_against_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    space = Vit.configured({}, DIGITS)
    plain = space.network_arguments(space.extremes()[0])
    monkeypatch.setattr("search_spaces.blocks.joined_transformer._KNOWN", plain.keys() - {"pool"})
    with pytest.raises(WrongUse, match="with pool cannot be joined in one pass; choose --sampling sandwich or uniform"):
        check_sampling(space, "multi")
