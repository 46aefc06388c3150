"""A .tflite file: its arena in TensorFlow Lite Micro, its answers there and in LiteRT, its MACs and bytes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas import tflite_door
from nas.deployment.samples import read_samples
from nas.deployment.verification import Check
from nas.importing import import_network
from predictors.hardware.counts import CODE_BYTES
from predictors.hardware.price import price_table

MARK = "model.tflite"
_WITHIN = 0.01
_ARENA = ("arena_head_bytes", "arena_tail_bytes", "peak_sram_bytes")


def verify(folder: Path, manifest: Mapping[str, Any]) -> list[Check]:
    """Checks of the file; without the packages of the extra `tflite` those of its bytes alone."""
    promised, path = manifest["promised"], folder / MARK
    size = path.stat().st_size
    checks = [
        Check("file_bytes", promised["file_bytes"], size, "the file's size"),
        Check("flash_bytes", promised["flash_bytes"], size + CODE_BYTES, f"the file and {CODE_BYTES:,} B for code"),
    ]
    missing = tflite_door.missing_packages()
    if missing:
        how = f"needs {', '.join(missing)}: pip install 'fitnas[tflite]'"
        figures = {name: promised[name] for name in ("macs_layerwise", "weight_bytes", *_ARENA)}
        return [*checks, *(Check(name, value, None, how) for name, value in figures.items())]
    return [*checks, *_counted(path, manifest), *_executed(folder, promised)]


def _counted(path: Path, manifest: Mapping[str, Any]) -> list[Check]:
    """What the file's own operators say."""
    promised, facts = manifest["promised"], manifest["tflite"]
    priced = price_table(import_network(path).table, "tflm")
    zeros = {"macs_layerwise": facts["zero_macs"], "weight_bytes": facts["zero_weights"]}
    return [
        Check(name, promised[name], int(priced[name][0]) - without, f"counted in the file, less {without:,} zeros")
        for name, without in zeros.items()
    ]


def _executed(folder: Path, promised: Mapping[str, Any]) -> list[Check]:
    """What the interpreters say."""
    from nas.tflite_door.interpreters import INTERPRETERS, TFLM, execute

    inputs, outputs = read_samples(folder)
    checks = []
    for name, title in INTERPRETERS.items():
        done = execute(folder / MARK, inputs, name)
        if name == TFLM and done.head is not None and done.tail is not None:
            measured = (done.head, done.tail, done.head + done.tail)
            checks += [
                Check(figure, promised[figure], value, f"{title}, print_allocations", _WITHIN)
                for figure, value in zip(_ARENA, measured, strict=True)
            ]
        differing = int((done.outputs != outputs).sum()) if done.outputs.shape == outputs.shape else outputs.size
        how = f"{title}, {outputs.size} logits of {len(inputs)} test pictures"
        checks.append(Check(f"other logits in {name}", 0, differing, how))
    return checks
