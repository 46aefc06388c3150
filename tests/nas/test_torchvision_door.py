import importlib.util
import subprocess
import sys

import torch


def test_torchvision_and_what_imports_it_work_behind_the_door() -> None:
    timm = "import timm;" if importlib.util.find_spec("timm") else ""  # no dependency of ours, but many have it
    code = f"from nas.torchvision_door import torchvision, v2; {timm} v2.Resize(8); print(torchvision.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0.")


def test_transforms_work_on_tensors() -> None:
    from nas.torchvision_door import v2

    assert v2.CenterCrop((2, 2))(torch.zeros((1, 3, 4, 4), dtype=torch.uint8)).shape == (1, 3, 2, 2)
