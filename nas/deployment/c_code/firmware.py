"""The files around a generated network that make it a program: test pictures, an example main, a Makefile, and start-up
code of the board on which it is proved.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.deployment.c_code.emit.text import array
from nas.deployment.c_code.generate import Generated
from nas.deployment.c_code.target import WARNINGS
from nas.deployment.qemu.boards import Board, board
from nas.deployment.qemu.simulation import qemu_command
from nas.deployment.qemu.toolchain import FIRMWARE, LINKED_BY, START_FILES, compiler_flags

MAIN = Path(__file__).parent / "programs" / "main.c"
_HEADER = """\
/* Test pictures as the network reads them, the logits that the integer reference gives for each, and its label. */
#ifndef TEST_PICTURES_H
#define TEST_PICTURES_H

#include "network.h"

#define TEST_PICTURES {count}

extern const int8_t test_pictures[TEST_PICTURES][NETWORK_INPUT_BYTES];
extern const int8_t test_logits[TEST_PICTURES][NETWORK_OUTPUTS];
extern const int16_t test_labels[TEST_PICTURES];

#endif
"""
_MAKEFILE = """\
# make: compiles the network for this machine and runs it on the test pictures.
# make firmware.elf: links it for a {title} with start-up code of the board {machine}; make qemu runs that.
CC ?= cc
ARM ?= arm-none-eabi-gcc
WARNINGS := {warnings}
SOURCES := network.c weights.c test_pictures.c main.c

run: run_on_host
\t./run_on_host

run_on_host: $(SOURCES) $(wildcard *.h)
\t$(CC) $(WARNINGS) -O2 -I. $(SOURCES) -o $@

firmware.elf: $(SOURCES) $(wildcard *.h board/*)
\t$(ARM) {flags} $(WARNINGS) -I. -Iboard $(SOURCES) {start} {link} -o $@

qemu: firmware.elf
\t{qemu} firmware.elf

clean:
\trm -f run_on_host firmware.elf

.PHONY: run qemu clean
"""


def files(
    generated: Generated, inputs: NDArray[np.int8], outputs: NDArray[np.int8], labels: Sequence[int]
) -> Mapping[str, str]:
    """Text by name, `board/` in front of what the simulated board needs.

    `inputs` `(n, height, width, channels)`, `outputs` `(n, classes)`, and each picture's class.
    """
    on = board(generated.model.target.board)
    found = {
        "test_pictures.h": _HEADER.format(count=len(inputs)),
        "test_pictures.c": _pictures(inputs, outputs, labels),
        "main.c": MAIN.read_text(encoding="utf-8"),
        "Makefile": _makefile(on, generated.model.target.title),
    }
    start = [*START_FILES, "board.h", "sections.ld", on.linker_script]
    return found | {f"board/{name}": (FIRMWARE / name).read_text(encoding="utf-8") for name in start}


def _pictures(inputs: NDArray[np.int8], outputs: NDArray[np.int8], labels: Sequence[int]) -> str:
    count = len(inputs)
    arrays = (
        ("const int8_t test_pictures", np.ascontiguousarray(inputs).reshape(count, -1)),
        ("const int8_t test_logits", outputs),
        ("const int16_t test_labels", np.asarray(labels, dtype=np.int16)),
    )
    return '#include "test_pictures.h"\n\n' + "\n".join(array(declaration, values) for declaration, values in arrays)


def _makefile(on: Board, title: str) -> str:
    return _MAKEFILE.format(
        title=title,
        machine=on.machine,
        warnings=" ".join(WARNINGS),
        flags=" ".join(compiler_flags(on)),
        start=" ".join(f"board/{name}" for name in START_FILES),
        link=" ".join([*LINKED_BY, "-Lboard", "-T", f"board/{on.linker_script}", "-lgcc"]),
        qemu=" ".join(qemu_command(on)),
    )
