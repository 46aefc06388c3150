"""The command `nas`: its commands, and what becomes of errors and signals."""

import functools
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import typer

from nas.cli import (
    baselines,
    bench,
    compare,
    cost,
    delete,
    devices,
    distill,
    doctor,
    export,
    list_runs,
    predict,
    predictor,
    profile,
    quantize,
    report,
    resume,
    search,
    serve,
    show,
    spaces,
    strategies,
    token,
    train,
    verify,
)
from search_spaces.core.errors import FitnasError, did_you_mean

_RETRY_SECONDS = 0.1
_WORD_OF: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}

app = typer.Typer(
    name="nas",
    help="Search for the network that is best for your data and fits your device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in (
    ("search", search.search),
    ("resume", resume.resume),
    ("show", show.show),
    ("list", list_runs.list_runs),
    ("compare", compare.compare),
    ("report", report.report),
    ("delete", delete.delete),
    ("train", train.train),
    ("distill", distill.distill),
    ("quantize", quantize.quantize),
    ("baselines", baselines.baselines),
    ("predict", predict.predict),
    ("export", export.export),
    ("verify", verify.verify),
    ("cost", cost.cost),
    ("profile", profile.profile),
    ("spaces", spaces.spaces),
    ("devices", devices.devices),
    ("strategies", strategies.strategies),
    ("bench", bench.bench),
    ("serve", serve.serve),
    ("doctor", doctor.doctor),
):
    app.command(_name)(_command)
app.add_typer(predictor.predictor)
app.add_typer(token.token, name="token")


class Stopped(BaseException):
    """SIGINT or SIGTERM outside a search's evaluations, for example while a supernet is trained.

    Not a `KeyboardInterrupt`: typer would turn that into an exit without a word.
    """

    def __init__(self, number: int) -> None:
        self.number = number


def run() -> None:
    """Entry point: runs the command and ends the process with its exit code."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code; prints errors without a traceback unless `--debug` is given."""
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    signals: list[int] = []
    stop = functools.partial(_stop, signals)
    before = {number: signal.signal(number, stop) for number in _WORD_OF}
    try:
        result: Any = app(arguments, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except Stopped as stopped:
        return _stopped(stopped.number, arguments)
    except Exception as error:
        if signals:  # native code, such as a comparison of NumPy, puts an error of its own in the place of `Stopped`
            return _stopped(signals[0], arguments)
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()  # the reader of stdout has gone, as with `nas show RUN | head`: there is nobody to tell
            return 0
        if _is_usage_error(error):
            return _failed(_usage_message(error, arguments), 2)
        if debug or not isinstance(error, FitnasError):
            raise
        return _failed(str(error), error.exit_code)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stopped(number: int, arguments: list[str]) -> int:
    way = "nas resume RUN" if arguments[:1] in (["search"], ["resume"]) else "the same command"
    return _failed(f"{_WORD_OF[number]}; what was recorded is saved, go on with: {way}", 128 + number)


def _stop(signals: list[int], number: int, frame: FrameType | None) -> None:
    if _is_importing(frame):
        # an exception inside the start of a native module, such as torch's, would abort the process: try again later
        again = threading.Timer(_RETRY_SECONDS, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
        return
    signals.append(number)
    raise Stopped(number)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _failed(message: str, code: int) -> int:
    sys.stderr.write(f"nas: {message}\n")
    return code


def _is_usage_error(error: Exception) -> bool:
    # typer carries its own copy of click, whose module path differs between its versions
    return any(base.__name__ == "UsageError" for base in type(error).__mro__)


def _usage_message(error: Any, arguments: list[str]) -> str:
    message: str = error.format_message()
    names = [command.name for command in app.registered_commands if command.name] + ["predictor", "token"]
    if arguments and not arguments[0].startswith("-") and arguments[0] not in names:
        hint = did_you_mean(arguments[0], names) or "."
        return f"no such command '{arguments[0]}'{hint} Known: {', '.join(names)}"
    command = f"nas {arguments[0]}" if arguments and arguments[0] in names else "nas"
    return f"{message} Type: {command} --help"
