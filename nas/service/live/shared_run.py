"""A run whose rows lie in a shared database and whose folder lies elsewhere."""

import json
from dataclasses import dataclass
from functools import cached_property

from nas.config import RunConfig
from nas.run import StoredRun
from nas.storage.store import RunRecord, RunState, Store


@dataclass(frozen=True)
class SharedRun(StoredRun):
    """Read from the database alone: `url` is the store's, `directory` a folder that is not there."""

    url: str

    @cached_property
    def config(self) -> RunConfig:
        """As it was recorded."""
        return RunConfig.checked(**json.loads(self.record.config_json))

    def open_store(self) -> Store:
        """The shared database, for whoever closes it."""
        return Store(self.url, create=False)

    def state_of(self, record: RunRecord) -> RunState:
        """As the driver wrote it: whether that is still alive can be told on its own machine alone."""
        return record.state
