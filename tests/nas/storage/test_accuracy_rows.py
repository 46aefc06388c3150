"""The file of networks whose accuracy is known."""

import math

import numpy as np
import pytest

from nas.storage.accuracy_rows import AccuracyRows
from search_spaces.core.errors import NotFound, WrongUse
from tests.nas.toy_space import ToySettings, ToySpace


@pytest.fixture
def rows():
    networks = tuple(ToySpace().sample(np.random.default_rng(0), 4))
    return AccuracyRows(networks, np.array([0.1, 0.2, 1 / 3, 1.0]), {"nwot": np.array([-3.0, math.nan, 1 / 7, 1e300])})


@pytest.fixture
def file(rows, tmp_path):
    rows.write(tmp_path / "rows.csv")
    return tmp_path / "rows.csv"


def test_what_is_written_is_read_to_the_last_bit(rows, file):
    again = AccuracyRows.read(file)
    assert again.architectures == rows.architectures
    assert again.top1.tolist() == rows.top1.tolist()
    np.testing.assert_array_equal(again.proxies["nwot"], rows.proxies["nwot"])
    again.write(file.with_name("again.csv"))
    assert file.read_bytes() == file.with_name("again.csv").read_bytes()


def test_columns_may_be_missing_and_stand_in_any_order(rows, file):
    lines = ["top1,architecture"]
    quoted = (one.to_json().replace('"', '""') for one in rows.architectures)
    lines += [f'{value},"{text}"' for value, text in zip(rows.top1, quoted, strict=True)]
    file.write_text("\n".join(lines) + "\n")
    again = AccuracyRows.read(file)
    assert again.architectures == rows.architectures
    assert not again.proxies


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("top1", "accuracy", "row 1: the column 'accuracy' is unknown"),
        ("nwot", "nwto", "did you mean 'nwot'"),
        (",0.2,", ",97.3,", "row 3, column top1: '97.3' is no fraction from 0 to 1; divide percentages by 100"),
        (",0.2,", ",-0.2,", "row 3, column top1: '-0.2'"),
        (",0.2,", ",,", "row 3, column top1: empty"),
        (",-3.0", ",much", "row 2, column nwot: 'much' is no number"),
        (",-3.0", ",inf", "row 2, column nwot: 'inf' is no number"),
        (",-3.0", "", "row 2: it has not 5 cells"),
        ("toy,", "tiny,", "row 2, column space: 'tiny', while the architecture beside it has toy"),
        ('"{""options', '"{""option', "row 2, column architecture"),
    ],
)
def test_a_wrong_cell_is_named(file, old, new, told):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(WrongUse) as caught:
        AccuracyRows.read(file)
    assert told in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_network_that_stands_twice_is_refused(file):
    text = file.read_text()
    file.write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(WrongUse, match=r"row 6: the network .* stands in row 2 as well"):
        AccuracyRows.read(file)


def test_one_space_with_one_kind_of_settings(rows):
    other = ToySpace(ToySettings(choices=3)).extremes()[0]
    with pytest.raises(WrongUse, match=f"network {other.id} .*other settings"):
        AccuracyRows((*rows.architectures, other), np.append(rows.top1, 0.5), {})


def test_no_file_and_no_rows(tmp_path):
    with pytest.raises(NotFound, match="does not exist"):
        AccuracyRows.read(tmp_path / "nothing.csv")
    (tmp_path / "empty.csv").write_text("architecture,top1\n")
    with pytest.raises(WrongUse, match="has no rows"):
        AccuracyRows.read(tmp_path / "empty.csv")


def test_a_proxy_without_a_column_is_named(rows):
    assert list(rows.with_proxies(["nwot"]).proxies) == ["nwot"]
    assert not rows.with_proxies([]).proxies
    with pytest.raises(WrongUse, match="no column synflow"):
        rows.with_proxies(["nwot", "synflow"])
