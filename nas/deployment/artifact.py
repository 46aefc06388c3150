"""The folder that every export writes: architecture, preprocessing, manifest, model card."""

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.core.trial import Trial
from nas.pricing import EXACT_COLUMNS
from nas.run import StoredRun
from nas.storage.files import check_free_folder, os_errors_explained, write_atomically
from nas.training.data import OWN_RECIPE, Reading, preprocessing, preprocessing_source, spectrogram_preprocessing
from predictors.core.metric import METRICS, format_quantity
from predictors.hardware.counts import MAC_CONVENTIONS
from search_spaces.combinators.recipe import recipe_of

_PACKAGES = ("fitnas", "torch", "torchvision", "numpy")
_SOUND_USAGE = {
    "sounds": (
        "",
        "`preprocessing.py` needs NumPy alone: `network_input(samples)` makes the network's input from mono samples at",
        "`RECIPE.rate`, `network_bytes(samples)` the bytes before they are normalised.",
    ),
    "spectrograms": ("", f"The input is a spectrogram; its recipe is {OWN_RECIPE}."),
}


def open_folder(folder: Path, force: bool) -> None:
    """Makes the folder; one that holds files is refused without `force`, which replaces files of equal names alone."""
    check_free_folder(folder, force)
    with os_errors_explained(folder):
        folder.mkdir(parents=True, exist_ok=True)


def write_common(
    run: StoredRun, trial: Trial, folder: Path, weights: Mapping[str, Any], own: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Writes architecture.json, config.toml, preprocessing.json and manifest.json; returns the manifest.

    Where the run's data are sounds, also preprocessing.py: the recipe as code. `own`: what the format says beside, or
    instead.
    """
    data = run.data_document()
    write_preprocessing(run, trial, folder, data)
    manifest = _manifest(run, trial, weights, data) | dict(own or {})
    architecture = json.dumps(json.loads(trial.architecture.to_json()), indent=2)
    write_atomically(folder / "manifest.json", json.dumps(manifest, indent=2) + "\n")
    write_atomically(folder / "architecture.json", architecture + "\n")
    write_atomically(folder / "config.toml", run.config.shareable().to_toml())
    return manifest


def write_preprocessing(run: StoredRun, trial: Trial, folder: Path, data: Mapping[str, Any]) -> None:
    """Writes the steps to the network's input, preprocessing.json, and their code where it is ours."""
    channels, *size = run.parts.space.input_size(trial.architecture)
    at, own, mean, std = run.picture_size, (size[0], size[1]), data["mean"], data["std"]
    reading = Reading.from_document(data, channels, own)
    if reading.recipe is not None:
        source = preprocessing_source(reading.recipe, at, own, mean, std)
        write_atomically(folder / "preprocessing.py", source)
    if reading.spectral:
        steps = spectrogram_preprocessing(reading.recipe, channels, at, own, mean, std)
    else:
        steps = preprocessing(channels, own, mean, std)
    document = steps | {"class_names": data["class_names"]}
    write_atomically(folder / "preprocessing.json", json.dumps(document, indent=2) + "\n")


def data_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says of the data; whose the recipe is, where sounds came as spectrograms."""
    content = data.get("content", "pictures")
    recipe = {"sounds": data.get("recipe"), "spectrograms": OWN_RECIPE}.get(content)
    found = {"source": Path(data["source"]).name, "hash": data["hash"], "split_hash": data["split_hash"]}
    return found | {"content": content} | ({"recipe": recipe} if recipe else {})


def _manifest(run: StoredRun, trial: Trial, weights: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    parts = run.parts
    return {
        "id": trial.architecture.id,
        "run": run.name,
        "trial": trial.number,
        "promised": {column: trial.metrics[column] for column in EXACT_COLUMNS if column in trial.metrics},
        "runtime": parts.runtime,
        "unexecutable": parts.unexecutable or None,
        "device": parts.device.name if parts.device else None,
        "budget": parts.budget.describe(parts.runtime),
        "limits": dict(parts.budget.limits),
        "schedule": {"patches": trial.patches, "split": trial.split},
        "mac_convention": f"{MAC_CONVENTIONS[run.config.mac_convention]}; with the patches' recomputation",
        "count_input": run.config.count_input,
        "numbers": parts.numbers,
        "precision": f"the figures hold for {parts.numbers}; the weights in this folder are float32",
        "weights": {key: value for key, value in weights.items() if key != "confusion"},
        "data": data_of(data),
        "recipe": recipe_of(trial.architecture) or None,
        "seed": run.config.seed,
        "versions": versions(),
    }


def _integer_scores(quantized: Mapping[str, Any]) -> list[str]:
    """Of the network in integers, by who computed it."""
    executed = {"integer_reference": "in integers, by the reference", "onnxruntime": "in integers, by onnxruntime"}
    return [
        f"- {part} accuracy {where}: {100 * quantized[key][f'{part}_top1']:.1f} %"
        for key, where in executed.items()
        if key in quantized
        for part in ("test", "validation")
    ]


def versions() -> dict[str, str]:
    """Of what an export depends on."""
    return {package: importlib.metadata.version(package) for package in _PACKAGES}


def model_card(run: StoredRun, trial: Trial, manifest: Mapping[str, Any], usage: str) -> str:
    """A README of the exported network: what it is, what it scores, what was promised, how to use it."""
    data, weights = run.data_document(), manifest["weights"]
    names = ", ".join(data["class_names"][:20]) + (", ..." if len(data["class_names"]) > 20 else "")
    size = "x".join(map(str, run.parts.space.input_size(trial.architecture)))
    scores = [
        f"- {label}: {100 * weights[key]:.1f} %"
        for key, label in (
            ("test_top1", "test accuracy, on pictures that neither search nor training saw"),
            ("test_balanced_top1", "test accuracy, mean over classes"),
            ("validation_top1", "validation accuracy, which the search selected by"),
        )
        if weights.get(key) is not None
    ]
    scores += _integer_scores(manifest.get("quantized", {}))
    limits = "; ".join(manifest["budget"]) or "none"
    promised = [
        f"| {metric.key} | {format_quantity(metric, manifest['promised'][metric.column])} |"
        for metric in METRICS.values()
        if metric.column in manifest["promised"]
    ]
    schedule = manifest["schedule"]
    patches = (
        f"{schedule['patches']} x {schedule['patches']} patches over the first {schedule['split']} blocks"
        if schedule["split"]
        else "layer by layer"
    )
    lines = [
        f"# {manifest['id']}: a network of the space `{run.config.space}`",
        "",
        f"Input {size} (channels, height, width), {len(data['class_names'])} classes: {names}.",
        f"Weights: {weights['weights']}. Found by FitNAS under the budget: {limits}.",
        "",
        "## Accuracy",
        "",
        *scores,
        "",
        f"## Promised figures ({manifest['numbers']}, runtime {manifest['runtime']}, {patches})",
        "",
        *([f"Not executable: {manifest['unexecutable']}.", ""] if manifest["unexecutable"] else []),
        "| metric | figure |",
        "|---|---|",
        *promised,
        "",
        "## Use",
        "",
        usage,
        *_SOUND_USAGE.get(manifest["data"]["content"], ()),
        "",
        f"Space: {run.parts.space.source}.",
    ]
    return "\n".join(lines) + "\n"
