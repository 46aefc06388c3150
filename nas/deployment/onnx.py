"""A network as ONNX, float32, checked by onnxruntime against torch. Extra `onnx`."""

from pathlib import Path

from nas import onnx_door
from nas.core.trial import Trial
from nas.deployment.artifact import model_card, open_folder, write_common
from nas.member import network_of
from nas.onnx_door import FILE_NAME, INPUT, OUTPUT
from nas.run import StoredRun
from nas.storage.files import write_atomically

_USAGE = f"""\
```python
import onnxruntime

session = onnxruntime.InferenceSession("{FILE_NAME}")
[logits] = session.run(["{OUTPUT}"], {{{{"{INPUT}": pictures}}}})  # NumPy float32 (n, channels, height, width)
```

The pictures are prepared as preprocessing.json says. The logits of this file differ from those of the network in
torch by at most {{difference:.1g}} on random pictures."""


def export(run: StoredRun, trial: Trial, folder: Path, *, force: bool = False) -> Path:
    """Writes the folder with `model.onnx`, for any number of pictures at once.

    `FitnasError` where onnxruntime's logits differ from torch's by more than 1e-4 of the largest.
    """
    onnx_door.require("--to onnx")
    open_folder(folder, force)
    network, weights = network_of(run, trial)
    size = run.parts.space.input_size(trial.architecture)
    write_atomically(folder / FILE_NAME, onnx_door.onnx_file(network, size))
    difference = onnx_door.check(folder / FILE_NAME, network, size)
    manifest = write_common(run, trial, folder, weights)
    write_atomically(folder / "README.md", model_card(run, trial, manifest, _USAGE.format(difference=difference)))
    return folder
