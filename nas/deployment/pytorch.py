"""A network as plain PyTorch: `model.py` imports torch alone, the weights are safetensors."""

from pathlib import Path

from nas.core.trial import Trial
from nas.deployment.artifact import model_card, open_folder, write_common
from nas.deployment.samples import write_float_samples
from nas.deployment.standalone import check, model_source
from nas.member import network_of
from nas.run import StoredRun
from nas.storage.files import write_atomically
from nas.training.checkpoint import weights_file

_USAGE = """\
```python
from safetensors.torch import load_file
from model import network

net = network()
net.load_state_dict(load_file("model.safetensors"))
net.eval()
logits = net(pictures)  # float32 (n, channels, height, width), prepared as preprocessing.json says
```"""

_LOAD = """\
from model import network
net = network()
net.load_state_dict(load_file(folder + "/model.safetensors"))
"""


def export(run: StoredRun, trial: Trial, folder: Path, *, force: bool = False) -> Path:
    """Writes the folder, loads it in a clean interpreter and compares; `FitnasError` where logits differ by 1e-5."""
    open_folder(folder, force)
    network, weights = network_of(run, trial)
    blueprint = run.parts.space.blueprint(trial.architecture)
    write_atomically(folder / "model.py", model_source(blueprint))
    write_atomically(folder / "model.safetensors", weights_file(network))
    write_float_samples(run, trial, folder, network)
    manifest = write_common(run, trial, folder, weights)
    write_atomically(folder / "README.md", model_card(run, trial, manifest, _USAGE))
    check(folder, network, run.parts.space.input_size(trial.architecture), _LOAD)
    return folder
