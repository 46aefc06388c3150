"""Functions that tests call in processes of their own."""

import os
import signal
import time


def wait(seconds: str) -> None:
    time.sleep(float(seconds))


def fill(mebibytes: str) -> int:
    return len(bytearray(int(mebibytes) << 20))


def die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def talk(mebibytes: str) -> str:
    return "x" * (int(mebibytes) << 20)
