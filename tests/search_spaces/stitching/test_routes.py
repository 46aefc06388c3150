"""Which stitches there are: counts and shared layers against the papers and their code."""

import pytest

from search_spaces.stitching.routes import (
    Part,
    Route,
    paired_windows,
    snnet_routes,
    snnetv2_routes,
    staged_routes,
    unpaired_windows,
)

SWIN = [(2, 2, 6, 2), (2, 2, 18, 2), (2, 2, 18, 2)]


# kernel, stride -> stitches, stitch layers of twelve blocks, counted from ziplab/SN-Net stitching_deit/utils.py
@pytest.mark.parametrize(
    ("kernel", "stride", "stitches", "layers"),
    [(1, 1, 12, 12), (2, 1, 34, 11), (2, 2, 24, 6), (3, 1, 54, 10), (3, 2, 44, 6), (3, 3, 36, 4), (4, 1, 72, 9)],
)
def test_sliding_windows(kernel: int, stride: int, stitches: int, layers: int) -> None:
    windows = list(paired_windows(12, kernel, stride))
    pairs = [pair for window in windows for pair in window]
    assert (len(pairs), len(windows)) == (stitches, layers)
    assert len(set(pairs)) == len(pairs)
    assert {block for pair in pairs for block in pair} == set(range(12))


def test_published_enumerations() -> None:
    deit = snnet_routes([12, 12, 12], 2, 1)
    assert len(deit) == 71
    assert sum(not route.deeper for route in deit) == 49
    assert len(staged_routes(SWIN, 2, 1)) == 41
    assert len(snnetv2_routes([12, 24])) == len(snnetv2_routes([12, 12])) == 134


def test_each_pair_of_neighbours_has_its_own_stitch_layers() -> None:
    routes = snnet_routes([12, 12, 12], 2, 1)
    by_pair = [{route.layers[0] for route in routes if route.parts[0].anchor == n and route.layers} for n in (0, 1)]
    assert by_pair[0] == set(range(11))
    assert by_pair[1] == set(range(11, 22))


def test_unpaired_stitches_share_the_layer_of_the_block_they_leave() -> None:
    windows = list(unpaired_windows(6, 18))
    assert sum(map(len, windows)) == 17
    assert windows[0] == [(0, 1), (0, 2)]
    assert windows[1] == [(1, 3), (1, 4), (1, 5)]


def test_the_shift_of_the_public_code_for_swin() -> None:
    """There (1, 3) takes the layer of block 0, (2, 6) that of block 1, and so on: 5 of 17 are off by one."""
    of_layer = list(unpaired_windows(6, 18, upstream=True))
    assert [window[-1] for window in of_layer[:5]] == [(1, 3), (2, 6), (3, 9), (4, 12), (5, 15)]
    right = {pair: n for n, window in enumerate(unpaired_windows(6, 18)) for pair in window}
    shifted = {pair: n for n, window in enumerate(of_layer) for pair in window}
    assert sum(right[pair] != shifted[pair] for pair in right) == 5


def test_stages_are_stitched_inside_and_never_in_the_last() -> None:
    routes = staged_routes(SWIN, 2, 1)
    of_first = [route for route in routes if route.parts[0].anchor == 0 and route.layers]
    assert len(of_first) == len(routes[3:]) - len(of_first) == 19
    assert all(route.parts[0].end <= 10 for route in of_first)
    assert of_first[0].parts == (Part(0, 0, 1), Part(1, 1, 24))


def test_routes_both_ways_keep_their_order() -> None:
    routes = snnetv2_routes([12, 24])
    assert sorted({len(route.parts) for route in routes}) == [1, 2, 3]
    assert sum(len(route.parts) == 3 for route in routes) == 110
    for route in routes:
        if len(route.parts) == 3:
            middle = route.parts[1]
            assert middle.end > middle.first
    assert len({layer for route in routes for layer in route.layers}) == 22


def test_names() -> None:
    assert Route((Part(1, 0, 24),)).name == "B"
    assert Route((Part(1, 0, 2), Part(0, 1, 3), Part(1, 6, 24)), (11, 2)).name == "B[:2]+A[1:3]+B[6:]"
    names = [route.name for route in snnetv2_routes([12, 24])]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("depths", [[12], [24, 12], [12, 12, 12]])
def test_what_has_no_routes_both_ways(depths: list[int]) -> None:
    with pytest.raises(ValueError, match="take two networks"):
        snnetv2_routes(depths)


def test_a_shallower_back_has_no_routes() -> None:
    with pytest.raises(ValueError, match="12 blocks cannot go on in one of 6"):
        snnet_routes([12, 6], 2, 1)
