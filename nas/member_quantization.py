"""One member of a run in few bits: its policy, its integers, what it scores."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.core.trial import Trial
from nas.quantization.capture import check_norms
from nas.quantization.quantized import Quantized, quantize
from nas.run import StoredRun
from nas.training.data import Pictures
from nas.training.loop import SCORE_BATCH, Scores, Size, prepare, score
from nas.training.recalibrate import calibration_sample, even_parts
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
    sample = calibration_sample(pictures.train.images, run.config.seed)
    return quantize(network, quantizable_names(table_of(run, trial)), policy, list(batches(sample, size, pictures)))


def batches(images: NDArray[np.uint8], size: Size, pictures: Pictures) -> Iterator[Tensor]:
    """Pictures (n, C, H, W) in parts, as a network of this size reads them."""
    whole = torch.from_numpy(images)
    parts = even_parts(len(whole), SCORE_BATCH)
    return (prepare(whole[part], size, pictures.mean, pictures.std) for part in parts)


@torch.no_grad()
def quantized_scores(quantized: Quantized, pictures: Pictures, part: str, size: Size) -> Scores:
    """What it scores on `validation` or `test` pictures, simulated in floats."""
    labelled, network = getattr(pictures, part), quantized.simulated()
    answers = [network(batch) for batch in batches(labelled.images, size, pictures)]
    predicted = torch.cat(answers).argmax(dim=1).numpy()
    return score(predicted, labelled.labels, answers[0].shape[1])
