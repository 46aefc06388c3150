"""Reads MCUNet's configuration files (mit-han-lab/mcunet, `ProxylessNASNets`); keys that change nothing are ignored."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from search_spaces.core.errors import WrongUse

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Side = Annotated[int, Field(ge=1, le=31)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class _Convolution(_Part):
    in_channels: Count
    out_channels: Count
    kernel_size: Side
    stride: Annotated[int, Field(ge=1, le=8)]
    act_func: Literal["relu6"] | None = "relu6"

    @model_validator(mode="after")
    def _odd_kernel(self) -> Self:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"an even kernel ({self.kernel_size}) is not built")
        return self


class _Inverted(_Convolution):
    name: Literal["MBInvertedConvLayer"]
    kernel_size: Annotated[Side, Field(ge=3)]
    expand_ratio: Annotated[float, Field(ge=1, le=100)]
    mid_channels: Count | None = None
    use_se: Literal[False] | None = None  # the file does not state by how much squeeze-excite reduces

    @property
    def mid(self) -> int:
        """Channels inside, 0 where nothing expands."""
        return 0 if self.expand_ratio == 1 else self.mid_channels or round(self.in_channels * self.expand_ratio)


class _Mix(_Convolution):
    kernel_size: Literal[1]
    stride: Literal[1]


class _Zero(_Part):
    name: Literal["ZeroLayer"]


class _Shortcut(_Part):
    name: Literal["IdentityLayer", "ZeroLayer"]


class _Block(_Part):
    mobile_inverted_conv: Annotated[_Inverted | _Zero, Field(discriminator="name")] | None
    shortcut: _Shortcut | None = None


class _Classifier(_Part):
    out_features: Annotated[int, Field(ge=2, le=1_000_000)]


class _Configuration(_Part):
    name: Literal["ProxylessNASNets"]
    resolution: Annotated[int, Field(ge=8, le=4096)]
    first_conv: _Convolution
    blocks: Annotated[tuple[_Block, ...], Field(min_length=1, max_length=1000, strict=False)]
    feature_mix_layer: _Mix | None = None
    classifier: _Classifier


def read_mcunet_configuration(text: str) -> dict[str, Any]:
    """The arguments of the network in one of MCUNet's configuration files.

    `WrongUse` where it is no such file, its channels do not fit together, or it holds a part that we do not build.
    """
    try:
        configuration = _Configuration.model_validate(json.loads(text))
        return _arguments(configuration)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise WrongUse(f"not an MCUNet configuration that can be built: {place}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"not an MCUNet configuration: it does not parse as JSON: {error}") from None


def _arguments(configuration: _Configuration) -> dict[str, Any]:
    first, mix = configuration.first_conv, configuration.feature_mix_layer
    blocks: list[dict[str, Any]] = []
    inside = first.out_channels
    for index, entry in enumerate(configuration.blocks):
        conv = entry.mobile_inverted_conv
        if not isinstance(conv, _Inverted):
            continue
        residual = entry.shortcut is not None and entry.shortcut.name == "IdentityLayer"
        if conv.in_channels != inside or (residual and (conv.stride != 1 or conv.out_channels != inside)):
            raise WrongUse(
                f"not an MCUNet configuration that can be built: block {index} does not fit its input or shortcut"
            )
        inside = conv.out_channels
        blocks.append(
            {
                "in": conv.in_channels,
                "mid": conv.mid,
                "out": conv.out_channels,
                "kernel": conv.kernel_size,
                "stride": conv.stride,
                "residual": residual,
                "squeeze": 0,
            }
        )
    if mix and mix.in_channels != inside:
        raise WrongUse("not an MCUNet configuration that can be built: feature_mix_layer does not fit the last block")
    return {
        "input_size": [first.in_channels, configuration.resolution, configuration.resolution],
        "stem": {"out": first.out_channels, "kernel": first.kernel_size, "stride": first.stride},
        "blocks": blocks,
        "mix": mix.out_channels if mix else 0,
        "classes": configuration.classifier.out_features,
    }
