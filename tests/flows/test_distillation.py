"""A teacher's answers written once, students trained on them."""

import json
import shutil
import signal
import threading
import time
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from nas import torchvision_door
from nas.timm_hub import answers


@pytest.fixture
def teacher(tiny_run, pictures, tmp_path):
    """A run of a few trials on 48 pictures of two classes."""
    copied = shutil.copytree(tiny_run.path, tmp_path / "runs" / "signs")
    config = copied / "config.toml"
    config.write_text(config.read_text().replace(str(tiny_run.path.parents[1] / "pictures"), str(pictures)))
    return "signs:best"


def distilled(nas, teacher, *more):
    return nas("distill", "--teacher", teacher, "--data", "pictures", "--out", "logits", "--epochs", "2", *more)


def test_from_a_teacher_to_a_student(nas, teacher):
    assert nas("export", "signs", "--pick", "best", "--out", "exported").code == 0
    result = distilled(nas, "exported", "--top-k", "10")
    assert result.code == 0, result.err
    size = (
        2 * 28 * (4 + 2 * 3)
    )  # epochs x training pictures x (seed + 2 classes of 1 + 2 bytes): K is at most the classes
    assert f"the 2 largest of 2 probabilities: {size} bytes" in result.err
    assert sum(path.stat().st_size for path in Path("logits").glob("*.logits")) == size
    before = {path.name: path.read_bytes() for path in Path("logits").iterdir()}

    trained = nas("train", "signs", "--pick", "knee", "--distill", "logits", "--json")
    assert trained.code == 0, trained.err
    assert trained.document["epochs"] == 2
    assert trained.document["teacher"] == "exported"
    again = nas("train", "signs", "--pick", "knee", "--distill", "logits", "--json")
    assert {k: v for k, v in again.document.items() if k != "seconds"} == {
        k: v for k, v in trained.document.items() if k != "seconds"
    }
    with_labels = nas("train", "signs", "--pick", "knee", "--epochs", "1", "--json")
    assert with_labels.document["teacher"] is None

    more = distilled(nas, "exported", "--top-k", "10", "--epochs", "3")
    assert more.code == 0
    assert "2 epochs are there already" in more.err
    assert all((Path("logits") / name).read_bytes() == content for name, content in before.items())
    assert nas("train", "signs", "--distill", "logits", "--epochs", "1").code == 0  # fewer than stored
    refused = nas("train", "signs", "--distill", "logits", "--epochs", "9")
    assert refused.code == 2
    assert "holds 3 epochs" in refused.err


def test_a_timm_network_is_a_teacher_too(nas, teacher, monkeypatch):
    asked = []
    monkeypatch.setattr("nas.timm_hub.answers", lambda url: asked.append(url))  # nothing is fetched in tests
    timm = torchvision_door.import_behind("timm")
    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet", num_classes=2).state_dict(), "weights.safetensors")
    other = ("--data", "pictures", "--epochs", "1", "--pixels", "32")
    result = nas("distill", "--teacher", "timm:test_resnet@weights.safetensors", "--out", "of_timm", *other)
    assert result.code == 0, result.err
    missing = nas("distill", "--teacher", "timm:test_resnet@gone.safetensors", "--out", "x", *other)
    assert missing.code == 4
    no_hub = nas("distill", "--teacher", "timm:test_resnet", "--out", "y", *other)
    assert no_hub.code == 4
    assert "timm:test_resnet@weights.safetensors" in no_hub.err
    assert "retry" not in no_hub.err.lower()
    assert len(asked) == 1
    assert not huggingface_hub.constants.HF_HUB_OFFLINE
    save_file(timm.create_model("test_resnet", num_classes=5).state_dict(), "five.safetensors")
    other_classes = nas("distill", "--teacher", "timm:test_resnet@five.safetensors", "--out", "w", *other)
    assert other_classes.code == 2
    assert "does not fit 2 classes" in other_classes.err
    could_hold_code = nas("distill", "--teacher", "timm:test_resnet@weights.pth", "--out", "v", *other)
    assert could_hold_code.code == 2
    assert "save_file" in could_hold_code.err
    unknown = nas("distill", "--teacher", "timm:no_such", "--out", "z", *other)
    assert unknown.code == 2
    assert not Path("x").exists()
    assert not Path("y").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--teacher", "signs:best", "--data", "digits"), 2, "they differ"),
        (("--teacher", "nowhere:best", "--data", "pictures"), 4, "nowhere"),
        (("--teacher", "something", "--data", "pictures"), 4, "neither timm:NAME, nor RUN:ID, nor an exported folder"),
        (("--teacher", "signs:best", "--data", "pictures", "--top-k", "0"), 2, "--top-k is 1 to"),
        (("--teacher", "signs:best", "--data", "pictures", "--epochs", "0"), 2, "--epochs is 1 or more"),
    ],
)
def test_what_cannot_teach_is_refused(nas, teacher, arguments, code, said):
    result = nas("distill", *arguments, "--out", "logits")
    assert result.code == code
    assert said in result.err
    assert not list(Path().glob("logits/*"))


def test_a_server_answers_with_an_error_too_and_a_closed_port_does_not():
    class Refusing(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(403)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert answers(url)
    assert not answers(url)


def test_answers_for_other_classes_are_refused(nas, teacher, tmp_path):
    assert distilled(nas, teacher).code == 0
    shutil.copytree("pictures", "others")
    Path("others/disc").rename("others/ring")
    made = ("search", "--space", "mcunetv2", "--budget", "sram=24k", "--data", "others", "--run", "rings")
    assert nas(*made, "--trials", "2", "--supernet-epochs", "1", "--backend", "inline", "--seed", "3").code == 0
    result = nas("train", "rings", "--distill", "logits")
    assert result.code == 2
    assert "class names" in result.err


def test_a_supernet_learns_from_answers_too(nas, teacher):
    assert distilled(nas, teacher).code == 0
    searched = ("search", "--space", "mcunetv2", "--budget", "sram=24k", "--data", "pictures", "--seed", "3")
    searched += ("--trials", "2", "--backend", "inline", "--distill", "logits")
    result = nas(*searched, "--run", "taught")
    assert result.code == 0, result.err
    assert "the stored answers of signs:" in result.err
    with safe_open("runs/taught/checkpoints/supernet.safetensors", "pt") as file:
        header = json.loads(file.metadata()["fitnas"])
    assert header["progress"]["epochs"] == len(header["progress"]["losses"]) == 2  # as many as are stored
    assert header["identity"]["teacher"] == json.loads(Path("logits/manifest.json").read_text())["teacher_hash"]
    assert nas("train", "taught", "--epochs", "1").code == 0
    assert tomllib.loads(Path("runs/taught/config.toml").read_text())["distill"] == str(Path("logits").absolute())

    for more, code, said in (
        (("--supernet-epochs", "9"), 2, "holds 2 epochs"),
        (("--supernet-from", "signs"), 2, "--distill says how a supernet is trained"),
        (("--distill", "nowhere"), 4, "holds no stored logits"),
        (("--evaluator", "train"), 2, "--distill belongs to --evaluator supernet"),
    ):
        refused = nas(*searched, "--run", "other", *more)
        assert refused.code == code, refused.err
        assert said in refused.err


def test_answers_of_another_split_are_refused(nas, teacher):
    assert distilled(nas, teacher, "--seed", "4").code == 0
    result = nas("train", "signs", "--distill", "logits")
    assert result.code == 2
    assert "other split" in result.err
    assert "nas distill" in result.err
    other = distilled(nas, teacher)
    assert other.code == 2
    assert "another" in other.err


def test_a_teacher_that_changed_since_is_told(nas, teacher):
    assert distilled(nas, teacher).code == 0
    assert nas("train", "signs", "--pick", "best", "--epochs", "1").code == 0
    result = distilled(nas, teacher, "--epochs", "3")
    assert result.code == 2
    assert "another teacher hash" in result.err


def test_kill_9_and_the_same_command_give_the_same_answers(nas, warm_process, teacher, tmp_path):
    command = ("distill", "--teacher", teacher, "--data", "pictures", "--epochs", "12")
    process = warm_process(*command, "--out", "broken")
    while not list((tmp_path / "broken").glob("*.logits")) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL  # before the last epoch
    assert nas(*command, "--out", "broken").code == 0
    assert nas(*command, "--out", "whole").code == 0
    names = sorted(path.name for path in Path("whole").iterdir())
    assert names == sorted(path.name for path in Path("broken").iterdir())
    assert len(names) == 13
    assert all((Path("broken") / name).read_bytes() == (Path("whole") / name).read_bytes() for name in names)
