"""What is converted is what torch computes, for any batch; and what is refused."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.onnx_door import OnnxNetwork, check, onnx_file, require, session
from search_spaces.core.errors import FitnasError, WrongUse
from search_spaces.core.space import Blueprint

SIZE = (3, 8, 8)


class Scaled(nn.Module):
    """A network whose answer a test knows."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.factor * pictures.mean(dim=(2, 3))


@pytest.fixture(scope="module")
def doubled() -> bytes:
    return onnx_file(Scaled(2.0).eval(), SIZE)


def test_the_file_computes_what_torch_does(doubled: bytes) -> None:
    pictures = torch.arange(5 * 3 * 64, dtype=torch.float32).reshape(5, *SIZE)
    assert OnnxNetwork(doubled)(pictures).tolist() == (2 * pictures.mean(dim=(2, 3))).tolist()
    assert check(doubled, Scaled(2.0), SIZE) < 1e-6


def test_a_file_of_another_network_is_found_out(doubled: bytes) -> None:
    with pytest.raises(FitnasError, match="logits differ by"):
        check(doubled, Scaled(2.01), SIZE)


def test_a_class_token_keeps_no_batch() -> None:
    """Torch's older exporter freezes it."""
    tokenizer = [{"out": 8, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}]
    layers = [{"heads": 2, "head_dim": 4, "mlp": 16}]
    arguments = {"input_size": [3, 16, 16], "tokenizer": tokenizer, "layers": layers, "classes": 5, "pool": "class"}
    torch.manual_seed(0)
    network = Blueprint("search_spaces.blocks.transformer", "TransformerNetwork", arguments).build().eval()
    assert check(onnx_file(network, (3, 16, 16)), network, (3, 16, 16)) < 1e-5


def test_threads_are_pinned(doubled: bytes) -> None:
    assert session(doubled, threads=2).get_session_options().intra_op_num_threads == 2


def test_nothing_of_the_machine_is_in_it(doubled: bytes) -> None:
    assert str(Path(__file__).parent).encode() not in doubled
    assert b"site-packages" not in doubled


def test_a_damaged_file_is_refused(doubled: bytes) -> None:
    with pytest.raises(FitnasError, match="cannot load the network"):
        session(doubled[: len(doubled) // 2])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Any = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else real(name))
    with pytest.raises(WrongUse, match=r"--to onnx needs the packages onnxruntime; type: pip install 'fitnas\[onnx\]'"):
        require("--to onnx")
