"""The second gate of a search: figures that take long, asked only of what is within every exact limit.

A measurement on this machine fills it (`nas/evaluation/host_speed.py`). So does anything else that gives columns of a
population and can say whose figures they are, such as a predictor of another device.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.progress import Reporter
from nas.storage.files import write_atomically
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError
from search_spaces.core.population import Population
from search_spaces.core.space import Price, SearchSpace

_DIGITS = 32  # of the hash that stands for a network


class Halted(Exception):
    """Nothing more may be asked: the search has come to its end. Whoever proposes catches it; no one else sees it."""


def _never() -> bool:
    return False


def _nobody(architecture: Architecture) -> None:
    pass


@dataclass(frozen=True)
class Gate:
    """Slow figures of a population, each network asked once.

    `ask` gives an array `(n,)` a column: those of `whose`, and others that say how they came about. `whose` tells by
    column whose figure it is, for people. `repeatable`: the same network has the same figure in every run. `file` keeps
    what is known, where there is one (see `kept_in`). Once `halted`, a network that is not known is `Halted`. `told`
    is called with each network that is about to be asked.
    """

    space: SearchSpace[Any]
    ask: Price
    whose: Mapping[str, str]
    repeatable: bool
    known: dict[str, dict[str, float]] = field(default_factory=dict, repr=False)
    file: Path | None = None
    halted: Callable[[], bool] = field(default=_never, repr=False)
    told: Callable[[Architecture], None] = field(default=_nobody, repr=False)

    def kept_in(self, file: Path) -> "Gate":
        """The same with a memory in `file`: what stands there is known, and what is asked is written before it is used.

        Figures of another `whose`, such as of another batch, are not taken. `FitnasError` for a damaged file.
        """
        gate = replace(self, known={**self._read(file), **self.known}, file=file)
        if self.known:
            gate._write()
        return gate

    def knows(self, architecture: Architecture) -> bool:
        """Whether its figures cost nothing."""
        return self._network(architecture) in self.known

    def until(self, halted: Callable[[], bool]) -> "Gate":
        """The same, with the same memory, that asks nothing more once `halted`."""
        return replace(self, halted=halted)

    def telling(self, told: Callable[[Architecture], None]) -> "Gate":
        """The same, with the same memory, that tells somebody else which network it is about to ask."""
        return replace(self, told=told)

    @contextmanager
    def shown(self, reporter: Reporter, most: int = 0) -> Iterator["Gate"]:
        """The same, with the same memory, that moves a bar: one for all that is asked meanwhile, none for nothing.

        `most`: how many networks may be asked; 0 where nobody knows.
        """
        asked, report = 0, None
        with ExitStack() as bar:

            def told(architecture: Architecture) -> None:
                nonlocal asked, report
                report = report or bar.enter_context(reporter.progress("measuring speed"))
                report(asked, most, f"network {architecture.id}")
                asked += 1

            yield self.telling(told)
            if report is not None:
                report(asked, asked, "")

    def __call__(self, population: Population) -> dict[str, NDArray[np.float64]]:
        """One array `(n,)` a column; of networks that are known nothing is asked."""
        networks = [self._network(architecture) for architecture in population]
        unknown = {network: row for row, network in enumerate(networks) if network not in self.known}
        if unknown and self.halted():
            raise Halted
        if unknown:
            for row in unknown.values():
                self.told(population[row])
            asked = self.ask(population[np.array(list(unknown.values()), dtype=np.intp)])
            for row, network in enumerate(unknown):
                self.known[network] = {column: float(values[row]) for column, values in asked.items()}
            self._write()
        columns = self.known[networks[0]] if networks else self.whose
        return {column: np.array([self.known[network][column] for network in networks]) for column in columns}

    def _read(self, file: Path) -> dict[str, dict[str, float]]:
        if not file.is_file():
            return {}
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            known: dict[str, dict[str, float]] = document["figures"]
            return known if document["whose"] == dict(self.whose) else {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FitnasError(f"{file} is damaged ({error!r}); delete it, and its networks are asked again") from None

    def _write(self) -> None:
        if self.file is not None:
            document = {"whose": dict(self.whose), "figures": self.known}
            write_atomically(self.file, json.dumps(document, indent=1) + "\n")

    def _network(self, architecture: Architecture) -> str:
        # two genotypes of one network, such as those that differ in a training recipe alone, are equally fast
        blueprint = self.space.blueprint(architecture)
        text = json.dumps([blueprint.module, blueprint.factory, blueprint.arguments], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
