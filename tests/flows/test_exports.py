"""`nas export` for timm, ONNX and Optuna."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest


@pytest.fixture
def signs(tiny_run, tmp_path):
    """A finished run called signs, where the commands look for it."""
    shutil.copytree(tiny_run.path, tmp_path / "runs" / "signs")
    return tiny_run


@pytest.mark.usefixtures("unchecked_exports")
def test_timm(nas, signs):
    result = nas("export", "signs", "--pick", "best", "--to", "timm", "--out", "out_timm/", "--hub-dir", "hub/")
    assert result.code == 0, result.err
    names = {path.name for path in Path("out_timm").iterdir()}
    assert {"config.json", "model.safetensors", "train.py", "train.yaml", "manifest.json", "README.md"} <= names
    assert json.loads(Path("hub/config.json").read_text())["architecture"].endswith(signs.best().architecture.id)
    assert "out_timm/" in result.out
    assert "hub/ (README.md, config.json," in result.out
    assert nas("cost", "out_timm/architecture.json", "--json").document["macs"] == signs.best().metrics["macs"]
    again = nas("export", "signs", "--to", "timm", "--out", "out_timm")
    assert again.code == 2
    assert "--force" in again.err


def test_optuna(nas, signs):
    result = nas("export", "signs", "--to", "optuna", "--out", "study.db")
    assert result.code == 0, result.err
    assert "optuna-dashboard sqlite:///study.db" in result.out
    database = sqlite3.connect("study.db")
    assert database.execute("select count(*) from trials where state = 'COMPLETE'").fetchone() == (8,)
    database.close()
    inside = nas("export", "signs", "--to", "optuna")
    assert inside.code == 0, inside.err
    assert Path("runs/signs/export/optuna/study.db").is_file()


def test_onnx(nas, signs):
    import onnxruntime

    result = nas("export", "signs", "--pick", "knee", "--to", "onnx", "--out", "m/")
    assert result.code == 0, result.err
    assert {"model.onnx", "architecture.json", "preprocessing.json"} <= {path.name for path in Path("m").iterdir()}
    [pictures] = onnxruntime.InferenceSession("m/model.onnx").get_inputs()
    size = signs.parts.space.input_size(signs.knee().architecture)
    assert pictures.shape[1:] == [*size]
    assert isinstance(pictures.shape[0], str)  # any number of pictures
    assert "onnxruntime" in Path("m/README.md").read_text()
    told = nas("predict", "m/", str(signs.path.parents[1] / "pictures" / "disc" / "0.png"))
    assert told.code == 0, told.err
    assert "disc" in told.out


@pytest.mark.usefixtures("unchecked_exports")
def test_int8_onnx(nas, signs):
    result = nas("export", "signs", "--pick", "knee", "--to", "onnx", "--int8", "--out", "m/")
    assert result.code == 0, result.err
    manifest = json.loads(Path("m/manifest.json").read_text())
    widths = json.loads(Path("m/policy.json").read_text())["widths"]
    assert set(widths.values()) == {"int8"}
    assert manifest["precision"] == f"operators with weights: {len(widths)} of int8, see policy.json"
    scores = manifest["quantized"]
    for executed in ("integer_reference", "onnxruntime"):
        assert 0 <= scores[executed]["test_top1"] <= 1
        assert abs(scores[executed]["validation_top1"] - manifest["weights"]["validation_top1"]) <= 0.4  # 10 pictures
    assert scores["same_class"] >= 0.5
    params = manifest["promised"]["params"]
    assert params < scores["weight_bytes"] < 1.5 * params
    assert Path("m/model.onnx").stat().st_size < 4 * params
    assert "session.x64quantprecision" in Path("m/README.md").read_text()
    told = nas("predict", "m/", str(signs.path.parents[1] / "pictures" / "disc" / "0.png"))
    assert told.code == 0, told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "pytorch", "--int8"), "has no option --int8"),
        (("--to", "optuna", "--pick", "knee"), "leave --pick away"),
        (("--to", "pytorch", "--hub-dir", "hub"), "has no option --hub-dir"),
        (("--to", "tim"), "did you mean 'timm'"),
        (("--to", "timm", "--out", "same", "--hub-dir", "same"), "the same folder"),
    ],
)
def test_wrong_use(nas, signs, arguments, said):
    result = nas("export", "signs", *arguments)
    assert result.code == 2
    assert said in result.err
    assert not Path("hub").exists()
