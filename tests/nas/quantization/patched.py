"""A network with a patch schedule, its batch norms plausible."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.pricing import Pricer
from nas.quantization.capture import capture
from nas.quantization.patches import PatchStage
from nas.quantization.per_patch import Schedule
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.policy import quantizable_names
from search_spaces.core.registry import space_class

RUNTIME = "analytic"
SPACE = space_class("mcunetv2").configured(
    {"resolutions": "32"}, InputFacts(channels=3, height=32, width=32, classes=4, pictures=4000)
)


class Example:
    """One network. `price` is under the schedule of least peak, with a grid of that size where one is asked for."""

    def __init__(self, seed: int, grid: int | None = None) -> None:
        rng = np.random.default_rng(seed)
        while True:
            self.architecture = SPACE.sample(rng, 1)[0]
            self.price: dict[str, Any] = Pricer(SPACE, RUNTIME).one(self.architecture)
            if self.price["patches"] > 1 and grid in (None, self.price["patches"]):
                break
        self.table: LayerTable = SPACE.decode(SPACE.population([self.architecture]))
        self.schedule = Schedule(self.price["patches"], self.price["split"], RUNTIME)
        torch.manual_seed(seed)
        self.network: nn.Module = SPACE.build(self.architecture)
        self.pictures: Tensor = torch.randn(12, 3, 32, 32).clamp(-2, 2)
        with torch.no_grad():
            for _ in range(3):
                self.network.train()(self.pictures)
        self.network.eval()
        self.captured = capture(self.network, quantizable_names(self.table))

    def stage(self) -> PatchStage:
        return PatchStage.of(self.captured, self.table, self.schedule.grid, self.schedule.split)
