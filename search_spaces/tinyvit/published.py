"""Published networks of the family."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.blocks.tinyvit_layers import write_tinyvit
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.space import Blueprint, PublishedMember
from search_spaces.core.table_writer import TableWriter

_SOURCE = "TinyViT, arXiv 2207.10666; microsoft/Cream TinyViT (MIT)"
_CLASSES, _CHANNELS, _RATIO, _HEAD_DIM = 1000, 3, 4, 32
_DEPTHS = (2, 2, 6, 2)
_DIMS_5M, _DIMS_11M, _DIMS_21M = (64, 128, 160, 320), (64, 128, 256, 448), (96, 192, 384, 576)
# name -> pixels, channels of the stages, windows of the attention stages
_NETWORKS = {
    "tiny_vit_5m": (224, _DIMS_5M, (7, 14, 7)),
    "tiny_vit_11m": (224, _DIMS_11M, (7, 14, 7)),
    "tiny_vit_21m": (224, _DIMS_21M, (7, 14, 7)),
    "tiny_vit_21m_384": (384, _DIMS_21M, (12, 24, 12)),
    "tiny_vit_21m_512": (512, _DIMS_21M, (16, 32, 16)),
}


def published_dims(params: NDArray[np.float64]) -> NDArray[np.float64]:
    """Channels of the four stages `(n, 4)` of networks of so many parameters.

    Between the published networks linear in the logarithms; beyond them their proportions stay, and parameters go with
    the square of the channels.
    """
    known = np.log([5_392_764, 10_996_972, 21_198_568])
    at = np.clip(np.log(params), known[0], known[-1])
    dims = np.log([_DIMS_5M, _DIMS_11M, _DIMS_21M])
    inside = np.stack([np.interp(at, known, column) for column in dims.T], axis=1)
    beyond = 0.5 * (np.log(params) - at)
    result: NDArray[np.float64] = np.exp(inside + beyond[:, None])
    return result


def blueprint_of(size: Sequence[int], stages: list[dict[str, Any]], expand: int, classes: int) -> Blueprint:
    """How to build one network."""
    arguments = {"input_size": list(size), "stages": stages, "expand": expand, "classes": classes}
    return Blueprint("search_spaces.blocks.tinyvit", "TinyVitNetwork", arguments)


def _stages(dims: Sequence[int], windows: Sequence[int]) -> list[dict[str, Any]]:
    first, *rest = zip(dims, _DEPTHS, (0, *windows), strict=True)
    stages = [{"dim": first[0], "depth": first[1], "heads": 0, "window": 0, "mlp": 0}]
    return stages + [
        {"dim": dim, "depth": depth, "heads": dim // _HEAD_DIM, "window": window, "mlp": _RATIO * dim}
        for dim, depth, window in rest
    ]


def _table(pixels: int, stages: list[dict[str, Any]]) -> LayerTable:
    return write_tinyvit(TableWriter(1, _CHANNELS, pixels, pixels), stages, _RATIO, _CLASSES)


@functools.cache
def published_members() -> Mapping[str, PublishedMember]:
    """By name, such as `tiny_vit_5m`."""
    found = {}
    for name, (pixels, dims, windows) in _NETWORKS.items():
        stages = _stages(dims, windows)
        table = functools.partial(_table, pixels, stages)
        blueprint = functools.partial(blueprint_of, (_CHANNELS, pixels, pixels), stages, _RATIO, _CLASSES)
        found[name] = PublishedMember(name, _SOURCE, table, blueprint)
    return found
