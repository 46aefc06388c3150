"""Networks of a space with quantization policies as onnxruntime runs them, with random weights: to be timed."""

import torch

from nas.evaluation.quantized import QuantizedNetworks
from nas.onnx_door import fixed_quantized_onnx_file
from nas.quantization.qdq import qdq_network
from nas.training.device import random_numbers
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.architecture import Architecture

_PICTURES = 4  # ranges of random weights mean nothing; some are needed


def random_quantized_file(space: WithQuantization, architecture: Architecture, batch: int) -> bytes:
    """The content of a .onnx file for exactly `batch` pictures, widths as the policy says; the same every time."""
    size = space.input_size(architecture)
    with random_numbers(0), torch.no_grad():
        network = space.build(architecture).eval()
        pictures = torch.randn(_PICTURES, *size)
        quantized = QuantizedNetworks(space).of(architecture, lambda: network, lambda: [pictures])
        return fixed_quantized_onnx_file(qdq_network(quantized), size, batch)
