"""An exported .tflite file as a network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.quantization.affine import Affine
from nas.tflite_door.interpreters import TFLM, execute
from search_spaces.core.errors import FitnasError

_BITS = 8


class TfliteNetwork(nn.Module):
    """Pictures `(n, channels, height, width)` in, logits out, computed by TensorFlow Lite Micro.

    How input and output are quantized is read from the manifest beside the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        manifest = path.parent / "manifest.json"
        try:
            facts: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))["tflite"]
            self.given, self.answer = (
                Affine(_BITS, float(facts[end]["scale"]), int(facts[end]["zero_point"])) for end in ("input", "output")
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FitnasError(f"{manifest} is missing or damaged ({error!r}); export the network again") from None

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits `(n, classes)`."""
        integers = self.given.integers(pictures).permute(0, 2, 3, 1).contiguous().numpy().astype(np.int8)
        return self.answer.real(torch.from_numpy(execute(self.path, integers, TFLM).outputs).int())
