"""The loop that every training shares: epochs of batches, the learning rate, moving averages, checkpoints.

Nothing random is carried from step to step: the order of an epoch follows from (seed, epoch), everything drawn in a
step from (seed, epoch, step). So a training that was killed goes on to the same weights, bit for bit on one machine
with equal threads, as one that was not.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nas.training.data.augmenting import AUGMENTATION_VERSION
from nas.training.depthwise import fast_depthwise
from nas.training.device import keep_freed_memory, random_numbers, torch_threads
from nas.training.recalibrate import even_parts
from search_spaces.core.errors import FitnasError, WrongUse, unknown

# Varies uint8 pictures (n, C, H, W), drawing from the generator alone.
Augmentation = Callable[[Tensor, torch.Generator], Tensor]
# Runs forward and backward on uint8 pictures (n, C, H, W) and labels (n,), adds to the gradients, returns the loss.
Accumulate = Callable[[Tensor, Tensor, np.random.Generator], float]
# Pictures and targets of one epoch's records: (epoch, positions (n,)) -> uint8 (n, C, H, W), float (n, classes).
Replay = Callable[[int, NDArray[np.int64]], tuple[Tensor, Tensor]]
OPTIMIZERS = ("adamw", "sgd")
MOMENTUM = 0.9


@dataclass(frozen=True)
class Recipe:
    """How weights are changed: by AdamW, or SGD with Nesterov momentum; linear warm-up, cosine to zero, clipped
    gradients.
    """

    epochs: int
    learning_rate: float
    batch_size: int = 64
    weight_decay: float = 1e-4
    warm_up: float = 0.05  # share of all steps
    clip: float = 5.0  # largest norm of the gradient
    ema_decay: float = 0.0  # of the moving average of weights and statistics; 0: none is kept
    optimizer: str = "adamw"

    def __post_init__(self) -> None:
        positive = {"epochs": self.epochs, "learning_rate": self.learning_rate, "batch_size": self.batch_size}
        for name, value in positive.items():
            if not 0 < value < math.inf:
                raise WrongUse(f"{name} is a number above 0, got {value}")
        if self.optimizer not in OPTIMIZERS:
            raise WrongUse(unknown("optimizer", self.optimizer, OPTIMIZERS))

    def optimizer_of(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer over the parameters of `network` that are trained.

        A network may name parts of itself in `rate_factors`: the start of parameters' names, and what their rate is
        multiplied by. Each group of the optimizer holds its `factor`.
        """
        groups, rate, decay = _by_factor(network), self.learning_rate, self.weight_decay
        if self.optimizer == "sgd":
            return torch.optim.SGD(groups, rate, MOMENTUM, weight_decay=decay, nesterov=True, fused=True)
        return torch.optim.AdamW(groups, rate, weight_decay=decay, fused=True)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step 0..steps-1."""
        rise = min(1.0, (step + 1) / max(1.0, self.warm_up * steps))
        return self.learning_rate * rise * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def _by_factor(network: nn.Module) -> list[dict[str, Any]]:
    factors: Mapping[str, float] = getattr(network, "rate_factors", {})
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            own = (factor for start, factor in factors.items() if name.startswith(start))
            groups.setdefault(next(own, 1.0), []).append(parameter)
    return [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]


@dataclass(frozen=True)
class Progress:
    """Where a training stands: steps done of all, the epoch it is in (from 1), the epoch's mean loss so far."""

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    seconds: float  # since this call began
    step_loss: float = 0.0
    learning_rate: float = 0.0


@dataclass(frozen=True)
class FitReport:
    """What a training did: epochs (fewer than asked where the time did not suffice), the mean loss of each, seconds."""

    epochs: int
    losses: tuple[float, ...]
    seconds: float


@dataclass
class Trainer:
    """One training of `network`, in place, on uint8 pictures (n, C, H, W) and labels (n,).

    With a `replay` each step's pictures, varied already, and targets come from there. `checkpoint` is written after
    each epoch, and read at the start where it exists; `identity` says whose it is.
    """

    network: nn.Module
    recipe: Recipe
    images: NDArray[np.uint8]
    labels: NDArray[np.integer[Any]]
    device: torch.device
    seed: int
    augmentation: Augmentation | None = None
    checkpoint: Path | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    replay: Replay | None = None

    def __post_init__(self) -> None:
        if len(self.images) < 2:
            raise WrongUse(f"training needs at least 2 pictures, got {len(self.images)}")
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizer = self.recipe.optimizer_of(self.network)
        self._parts = even_parts(len(self.images), self.recipe.batch_size)
        self._epochs = self.recipe.epochs  # becomes less where the time does not suffice
        self.done = 0.0  # share of the training's steps that lies behind the one under way
        self._losses: list[float] = []
        self._average: dict[str, Tensor] = {}
        if self.recipe.ema_decay:
            self._average = {name: value.clone() for name, value in self.network.state_dict().items()}

    def run(
        self,
        accumulate: Accumulate,
        threads: int | None = None,
        progress: Callable[[Progress], None] | None = None,
        deadline: float | None = None,
    ) -> FitReport:
        """Trains to the end, or from the checkpoint on; leaves the moving averages, where kept, in the network.

        `deadline` (of `time.monotonic`): after an epoch, the number of epochs is cut to what fits before it, so that
        the learning rate still falls to zero; the number that results is part of the checkpoint. The first epoch is
        always done. `FitnasError` where the loss becomes NaN or infinite.
        """
        began = time.monotonic()
        keep_freed_memory()
        self._resume()
        first = len(self._losses)
        with torch_threads(threads), random_numbers(self.seed):
            while len(self._losses) < self._epochs:
                self._run_epoch(accumulate, progress, began)
                if deadline is not None:
                    now, done = time.monotonic(), len(self._losses)
                    fitting = int(max(0.0, deadline - now) / ((now - began) / (done - first)))
                    self._epochs = min(self._epochs, done + fitting)
                self._save()
        if self._average:
            self.network.load_state_dict(self._average)
        return FitReport(len(self._losses), tuple(self._losses), time.monotonic() - began)

    def stages(self, accumulate: Accumulate, rungs: Sequence[int], threads: int | None = None) -> Iterator[int]:
        """Trains to each of the rising numbers of epochs in turn and yields it.

        While it is suspended the network holds the moving averages, where they are kept. The learning rate is that of
        the whole training, so that the last stage ends where `run` would.
        """
        keep_freed_memory()
        for rung in rungs:
            with torch_threads(threads), random_numbers(self.seed):
                while len(self._losses) < rung:
                    self._run_epoch(accumulate, None, time.monotonic())
            own = {name: value.clone() for name, value in self.network.state_dict().items()}
            if self._average:
                self.network.load_state_dict(self._average)
            yield rung
            self.network.load_state_dict(own)

    def _run_epoch(self, accumulate: Accumulate, progress: Callable[[Progress], None] | None, began: float) -> None:
        epoch, total, seen = len(self._losses), 0.0, 0
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.images))
        self.network.train()
        for index, part in enumerate(self._parts):
            chosen = order[part]
            step, steps = epoch * len(self._parts) + index, self._epochs * len(self._parts)
            rate, self.done = self.recipe.rate(step, steps), step / steps
            loss = self._step(accumulate, chosen, (epoch, index), rate)
            total += loss * len(chosen)
            seen += len(chosen)
            if progress is not None:
                spent = time.monotonic() - began
                progress(Progress(step + 1, steps, epoch + 1, self._epochs, total / seen, spent, loss, rate))
        self._losses.append(total / seen)

    def _step(self, accumulate: Accumulate, chosen: NDArray[np.int64], place: tuple[int, int], rate: float) -> float:
        rng = np.random.default_rng([self.seed, *place])
        torch.manual_seed(int(rng.integers(2**63)))  # for whatever a network draws, such as dropout
        images, targets = self._batch(place[0], chosen, rng)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)
        self._optimizer.zero_grad()
        with fast_depthwise(self.device):
            loss = accumulate(images, targets, rng)
        if not math.isfinite(loss):
            advice = f"a learning rate below {self.recipe.learning_rate:g}"
            raise FitnasError(f"training diverged in epoch {place[0] + 1}: the loss is {loss}; try {advice}")
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self._optimizer.step()
        self._update_average(place[0] * len(self._parts) + place[1])
        return loss

    def _batch(self, epoch: int, chosen: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self.replay is not None:
            images, targets = self.replay(epoch, chosen)
            return images.to(self.device), targets.to(self.device)
        images = torch.from_numpy(self.images[chosen]).to(self.device)
        labels = torch.from_numpy(self.labels[chosen].astype(np.int64)).to(self.device)
        if self.augmentation is not None:
            images = self.augmentation(images, torch.Generator().manual_seed(int(rng.integers(2**63))))
        return images, labels

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        """Early averages forget faster: else the random first weights would stay in a short training's average."""
        decay = min(self.recipe.ema_decay, (1 + step) / (10 + step))
        state = self.network.state_dict() if self._average else {}
        for name, value in state.items():
            if value.is_floating_point():
                self._average[name].lerp_(value, 1.0 - decay)
            else:
                self._average[name].copy_(value)

    def _full_identity(self) -> dict[str, Any]:
        sizes = [value.numel() for value in self.network.parameters()]
        own = {**asdict(self.recipe), "seed": self.seed, "pictures": len(self.images)}
        varied = AUGMENTATION_VERSION if self.augmentation else None
        return {**self.identity, **own, "tensors": len(sizes), "parameters": sum(sizes), "augmentation version": varied}

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        tensors = {f"model.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"ema.{name}": value for name, value in self._average.items()}
        for number, state in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
        progress = {"losses": self._losses, "epochs": self._epochs}
        save_checkpoint(self.checkpoint, Checkpoint(tensors, self._full_identity(), progress))

    def _resume(self) -> None:
        found = load_checkpoint(self.checkpoint, self._full_identity()) if self.checkpoint is not None else None
        if found is None:
            return
        self.network.load_state_dict(found.part("model"))
        for name, value in found.part("ema").items():
            self._average[name].copy_(value)
        parameters = [parameter for group in self._optimizer.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in found.part("optimizer").items():
            number, key = name.split(".")
            whole = value.ndim == 0
            # The fused step walks memory: its averages must lie as the parameter does.
            here = value if whole else torch.empty_like(parameters[int(number)]).copy_(value).detach()
            state.setdefault(int(number), {})[key] = here
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": state})
        self._losses, self._epochs = list(found.progress["losses"]), int(found.progress["epochs"])
