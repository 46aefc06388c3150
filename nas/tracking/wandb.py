"""Weights & Biases, offline unless WANDB_MODE says otherwise; `wandb sync` uploads. The only file that knows wandb."""

import importlib.util
import os
import secrets
from pathlib import Path

from nas.tracking.sink import Sink
from search_spaces.core.errors import WrongUse

PROJECT = "fitnas"


class Wandb(Sink):
    """`<folder>/wandb/offline-run-*`, of one id for a part however often it is opened.

    `<folder>/<part>.id` holds the id, `<folder>/<part>.steps` what was written.
    """

    @classmethod
    def check(cls) -> None:
        if importlib.util.find_spec("wandb") is None:
            raise WrongUse("--tracking wandb needs the package wandb; type: pip install 'fitnas[wandb]'")

    def __init__(self, folder: Path, run: str, part: str, fresh: bool = False) -> None:
        self.check()
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        name, steps = folder / f"{part}.id", folder / f"{part}.steps"
        if fresh or not name.is_file():
            steps.unlink(missing_ok=True)
            name.write_text(secrets.token_hex(4), encoding="utf-8")
        self._written = set(steps.read_text(encoding="utf-8").splitlines()) if steps.is_file() else set()
        self._run = wandb.init(
            project=PROJECT,
            name=f"{run}-{part}",
            id=name.read_text(encoding="utf-8"),
            resume="allow",
            dir=str(folder),
            mode=_mode(),
            settings=wandb.Settings(
                silent=True, console="off", disable_code=True, disable_git=True, x_disable_stats=True
            ),
        )
        self._steps = steps.open("a", encoding="utf-8")
        self._groups: set[str] = set()

    def scalar(self, name: str, value: float, step: int) -> None:
        line = f"{name} {step}"
        if line in self._written:
            return
        # wandb's own step only rises; trials end in any order, and each group of figures counts for itself
        group = name.split("/")[0]
        if group not in self._groups:
            self._run.define_metric(f"{group}/step", hidden=True)
            self._run.define_metric(f"{group}/*", step_metric=f"{group}/step")
            self._groups.add(group)
        self._run.log({name: value, f"{group}/step": step})
        self._steps.write(line + "\n")
        self._steps.flush()

    def event(self, name: str, text: str, step: int) -> None:
        self._run.summary[name] = f"{step}: {text}" if step else text

    def close(self) -> None:
        self._steps.close()
        self._run.finish()


def _mode() -> str:
    return os.environ.get("WANDB_MODE", "offline")


SINK = Wandb
