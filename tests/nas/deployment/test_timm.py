import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from nas import torchvision_door
from nas.api import Run
from nas.deployment import export_member
from nas.deployment.scripts import timm_train
from nas.deployment.timm import to_yaml
from nas.member import network_of
from nas.training.data import read_picture, to_float
from nas.training.loop import FINE_TUNE_RATE, Fit
from search_spaces.core.errors import WrongUse
from tests.tiny_run import draw_pictures, search

Exported = tuple[Run, Path, Path]

_PROBE = """\
import sys; sys.path.insert(0, sys.argv[1]); sys.dont_write_bytecode = True
import json, {name}, timm, torch
from PIL import Image
make = lambda **options: timm.create_model("{name}", **options).eval()
size = json.load(open(sys.argv[1] + "/config.json"))["pretrained_cfg"]["input_size"]
probe = torch.linspace(-1, 1, 2 * size[0] * size[1] * size[2]).reshape(2, *size)
other = torch.zeros(2, 4 - size[0], *size[1:])
net = make(pretrained=True)
data = timm.data.resolve_data_config(model=net)
local = timm.create_model("local-dir:" + sys.argv[1], pretrained=True).eval()
picture = timm.data.create_transform(**data)(Image.open(sys.argv[2]).convert("RGB" if size[0] == 3 else "L"))
with torch.no_grad():
    print(json.dumps({{
        "logits": net(probe).tolist(), "random": make()(probe).tolist(), "local": local(probe).tolist(),
        "five": list(make(pretrained=True, num_classes=5)(probe).shape),
        "features": list(make(pretrained=True, num_classes=0)(probe).shape), "num_features": net.num_features,
        "other_channels": list(make(pretrained=True, in_chans=4 - size[0])(other).shape),
        "data": data, "picture": picture.tolist(), "listed": timm.list_models("{name}"),
        "labels": net.pretrained_cfg["label_names"], "same": torch.equal(probe, probe),
        "first": net.pretrained_cfg["first_conv"], "last": type(net.get_classifier()).__name__,
    }}))
"""


def run_python(*arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-B", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, check=False)


def as_train_py(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script of an exported folder in this process."""
    assert (folder / "train.py").read_text() == Path(timm_train.__file__).read_text()
    torchvision_door.import_behind("timm")
    monkeypatch.setattr(timm_train, "HERE", folder)
    return timm_train


def probed(folder: Path, picture: Path) -> dict[str, Any]:
    name = json.loads((folder / "config.json").read_text())["architecture"]
    done = run_python("-I", "-c", _PROBE.format(name=name), str(folder), str(picture))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def exported(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The run, `--out` and `--hub-dir`."""
    root = tmp_path_factory.mktemp("timm")
    folder = export_member(tiny_run, "knee", "timm", root / "out", hub_dir=root / "hub")
    return tiny_run, folder, root / "hub"


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    run = search(tmp_path_factory.mktemp("grey"), grey=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.deployment.timm.check", lambda *_: None)  # here the logits are compared once more
        folder = export_member(run, "best", "timm", tmp_path_factory.mktemp("timm") / "out")
    return run, folder, folder


@pytest.mark.parametrize("kind", ["exported", "grey"])
def test_timm_makes_the_same_network(kind: str, request: pytest.FixtureRequest) -> None:
    run, folder, _ = request.getfixturevalue(kind)
    trial = run.knee() if kind == "exported" else run.best()
    picture = next((run.path.parents[1] / "pictures" / "disc").glob("*.png"))
    found = probed(folder, picture)
    size, data = run.parts.space.input_size(trial.architecture), run.data_document()
    probe = torch.linspace(-1, 1, 2 * int(np.prod(size))).reshape(2, *size)
    network, _ = network_of(run, trial)
    with torch.no_grad():
        expected = network(probe).numpy()
    np.testing.assert_allclose(found["logits"], expected, atol=1e-5)
    np.testing.assert_allclose(found["local"], expected, atol=1e-5)
    assert not np.allclose(found["random"], expected, atol=1e-5)
    assert found["five"] == [2, 5]
    assert found["features"] == [2, found["num_features"]]
    assert found["other_channels"] == [2, 2]
    assert found["listed"]
    assert found["labels"] == ["disc", "square"]
    assert found["last"] == "Linear"
    config = found["data"]
    assert tuple(config["input_size"]) == size
    assert (config["interpolation"], config["crop_pct"], config["crop_mode"]) == ("bilinear", 1.0, "center")
    assert (config["mean"], config["std"]) == (data["mean"], data["std"])
    ours = to_float(torch.from_numpy(read_picture(picture, size[0], size[1:])[None].copy()), data["mean"], data["std"])[
        0
    ]
    step = 1 / 255 / min(data["std"])
    np.testing.assert_allclose(found["picture"], ours.numpy(), atol=2 * step)


def test_the_configuration_is_as_timms_hub_has_it(exported: Exported) -> None:
    run, folder, hub = exported
    config = json.loads((folder / "config.json").read_text())
    assert config["architecture"] == f"mcunetv2_{run.knee().architecture.id}"
    assert (config["num_classes"], config["label_names"]) == (2, ["disc", "square"])
    assert {"input_size", "mean", "std", "interpolation", "crop_pct", "first_conv", "classifier"} <= set(
        config["pretrained_cfg"]
    )
    assert json.loads((hub / "config.json").read_text()) == config
    network, _ = network_of(run, run.knee())
    state, expected = load_file(folder / "model.safetensors"), network.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_the_hub_folder_is_complete_and_says_how_to_load_it(exported: Exported) -> None:
    run, _, hub = exported
    name = f"mcunetv2_{run.knee().architecture.id}"
    assert {path.name for path in hub.iterdir()} == {"README.md", "config.json", "model.safetensors", f"{name}.py"}
    _, front, text = (hub / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(front)["library_name"] == "timm"
    assert yaml.safe_load(front)["license"] == "apache-2.0"
    assert f"import {name}" in text
    assert "local-dir:DIR" in text


def test_two_folders_are_two(tiny_run: Run, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="the same folder"):
        export_member(tiny_run, "knee", "timm", tmp_path / "out", hub_dir=tmp_path / "out")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "mine").write_text("")
    with pytest.raises(WrongUse, match="--force"):
        export_member(tiny_run, "knee", "timm", tmp_path / "out", hub_dir=tmp_path / "hub")


def test_the_recipe_is_that_of_fit(exported: Exported, grey: Exported) -> None:
    recipe = yaml.safe_load((exported[1] / "train.yaml").read_text())
    ours = Fit(25, FINE_TUNE_RATE)
    assert (recipe["lr"], recipe["batch_size"]) == (FINE_TUNE_RATE, ours.batch_size)
    assert (recipe["smoothing"], recipe["model_ema_decay"]) == (ours.label_smoothing, ours.ema_decay)
    assert (recipe["weight_decay"], recipe["epochs"], recipe["seed"]) == (ours.weight_decay, 25, 3)
    assert recipe["opt"] == ours.optimizer
    assert recipe["warmup_epochs"] == pytest.approx(0.05 * 25)
    assert (recipe["hflip"], recipe["color_jitter"], recipe["train_crop_mode"]) == (0.5, 0.2, "rrc")
    assert recipe.keys() <= timm_train.OPTIONS.keys()
    plain = yaml.safe_load((grey[1] / "train.yaml").read_text())
    assert (plain["hflip"], plain["color_jitter"], plain["input_img_mode"]) == (0.0, 0.0, "L")


def test_yaml_keeps_numbers_numbers() -> None:
    values = {"a": 1e-05, "b": 1.5e-07, "c": [1e22, 2], "d": None, "e": "1e5", "f": True, "g": {"h": 1}}
    assert yaml.safe_load(to_yaml(values)) == values


def test_the_split_is_by_class_and_the_same_for_a_seed() -> None:
    samples = [(f"{label}/{index}.png", label) for label in range(3) for index in range(10 + label)]
    train, validation = timm_train.split(samples, 1)
    assert sorted(train + validation) == sorted(samples)
    assert [sum(1 for _, label in validation if label == one) for one in range(3)] == [2, 2, 2]
    assert timm_train.split(samples[::-1], 1) == (train, validation)
    assert timm_train.split(samples, 2) != (train, validation)
    assert timm_train.split([("a/1.png", 0)], 0) == ([("a/1.png", 0)], [])


def test_train_py_trains_on_a_folder_of_classes(exported: Exported, tmp_path: Path) -> None:
    run, folder, _ = exported
    pictures = run.path.parents[1] / "pictures"
    arguments = ["-c", str(folder / "train.yaml"), "--data-dir", str(pictures), "--output", str(tmp_path)]
    arguments += ["--workers", "0"]
    arguments += ["--epochs", "12", "--lr", "0.01", "--experiment", "a"]
    done = run_python(str(folder / "train.py"), *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["epoch"] for line in lines] == list(range(12))
    for line in lines:
        assert line["top1"] * 10 == pytest.approx(round(line["top1"] * 10))  # a fifth of each class of 24: 10 pictures
    assert lines[-1]["train_loss"] < lines[0]["train_loss"]
    assert lines[-1]["best"] >= 0.9
    best = load_file(tmp_path / "a" / "model_best.safetensors")
    assert best.keys() == load_file(folder / "model.safetensors").keys()


def test_train_py_takes_parts_and_other_classes(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder, _ = exported
    draw_pictures(tmp_path / "data" / "train")
    draw_pictures(tmp_path / "data" / "test")
    (tmp_path / "data" / "train" / "disc").rename(tmp_path / "data" / "train" / "circle")
    (tmp_path / "data" / "test" / "disc").rename(tmp_path / "data" / "test" / "circle")
    shutil.copytree(tmp_path / "data" / "train" / "circle", tmp_path / "data" / "train" / "disc")  # three classes now
    arguments = ["-c", str(folder / "train.yaml"), "--data-dir", str(tmp_path / "data"), "--epochs", "1"]
    with pytest.raises(SystemExit, match="--num-classes 3"):
        as_train_py(folder, monkeypatch).datasets(timm_train.options(arguments))
    arguments += ["--workers", "0"]
    done = run_python(str(folder / "train.py"), *arguments, "--num-classes", "3", "--batch-size", "24", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["top1"] * 48) % 1 == pytest.approx(0, abs=1e-2)  # all of test/
    name = json.loads((folder / "config.json").read_text())["architecture"]
    assert load_file(tmp_path / "output" / name / "model_best.safetensors")["classifier.bias"].shape == (3,)


def test_train_py_explains_mistakes(exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder, _ = exported
    (tmp_path / "bad.yaml").write_text("model: x\nlearning: 1\n")
    done = run_python(str(folder / "train.py"), "-c", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "unknown key 'learning'" in done.stderr
    assert "Traceback" not in done.stderr
    script, given = as_train_py(folder, monkeypatch), ["-c", str(folder / "train.yaml")]
    with pytest.raises(SystemExit, match="Give --data-dir"):
        script.options(given)
    with pytest.raises(SystemExit, match="not a folder"):
        script.datasets(script.options([*given, "--data-dir", str(tmp_path / "nowhere")]))
