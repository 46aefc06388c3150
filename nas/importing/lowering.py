"""From operators to rows of an operator table: who shares storage, which tensors live how long.

What an operator table does not have is folded: views and borders lie where their input lies, a function that is
computed element by element lies on the only tensor that it reads, wherever no more than one of both is read by others
(activations, batch norms, quantizations, functions spelt out in several operators). Where two or more of such values
are read, all but one become operators with an output of their own.
"""

from dataclasses import dataclass, field, replace
from math import prod

from nas.importing.operators import ELEMENTWISE, ForeignNetwork, Operator, Task
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer

_KINDS = {
    Task.LINEAR: Kind.LINEAR,
    Task.MATMUL: Kind.MATMUL,
    Task.NORM: Kind.NORM,
    Task.POOL: Kind.POOL,
    Task.ADD: Kind.ADD,
    Task.MULTIPLY: Kind.MULTIPLY,
    Task.CONCAT: Kind.CONCAT,
    Task.MOVE: Kind.OTHER,
    Task.UNKNOWN: Kind.OTHER,
}
_TAKES_SCALES = (Task.CONV, Task.LINEAR, Task.NORM)
_MOST_SCALES = 4  # learned numbers a channel that an operator takes over: batch norms and biases, no embeddings
_MOST_MACS = 1 << 60


@dataclass(frozen=True)
class Row:
    """An operator of the table; `kernel_width` beside its height, `regular`: a patch stage may hold it."""

    layer: Layer
    kernel_width: int
    regular: bool


@dataclass
class Lowered:
    """`rows` in execution order. `held`: (tensor's position, last position that needs it) of those that are read as a
    third input, or are answers. `unknown`: how often each unknown operator occurs; `folded`: operators by what became
    of them.
    """

    rows: list[Row] = field(default_factory=list)
    held: list[tuple[int, int]] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    folded: dict[str, int] = field(default_factory=dict)


def lower(network: ForeignNetwork) -> Lowered:
    """The rows of a network of one image; `WrongUse` where it has several, or reads a tensor before it is made."""
    if len(network.inputs) != 1:
        raise WrongUse(f"the network has {len(network.inputs)} inputs; priced are networks of one picture")
    values = _Values(network)
    return _Emission(network, values).run()


class _Values:
    """Which tensors hold one value, and which operators have no output of their own.

    A tensor's family are those made of one tensor element by element. `storage[t]`: the tensor whose place t takes.
    """

    def __init__(self, network: ForeignNetwork) -> None:
        self.operators = network.operators
        self.maker = {operator.output: operator for operator in self.operators}
        self.readers: dict[str, list[int]] = {}
        for position, operator in enumerate(self.operators):
            for name in operator.inputs:
                self.readers.setdefault(name, []).append(position)
        self.root = dict.fromkeys(network.inputs, "")  # tensor: the first of its family
        self.root |= {name: name for name in network.inputs}
        self.value = {name: name for name in network.inputs}  # tensor: the first that holds the same numbers
        self.inside: set[int] = set()
        for position, operator in enumerate(self.operators):
            self._place(position, operator)
        self.kept = self._kept(set(network.outputs))
        self.storage: dict[str, str] = {name: name for name in network.inputs}
        for position, operator in enumerate(self.operators):
            parent = self.storage.get(operator.inputs[0]) if operator.inputs else None
            own = position not in self.inside or operator.output in self.kept
            self.storage[operator.output] = operator.output if own or parent is None else parent
        self.last_read: dict[str, int] = {}  # by place, the last operator that reads a tensor in it
        for name, positions in self.readers.items():
            place = self.storage[name]
            self.last_read[place] = max(positions[-1], self.last_read.get(place, -1))

    def _place(self, position: int, operator: Operator) -> None:
        missing = [name for name in operator.inputs if name not in self.root]
        if missing:
            raise WrongUse(f"the file is damaged: {operator.label} reads a tensor that nothing made before it")
        if operator.output in self.root:
            raise WrongUse(f"the file is damaged: {operator.label} makes a tensor a second time")
        output, first = operator.output, operator.inputs[0] if operator.inputs else None
        same = operator.task is Task.VIEW or (operator.task is Task.PAD and self._folds(operator))
        if first is None or not (same or self._pointwise(operator)):
            self.root[output] = self.value[output] = output
            return
        self.inside.add(position)
        self.root[output] = self.root[first]
        self.value[output] = self.value[first] if same else output

    def _pointwise(self, operator: Operator) -> bool:
        roots = {self.root[name] for name in operator.inputs}
        size = prod(operator.out_shape)
        if operator.task not in ELEMENTWISE or len(roots) != 1 or prod(operator.in_shape) != size:
            return False
        if not operator.learned:
            return True
        maker = self.maker.get(next(iter(roots)))
        if maker is None or maker.task not in _TAKES_SCALES:
            return False
        channels = maker.out_shape[0]
        return operator.learned % channels == 0 and operator.learned <= _MOST_SCALES * channels

    def _folds(self, operator: Operator) -> bool:
        """Whether a border is that of windows alone, which runtimes compute without it."""
        readers = [self.operators[position] for position in self.readers.get(operator.output, [])]
        grows = operator.out_shape[0] == operator.in_shape[0] and prod(operator.out_shape) >= prod(operator.in_shape)
        return grows and bool(readers) and all(each.task in (Task.CONV, Task.POOL) for each in readers)

    def _kept(self, outputs: set[str]) -> set[str]:
        """Tensors inside families that need a place beside their family's: others read several of its values."""
        read: dict[str, dict[str, None]] = {}
        for name in self.root:
            strangers = [p for p in self.readers.get(name, []) if p not in self.inside]
            if strangers or name in outputs:
                read.setdefault(self.root[name], {})[self.value[name]] = None
        kept = set()
        for root, values in read.items():
            # the family's place is for its first value that others read
            first = root if root in values else next(iter(values))
            kept |= {value for value in values if value != first}
        return kept


class _Emission:
    """Writes the rows in execution order."""

    def __init__(self, network: ForeignNetwork, values: _Values) -> None:
        self.network, self.values = network, values
        self.position: dict[str, int] = dict.fromkeys(network.inputs, NETWORK_INPUT)
        self.places: dict[int, list[str]] = {NETWORK_INPUT: list(network.inputs)}
        self.made = Lowered()

    def run(self) -> Lowered:
        """All rows; `WrongUse` where there are none, or sums pass what can be counted."""
        for position, operator in enumerate(self.network.operators):
            if position in self.values.inside and operator.output not in self.values.kept:
                self._fold(operator)
            else:
                self._write(position, operator)
        last = len(self.made.rows) - 1
        if last < 0:
            raise WrongUse("the file holds no operator that computes anything")
        for name in self.network.outputs:
            if (source := self._source(name)) >= 0:
                self.made.held.append((source, last))
        return self.made

    def _source(self, name: str) -> int:
        if name not in self.values.storage:
            raise WrongUse("the file is damaged: its answer is a tensor that nothing makes")
        return self.position[self.values.storage[name]]

    def _fold(self, operator: Operator) -> None:
        what = "PAD" if operator.task is Task.PAD else "VIEW" if operator.task is Task.VIEW else "ELEMENTWISE"
        self.made.folded[what] = self.made.folded.get(what, 0) + 1
        at = self._source(operator.output)
        if operator.learned and at >= 0:
            row = self.made.rows[at]
            scales = row.layer.channel_params + operator.learned // row.layer.out_channels
            self.made.rows[at] = replace(row, layer=row.layer._replace(channel_params=scales))

    def _write(self, position: int, operator: Operator) -> None:
        if operator.task is Task.UNKNOWN:
            self.made.unknown[operator.label] = self.made.unknown.get(operator.label, 0) + 1
        if self._extends_pool(position, operator):
            return
        sources = self._sources(position, operator)
        here = len(self.made.rows)
        self.made.held += [(source, here) for source in sources[2:] if source >= 0]
        a, b = (*sources[:2], NO_INPUT, NO_INPUT)[:2]
        name = f"{here} {_plain(operator.label)}"
        self.made.rows.append(_row(name, (a, b), replace(operator, in_shape=self._unpadded(operator))))
        self.position[operator.output] = here
        self.places[here] = [operator.output]

    def _unpadded(self, operator: Operator) -> tuple[int, int, int]:
        """The input's shape without borders that were folded."""
        shape, name = operator.in_shape, operator.inputs[0] if operator.inputs else ""
        while (maker := self.values.maker.get(name)) is not None and maker.task is Task.PAD:
            if self.values.storage[maker.output] == maker.output:
                break
            shape, name = maker.in_shape, maker.inputs[0]
        return shape

    def _sources(self, position: int, operator: Operator) -> list[int]:
        """Positions of the inputs, each once; the first is one that may be overwritten.

        Of a sum the newest of those that are as large as it and die here, of other functions the largest.
        """
        sources = list(dict.fromkeys(self._source(name) for name in operator.inputs))
        if operator.task in ELEMENTWISE and len(sources) > 1:
            size = prod(operator.out_shape)
            sizes = {s: prod(self._shape(s)) for s in sources}
            dying = {s: self._last_read(s) <= position for s in sources}
            sources.sort(key=lambda s: (sizes[s] == size, dying[s], s), reverse=True)
        elif NETWORK_INPUT in sources[2:]:
            sources.sort()
        return sources

    def _shape(self, source: int) -> tuple[int, int, int]:
        if source == NETWORK_INPUT:
            return next(iter(self.network.inputs.values()))
        layer = self.made.rows[source].layer
        return layer.out_channels, layer.out_height, layer.out_width

    def _last_read(self, source: int) -> int:
        """Position among the operators of the last that reads any tensor in this place."""
        return max(self.values.last_read.get(place, -1) for place in self.places[source])

    def _extends_pool(self, position: int, operator: Operator) -> bool:
        """Whether this is a mean over further axes of what a mean made that nobody else reads: one operator."""
        if operator.task is not Task.POOL or operator.kernel != (1, 1) or len(operator.inputs) != 1:
            return False
        source = self._source(operator.inputs[0])
        row = self.made.rows[source] if source == len(self.made.rows) - 1 >= 0 else None
        whole = row is not None and row.layer.kind is Kind.POOL and row.layer.kernel == 1
        if row is None or not whole or self._last_read(source) > position or operator.inputs[0] in self.network.outputs:
            return False
        channels, height, width = operator.out_shape
        layer = row.layer._replace(out_channels=channels, out_height=height, out_width=width)
        self.made.rows[source] = replace(row, layer=layer)
        self.position[operator.output] = source
        self.places[source].append(operator.output)
        return True


def _row(name: str, sources: tuple[int, int], operator: Operator) -> Row:
    (height, width), stride, made = operator.kernel, operator.stride, operator.out_shape
    if operator.task is Task.POOL and made[1:] == (1, 1):
        (height, width), stride = (1, 1), (1, 1)
    if operator.learned % made[0]:
        if operator.task in _TAKES_SCALES:
            raise WrongUse(f"the file is damaged: {operator.learned:,} learned numbers of {made[0]:,} channels")
        # one channel of all elements, so that what is learned stays a whole number a channel
        made = (1, prod(made), 1)
    inside = operator.in_shape
    layer = Layer(
        name, _kind(operator), *sources, inside[0], made[0], *inside[1:], *made[1:], height, stride[0],
        operator.groups, operator.learned // made[0],
    )  # fmt: skip
    if _macs(layer, width) > _MOST_MACS:
        raise WrongUse(f"the file is damaged: one {operator.label} would multiply more than any machine can")
    regular = height == width and stride[0] == stride[1] and operator.dilation == (1, 1)
    return Row(layer, width, regular)


def _macs(layer: Layer, kernel_width: int) -> int:
    """At most."""
    window = layer.kernel * kernel_width
    return layer.in_channels * layer.out_channels * window * layer.out_height * layer.out_width


def _kind(operator: Operator) -> Kind:
    if operator.task is Task.CONV:
        each = operator.groups == operator.in_shape[0] == operator.out_shape[0] and operator.groups > 1
        return Kind.DEPTHWISE if each else Kind.CONV
    return _KINDS.get(operator.task, Kind.OTHER)


def _plain(label: str) -> str:
    """A name that is safe to print: letters, digits and spaces."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in label)
    return kept[:40].strip("_").lower() or "operator"
