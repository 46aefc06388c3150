"""One member of a run in few bits: its policy, its integers, what it scores."""

import json
from pathlib import Path

from torch import Tensor, nn

from nas.core.trial import Trial
from nas.quantization.capture import check_norms
from nas.quantization.quantized import Quantized, quantize
from nas.run import StoredRun
from nas.training.data import Pictures
from nas.training.loop import Size, batches
from nas.training.recalibrate import calibration_sample
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.errors import NotFound, WrongUse
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.policy import QuantizationPolicy, quantizable_names

POLICY_FILE = "policy.json"


def table_of(run: StoredRun, trial: Trial) -> LayerTable:
    """The operator table of a member, of height one."""
    space = run.parts.space
    return space.decode(space.population([trial.architecture]))


def member_policy(run: StoredRun, trial: Trial, file: Path | None = None) -> QuantizationPolicy:
    """The policy in `file`; else the one that the architecture carries; else what nas quantize left for the member;
    else int8 for every operator.

    `WrongUse` where a file is of another network, `NotFound` where there is none.
    """
    space, table = run.parts.space, table_of(run, trial)
    kept = run.members / trial.architecture.id / POLICY_FILE
    if file is None and isinstance(space, WithQuantization):
        return space.policy(trial.architecture)
    path = file or (kept if kept.is_file() else None)
    if path is None:
        return QuantizationPolicy.uniform(table)
    policy = read_policy(path)
    policy.of(table)
    return policy


def read_policy(path: Path) -> QuantizationPolicy:
    """The policy in a JSON file."""
    if not path.is_file():
        raise NotFound(f"there is no policy at {path}; nas quantize RUN writes one")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WrongUse(f"{path} is no quantization policy ({error}); nas quantize writes one") from None
    return QuantizationPolicy.from_document(document)


def quantized_member(
    run: StoredRun, trial: Trial, network: nn.Module, pictures: Pictures, policy: QuantizationPolicy
) -> Quantized:
    """A member's trained network under a policy, with ranges from its run's calibration pictures."""
    check_norms(network)
    size = run.parts.space.input_size(trial.architecture)[1:]
    names = quantizable_names(table_of(run, trial))
    return quantize(network, names, policy, calibration_batches(pictures, size, run.config.seed))


def calibration_batches(pictures: Pictures, size: Size, seed: int) -> list[Tensor]:
    """Training pictures that the seed alone decides, (n, C, H, W), normalised as for training."""
    return list(batches(calibration_sample(pictures.train.images, seed), size, pictures.mean, pictures.std))
