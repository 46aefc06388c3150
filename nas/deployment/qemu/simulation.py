"""Runs a program on a simulated board: no display, no network, a limit on time; files of one folder by semihosting."""

import subprocess
from pathlib import Path

from nas.deployment.qemu.boards import Board
from nas.deployment.qemu.toolchain import require_tools
from search_spaces.core.errors import FitnasError

_SECONDS = 60.0
_FAULT = 70
_QUIET = ("-nographic", "-monitor", "none", "-serial", "none", "-net", "none")
_COUNTED = ("-semihosting-config", "enable=on,target=native", "-icount", "shift=0")


def simulate(board: Board, elf: Path, folder: Path, seconds: float = _SECONDS) -> int:
    """Runs `elf` until it exits, with `folder` as working directory; gives its exit code.

    `MissingTool` without QEMU. `FitnasError` where it faults (a bad address, an instruction that the core lacks), or
    does not end in time.
    """
    require_tools()
    command = [*qemu_command(board), str(elf.resolve())]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise FitnasError(f"{elf.name} did not end within {seconds:.0f} s on {board.machine}") from None
    if done.returncode == _FAULT:
        raise FitnasError(f"{elf.name} faulted on {board.machine}: a bad address, or an instruction it lacks")
    if done.returncode < 0:
        raise FitnasError(f"qemu-system-arm was killed by signal {-done.returncode}: {done.stderr[-500:]}")
    return done.returncode


def qemu_command(board: Board) -> list[str]:
    """To run a program whose path comes behind it."""
    return ["qemu-system-arm", "-M", board.machine, *_QUIET, *_COUNTED, "-kernel"]
