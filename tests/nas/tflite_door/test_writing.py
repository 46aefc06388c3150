"""Files of small networks: TensorFlow Lite Micro and LiteRT answer what the integer reference answers, bit for bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.quantization.integer import IntegerNetwork
from nas.quantization.quantized import quantize
from nas.tflite_door.interpreters import INTERPRETERS, execute
from nas.tflite_door.writing import Written, tflite_file, widened
from nas.tflite_reading import read_graph
from search_spaces.core.errors import WrongUse
from search_spaces.core.policy import QuantizationPolicy, width


class Net(nn.Module):
    """Its layers one after the other."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Branches(nn.Module):
    """A residual, a join, a padding, a product."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.third, self.last = nn.Conv2d(16, 8, 1), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first(x))
        y = self.second(x)
        x = torch.cat([x + y, y], dim=1)
        x = functional.pad(x, (1, 0, 0, 1))
        x = functional.relu(self.third(x))
        x = x * y.mean((2, 3), keepdim=True)
        return self.last(x.mean((2, 3)))


def written(network: nn.Module, side: int, policy: dict[str, Any] | None = None) -> tuple[Written, Any, Any]:
    """The file, inputs as it reads them, and the reference's outputs."""
    torch.manual_seed(0)
    for each in network.parameters():
        nn.init.normal_(each, std=0.4)
    pictures = torch.randn(3, 3, side, side)
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    widths = QuantizationPolicy({name: width("int8") for name in names}, **(policy or {}))
    integers = IntegerNetwork.of(quantize(network.eval(), names, widths, [pictures]), integer_logits=True)
    made = tflite_file(integers, (3, side, side))
    values = integers.integers(pictures)
    answer = values[integers.output]
    answer = answer.permute(0, 2, 3, 1) if answer.ndim == 4 else answer
    inputs = values[made.given].permute(0, 2, 3, 1).contiguous().numpy().astype(np.int8)
    return made, inputs, answer.reshape(len(pictures), -1).numpy()


def head() -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)]


NETWORKS = {
    "strides and kernels": lambda: Net(
        *(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6(), nn.Conv2d(8, 8, 5, 2, 2, groups=8), nn.ReLU()),
        *(nn.Conv2d(8, 8, 7, 1, 3), *head()),
    ),
    "no padding": lambda: Net(nn.Conv2d(3, 8, 4, 4), nn.ReLU(), *head()),
    "more padding than SAME has": lambda: Net(nn.Conv2d(3, 8, 1, 1, 1), nn.ReLU(), *head()),
    "groups": lambda: Net(nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 1, 1, groups=2), *head()),
    "channels of a depthwise": lambda: Net(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 3, 2, 1, groups=4), *head()),
    "windows": lambda: Net(
        nn.Conv2d(3, 8, 1), nn.MaxPool2d(3, 2, 1), nn.Conv2d(8, 8, 1), nn.AvgPool2d(2), nn.Conv2d(8, 8, 1), *head()
    ),
    "a convolution at last": lambda: Net(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 5, 1), nn.Flatten()),
    "branches": Branches,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "side"), [*((name, 12) for name in NETWORKS), ("strides and kernels", 11), ("windows", 11)]
)
def test_answers_are_the_references(name: str, side: int, tmp_path: Path) -> None:
    made, inputs, expected = written(NETWORKS[name](), side)
    path = tmp_path / "n.tflite"
    path.write_bytes(made.content)
    for interpreter in INTERPRETERS:
        assert np.array_equal(execute(path, inputs, interpreter).outputs, expected), interpreter


@pytest.mark.parametrize("policy", [{"scheme": "symmetric"}, {"granularity": "tensor"}])
def test_whatever_the_policy_says(policy: dict[str, str], tmp_path: Path) -> None:
    made, inputs, expected = written(Branches(), 12, policy)
    (tmp_path / "n.tflite").write_bytes(made.content)
    for interpreter in INTERPRETERS:
        assert np.array_equal(execute(tmp_path / "n.tflite", inputs, interpreter).outputs, expected)


def test_the_same_network_gives_the_same_bytes() -> None:
    assert written(Branches(), 12)[0].content == written(Branches(), 12)[0].content


def test_strides_widen_kernels_where_a_padded_copy_would_cost_memory(tmp_path: Path) -> None:
    made, _, _ = written(NETWORKS["strides and kernels"](), 12)
    assert "PAD" not in made.operators
    assert made.zero_weights == 8 * 3 * (16 - 9) + 8 * (36 - 25)
    assert made.zero_macs == 6 * 6 * 8 * 3 * (16 - 9) + 3 * 3 * 8 * (36 - 25)
    assert "PAD" in written(NETWORKS["more padding than SAME has"](), 12)[0].operators


@pytest.mark.parametrize("padding", [1, 2, 3])
def test_widened_kernels_pad_as_the_network(padding: int) -> None:
    """Against what SAME is defined to do."""
    kernel = 2 * padding + 1
    for side in range(kernel, 40):
        for stride in (1, 2, 3):
            made = (side + 2 * padding - kernel) // stride + 1
            more = widened(side, made, kernel, stride, padding)
            assert more is not None
            needed = max((-(-side // stride) - 1) * stride + kernel + more - side, 0)
            assert needed // 2 == padding


def test_constants_lie_at_multiples_of_16() -> None:
    made, _, _ = written(Branches(), 12)
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(made.content, 0)
    places = [
        model.Buffers(i)._tab.Vector(model.Buffers(i)._tab.Offset(4))
        for i in range(model.BuffersLength())
        if model.Buffers(i).DataLength()
    ]
    assert places
    assert all(place % 16 == 0 for place in places)


def test_the_reader_sees_what_was_written(tmp_path: Path) -> None:
    made, _, _ = written(Branches(), 12)
    (tmp_path / "n.tflite").write_bytes(made.content)
    graph = read_graph(tmp_path / "n.tflite")
    assert {node.operator for node in graph.nodes} == set(made.operators)
    assert graph.tensors[graph.inputs[0]].shape == (1, 12, 12, 3)


def test_what_has_no_equal_is_named() -> None:
    with pytest.raises(
        WrongUse, match=r"no equal in TensorFlow Lite Micro: layers_1 \(a function by table\).*--to onnx"
    ):
        written(Net(nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 8, 1), *head()), 12)


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_a_damaged_file_is_our_error_with_its_name(interpreter: str, tmp_path: Path) -> None:
    made, inputs, _ = written(NETWORKS["no padding"](), 12)
    path = tmp_path / "broken.tflite"
    for content in (b"", made.content[: len(made.content) // 2], made.content[:8] + bytes(len(made.content) - 8)):
        path.write_bytes(content)
        with pytest.raises(WrongUse, match=r"broken\.tflite"):
            execute(path, inputs, interpreter)
