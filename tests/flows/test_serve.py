"""`nas serve` as a process, and the command line as its client."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the service needs pip install 'fitnas[service]'")

SMALL = ["--trials", "3", "--supernet-epochs", "1", "--backend", "inline", "--set", "resolutions=16"]


@pytest.fixture
def served(nas_process: Callable[..., "subprocess.Popen[str]"], tmp_path: Path) -> list[str]:
    """The options with which a client asks a service that has just started for the first time."""
    process = nas_process("serve", "--port", "0", "--token-file", "token", stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    link, told = process.stdout.readline().strip(), process.stdout.readline().strip()
    address, _, secret = link.partition("/#token=")
    assert told == f"token: {secret}"
    assert (tmp_path / "token").read_text().strip() == secret
    assert os.stat(tmp_path / "token").st_mode & 0o777 == 0o600  # noqa: PTH116
    return ["--server", address, "--token-file", "token"]


def test_a_search_runs_there_and_is_told_here(nas: Callable[..., Any], served: list[str], pictures: Path) -> None:
    search = ["search", "--space", "mcunetv2", "--budget", "sram=24k", "--data", str(pictures), *SMALL, *served]
    done = nas(*search, "--run", "far", "--json")
    assert done.code == 0, done.err
    assert done.document["trials"] == 3
    assert done.document["run"] == "far"
    assert "budget sram <= 24,576 B" in done.err
    assert "48 colour pictures" in done.err
    shown = nas("show", "far", "--json").document  # the service's folder is this one
    assert done.document["front"] == shown["front"]

    there = nas("show", "far", "--json", *served).document
    assert there["front"] == shown["front"]
    knee = nas("show", "far", "knee", "--json", *served)
    assert knee.document == nas("show", "far", "knee", "--json").document
    assert nas("show", "far", "knee", *served).out.split() == nas("show", "far", "knee").out.split()
    assert nas("show", "far", "knee", "--svg", "x.svg", *served).code == 2
    assert nas("show", "further", *served).code == 4
    (there,), (here,) = nas("list", "--json", *served).document, nas("list", "--json").document
    assert there["run"] == "far"
    same = ("run", "state", "trials", "trials_planned", "best_top1", "space", "created")
    assert {name: there[name] for name in same} == {name: here[name] for name in same}
    listed = nas("list", *served).out
    assert "far" in listed
    assert "3/3" in listed

    assert (again := nas(*search, "--run", "far")).code == 2
    assert "exists already" in again.err
    followed = nas("resume", "far", *served)
    assert followed.code == 0
    assert "hypervolume" in followed.out


def test_errors_are_those_of_a_search_here(nas: Callable[..., Any], served: list[str], tmp_path: Path) -> None:
    unknown = nas("search", "--space", "mcunetv3", *served)
    assert (unknown.code, "did you mean 'mcunetv2'" in unknown.err) == (2, True)
    too_small = nas("search", "--space", "mcunetv2", "--budget", "sram=1k", *SMALL, *served)
    assert too_small.code == 3, too_small.err
    missing = nas("search", "--space", "mcunetv2", "--data", "nowhere", *served)
    assert missing.code == 4
    (tmp_path / "wrong").write_text("fitnas_" + "x" * 43)
    refused = nas("search", "--space", "mcunetv2", *served[:2], "--token-file", "wrong")
    assert (refused.code, "opens nothing" in refused.err) == (1, True)
    assert nas("search", "--space", "mcunetv2", *served[:2]).code == 2
    nobody = nas("search", "--space", "mcunetv2", "--server", "http://127.0.0.1:9", "--token-file", "token")
    assert (nobody.code, "nobody answers" in nobody.err) == (1, True)


def test_tokens_are_made_and_revoked_beside_a_running_service(nas: Callable[..., Any], served: list[str]) -> None:
    import httpx

    made = json.loads(nas("token", "create", "ci", "--role", "read", "--json").out)
    headers = {"authorization": f"Bearer {made['token']}"}
    me = f"{served[1]}/api/v1/me"
    assert httpx.get(me, headers=headers).json()["name"] == "ci"
    assert nas("token", "revoke", "ci").code == 0
    assert httpx.get(me, headers=headers).status_code == 401
    assert made["token"] not in nas("token", "list").out
