"""Which sub-networks a step of a supernet's training trains. One file is one way: it exports `SAMPLING`; no torch."""

import importlib
import pkgutil

from nas.training.sampling.sampling import Sampling
from search_spaces.core.errors import WrongUse, unknown

DEFAULT = "sandwich"
_NOT_SAMPLINGS = {"sampling"}


def sampling_names() -> list[str]:
    """Every known way, sorted; none is imported."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - _NOT_SAMPLINGS)


def sampling_class(name: str) -> type[Sampling]:
    """The class that `nas/training/sampling/<name>.py` exports as `SAMPLING`.

    `WrongUse` with the nearest known name where there is none.
    """
    if name not in sampling_names():
        raise WrongUse(unknown("--sampling", name, sampling_names()))
    sampling: type[Sampling] = importlib.import_module(f"nas.training.sampling.{name}").SAMPLING
    return sampling
