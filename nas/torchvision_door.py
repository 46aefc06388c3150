"""The one door to torchvision; import it before anything else that imports torchvision, such as timm.

A torch built for the CPU alone next to a torchvision built for CUDA cannot be imported as it comes ("operator
torchvision::nms does not exist"): torchvision registers shapes for two compiled operators that its own library,
which did not load, would have declared. Declaring them is enough for everything except `torchvision.ops` and
`torchvision.io`, which stay unavailable: pictures are read with Pillow.

    from nas.torchvision_door import v2
"""

import importlib
import sys
from types import ModuleType
from typing import Any

import torch

DECLARATIONS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_kept_alive: list[Any] = []  # a declaration vanishes with the library object that made it


def import_torchvision() -> ModuleType:
    """The package itself, after declaring its two missing operators where that is what stops the import."""
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    make_library: Any = torch.library.Library
    library = make_library("torchvision", "FRAGMENT")
    for declaration in DECLARATIONS:
        library.define(declaration)
    _kept_alive.append(library)
    return importlib.import_module("torchvision")


def import_behind(name: str) -> Any:
    """A package that imports torchvision by itself, such as timm."""
    return importlib.import_module(name)


torchvision = import_torchvision()
v2: Any = importlib.import_module("torchvision.transforms.v2")
