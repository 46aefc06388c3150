"""A network as ONNX: float32, checked by onnxruntime against torch, or in integers, checked against the reference.

Extra `onnx`.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from torch import nn

from nas import onnx_door
from nas.core.trial import Trial
from nas.deployment.artifact import model_card, open_folder, write_common
from nas.deployment.integers import IntegerMember
from nas.deployment.samples import write_float_samples
from nas.member import network_of
from nas.member_quantization import POLICY_FILE, member_policy
from nas.onnx_door import EXACT_PRODUCTS, FILE_NAME, INPUT, OUTPUT, OnnxNetwork
from nas.quantization.qdq import qdq_network
from nas.run import StoredRun
from nas.storage.files import write_atomically
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.policy import QuantizationPolicy

_USAGE = f"""\
```python
import onnxruntime

session = onnxruntime.InferenceSession("{FILE_NAME}")
[logits] = session.run(["{OUTPUT}"], {{{{"{INPUT}": pictures}}}})  # NumPy float32 (n, channels, height, width)
```

The pictures are prepared as preprocessing.json says. The logits of this file differ from those of the network in
torch by at most {{difference:.1g}} on random pictures."""

_INTEGER_USAGE = f"""\
```python
import onnxruntime

options = onnxruntime.SessionOptions()
options.add_session_config_entry("{EXACT_PRODUCTS}", "1")  # right sums without 8-bit dot products, see below
session = onnxruntime.InferenceSession("{FILE_NAME}", options)
[logits] = session.run(["{OUTPUT}"], {{{{"{INPUT}": pictures}}}})  # NumPy float32 (n, channels, height, width)
```

The pictures are prepared as preprocessing.json says; input and output are floats, the integers are inside. The width
of each operator is in {POLICY_FILE}. On a processor with AVX2 but without VNNI onnxruntime cuts off sums of two
products at 16 bits unless the option above is set; elsewhere it changes nothing. On {{same:.1%}} of the test pictures
this file gives the class that the integer reference gives, whose arithmetic is that of TensorFlow Lite Micro."""


def export(run: StoredRun, trial: Trial, folder: Path, *, force: bool = False, int8: bool = False) -> Path:
    """Writes the folder with `model.onnx`, for any number of pictures at once.

    `int8`: by the policy that nas quantize or nas train left for the member, else every operator in int8. A network
    that carries a quantization policy is always exported under its own.
    `FitnasError` where onnxruntime's logits differ from torch's by more than 1e-4 of the largest, or its classes from
    the integer reference's; `WrongUse` for a width that onnxruntime does not execute.
    """
    onnx_door.require("--to onnx")
    space, architecture = run.parts.space, trial.architecture
    policy = member_policy(run, trial) if int8 or isinstance(space, WithQuantization) else None
    if policy is not None:
        onnx_door.check_widths(each.name for each in policy.widths.values())
    open_folder(folder, force)
    network, weights = network_of(run, trial)
    size = space.input_size(architecture)
    own: dict[str, Any] = {}
    if policy is not None:
        own = _write_integers(run, trial, folder, network, policy)
        usage = _INTEGER_USAGE.format(same=own["quantized"]["same_class"])
    else:
        write_atomically(folder / FILE_NAME, onnx_door.onnx_file(network, size))
        usage = _USAGE.format(difference=onnx_door.check(folder / FILE_NAME, network, size))
    write_float_samples(run, trial, folder, OnnxNetwork(folder / FILE_NAME))
    manifest = write_common(run, trial, folder, weights, own)
    write_atomically(folder / "README.md", model_card(run, trial, manifest, usage))
    return folder


def _write_integers(
    run: StoredRun, trial: Trial, folder: Path, network: nn.Module, policy: QuantizationPolicy
) -> dict[str, Any]:
    """Writes network and policy; what the manifest says of them."""
    member = IntegerMember.of(run, trial, network, policy)
    content = onnx_door.quantized_onnx_file(
        qdq_network(member.quantized), run.parts.space.input_size(trial.architecture)
    )
    write_atomically(folder / FILE_NAME, content)
    write_atomically(folder / POLICY_FILE, json.dumps(policy.to_document(), indent=2) + "\n")
    scores = member.scores(onnxruntime=OnnxNetwork(content))
    widths = Counter(each.name for each in policy.widths.values())
    told = ", ".join(f"{count} of {name}" for name, count in sorted(widths.items()))
    computed = [name for name, _ in member.quantized.captured.graph.named_buffers()]
    return {
        "precision": f"operators with weights: {told}, see {POLICY_FILE}",
        "quantized": {**scores, "weight_bytes": onnx_door.weight_bytes(content, computed)},
    }
