"""Where the figures of a search and of trainings go while it runs. One file is one sink, found by its name.

It exports `SINK`, a `nas.tracking.sink.Sink`. Heavy packages are imported when a sink is opened.
"""

from nas.tracking.sink import Sink
from search_spaces.core.by_file import exported, file_names
from search_spaces.core.errors import WrongUse, unknown

_NOT_SINKS = {"sink", "tracker"}
NONE = "none"


def sink_names() -> list[str]:
    """Every known sink, sorted; none is imported."""
    return file_names(__path__, _NOT_SINKS)


def parse_sinks(text: str) -> tuple[str, ...]:
    """'tensorboard,wandb' as names, 'none' as no name; `WrongUse` where one is unknown or stands twice.

    >>> parse_sinks("tensorboard, wandb"), parse_sinks("none")
    (('tensorboard', 'wandb'), ())
    """
    names = [name.strip() for name in text.split(",")]
    if names == [NONE]:
        return ()
    for name in names:
        if name not in sink_names():
            raise WrongUse(unknown("--tracking", name, [*sink_names(), NONE]))
        if names.count(name) > 1:
            raise WrongUse(f"--tracking {name} stands twice in '{text}'; name each once")
    return tuple(names)


def sink_class(name: str) -> type[Sink]:
    """The class that `nas/tracking/<name>.py` exports as `SINK`; `WrongUse` where there is none."""
    sink: type[Sink] = exported(__name__, name, "SINK", "--tracking", sink_names())
    return sink
