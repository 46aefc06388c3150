"""What a network computes, traced operator by operator on the meta device, fast enough for hundreds of networks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer, LayerTable

# Their result is of their input's shape. On the meta device torch takes milliseconds to find that out.
_SHAPE_OF_INPUT = {"relu", "gelu", "silu", "sigmoid", "hardtanh", "hardswish", "hardsigmoid", "_softmax"}
# They make new tensors, of shapes that follow from their arguments: worked out once for like arguments.
_PURE = {"convolution", "native_layer_norm", "addmm", "bmm", "mm", "add", "mul", "cat", "mean", "index"}
_PURE |= {"max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d"}
# Those that a table lists.
_POOLS = ("max_pool2d_with_indices", "avg_pool2d")
_KIND_OF = {"addmm": Kind.LINEAR, "mm": Kind.LINEAR, "add": Kind.ADD, "mul": Kind.MULTIPLY, "cat": Kind.CONCAT}
_KIND_OF |= {"native_layer_norm": Kind.NORM, "mean": Kind.POOL, "_adaptive_avg_pool2d": Kind.POOL}
_LISTED = {"convolution", "bmm", *_POOLS, *_KIND_OF}
_worked_out: dict[Any, tuple[Any, int]] = {}


def computed(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, int]:
    """The operator's result on meta tensors, and its floating-point operations."""
    name = func.overloadpacket.__name__
    if name in _SHAPE_OF_INPUT:
        return _like(args[0]), 0
    if name == "native_batch_norm":
        nothing = torch.empty(0, device="meta")
        return (_like(args[0]), nothing, nothing), 0
    if name not in _PURE:
        return func(*args, **kwargs), 0
    key = (func, _signature(args), _signature(list(kwargs.items())))
    if key not in _worked_out:
        result = func(*args, **kwargs)
        formula = flop_registry.get(func.overloadpacket)
        _worked_out[key] = _signature(result), int(formula(*args, **kwargs, out_val=result)) if formula else 0
    signature, flops = _worked_out[key]
    return _made(signature), flops


def _like(tensor: torch.Tensor) -> torch.Tensor:
    """As `torch.empty_like`, which takes long on the meta device."""
    if not tensor.is_contiguous():
        return torch.empty_like(tensor)
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def _signature(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.Size, value.shape, value.stride(), value.dtype
    return tuple(_signature(each) for each in value) if isinstance(value, list | tuple) else value


def _made(signature: Any) -> Any:
    if isinstance(signature, tuple) and signature and signature[0] is torch.Size:
        return torch.empty_strided(*signature[1:3], dtype=signature[3], device="meta")
    return tuple(_made(each) for each in signature) if isinstance(signature, tuple) else signature


@contextmanager
def without_weights() -> Iterator[None]:
    """Networks built inside have shapes and no numbers: on the meta device, with nothing initialised."""
    names = [name for name in vars(nn.init) if name.endswith("_") and not name.startswith("_")]
    with patch.multiple(nn.init, **dict.fromkeys(names, _as_it_is)), torch.device("meta"):
        yield


def _as_it_is(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    return tensor


class Trace(TorchDispatchMode):
    """What a network computes, as layers: every operator that a table lists, with the operators that made its inputs.

    Batch norm, activations and reshapes belong to the operator before them. `flops` are counted by torch's formulas.
    """

    def __init__(self, picture: torch.Tensor) -> None:
        super().__init__()
        self.layers: list[Layer] = []
        self.flops = 0
        self.maker = {id(picture): NETWORK_INPUT}
        self.kept: list[Any] = [picture]  # an id is only good while its object lives

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result, flops = computed(func, args, kwargs or {})
        self.flops += flops
        read = [arg for arg in _tensors(args) if id(arg) in self.maker]
        if read:
            inputs, made = [self.maker[id(arg)] for arg in read], _tensors([result])
            name = func.overloadpacket.__name__
            layer = self.layer(name, args, read[0], made[0], inputs) if name in _LISTED else None
            self.layers += [layer] if layer else []
            for tensor in made:
                self.maker[id(tensor)] = len(self.layers) - 1 if layer else inputs[0]
            self.kept += made
        return result

    def layer(
        self, name: str, args: tuple[Any, ...], read: torch.Tensor, output: torch.Tensor, inputs: list[int]
    ) -> Layer | None:
        """What is listed of an operator that made `output` of `read` and others."""
        (inside, *before), (out, *after) = _shape(read), _shape(output)
        first, other = (*sorted(set(inputs)), NO_INPUT)[:2]
        plain = Layer("", Kind.ADD, first, other, inside, out, *before, *after)
        if name == "convolution":
            kernel, stride, groups = args[1].shape[2], args[3][0], args[8]
            assert args[1].shape[2] == args[1].shape[3]
            kind = Kind.DEPTHWISE if args[1].shape[1] == 1 and groups == inside == out else Kind.CONV
            return plain._replace(kind=kind, kernel=kernel, stride=stride, groups=groups)
        if name in _POOLS:
            return plain._replace(kind=Kind.POOL, kernel=args[1][0], stride=args[2][0])
        if name == "bmm":
            (groups, rows, inner), columns = args[0].shape, args[1].shape[2]
            tokens = self.layers[inputs[0]].out_height
            if tokens > rows and groups % (tokens // rows) == 0:  # each window is a product of its own
                groups, rows = groups // (tokens // rows), tokens
            size = {"in_height": rows, "in_width": 1, "out_height": rows, "out_width": 1}
            channels = {"in_channels": groups * inner, "out_channels": groups * columns, "groups": groups}
            return plain._replace(kind=Kind.MATMUL, **size, **channels)
        if name == "mul" and not isinstance(args[1], torch.Tensor):
            return None
        if name == "add" and other == NO_INPUT and self.layers and self.layers[first].kind == Kind.MATMUL:
            return _of_scores(plain, output)
        return plain._replace(kind=_KIND_OF[name])


def _tensors(args: Any) -> list[torch.Tensor]:
    """The tensors among arguments or results, those inside lists as well."""
    found = []
    for arg in args:
        if isinstance(arg, torch.Tensor):
            found.append(arg)
        elif isinstance(arg, list | tuple) and arg:
            found += _tensors(arg)
    return found


def _of_scores(layer: Layer, scores: torch.Tensor) -> Layer:
    """The addition of learned biases to scores ([windows,] heads, tokens, keys) of a picture, or of its windows."""
    heads, keys = scores.shape[-3], scores.shape[-1]
    rows = scores.numel() // (heads * keys)
    sizes = {"in_height": rows, "in_width": keys, "out_height": rows, "out_width": keys}
    return layer._replace(kind=Kind.ADD, in_channels=heads, out_channels=heads, **sizes)


def _shape(tensor: torch.Tensor) -> tuple[int, int, int]:
    """(channels, height, width) of one picture's map (1, C, H, W), or its tokens, in windows (W, N, C) or not."""
    if tensor.ndim == 4:
        return (*tensor.shape[1:],)  # type: ignore[return-value]
    return tensor.shape[-1], tensor.shape[:-1].numel(), 1


def traced(network: torch.nn.Module, size: tuple[int, int, int]) -> Trace:
    """The trace of one picture of (channels, height, width) through a network on the meta device: shapes alone."""
    picture = torch.zeros((1, *size), device="meta")
    with torch.no_grad(), Trace(picture) as trace:
        network(picture)
    return trace


def comparable(layer: Layer) -> Layer:
    """Without what a trace does not see (names, block ends, norms, widths), and both inputs of an operator in order."""
    if layer.input_b != NO_INPUT:
        inputs = sorted((layer.input_a, layer.input_b))
        layer = layer._replace(input_a=inputs[0], input_b=inputs[1])
    return layer._replace(name="", cut=False, channel_params=0, weight_bits=8, input_bits=8, kept_bits=8)


def assert_same(network: torch.nn.Module, table: LayerTable, row: int, size: tuple[int, int, int]) -> Trace:
    """The network is the row, operator by operator."""
    trace = traced(network.eval(), size)
    # a depthwise convolution of one channel is an ordinary one as well
    assert trace.layers == [
        layer._replace(kind=Kind.DEPTHWISE)
        if layer.kind == Kind.CONV and layer.groups == layer.out_channels == layer.in_channels
        else layer
        for layer in map(comparable, table.layers(row))
    ]
    return trace
