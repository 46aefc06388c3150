"""Uploads of data sets: kept once, or refused before they fill anything."""

import io
import stat
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nas.service import checked_zip
from nas.service.settings import ServiceSettings
from tests.nas.service.jobs.searches import LONG
from tests.tiny_run import draw_pictures

LIMIT = 1 << 20
MULTIPART = {"content-type": "multipart/form-data; boundary=x"}


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return replace(ServiceSettings(tmp_path / "runs"), most_upload_bytes=LIMIT)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A zip of class folders."""
    folder = draw_pictures(tmp_path_factory.mktemp("drawn") / "pictures")
    return zipped({str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")})


def zipped(files: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", kind) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return packed.getvalue()


def send(client, content: bytes, name: str = "My Signs.zip"):
    return client.post("/api/v1/datasets", files={"file": (name, content, "application/zip")})


def kept(settings: ServiceSettings) -> list[str]:
    """What lies in the folder of data sets, whatever it is."""
    return sorted(path.name for path in (settings.state / "datasets").glob("*"))


def test_a_zip_is_kept_once_listed_and_deleted(admin, settings, pictures):
    first, again = send(admin, pictures), send(admin, pictures, "other.zip")
    assert first.status_code == again.status_code == 201, first.text
    found = first.json()
    assert again.json() == found
    assert (found["name"], found["bytes"]) == ("my-signs", len(pictures))
    assert found["class_names"]
    assert "source" not in found
    assert admin.get("/api/v1/datasets").json() == [found]
    assert kept(settings) == [found["id"]]
    assert admin.delete(f"/api/v1/datasets/{found['id']}").status_code == 204
    assert kept(settings) == []
    assert admin.get(f"/api/v1/datasets/{found['id']}").status_code == 404


def test_the_same_sent_at_once_is_kept_once(service, settings, pictures):
    answers: list[str] = []

    def add() -> None:
        answers.append(service.datasets.add(io.BytesIO(pictures), "a")["id"])

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 3
    assert kept(settings) == sorted(set(answers))
    assert service.datasets.path(answers[0]).read_bytes() == pictures


def test_one_that_a_waiting_run_names_stays(admin, ask, pictures):
    dataset = send(admin, pictures).json()["id"]
    values = LONG | {"run": "signs", "data": f"dataset:{dataset}"}
    started = ask("run").post("/api/v1/runs", json=values)  # nobody watches the queue, so it waits
    assert started.status_code == 202, started.text
    refused = admin.delete(f"/api/v1/datasets/{dataset}")
    assert refused.status_code == 409
    assert "signs" in refused.json()["detail"]
    admin.post("/api/v1/runs/signs/stop")
    assert admin.delete(f"/api/v1/datasets/{dataset}").status_code == 204
    assert admin.post("/api/v1/runs", json=values).status_code == 404


@pytest.mark.parametrize("name", ["../../evil.png", "/etc/evil.png", "a\\..\\..\\evil.png", "C:evil.png"])
def test_a_name_that_leads_out_is_refused(admin, settings, name):
    refused = send(admin, zipped({"a/1.png": b"", name: b"x"}))
    assert refused.status_code == 422
    assert "leads out" in refused.json()["detail"]
    assert kept(settings) == []


def test_a_link_is_refused(admin, settings):
    entry = zipfile.ZipInfo("a/link.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr(entry, "/etc/passwd")
    refused = send(admin, packed.getvalue())
    assert refused.status_code == 422
    assert "is a link" in refused.json()["detail"]
    assert kept(settings) == []


def test_a_zip_bomb_is_refused_and_never_unpacked(admin, settings):
    bomb = zipped({"a/1.png": bytes(50 << 20), "b/1.png": bytes(50 << 20)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < LIMIT
    refused = send(admin, bomb)
    assert refused.status_code == 422
    assert "unpacks to" in refused.json()["detail"]
    assert kept(settings) == []


def test_a_list_of_too_many_entries_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "many.zip"
    path.write_bytes(zipped({f"a/{number}.png": b"" for number in range(20)}))
    checked_zip.check_zip(path)
    monkeypatch.setattr(checked_zip, "MOST_ENTRIES", 19)
    with pytest.raises(checked_zip.WrongUse, match="at most 19 files, this zip has 20"):
        checked_zip.check_zip(path)
    monkeypatch.setattr(checked_zip, "MOST_ENTRIES", 2)
    monkeypatch.setattr(zipfile, "ZipFile", None)  # would fail if it were opened
    with pytest.raises(checked_zip.WrongUse, match="at most 2 files"):
        checked_zip.check_zip(path)


def test_a_long_list_that_only_the_64_bit_record_tells_of_is_refused(tmp_path):
    path = tmp_path / "huge.zip"
    record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 45, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0, 0, 0)
    path.write_bytes(record + locator + end)
    with pytest.raises(checked_zip.WrongUse, match="at most"):
        checked_zip.check_zip(path)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"no zip" * 99, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_is_refused(admin, settings, content):
    refused = send(admin, content)
    assert refused.status_code == 422, refused.text
    assert kept(settings) == []


def test_too_large_an_upload_is_refused_by_its_head_without_reading_it(admin):
    taken = 0

    def body() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(300):
            taken += 1
            yield bytes(1 << 20)

    size = {"content-length": str(300 << 20)}
    refused = admin.post("/api/v1/datasets", content=body(), headers=MULTIPART | size)
    assert refused.status_code == 413
    assert f"{LIMIT:,}" in refused.json()["detail"]


def test_a_body_that_grows_beyond_its_limit_is_cut_off(admin, settings):
    head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'

    def body() -> Iterator[bytes]:
        yield head
        for _ in range(30):
            yield bytes(1 << 17)

    refused = admin.post("/api/v1/datasets", content=body(), headers=MULTIPART | {"transfer-encoding": "chunked"})
    assert refused.status_code == 413
    assert kept(settings) == []


def test_a_picture_that_says_it_is_enormous_is_inert(admin, settings, pictures):
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(bytes(1 << 16))) + part(b"IEND", b"")
    )
    alone = send(admin, zipped({f"{name}/{number}.png": bomb for name in "ab" for number in range(4)}))
    assert alone.status_code == 422, alone.text
    assert kept(settings) == []
    with zipfile.ZipFile(io.BytesIO(pictures)) as opened:
        good = {name: opened.read(name) for name in opened.namelist()}
    folder = next(iter(good)).partition("/")[0]
    mixed = send(admin, zipped(good | {f"{folder}/bomb.png": bomb}))
    plain = send(admin, zipped(good))
    assert mixed.status_code == plain.status_code == 201, mixed.text
    assert mixed.json()["pictures"] == plain.json()["pictures"]  # it is left out


def test_leftovers_of_a_killed_service_go_at_the_next_start(service, settings):
    folder = settings.state / "datasets"
    (folder / ".arriving-1").mkdir(parents=True)
    (folder / ".arriving-1" / "a.zip").write_bytes(b"x")
    (folder / ".arriving-2.zip").write_bytes(b"x")
    service.datasets.remove_leftovers()
    assert kept(settings) == []
