"""The operator table of every search space against the network that is built, traced operator by operator."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import search_spaces
from predictors.hardware.price import price_table
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

Space = SearchSpace[Any]


class Trace(TorchDispatchMode):
    """What a network computes, as layers: every operator that a table lists, with the operators that made its inputs.

    Batch norm, activations and reshapes belong to the operator before them.
    """

    def __init__(self, picture: torch.Tensor) -> None:
        super().__init__()
        self.layers: list[Layer] = []
        self.maker = {id(picture): NETWORK_INPUT}
        self.kept: list[Any] = [picture]  # an id is only good while its object lives

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        output = _tensors([result])[0]
        inputs = [self.maker[id(arg)] for arg in _tensors(args) if id(arg) in self.maker]
        if inputs:
            layer = self.layer(func.overloadpacket.__name__, args, output, inputs)
            self.layers += [layer] if layer else []
            for made in _tensors([result]):
                self.maker[id(made)] = len(self.layers) - 1 if layer else inputs[0]
                self.kept.append(made)
        return result

    def layer(self, name: str, args: tuple[Any, ...], output: torch.Tensor, inputs: list[int]) -> Layer | None:
        read = next(arg for arg in _tensors(args) if id(arg) in self.maker)
        (inside, *before), (out, *after) = _shape(read), _shape(output)
        first, other = (*sorted(set(inputs)), NO_INPUT)[:2]
        plain = Layer("", Kind.ADD, first, other, inside, out, *before, *after)
        if name == "convolution":
            kernel, stride, groups = args[1].shape[2], args[3][0], args[8]
            assert args[1].shape[2] == args[1].shape[3]
            kind = Kind.DEPTHWISE if args[1].shape[1] == 1 and groups == inside == out else Kind.CONV
            return plain._replace(kind=kind, kernel=kernel, stride=stride, groups=groups)
        if name in ("max_pool2d_with_indices", "avg_pool2d"):
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
            return None  # learned biases of attention scores
        kind_of = {"addmm": Kind.LINEAR, "mm": Kind.LINEAR, "add": Kind.ADD, "mul": Kind.MULTIPLY, "cat": Kind.CONCAT}
        kind_of |= {"native_layer_norm": Kind.NORM, "mean": Kind.POOL, "_adaptive_avg_pool2d": Kind.POOL}
        return plain._replace(kind=kind_of[name]) if name in kind_of else None


def _tensors(args: Any) -> list[torch.Tensor]:
    """The tensors among arguments or results, those inside lists as well."""
    found = []
    for arg in args:
        found += [arg] if isinstance(arg, torch.Tensor) else _tensors(arg) if isinstance(arg, list | tuple) else []
    return found


def _shape(tensor: torch.Tensor) -> tuple[int, int, int]:
    """(channels, height, width) of one picture's map (1, C, H, W), or its tokens, in windows (W, N, C) or not."""
    if tensor.ndim == 4:
        return (*tensor.shape[1:],)  # type: ignore[return-value]
    return tensor.shape[-1], tensor.shape[:-1].numel(), 1


def traced(network: torch.nn.Module, size: tuple[int, int, int]) -> list[Layer]:
    picture = torch.zeros((1, *size), device="meta")
    with torch.no_grad(), Trace(picture) as trace:
        network(picture)
    return trace.layers


def comparable(layer: Layer) -> Layer:
    """Without what a trace does not see: names, block ends, norms; the inputs of two-handed operators in one order."""
    if layer.input_b != NO_INPUT:
        inputs = sorted((layer.input_a, layer.input_b))
        layer = layer._replace(input_a=inputs[0], input_b=inputs[1])
    return layer._replace(name="", cut=False, channel_params=0)


def test_the_table_is_the_network(space: Space, rng: np.random.Generator) -> None:
    population = space.sample(rng, 6).concatenate(space.population(space.extremes()))
    table = space.decode(population)
    priced = price_table(table, space.default_runtime, schedule="none")
    for row, architecture in enumerate(population):
        size = space.input_size(architecture)
        with torch.device("meta"):
            network = space.build(architecture).eval()
        layers = [comparable(layer) for layer in table.layers(row)]
        # a depthwise convolution of one channel is an ordinary one as well
        assert traced(network, size) == [
            layer._replace(kind=Kind.DEPTHWISE)
            if layer.kind == Kind.CONV and layer.groups == layer.out_channels == layer.in_channels
            else layer
            for layer in layers
        ]
        assert sum(parameter.numel() for parameter in network.parameters()) == priced["params"][row]
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros((1, *size), device="meta"))
        assert counter.get_total_flops() == 2 * priced["macs_layerwise"][row]


def test_the_network_runs_on_pictures(space: Space) -> None:
    smallest, _ = space.extremes()
    network = space.build(smallest).eval()
    with torch.no_grad():
        logits = network(torch.zeros((2, *space.input_size(smallest))))
    assert logits.shape == (2, space.settings.classes)
    assert torch.isfinite(logits).all()


def test_the_blueprints_module_stands_alone(space: Space) -> None:
    blueprint = space.blueprint(space.extremes()[0])
    assert blueprint.module.startswith("search_spaces.blocks.")
    source = Path(search_spaces.__path__[0]).joinpath("blocks", f"{blueprint.module.rsplit('.', 1)[1]}.py").read_text()
    imported = re.findall(r"^\s*(?:from|import)\s+(\w+)", source, flags=re.MULTILINE)
    foreign = set(imported) - {"torch"} - set(sys.stdlib_module_names)
    assert not foreign
    json.dumps(blueprint.arguments)


def test_the_supernet_contains_every_member(space: Space, rng: np.random.Generator) -> None:
    if space.default_evaluator != "supernet":
        pytest.skip("the space is not evaluated by a supernet")
    supernet: Any = space.supernet().eval()  # type: ignore[attr-defined]
    for architecture in space.population(space.extremes()).concatenate(space.sample(rng, 2)):
        supernet.activate(architecture)
        network = supernet.extract(architecture).eval()
        expected = space.build(architecture).state_dict()
        assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in expected.items()}
        picture = torch.rand((1, *space.input_size(architecture)))
        with torch.no_grad():
            assert torch.allclose(network(picture), supernet(picture), atol=1e-5)


# published members


def test_published_members_are_priced_and_built(space_name: str) -> None:
    for name, member in space_class(space_name).members().items():
        assert member.name == name
        assert member.source
        table = member.table()
        priced = price_table(table, "analytic", schedule="none")
        blueprint = member.blueprint()
        with torch.device("meta"):
            network = blueprint.build().eval()
        size = (int(table.in_channels[0, 0]), int(table.in_height[0, 0]), int(table.in_width[0, 0]))
        assert traced(network, size) == [comparable(layer) for layer in table.layers(0)]
        assert sum(parameter.numel() for parameter in network.parameters()) == priced["params"][0]
