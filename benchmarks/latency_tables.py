"""Published tables of measured networks, with what predictors may know of each: read, described, split.

NAS-Bench-201, FBNet and OFA-MobileNetV3 with latencies from HELP (HayeonLee/HELP, MIT); timm's throughputs
(huggingface/pytorch-image-models, Apache-2.0).
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from predictors.hardware.latency.operator_classes import operator_classes
from search_spaces.blocks.mbconv_layers import mbconv_layers
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer, LayerTable

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class MeasuredNetworks:
    """Features `(n, f)` and details `(n, g)` as a latency predictor takes them, the measured columns, and groups `(n,)`
    of networks that are one and the same for a fair split.
    """

    title: str
    features: Floats
    details: Floats
    columns: pd.DataFrame
    groups: Places

    def split(self, learnt: int, asked: int, seed: int) -> tuple[Places, Places]:
        """Rows learnt from, each of another group, and rows asked, of none of these groups."""
        order = np.random.default_rng(seed).permutation(len(self.groups))
        firsts = order[np.sort(np.unique(self.groups[order], return_index=True)[1])]
        known = firsts[:learnt]
        rest = order[~np.isin(self.groups[order], self.groups[known])]
        return known, rest[:asked]


def one_hot(options: NDArray[Any], count: int) -> Floats:
    """`(n, choices x count)`."""
    return (options[:, :, None] == np.arange(count)).reshape(len(options), -1).astype(np.float64)


def counts(options: NDArray[Any], count: int) -> Floats:
    """How often each of `count` options was chosen, `(n, count)`."""
    return one_hot(options, count).reshape(len(options), -1, count).sum(axis=1)


def nas_bench_201(folder: Path, connected: bool = True) -> MeasuredNetworks:
    """Features are the counts of the 5 operations over 6 edges; details the one-hot, and the counts of those alone that
    lie between input and output. Groups are architectures without the others, and up to the order of two like nodes.
    """
    table = pd.read_parquet(folder / "bench" / "nas_bench_201.parquet")
    table = table[table.connected].reset_index(drop=True) if connected else table
    edges = table[[f"op{i}" for i in range(6)]].to_numpy()
    used = without_unconnected(edges)
    swapped = used[:, [1, 0, 2, 3, 5, 4]]
    numbers = [(each.astype(int) * 5 ** np.arange(6)).sum(axis=1) for each in (used, swapped)]
    groups = np.where(used[:, 2] == 0, np.minimum(*numbers), numbers[0])
    details = np.hstack([one_hot(edges, 5), counts(used, 5)])
    return MeasuredNetworks("NAS-Bench-201", counts(edges, 5), details, table, groups)


def nas_bench_201_accuracy(networks: MeasuredNetworks) -> dict[str, Floats]:
    """Features `(n, f)` for predictors of accuracy, by what they are: from the plain one-hot to the best.

    The best looks only at what lies between input and output. Zen adds up a logarithm a convolution, so that it grows
    with their number; trees cannot divide, so zen a convolution is a feature, too.
    """
    edges = networks.columns[[f"op{i}" for i in range(6)]].to_numpy()
    scalars = networks.columns[["params_m_c100", "flops_m_c10", "zen_c10"]].to_numpy()
    used = without_unconnected(edges)
    each = scalars[:, 2:] / (1 + networks.features[:, 2:4].sum(axis=1, keepdims=True))
    return {
        "one-hot": one_hot(edges, 5),
        "one-hot, parameters, MACs, zen": np.hstack([one_hot(edges, 5), scalars]),
        "of what is connected: one-hot, counts; parameters, MACs, zen, zen a convolution": np.hstack(
            [one_hot(used, 5), counts(used, 5), scalars, each]
        ),
    }


def without_unconnected(edges: NDArray[Any]) -> NDArray[Any]:
    """NAS-Bench-201's operations `(n, 6)`, those on no path from input to output become none."""
    on = edges != 0
    from_one = on[:, 4] | (on[:, 2] & on[:, 5])
    to_two = on[:, 1] | (on[:, 0] & on[:, 2])
    useful = [from_one, on[:, 5], on[:, 0] & on[:, 5], on[:, 3], on[:, 0], to_two]
    return np.where(np.stack(useful, axis=1) & on, edges, 0)


_FBNET_OUT = (16, *[24] * 4, *[32] * 4, *[64] * 4, *[112] * 4, *[184] * 4, 352)
_FBNET_STRIDE = (1, *(2, 1, 1, 1) * 3, 1, 1, 1, 1, 2, 1, 1, 1, 1)
# kernel, expansion, groups; the ninth option is a skip
_FBNET_BLOCKS = ((3, 1, 1), (3, 1, 2), (3, 3, 1), (3, 6, 1), (5, 1, 1), (5, 1, 2), (5, 3, 1), (5, 6, 1))


def fbnet(folder: Path) -> MeasuredNetworks:
    """Features are operator classes; details how often each block stands, and where."""
    table = pd.read_parquet(folder / "bench" / "fbnet_5000_latency.parquet")
    blocks = table[[f"op{i}" for i in range(22)]].to_numpy().astype(int)
    features = _classes([_fbnet_layers(row) for row in blocks.tolist()])
    return MeasuredNetworks(
        "FBNet", features, np.hstack([counts(blocks, 9), one_hot(blocks, 9)]), table, np.arange(len(table))
    )


def _fbnet_layers(blocks: Sequence[int]) -> list[Layer]:
    """FBNet's network (arXiv 1812.03443, table 1) at 224 pixels."""
    layers = [Layer("stem", Kind.CONV, NETWORK_INPUT, NO_INPUT, 3, 16, 224, 224, 112, 112, 3, 2, 1, 2)]
    channels, side = 16, 112

    def append(name: str, kind: Kind, out: int, stride: int = 1, kernel: int = 1, groups: int = 1) -> None:
        nonlocal channels, side
        smaller = 1 if kind == Kind.POOL else -(-side // stride)
        sizes = (channels, out, side, side, smaller, smaller)
        layers.append(Layer(name, kind, len(layers) - 1, NO_INPUT, *sizes, kernel, stride, groups, 2))
        channels, side = out, smaller

    for i, (block, out, stride) in enumerate(zip(blocks, _FBNET_OUT, _FBNET_STRIDE, strict=True)):
        start, alike = len(layers) - 1, channels == out and stride == 1
        if block < len(_FBNET_BLOCKS):
            kernel, expansion, groups = _FBNET_BLOCKS[block]
            wide = channels * expansion
            append(f"{i}.expand", Kind.CONV, wide, groups=groups)
            append(f"{i}.depthwise", Kind.DEPTHWISE, wide, stride, kernel, wide)
            append(f"{i}.project", Kind.CONV, out, groups=groups)
            if alike:
                append(f"{i}.add", Kind.ADD, out)
                layers[-1] = layers[-1]._replace(input_b=start)
        elif not alike:
            append(f"{i}.skip", Kind.CONV, out, stride)
    append("mix", Kind.CONV, 1504)
    append("pool", Kind.POOL, 1504)
    append("classifier", Kind.LINEAR, 1000)
    return layers


_OFA_OUT, _OFA_STRIDE, _OFA_SQUEEZE = (24, 40, 80, 112, 160), (2, 2, 2, 1, 2), (False, True, False, True, True)


def ofa_mbv3(folder: Path) -> MeasuredNetworks:
    """Features are operator classes; details the kernel and expansion of each block that is there, and the size."""
    table = pd.read_parquet(folder / "bench" / "ofa_mbv3_5000_latency.parquet")
    kernels, expansions, depths = (
        table[[f"{name}{i}" for i in range(number)]].to_numpy().astype(int)
        for name, number in (("ks", 20), ("e", 20), ("d", 5))
    )
    sizes = table["r"].to_numpy().astype(int)
    rows = zip(kernels.tolist(), expansions.tolist(), depths.tolist(), sizes.tolist(), strict=True)
    features = _classes([mbconv_layers(_ofa_arguments(*row)) for row in rows])
    there = (np.arange(4) < depths[:, :, None]).reshape(len(table), -1)
    blocks = np.where(there, 3 * (kernels - 3) // 2 + np.searchsorted([3, 4, 6], expansions), 9)
    details = np.hstack([counts(blocks, 9), one_hot(blocks, 9), sizes[:, None]])
    return MeasuredNetworks("OFA-MobileNetV3", features, details, table, np.arange(len(table)))


def _ofa_arguments(kernels: list[int], expansions: list[int], depths: list[int], size: int) -> dict[str, Any]:
    """Of `mbconv_layers`: once-for-all's MobileNetV3 (arXiv 1908.09791), width 1.0."""
    plain = {"mid": 0, "squeeze": 0, "residual": True}
    blocks, channels = [{**plain, "kernel": 3, "stride": 1, "out": 16}], 16
    for stage, depth in enumerate(depths):
        for i in range(4 * stage, 4 * stage + depth):
            first, wide = i == 4 * stage, expansions[i] * channels
            squeeze = max(8, (wide // 4 + 4) // 8 * 8) if _OFA_SQUEEZE[stage] else 0
            stride, channels = _OFA_STRIDE[stage] if first else 1, _OFA_OUT[stage]
            block = {"mid": wide, "kernel": kernels[i], "stride": stride, "squeeze": squeeze}
            blocks.append({**block, "out": channels, "residual": not first})
    stem = {"out": 16, "kernel": 3, "stride": 2}
    more = {"mix": 960, "hidden": 1280, "classes": 1000}
    return {"input_size": (3, size, size), "stem": stem, "blocks": blocks, **more}


def _classes(networks: Sequence[Sequence[Layer]], at_once: int = 500) -> Floats:
    parts = [LayerTable.stack(networks[i : i + at_once]) for i in range(0, len(networks), at_once)]
    return np.concatenate([operator_classes(part).values for part in parts])


TIMM_FILES = {
    "rtx4090": "benchmark-infer-amp-nchw-pt291-cu128-4090.csv",
    "CPU i7": "benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv",
}
_RARE = 4  # a word of fewer names tells nothing


def timm_models(folder: Path, device: str) -> MeasuredNetworks:
    """Features are multiply-accumulates, activations, parameters and pixels; details their logarithms and the words of
    the model's name. Groups: one model at any size, and names that share a number of parameters (one architecture).

    What tells of the measurement itself, its batch size, is left out.
    """
    table = pd.read_csv(folder / "timm" / TIMM_FILES[device], thousands=",")
    table = table[table.infer_gmacs > 0].reset_index(drop=True)  # rounded to two decimals
    features = table[["infer_gmacs", "infer_macts", "param_count", "infer_img_size"]].to_numpy().astype(np.float64)
    features[:, 3] **= 2
    logarithms = np.log(np.maximum(features, 0.005))
    ratios = logarithms[:, [0, 0, 1]] - logarithms[:, [1, 2, 3]]
    named = [set(re.findall("[a-z]+", name)) | {f"^{re.split('[^a-z]', name)[0]}"} for name in table.model]
    often = Counter(word for words in named for word in words)
    vocabulary = sorted(word for word, number in often.items() if number >= _RARE)
    words = np.array([[word in words for word in vocabulary] for words in named], dtype=np.float64)
    details = np.hstack([logarithms, ratios, words])
    return MeasuredNetworks(f"timm, {device}", features, details, table, _one_model(table))


def _one_model(table: pd.DataFrame) -> Places:
    names, params = (table[column].astype("category").cat.codes.to_numpy() for column in ("model", "param_count"))
    shape = (names.max() + 1 + params.max() + 1,) * 2
    edges = coo_array((np.ones(len(table)), (names, names.max() + 1 + params)), shape=shape)
    return np.asarray(connected_components(edges, directed=False)[1][names], dtype=np.intp)
