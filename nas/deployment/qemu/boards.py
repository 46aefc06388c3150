"""The boards that QEMU simulates, one for each core that kernels are written for.

Under `-icount shift=0` an instruction takes a nanosecond, and SysTick counts at the board's clock: so many
nanoseconds a tick are so many instructions. QEMU models neither caches nor wait states nor dual issue.
"""

from dataclasses import dataclass

from search_spaces.core.errors import WrongUse, unknown


@dataclass(frozen=True)
class Board:
    """`name`: of the core, as `--device` has it. `machine`: QEMU's. `flags`: gcc's. `tick_hz`: SysTick's clock."""

    name: str
    machine: str
    flags: tuple[str, ...]
    linker_script: str
    tick_hz: int

    @property
    def instructions_per_tick(self) -> float:
        """Instructions from one tick to the next."""
        return 1e9 / self.tick_hz


def _board(name: str, machine: str, *flags: str, script: str = "mps2.ld", tick_hz: int = 25_000_000) -> Board:
    return Board(name, machine, (f"-mcpu={name}", "-mthumb", *flags), script, tick_hz)


_HARD = "-mfloat-abi=hard"
BOARDS = {
    board.name: board
    for board in (
        _board("cortex-m3", "mps2-an385"),
        _board("cortex-m4", "mps2-an386", _HARD, "-mfpu=fpv4-sp-d16"),
        _board("cortex-m7", "mps2-an500", _HARD, "-mfpu=fpv5-d16"),
        _board("cortex-m55", "mps3-an547", _HARD, script="mps3.ld", tick_hz=32_000_000),
    )
}


def board(name: str) -> Board:
    """By the core's name; `WrongUse` with the nearest known one."""
    if name not in BOARDS:
        raise WrongUse(unknown("core", name, BOARDS))
    return BOARDS[name]
