"""Every search space there is, the one of the how-to, and each combinator over one, on several kinds of data."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import search_spaces
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import combinator_names, space_class, space_names
from search_spaces.core.space import SearchSpace

HOW_TO = Path(__file__).parents[2] / "docs" / "how_to" / "add_a_search_space.md"
FROM_HOW_TO = "separable"
COMBINED = [f"mcunetv2+{name}" for name in combinator_names()]
# settings that add choices, or build networks of other blocks
SET = ["tinynet base=ghostnet_100", "vit reduction=true", "snnet anchors=swin_tiny,swin_base"]
FACTS = {
    "published_input": None,
    "digits": InputFacts(channels=1, height=8, width=8, classes=10, pictures=1797),
    "upright_pictures": InputFacts(channels=3, height=120, width=90, classes=4, pictures=500),
}
Space = SearchSpace[Any]


@pytest.fixture(scope="module")
def _how_to_space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The file of the how-to, where the registry finds it; gone after the module."""
    (code,) = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(), flags=re.DOTALL)
    folder = tmp_path_factory.mktemp("search_spaces")
    (folder / f"{FROM_HOW_TO}.py").write_text(code)
    search_spaces.__path__.append(str(folder))
    yield
    search_spaces.__path__.remove(str(folder))
    sys.modules.pop(f"search_spaces.{FROM_HOW_TO}", None)


@pytest.fixture(scope="module", params=[*space_names(), FROM_HOW_TO, *COMBINED, *SET])
def named(request: pytest.FixtureRequest, _how_to_space: None) -> list[str]:
    return str(request.param).split()


@pytest.fixture(scope="module")
def space_name(named: list[str]) -> str:
    return named[0]


@pytest.fixture(scope="module", params=list(FACTS))
def facts(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def space(named: list[str], facts: str) -> Space:
    name, *settings = named
    return space_class(name).configured(dict(each.split("=") for each in settings), FACTS[facts])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
