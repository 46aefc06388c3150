"""Compact convolutional transformers (Hassani et al., arXiv 2104.05704): convolutions make few, good tokens."""

import functools
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from search_spaces.blocks.transformer_layers import transformer_table, write_head, write_layer, write_tokenizer
from search_spaces.core.architecture import Architecture
from search_spaces.core.aspect import aspect_of, size_at
from search_spaces.core.choice import Choice
from search_spaces.core.input_facts import InputFacts, refuse_what_data_decide
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.lists import numbers, rising
from search_spaces.core.population import Population
from search_spaces.core.space import Blueprint, PublishedMember, SearchSpace, checked_settings
from search_spaces.core.table_writer import TableWriter

PUBLISHED_INPUT = InputFacts(channels=3, height=32, width=32, classes=10, pictures=50_000)
_SOURCE = "CCT, arXiv 2104.05704; SHI-Labs/Compact-Transformers @cd11f09 (Apache-2.0)"
_HEAD_DIM = 64
_INNER_CHANNELS = 64  # of every tokenizer convolution but the last
# layers -> (heads, MLP ratio, dim)
_PUBLISHED_LAYERS = {2: (2, 1, 128), 4: (2, 1, 128), 6: (4, 2, 256), 7: (4, 2, 256), 14: (6, 3, 384)}
# layers, kernel, convolutions, pixels, classes
_PUBLISHED = (
    (2, 3, 1, 32, 10), (2, 3, 2, 32, 10),
    (4, 3, 1, 32, 10), (4, 3, 2, 32, 10),
    (6, 3, 1, 32, 10), (6, 3, 2, 32, 10),
    (7, 3, 1, 32, 10), (7, 3, 2, 32, 10), (7, 3, 3, 32, 10), (7, 7, 1, 32, 10),
    (7, 7, 2, 224, 102), (14, 7, 2, 224, 1000),
)  # fmt: skip
_MOST_CONVS, _MOST_LAYERS = 3, 14


class CctSettings(BaseModel):
    """Resolved settings. `resolutions`: pixels of the short side, rising; `aspect`: height to width."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resolutions: Annotated[
        tuple[Annotated[int, Field(ge=8, le=1024)], ...],
        Field(min_length=1),
        BeforeValidator(numbers),
        AfterValidator(rising),
    ]
    channels: int = Field(ge=1, le=16)
    aspect: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 1)
    classes: int = Field(ge=2)


class Cct(SearchSpace[CctSettings]):
    """Tokenizer (kernel, convolutions), width in heads of 64 channels, layers, MLP ratio, position embedding, pixels.

    The published networks tie heads, MLP ratio and layers together; here each is a choice. A width of 64 is ours, for
    small devices. Weights are not shared: the number of tokens differs from network to network.
    """

    name: ClassVar[str] = "cct"
    title: ClassVar[str] = "compact convolutional transformers"
    source: ClassVar[str] = "CCT, arXiv 2104.05704"
    default_evaluator: ClassVar[str] = "train"
    learning_rate: ClassVar[float] = 5e-4

    def __init__(self, settings: CctSettings) -> None:
        self.settings = settings
        self.choices = (
            Choice("resolution", settings.resolutions),
            Choice("tokenizer.convs", (3, 2, 1)),  # fewer convolutions leave more tokens
            Choice("tokenizer.kernel", (3, 7)),
            Choice("dim", (64, 128, 256, 384)),
            Choice("layers", (2, 4, 6, 7, 14)),
            Choice("mlp_ratio", (1, 2, 3)),
            Choice("position", ("sine", "learned")),
        )

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> "Cct":
        facts = facts or PUBLISHED_INPUT
        refuse_what_data_decide(options, "channels", "classes", "aspect")
        told: dict[str, Any] = {"resolutions": default_resolutions(min(facts.height, facts.width)), **options}
        aspect = aspect_of(facts.height, facts.width)
        told |= {"channels": facts.channels, "aspect": aspect, "classes": facts.classes}
        return cls(checked_settings(CctSettings, told))

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> "Cct":
        return cls(checked_settings(CctSettings, settings))

    @classmethod
    def members(cls) -> Mapping[str, PublishedMember]:
        return published_members()

    def explain(self) -> list[str]:
        pixels = ", ".join("x".join(map(str, size_at(r, self.settings.aspect))) for r in self.settings.resolutions)
        return [f"resolutions {pixels}, channels {self.settings.channels}"]

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        height, width = size_at(int(architecture.options["resolution"]), self.settings.aspect)
        return self.settings.channels, height, width

    def blueprint(self, architecture: Architecture) -> Blueprint:
        options = architecture.options
        return _blueprint(
            network_arguments(
                size=self.input_size(architecture),
                kernel=int(options["tokenizer.kernel"]),
                convs=int(options["tokenizer.convs"]),
                layers=int(options["layers"]),
                dim=int(options["dim"]),
                ratio=int(options["mlp_ratio"]),
                position=str(options["position"]),
                classes=self.settings.classes,
            )
        )

    def decode(self, population: Population) -> LayerTable:
        pixels, convs, kernel, dim, layers, ratio, position = (
            np.array(choice.options)[column]
            for choice, column in zip(self.choices, population.matrix.T.astype(np.intp), strict=True)
        )
        height, width = (
            np.array([size_at(int(p), self.settings.aspect) for p in pixels], dtype=np.int32).reshape(-1, 2).T
        )
        writer = TableWriter(len(population), self.settings.channels, height, width)
        shape = {"kernel": kernel, "stride": _stride(kernel), "padding": kernel // 2, "bias": False, "pool": True}
        steps = [
            {"out": np.where(convs == index + 1, dim, _INNER_CHANNELS), "here": convs > index, **shape}
            for index in range(_MOST_CONVS)
        ]
        write_tokenizer(writer, steps, learned_position=position == "learned", pool="sequence")
        for index in range(_MOST_LAYERS):
            write_layer(
                writer,
                f"layer{index}",
                heads=dim // _HEAD_DIM,
                width=dim,
                mlp=dim * ratio,
                qkv_bias=False,
                residual_of_norm=True,
                here=layers > index,
            )
        write_head(writer, "sequence", self.settings.classes)
        return writer.table()


def default_resolutions(short_side: int) -> tuple[int, ...]:
    """Half, three quarters and all of the data's short side, at most 224, in steps of 8; tiny pictures 16, 24, 32.

    >>> default_resolutions(32), default_resolutions(8), default_resolutions(1000)
    ((16, 24, 32), (16, 24, 32), (112, 168, 224))
    """
    side = max(32, min(short_side, 224))
    return tuple(sorted({round(side * quarters / 32) * 8 for quarters in (2, 3, 4)}))


def _stride(kernel: Any) -> Any:
    return np.maximum(1, kernel // 2 - 1)


def network_arguments(
    *,
    size: tuple[int, int, int],
    kernel: int,
    convs: int,
    layers: int,
    dim: int,
    ratio: int,
    position: str,
    classes: int,
) -> dict[str, Any]:
    """Those of `TransformerNetwork`."""
    shape = {"kernel": kernel, "stride": int(_stride(np.array(kernel))), "padding": kernel // 2}
    widths = [_INNER_CHANNELS] * (convs - 1) + [dim]
    layer = {"heads": dim // _HEAD_DIM, "head_dim": _HEAD_DIM, "mlp": dim * ratio, "qkv_bias": False}
    return {
        "input_size": list(size),
        "tokenizer": [{"out": out, **shape, "bias": False, "pool": True} for out in widths],
        "layers": [layer] * layers,
        "classes": classes,
        "position": position,
        "pool": "sequence",
        "residual_of_norm": True,
    }


def _blueprint(arguments: dict[str, Any]) -> Blueprint:
    return Blueprint("search_spaces.blocks.transformer", "TransformerNetwork", arguments)


@functools.cache
def published_members() -> Mapping[str, PublishedMember]:
    """By name, such as `cct_7_3x2_32` and `cct_7_3x2_32_sine`.

    The authors' code drops the argument that asks for a sine embedding, so that theirs is learned; these have it.
    """
    found = {}
    for layers, kernel, convs, pixels, classes in _PUBLISHED:
        _, ratio, dim = _PUBLISHED_LAYERS[layers]
        for position, suffix in (("learned", ""), ("sine", "_sine")):
            name = f"cct_{layers}_{kernel}x{convs}_{pixels}{suffix}"
            arguments = network_arguments(
                size=(3, pixels, pixels),
                kernel=kernel,
                convs=convs,
                layers=layers,
                dim=dim,
                ratio=ratio,
                position=position,
                classes=classes,
            )
            table, blueprint = functools.partial(transformer_table, arguments), functools.partial(_blueprint, arguments)
            found[name] = PublishedMember(name, _SOURCE, table, blueprint)
    return found


SPACE = Cct
