"""Convolutions with batch norm whose smaller ones are slices of their weights, for one sub-network or several.

A layer is a `ConvNorm` of a network: `conv`, `norm`, `activation`. Sources: Once-for-all (arXiv 1908.09791) for the
slices; multi-architectural sampling of ViT-ResNAS (arXiv 2109.00642) for several sub-networks in one pass, there of
transformers.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from search_spaces.core.errors import WrongUse

Network = TypeVar("Network", bound=nn.Module)
Parts = list[Tensor]
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def crop(weight: Tensor, shape: Sequence[int]) -> Tensor:
    """The view of `weight` with `shape`: leading entries of the first two axes, the centre of any further ones.

    Kernel sides must be of equal parity, so that a centre exists. `WrongUse` where `shape` does not fit inside.

    >>> crop(torch.arange(9).reshape(1, 1, 3, 3), (1, 1, 1, 1)).item()
    4
    """
    if tuple(weight.shape) == tuple(shape):
        return weight  # a slice of everything would still cost a copy in the backward pass
    spare = [whole - part for whole, part in zip(weight.shape, shape, strict=True)]
    if min(spare) < 0 or any(rest % 2 for rest in spare[2:]):
        raise WrongUse(f"weights of shape {tuple(shape)} cannot be cut out of shared ones of {tuple(weight.shape)}")
    starts = [0, 0, *(rest // 2 for rest in spare[2:])]
    return weight[tuple(slice(start, start + part) for start, part in zip(starts, shape, strict=False))]


def share_norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    """Makes the batch norms of `network` those of a supernet, and gives them.

    They keep no statistics while `track_running_stats` is off, as it is from now on, and `state_dict` holds none.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.track_running_stats = False
        for name in _STATISTICS:
            # Statistics belong to one sub-network at one moment: they are never saved with the shared weights.
            norm.register_buffer(name, getattr(norm, name), persistent=False)
    return norms


def forget_statistics(norms: Iterable[nn.BatchNorm2d]) -> None:
    """Mean 0 and variance 1, as in a fresh network."""
    for norm in norms:
        _tensor(norm.running_mean).zero_()
        _tensor(norm.running_var).fill_(1.0)


def cut_out(shared: nn.Module, make: Callable[[], Network], positions: Sequence[int]) -> Network:
    """The plain network that `make` builds, with copies of its slices and the batch-norm statistics of a fresh one.

    `positions`: of each of its `blocks` among those of `shared`. Draws no random number and changes nothing in
    `shared`. `WrongUse` where the network does not fit into it.
    """
    weights = dict(shared.named_parameters())
    with torch.device("meta"):  # initial weights would be thrown away
        network = make()
    network.to_empty(device=next(iter(weights.values())).device)
    with torch.no_grad():
        for name, own in network.named_parameters():
            own.copy_(crop(weights[_shared_name(name, positions)], own.shape))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    return network.train(shared.training)


def conv_norm(layer: Any, x: Tensor, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> Tensor:
    """The slice of `layer` with as many inputs as `x` (N, inputs, H, W) has and so many outputs."""
    weight = crop(layer.conv.weight, (outputs, x.shape[1] // groups, kernel, kernel))
    x = normalise(layer.norm, functional.conv2d(x, weight, None, stride, kernel // 2, 1, groups))
    normalised: Tensor = layer.activation(x)
    return normalised


def normalise(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Batch norm of as many channels as `x` (N, channels, H, W) has."""
    size = (x.shape[1],)
    mean = var = None
    if norm.track_running_stats or not norm.training:
        mean, var = crop(_tensor(norm.running_mean), size), crop(_tensor(norm.running_var), size)
    weight, bias = crop(norm.weight, size), crop(norm.bias, size)
    return functional.batch_norm(x, mean, var, weight, bias, norm.training, norm.momentum or 0.0, norm.eps)


def classified(classifier: nn.Linear, x: Tensor, classes: int) -> Tensor:
    """Logits (N, classes) of as many features as `x` (N, features) has."""
    weight = crop(classifier.weight, (classes, x.shape[1]))
    return functional.linear(x, weight, crop(classifier.bias, (classes,)))


def conv_norm_parts(layer: Any, parts: Parts, outputs: Sequence[int], kernel: int = 1, stride: int = 1) -> Parts:
    """One convolution of all parts, then each one's norm; a part without `outputs` passes by as it is.

    Where a part has fewer channels than the widest, zeros stand for them; what comes out beyond its own is cut off.
    """
    taking = [part for part, own in zip(parts, outputs, strict=True) if own]
    if not taking:
        return parts
    x = joined(taking)
    weight = crop(layer.conv.weight, (max(outputs), x.shape[1], kernel, kernel))
    y = functional.conv2d(x, weight, None, stride, kernel // 2)
    made = iter(torch.split(y, [len(part) for part in taking]))
    return [
        layer.activation(normalise(layer.norm, _narrowed(next(made), own))) if own else part
        for part, own in zip(parts, outputs, strict=True)
    ]


def joined(parts: Parts) -> Tensor:
    """All parts (n, channels, H, W) as one batch; zeros stand for the channels that one lacks."""
    widest = max(part.shape[1] for part in parts)
    spare = [(0, 0, 0, 0, 0, widest - part.shape[1]) for part in parts]
    return torch.cat([functional.pad(x, pad) if any(pad) else x for x, pad in zip(parts, spare, strict=True)])


def _narrowed(part: Tensor, channels: int) -> Tensor:
    # Channels last, and dense: the norm would else be computed in the other layout, which costs more than this copy.
    return part if part.shape[1] == channels else part[:, :channels].contiguous(memory_format=torch.channels_last)


def _shared_name(name: str, positions: Sequence[int]) -> str:
    """The largest network's name of a sub-network's parameter: blocks sit at their elastic positions."""
    parts = name.split(".")
    if parts[0] == "blocks":
        parts[1] = str(positions[int(parts[1])])
    return ".".join(parts)


def _tensor(buffer: Tensor | None) -> Tensor:
    if buffer is None:  # batch norm built without statistics; ours never is
        raise TypeError("expected batch-norm statistics")
    return buffer
