"""Checkpoints: round trip, damage, foreign files, full disk; weights as shared arrays."""

import logging
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nas.training.checkpoint import (
    Checkpoint,
    from_arrays,
    load_checkpoint,
    model_arrays,
    previous_path,
    read_checkpoint,
    save_checkpoint,
    to_arrays,
)
from search_spaces.core.errors import FitnasError, NotFound


def stand(epoch: int, seed: int = 0) -> Checkpoint:
    tensors = {"model.weight": torch.full((4, 3), float(epoch)), "optimizer.0.step": torch.tensor(float(epoch))}
    return Checkpoint(tensors, {"seed": seed, "size": [8, 8]}, {"epochs": epoch, "losses": [0.1] * epoch})


def epoch_of(path: Path, seed: int = 0) -> int:
    found = load_checkpoint(path, stand(0, seed).identity)
    assert found is not None
    return int(found.progress["epochs"])


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.safetensors"
    save_checkpoint(path, stand(2))
    found = load_checkpoint(path, {"seed": 0, "size": (8, 8)})
    assert found is not None
    assert found.progress == {"epochs": 2, "losses": [0.1, 0.1]}
    assert torch.equal(found.part("model")["weight"], torch.full((4, 3), 2.0))
    assert found.part("optimizer")["0.step"].shape == ()
    assert found.part("ema") == {}


def test_nothing_there(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "a.safetensors") is None
    with pytest.raises(NotFound):
        model_arrays(tmp_path / "a.safetensors")
    with pytest.raises(NotFound):
        read_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_a_truncated_checkpoint_gives_way_to_the_previous_one(
    tmp_path: Path, keep: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, stand(1))
    save_checkpoint(path, stand(2))
    path.write_bytes(path.read_bytes()[:keep])
    with caplog.at_level(logging.WARNING):
        assert epoch_of(path) == 1
    assert "cut short or damaged" in caplog.text


def test_a_damaged_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, stand(1))
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(FitnasError, match="checksum"):
        read_checkpoint(path)


def test_killed_between_the_two_renames(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, stand(1))
    path.rename(previous_path(path))
    assert epoch_of(path) == 1
    save_checkpoint(path, stand(2))
    assert epoch_of(path) == 2


def test_no_good_file_names_each_reason_and_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, stand(1))
    save_checkpoint(path, stand(2))
    for file in (path, previous_path(path)):
        file.write_bytes(b"no safetensors")
    with pytest.raises(FitnasError, match=r"a\.safetensors is cut.*previous is cut.*delete"):
        load_checkpoint(path)


def test_another_trainings_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, stand(1, seed=5))
    with pytest.raises(FitnasError, match=r"another training .*seed 5 instead of 0"):
        epoch_of(path)
    assert epoch_of(path, seed=5) == 1


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(FitnasError, match="no checkpoint of this program"):
        load_checkpoint(path)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, stand(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))  # the kernel refuses longer files, as a quota does
    try:
        with pytest.raises(FitnasError, match="full"):
            save_checkpoint(path, stand(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert epoch_of(path) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_model_arrays_take_the_model_part(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, stand(3))
    arrays = model_arrays(path)
    assert list(arrays) == ["weight"]
    assert (arrays["weight"] == 3.0).all()


def test_arrays_are_shared_without_a_copy_even_when_read_only(recwarn: pytest.WarningsRecorder) -> None:
    network, other = nn.Linear(3, 2), nn.Linear(3, 2)
    arrays = to_arrays(network)
    assert arrays["weight"].ctypes.data != network.weight.data_ptr()
    for array in arrays.values():
        array.flags.writeable = False
    from_arrays(other, arrays)
    assert other.weight.data_ptr() == arrays["weight"].ctypes.data
    x = torch.randn(5, 3)
    assert torch.equal(network(x), other(x))
    assert not recwarn.list


def test_arrays_of_another_network_are_refused() -> None:
    with pytest.raises(FitnasError, match="another network"):
        from_arrays(nn.Linear(3, 2), {"weight": np.zeros((3, 3), np.float32), "bias": np.zeros(2, np.float32)})
    with pytest.raises(FitnasError, match="another network"):
        from_arrays(nn.Linear(3, 2), {"weight": np.zeros((2, 3), np.float32)})
