"""One MBConv network whose smaller networks are slices of its weights.

A sub-network uses the first channels of each layer, the centre of each depthwise kernel and, in each stage, the first
blocks. Sources: Once-for-all (arXiv 1908.09791) for the slices; MCUNet (arXiv 2007.10319, appendix E) for kernels
shared by their centre alone, without learned transforms.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from search_spaces.blocks.mbconv import BlockSpec, MbconvNetwork
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse

Locate = Callable[[Architecture], tuple[Mapping[str, Any], Sequence[int]]]


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


class ElasticMbconv(MbconvNetwork):
    """The largest network of a space; `activate` makes `forward` run any smaller one on slices of its weights.

    `largest` holds the arguments of `MbconvNetwork`. `locate` says what an architecture is: arguments of the same kind
    for its plain network, and the position of each of its blocks among those of the largest. Right after construction
    the largest is active. Parameter names and shapes are those of `MbconvNetwork(**largest)`; `state_dict` holds
    parameters alone.

    Batch norm: scale and shift are shared. In train mode `forward` normalises by the batch and keeps no statistics,
    unless `track_running_stats` of the norm layers is set, as recalibration does. In eval mode it uses the statistics
    kept since the last `activate` (where there were none: mean 0, variance 1, as in a fresh network).
    Squeeze-excite is not elastic: `WrongUse`.
    """

    def __init__(self, largest: Mapping[str, Any], locate: Locate) -> None:
        _refuse_squeeze(largest["blocks"])
        super().__init__(**largest)
        self._locate = locate
        self._arguments, self._positions = largest, tuple(range(len(self.blocks)))
        self._norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in self._norms:
            norm.track_running_stats = False
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                # Statistics belong to one sub-network at one moment: they are never saved with the shared weights.
                norm.register_buffer(name, getattr(norm, name), persistent=False)

    def activate(self, architecture: Architecture) -> None:
        """From now on `forward` runs this sub-network; kept batch-norm statistics are forgotten.

        `WrongUse` where its layers are not among those of the largest; channels or kernels larger than the largest's
        are refused by `forward`.
        """
        self._arguments, self._positions = self._located(architecture)
        for norm in self._norms:
            _tensor(norm.running_mean).zero_()
            _tensor(norm.running_var).fill_(1.0)

    def extract(self, architecture: Architecture) -> MbconvNetwork:
        """The plain network with copies of its slices; its batch-norm statistics are those of a fresh network.

        Draws no random number and changes nothing here. `WrongUse` where it does not fit into the largest.
        """
        arguments, positions = self._located(architecture)
        shared = dict(self.named_parameters())
        with torch.device("meta"):  # initial weights would be thrown away
            network = MbconvNetwork(**arguments)
        network.to_empty(device=self.classifier.weight.device)
        with torch.no_grad():
            for name, own in network.named_parameters():
                own.copy_(crop(shared[_shared_name(name, positions)], own.shape))
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
        return network.train(self.training)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes) of the active sub-network."""
        active = self._arguments
        x = self._conv_norm(self.stem, x, active["stem"]["out"], active["stem"]["kernel"], active["stem"]["stride"])
        for spec, position in zip(active["blocks"], self._positions, strict=True):
            x = self._block(self.blocks[position], spec, x)
        if active["mix"]:
            x = self._conv_norm(self.mix, x, active["mix"])
        x = self.pool(x).flatten(1)
        weight = crop(self.classifier.weight, (active["classes"], x.shape[1]))
        return functional.linear(x, weight, crop(self.classifier.bias, (active["classes"],)))

    def _block(self, block: nn.Module, spec: BlockSpec, x: Tensor) -> Tensor:
        y = self._conv_norm(block.expand, x, spec["mid"]) if spec["mid"] else x
        if spec["kernel"] > 1:
            y = self._conv_norm(block.depthwise, y, y.shape[1], spec["kernel"], spec["stride"], groups=y.shape[1])
        y = self._conv_norm(block.project, y, spec["out"])
        return x + y if spec["residual"] else y

    def _conv_norm(
        self, layer: Any, x: Tensor, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> Tensor:
        weight = crop(layer.conv.weight, (outputs, x.shape[1] // groups, kernel, kernel))
        x = self._normalise(layer.norm, functional.conv2d(x, weight, None, stride, kernel // 2, 1, groups))
        normalised: Tensor = layer.activation(x)
        return normalised

    def _normalise(self, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
        size = (x.shape[1],)
        mean = var = None
        if norm.track_running_stats or not norm.training:
            mean, var = crop(_tensor(norm.running_mean), size), crop(_tensor(norm.running_var), size)
        weight, bias = crop(norm.weight, size), crop(norm.bias, size)
        return functional.batch_norm(x, mean, var, weight, bias, norm.training, norm.momentum or 0.0, norm.eps)

    def _located(self, architecture: Architecture) -> tuple[Mapping[str, Any], tuple[int, ...]]:
        arguments, positions = self._locate(architecture)
        positions, blocks = tuple(positions), arguments["blocks"]
        _refuse_squeeze(blocks)
        if len(positions) != len(blocks) or not set(positions) <= set(range(len(self.blocks))):
            raise WrongUse(f"{len(blocks)} blocks need as many positions below {len(self.blocks)}, got {positions}")
        for spec, position in zip(blocks, positions, strict=True):
            block = self.blocks[position]
            for part, wanted in (("expand", spec["mid"] > 0), ("depthwise", spec["kernel"] > 1)):
                if wanted and isinstance(getattr(block, part), nn.Identity):
                    raise WrongUse(
                        f"block {position} of the largest network has no {part} convolution, {spec} needs it"
                    )
        if bool(arguments["mix"]) == isinstance(self.mix, nn.Identity):
            raise WrongUse("the last 1x1 convolution (mix) is present in all sub-networks or in none")
        return arguments, positions


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


def _refuse_squeeze(blocks: Iterable[BlockSpec]) -> None:
    if any(spec["squeeze"] for spec in blocks):
        raise WrongUse("squeeze-excite shares no weights: train such a network alone")
