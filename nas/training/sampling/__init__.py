"""Which sub-networks a step of a supernet's training trains. One file is one way: it exports `SAMPLING`; no torch."""

from nas.training.sampling.sampling import Sampling
from search_spaces.core.by_file import exported, file_names

DEFAULT = "sandwich"
_NOT_SAMPLINGS = {"sampling"}


def sampling_names() -> list[str]:
    """Every known way, sorted; none is imported."""
    return file_names(__path__, _NOT_SAMPLINGS)


def sampling_class(name: str) -> type[Sampling]:
    """The class that `nas/training/sampling/<name>.py` exports as `SAMPLING`.

    `WrongUse` with the nearest known name where there is none.
    """
    sampling: type[Sampling] = exported(__name__, name, "SAMPLING", "--sampling", sampling_names())
    return sampling
