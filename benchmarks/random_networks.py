"""Random networks of `mcunetv2` in integers, and the C that is generated of them."""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nas.deployment.c_code.generate import Generated, generate
from nas.deployment.c_code.target import Target
from nas.quantization.integer import IntegerNetwork
from nas.quantization.quantized import quantize
from predictors.hardware.price import price_table
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.policy import QuantizationPolicy, quantizable_names
from search_spaces.mcunetv2.space import Mcunetv2

_BACKBONES = ("micro", "small", "full")
_CALIBRATED_WITH = 4


def with_statistics(network: nn.Module, pictures: torch.Tensor) -> nn.Module:
    """With batch norms that have seen pictures and change them."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    with torch.no_grad():
        network.train()(pictures)
    return network.eval()


class RandomNetwork:
    """By its seed: architecture, weights, int8 all over. `schedule`: of least memory."""

    def __init__(self, seed: int, resolutions: str = "24,32,48") -> None:
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        facts = InputFacts(3, 64, 64, 10, 1000)
        settings = {"backbone": _BACKBONES[seed % len(_BACKBONES)], "resolutions": resolutions}
        self.space = Mcunetv2.configured(settings, facts)
        population = self.space.sample(rng, 1)
        self.architecture = population[0]
        self.table, self.size = self.space.decode(population), self.space.input_size(population[0])
        self.pictures = torch.randn(_CALIBRATED_WITH, *self.size)

    @cached_property
    def integers(self) -> IntegerNetwork:
        """With int8 logits."""
        network = with_statistics(self.space.build(self.architecture), self.pictures)
        names = quantizable_names(self.table)
        quantized = quantize(network, names, QuantizationPolicy.uniform(self.table), [self.pictures])
        return IntegerNetwork.of(quantized, integer_logits=True)

    @cached_property
    def schedule(self) -> tuple[int, int]:
        """Patches along a side, and after how many blocks they end."""
        priced = price_table(self.table, "c")
        return int(priced["patches"][0]), int(priced["split"][0])

    def generated(self, kernels: Target, patched: bool = False) -> Generated:
        """In C, with patches or layer by layer."""
        return generate(self.integers, self.size, self.table, kernels, self.schedule if patched else (1, 0))

    def samples(self, pictures: int = 1) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Pictures as the program reads them, and the reference's logits."""
        values = self.integers.tensors(self.pictures[:pictures])
        given = next(each.output for each in self.integers.operators if self.integers.input in each.inputs)
        inputs = values[given].permute(0, 2, 3, 1).numpy().astype(np.int8)
        return inputs, values[self.integers.output].flatten(1).numpy().astype(np.int8)
