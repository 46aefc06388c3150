"""A network as plain PyTorch: `model.py` imports torch alone, the weights are safetensors."""

import importlib
import inspect
import pprint
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from nas.core.trial import Trial
from nas.deployment.artifact import model_card, open_folder, write_common
from nas.member import network_of
from nas.run import StoredRun
from nas.storage.files import write_atomically
from search_spaces.core.errors import FitnasError
from search_spaces.core.space import Blueprint

_TOLERANCE = 1e-5
_PROBES = 4
_CHECK_SECONDS = 120

_USAGE = """\
```python
from safetensors.torch import load_file
from model import network

net = network()
net.load_state_dict(load_file("model.safetensors"))
net.eval()
logits = net(pictures)  # float32 (n, channels, height, width), prepared as preprocessing.json says
```"""

# runs in a clean interpreter that sees the folder, torch and safetensors alone
_CHECK = """\
import sys
sys.path.insert(0, sys.argv[1])
import torch
from safetensors.torch import load_file, save_file
from model import network
net = network()
net.load_state_dict(load_file(sys.argv[1] + "/model.safetensors"))
net.eval()
probe = load_file(sys.argv[2])["probe"]
with torch.no_grad():
    save_file({"logits": net(probe).contiguous()}, sys.argv[3])
"""


def export(run: StoredRun, trial: Trial, folder: Path, *, force: bool = False) -> Path:
    """Writes the folder, loads it in a clean interpreter and compares; `FitnasError` where logits differ by 1e-5."""
    open_folder(folder, force)
    network, weights = network_of(run, trial)
    blueprint = run.parts.space.blueprint(trial.architecture)
    write_atomically(folder / "model.py", model_source(blueprint))
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_atomically(folder / "model.safetensors", save(state))
    manifest = write_common(run, trial, folder, weights)
    write_atomically(folder / "README.md", model_card(run, trial, manifest, _USAGE))
    check(folder, network, run.parts.space.input_size(trial.architecture))
    return folder


def model_source(blueprint: Blueprint) -> str:
    """The text of `model.py`: the source of the network's module, and this network's arguments."""
    source = inspect.getsource(importlib.import_module(blueprint.module))
    arguments = pprint.pformat(blueprint.arguments, width=110, sort_dicts=False)
    return (
        f"{source.rstrip()}\n\n\n"
        f"ARGUMENTS = {arguments}\n\n\n"
        f"def network() -> {blueprint.factory}:\n"
        '    """The network with random weights; load model.safetensors into it."""\n'
        f"    return {blueprint.factory}(**ARGUMENTS)\n"
    )


def check(folder: Path, network: nn.Module, size: tuple[int, int, int]) -> None:
    """Compares the logits of the exported folder, loaded in a clean interpreter, with those of `network`."""
    import tempfile

    from safetensors.torch import load_file, save_file

    probe = torch.randn(_PROBES, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(probe)
    with tempfile.TemporaryDirectory() as scratch:
        given, got = Path(scratch) / "probe.safetensors", Path(scratch) / "logits.safetensors"
        save_file({"probe": probe}, given)
        command = [sys.executable, "-I", "-c", _CHECK, str(folder.resolve()), str(given), str(got)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False)
        if done.returncode != 0:
            raise FitnasError(f"the exported network does not load: {done.stderr.strip().splitlines()[-1:]}")
        difference = float((load_file(got)["logits"] - expected).abs().max())
    if not difference <= _TOLERANCE:
        raise FitnasError(f"the exported network's logits differ by {difference:.2g}, more than {_TOLERANCE:g}")
