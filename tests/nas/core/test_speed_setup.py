import pytest

from nas.core.speed_setup import SpeedSetup
from search_spaces.core.errors import WrongUse


@pytest.mark.parametrize(
    ("text", "batch", "threads"), [("batch=8,threads=2", 8, 2), ("threads=4", 32, 4), (" batch = 1 ", 1, 1)]
)
def test_what_can_be_said(text: str, batch: int, threads: int) -> None:
    assert SpeedSetup.parse(text) == SpeedSetup(batch, threads)


@pytest.mark.parametrize("text", ["", "batch", "batch=0", "batch=-1", "batch=1.5", "batch=2,batch=3", "threads=99999"])
def test_what_cannot(text: str) -> None:
    with pytest.raises(WrongUse, match="--measure"):
        SpeedSetup.parse(text)


def test_whose_figure_it_is_latency_being_that_of_one_picture() -> None:
    setup = SpeedSetup(batch=64, threads=2)
    assert setup.whose("images_per_second") == "measured: host, torch fp32, batch 64, 2 threads"
    assert setup.whose("latency_ms") == "measured: host, torch fp32, batch 1, 2 threads"
