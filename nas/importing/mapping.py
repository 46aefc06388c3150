"""What the readers of all formats share: a graph is walked node by node, stored values are told from computed ones."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import ClassVar

from nas.core.foreign_graph import ForeignGraph, ForeignNode, ForeignTensor
from nas.importing.operators import ForeignNetwork, Operator, Shape, Task
from search_spaces.core.errors import WrongUse

_FLOATS = ("float32", "float16", "bfloat16", "float64", "float", "double")


def _learned(tensor: ForeignTensor) -> int:
    """Its numbers; none of indices, axes and shapes."""
    return 0 if tensor.kind in ("int64", "bool") else tensor.elements


def damaged(why: str) -> WrongUse:
    """The error of a graph whose figures contradict each other."""
    return WrongUse(f"the file is damaged: {why}")


class GraphMapper(ABC):
    """Walks a graph and makes operators of its nodes; a format says which node is what in `rules` and `tasks`."""

    tasks: ClassVar[Mapping[str, Task]]
    rules: ClassVar[Mapping[str, Callable[..., None]]]
    constants: ClassVar[tuple[str, ...]] = ()  # operators whose answer does not depend on the picture

    def __init__(self, graph: ForeignGraph) -> None:
        self.graph = graph
        self.tensors = dict(graph.tensors)
        self.learnt = {name: _learned(tensor) for name, tensor in graph.tensors.items() if tensor.stored}
        self.operators: list[Operator] = []
        self.notes: list[str] = []

    @abstractmethod
    def shape(self, tensor: ForeignTensor) -> Shape:
        """A tensor's channels, height and width in this format's order."""

    def network(self) -> ForeignNetwork:
        """All nodes as operators; `WrongUse` where the graph contradicts itself."""
        for node in self.graph.nodes:
            self._map(node)
        inputs = {name: self.shape(self._picture(name)) for name in self.graph.inputs}
        return ForeignNetwork(tuple(self.operators), inputs, self.graph.outputs, self.numbers(), tuple(self.notes))

    def numbers(self) -> str:
        """The kind of most stored numbers, as the file names it."""
        sizes: dict[str, int] = {}
        for tensor in self.graph.tensors.values():
            if tensor.stored:
                sizes[tensor.kind] = sizes.get(tensor.kind, 0) + tensor.elements
        return max(sizes, key=lambda kind: sizes[kind], default="no numbers")

    def _picture(self, name: str) -> ForeignTensor:
        tensor = self.of(name)
        if len(tensor.shape) > 1 and tensor.shape[0] != 1:
            raise WrongUse(f"the network takes {tensor.shape[0]} pictures at once; convert it for a batch of 1")
        return tensor

    def _map(self, node: ForeignNode) -> None:
        computed = self.computed(node)
        if node.operator in self.constants or (not computed and any(node.inputs)):
            self._store(node)
        elif node.operator in self.rules:
            self.rules[node.operator](self, node)
        else:
            self.plain(node, self.tasks.get(node.operator, Task.UNKNOWN))

    def _store(self, node: ForeignNode) -> None:
        """What is computed from stored values alone holds as many learned numbers as the largest of them."""
        learnt = max((self.learnt[name] for name in node.inputs if name in self.learnt), default=0)
        for name in filter(None, node.outputs):
            tensor = self.tensors.get(name, ForeignTensor((), "unknown"))
            self.tensors[name], self.learnt[name] = replace(tensor, stored=True), learnt

    def computed(self, node: ForeignNode) -> tuple[str, ...]:
        """The tensors among a node's inputs that depend on the picture."""
        return tuple(name for name in node.inputs if name and not self.of(name).stored)

    def of(self, name: str) -> ForeignTensor:
        """The tensor of that name; `WrongUse` where its shape is not known before the network runs."""
        if name not in self.tensors:
            raise WrongUse(
                f"the shape of tensor {name[:60]!r} is not known before the network runs; export fixed sizes"
            )
        return self.tensors[name]

    def counted(self, name: str) -> int:
        """Learned numbers behind a stored tensor; 0 of a computed one."""
        return self.learnt.get(name, 0)

    def learned(self, node: ForeignNode, but: tuple[str, ...] = ()) -> int:
        """Learned numbers that a node reads, single ones and the tensors `but` left out."""
        return sum(self.counted(name) for name in set(node.inputs).difference(but) if self.counted(name) > 1)

    def plain(self, node: ForeignNode, task: Task, learned: int | None = None) -> None:
        """An operator an output, of a node whose sizes are those of its tensors."""
        computed = self.computed(node)
        if learned is None:
            learned = self.learned(node) if task in (Task.ADD, Task.MULTIPLY, Task.CONCAT, Task.UNKNOWN) else 0
        for position, output in enumerate(node.outputs):
            if not output:
                continue
            out_shape = self.shape(self.of(output))
            in_shape = self.shape(self.of(computed[0])) if computed else out_shape
            self.append(node, task, output, in_shape, out_shape, inputs=computed, learned=0 if position else learned)

    def append(
        self, node: ForeignNode, task: Task, output: str, in_shape: Shape, out_shape: Shape, **more: object
    ) -> None:
        """One operator; its inputs are those that are computed, unless told."""
        inputs = more.pop("inputs", None) or self.computed(node)
        made: Operator = Operator(node.operator, task, tuple(inputs), output, in_shape, out_shape, **more)  # type: ignore[arg-type]
        self.operators.append(made)

    def linear(self, node: ForeignNode, inside: int, outside: int, learned: int) -> None:
        """A linear map of the last axis, from `inside` to `outside` channels."""
        self._rows(node, Task.LINEAR, inside, outside, learned)

    def product(self, node: ForeignNode, inside: int, outside: int, learned: int = 0) -> None:
        """A product of tensors that sums `inside` pairs for each of the output's elements."""
        self._rows(node, Task.MATMUL, inside, outside, learned)

    def _rows(self, node: ForeignNode, task: Task, inside: int, outside: int, learned: int) -> None:
        first, output = self.computed(node)[0], node.outputs[0]
        read, made = self.of(first).elements, self.of(output).elements
        if inside < 1 or outside < 1 or read % inside or made % outside:
            raise damaged(f"{node.operator} maps {inside} to {outside} channels, its tensors have {read} and {made}")
        rows = made // outside
        if task is Task.LINEAR and read // inside != rows:
            raise damaged(f"{node.operator} reads {read // inside} rows and makes {rows}")
        self.append(node, task, output, (inside, read // inside, 1), (outside, rows, 1), learned=learned)


def keeps_order(shape: tuple[int, ...], axes: tuple[int, ...]) -> bool:
    """Whether a transposition moves nothing: all axes longer than 1 stay in order.

    >>> keeps_order((1, 1, 1, 64), (0, 3, 1, 2)), keeps_order((1, 7, 7, 64), (0, 3, 1, 2))
    (True, False)
    """
    return len(shape) == len(axes) and (long := [axis for axis in axes if shape[axis] > 1]) == sorted(long)


def window(side: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    """Positions of a window on a side with `padding` in all; at least 0."""
    return max(0, (side + padding - (kernel - 1) * dilation - 1) // stride + 1)


def is_float(kind: str) -> bool:
    """Whether numbers of that kind are floats."""
    return kind in _FLOATS


def elements(shape: Shape) -> int:
    """How many a tensor has."""
    return prod(shape)
