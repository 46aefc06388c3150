"""Batch-norm statistics of a network whose weights were trained under other statistics.

Source: Once-for-all (arXiv 1908.09791): plain averages over a few fixed batches replace moving averages. 256 shuffled
pictures suffice; pictures in class order do not (each batch would have the statistics of one class).
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

CALIBRATION_PICTURES = 256
_Norm = nn.modules.batchnorm._BatchNorm


def calibration_sample(images: NDArray[np.uint8], seed: int, count: int = CALIBRATION_PICTURES) -> NDArray[np.uint8]:
    """`count` pictures (n, C, H, W), or all where there are fewer, in an order that the seed alone decides."""
    return images[np.random.default_rng([seed, len(images)]).permutation(len(images))[:count]]


def even_parts(count: int, largest: int) -> list[slice]:
    """Cuts `count` items into the fewest parts of at most `largest`, of nearly equal size.

    A short rest would be a batch of one or two pictures, whose variance is no estimate or not even defined.

    >>> [part.stop - part.start for part in even_parts(129, 64)]
    [43, 43, 43]
    """
    parts = -(-count // largest)
    edges = [count * index // parts for index in range(parts + 1)] if parts else []
    return [slice(start, stop) for start, stop in pairwise(edges)]


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Sets the statistics of every batch norm to their average over `batches`, weighted by pictures.

    `batches` are float (n, C, H, W), normalised as for training, with two pictures or more each. The network is left
    in eval mode; nothing else of it changes. Also serves an activated supernet. Without batches the statistics are
    those of a fresh network (mean 0, variance 1).
    """
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, _Norm)]
    if not norms:
        return  # layer norms keep no statistics
    before = [(norm.track_running_stats, norm.momentum) for norm in norms]
    seen = 0
    for norm in norms:
        norm.track_running_stats = True
        norm.reset_running_stats()
        norm.train()
    try:
        for batch in batches:
            seen += len(batch)
            _set_momentum(norms, len(batch) / seen)
            network(batch)
    finally:
        for norm, (tracked, momentum) in zip(norms, before, strict=True):
            norm.track_running_stats, norm.momentum = tracked, momentum
            norm.eval()


def _set_momentum(norms: Sequence[_Norm], momentum: float) -> None:
    """With share = batch / pictures so far, the moving average is the plain one."""
    for norm in norms:
        norm.momentum = momentum
