"""The operators of a plain MBConv network, from the arguments of `MbconvNetwork`; no torch."""

from collections.abc import Mapping
from typing import Any

from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer

_BATCH_NORM = 2
_BIAS = 1


class _Writer:
    """Appends operators and keeps the current tensor: its maker, channels, height and width."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.layers: list[Layer] = []
        self.source, self.channels, self.height, self.width = NETWORK_INPUT, channels, height, width

    def _append(
        self, name: str, kind: Kind, out: int, size: tuple[int, int], other: int = NO_INPUT, **more: Any
    ) -> None:
        here = (self.channels, out, self.height, self.width, *size)
        self.layers.append(Layer(name, kind, self.source, other, *here, **more))
        self.source, self.channels, (self.height, self.width) = len(self.layers) - 1, out, size

    def conv(self, name: str, out: int, kernel: int = 1, stride: int = 1, params: int = _BATCH_NORM) -> None:
        self._append(name, Kind.CONV, out, self._strided(stride), kernel=kernel, stride=stride, channel_params=params)

    def depthwise(self, name: str, kernel: int, stride: int) -> None:
        size, groups = self._strided(stride), self.channels
        more = {"kernel": kernel, "stride": stride, "groups": groups, "channel_params": _BATCH_NORM}
        self._append(name, Kind.DEPTHWISE, self.channels, size, **more)

    def binary(self, name: str, kind: Kind, other: int) -> None:
        self._append(name, kind, self.channels, (self.height, self.width), other)

    def pool(self, name: str) -> None:
        self._append(name, Kind.POOL, self.channels, (1, 1))

    def linear(self, name: str, out: int) -> None:
        self._append(name, Kind.LINEAR, out, (1, 1), channel_params=_BIAS)

    def squeeze(self, name: str, reduced: int) -> None:
        """Squeeze-excite: the gate is computed from the pooled map and multiplied onto it."""
        map_source, channels, height, width = self.source, self.channels, self.height, self.width
        self.pool(f"{name}.squeeze")
        self.conv(f"{name}.reduce", reduced, params=_BIAS)
        self.conv(f"{name}.excite", channels, params=_BIAS)
        gate = self.source
        self.source, self.height, self.width = map_source, height, width
        self.binary(f"{name}.gate", Kind.MULTIPLY, gate)

    def cut(self) -> None:
        """A block ends here: a patch schedule may be split after the newest operator."""
        self.layers[-1] = self.layers[-1]._replace(cut=True)

    def _strided(self, stride: int) -> tuple[int, int]:
        # 'same' padding kernel // 2 with odd kernels
        return -(-self.height // stride), -(-self.width // stride)


def mbconv_layers(arguments: Mapping[str, Any]) -> list[Layer]:
    """One `Layer` per convolution, pooling, addition, multiplication and linear operator, in execution order.

    Activations and batch norms are fused into the operator before them. `arguments` are those of `MbconvNetwork`.
    """
    writer = _Writer(*arguments["input_size"])
    stem = arguments["stem"]
    writer.conv("stem", stem["out"], stem["kernel"], stem["stride"])
    writer.cut()
    stitches = {spec["after"]: spec["out"] for spec in arguments.get("stitches", ())}
    for index, block in enumerate(arguments["blocks"]):
        _block(writer, f"block{index}", block)
        if index + 1 in stitches:
            writer.conv(f"stitch{index + 1}", stitches[index + 1], params=_BIAS)
            writer.cut()
    if arguments["mix"]:
        writer.conv("mix", arguments["mix"])
    writer.pool("pool")
    if arguments.get("hidden"):
        writer.linear("hidden", arguments["hidden"])
    writer.linear("classifier", arguments["classes"])
    return writer.layers


def _block(writer: _Writer, name: str, block: Mapping[str, Any]) -> None:
    start = writer.source
    if block["mid"]:
        writer.conv(f"{name}.expand", block["mid"])
    if block["kernel"] > 1:
        writer.depthwise(f"{name}.depthwise", block["kernel"], block["stride"])
    if block["squeeze"]:
        writer.squeeze(name, block["squeeze"])
    writer.conv(f"{name}.project", block["out"])
    if block["residual"]:
        writer.binary(f"{name}.add", Kind.ADD, start)
    writer.cut()
