"""The smallest search that goes through every part, and its pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

import nas
from nas.api import Run
from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Option
from search_spaces.core.space import SearchSpace
from search_spaces.snnet import SnNet

BUDGET = "sram=24k,flash=200k"


def draw_pictures(folder: Path, grey: bool = False) -> Path:
    """Two classes that can be told apart: bright discs and dark squares, 24 pictures of 32 x 32 each."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    for name, mask, level in (
        ("disc", (rows - 16) ** 2 + (columns - 16) ** 2 < 90, 220),
        ("square", (abs(rows - 16) < 7) & (abs(columns - 16) < 7), 40),
    ):
        (folder / name).mkdir(parents=True)
        for index in range(24):
            image = rng.integers(100, 150, (32, 32, 3))
            image[np.roll(mask, rng.integers(-4, 5, 2), (0, 1))] = level
            picture = Image.fromarray(image.astype(np.uint8))
            (picture.convert("L") if grey else picture).save(folder / name / f"{index}.png")
    return folder


def search(folder: Path, name: str = "signs", grey: bool = False) -> Run:
    """A run of eight trials under a budget that binds, in `folder`/runs, of the pictures in `folder`/pictures."""
    data = draw_pictures(folder / "pictures", grey)
    return nas.search(
        space="mcunetv2", budget=BUDGET, data=str(data), root=folder / "runs", run=name, trials=8, supernet_epochs=1,
        backend="inline", seed=3,
    )  # fmt: skip


def write_anchor(folder: Path, dim: int, heads: int, depth: int = 3, seed: int = 0) -> Path:
    """A network of `vit` as an export leaves it, with random weights, for the digits split by a seed."""
    layers = {f"layer{n}.{key}": value for n in range(depth) for key, value in (("heads", heads), ("mlp_ratio", 1.0))}
    space = nas.space("vit", "digits", preset="micro")
    return _write_random(folder, space, {"dim": dim, "depth": depth, **layers}, seed)


def write_convolutional_anchor(folder: Path, width: float) -> Path:
    """The same of `tinynet`, of five stages."""
    space = nas.space("tinynet", "digits", resolutions="16")
    return _write_random(folder, space, {"resolution": 16, "depth": 0.56, "width": width}, 0)


def write_swin_anchor(folder: Path, dim: int, depths: tuple[int, ...] = (2, 3, 1)) -> Path:
    """The same of `snnet`, whose cheapest route is a Swin by itself, for `draw_pictures`; windows of 2 x 2 tokens."""
    blocks: list[dict[str, Any]] = []
    for stage, depth in enumerate(depths):
        width = dim * 2**stage
        for number in range(depth):
            shape = {"heads": width // 8, "head_dim": 8, "mlp": 2 * width}
            windows = {"window": [2, 2], "shift": [number % 2] * 2}
            blocks.append({**shape, **windows, **({"merge": width} if stage and not number else {})})
    network = {"input_size": [3, 32, 32], "patch": {"out": dim, "kernel": 4}, "blocks": blocks, "classes": 2}
    pair = [network, {**network, "blocks": [{**block, "mlp": block["mlp"] + 1} for block in blocks]}]
    anchors = [{"name": f"n{n}", "factory": "SwinNetwork", "network": one} for n, one in enumerate(pair)]
    return _write_random(folder, SnNet.restored({"anchors": anchors, "classes": 2}), {"route": "A"}, 0)


def _write_random(folder: Path, space: SearchSpace[Any], options: dict[str, Option], seed: int) -> Path:
    architecture = Architecture(space.name, space.settings.model_dump(mode="json"), options)
    torch.manual_seed(0)
    folder.mkdir()
    (folder / "architecture.json").write_text(architecture.to_json())
    (folder / "manifest.json").write_text(json.dumps({"seed": seed}))
    save_file(space.build(architecture).state_dict(), folder / "model.safetensors")
    return folder


def search_stitches(folder: Path) -> Run:
    """A run over the routes through two such networks, in `folder`/runs."""
    anchors = [write_anchor(folder / f"dim{dim}", dim, heads) for dim, heads in ((64, 2), (96, 3))]
    return nas.search(
        space="snnet", set={"anchors": ",".join(map(str, anchors))}, root=folder / "runs", run="stitched",
        supernet_epochs=1, backend="inline",
    )  # fmt: skip
