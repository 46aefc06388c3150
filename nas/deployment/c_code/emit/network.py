"""network.c: the arena, a constant for each operator, the functions that run them, and their order."""

from collections.abc import Iterator

from nas.deployment.c_code import program as c
from nas.deployment.c_code.emit.layers import addition, layer
from nas.deployment.c_code.emit.model import Model
from nas.deployment.c_code.emit.text import comment, numbers
from nas.deployment.c_code.passes.cut_patches import Span, Stage
from nas.deployment.c_code.passes.specialise import Function, specialise
from nas.deployment.c_code.program import Operator

_ARENA_ALIGNMENT = 16


def network_source(model: Model) -> str:
    """The whole file."""
    return "\n".join(_Source(model).parts()) + "\n"


class _Source:
    def __init__(self, model: Model) -> None:
        self.model, self.program = model, model.program
        planes = frozenset(each.name for each in self.program.operators if self._has_plane(each))
        self.functions = specialise(self.program, planes)

    def _has_plane(self, each: Operator) -> bool:
        return isinstance(each, c.Depthwise) and self.model.plane(each) is not None

    def parts(self) -> Iterator[str]:
        yield '#include "network.h"\n\n#include "kernels.h"\n#include "weights.h"\n'
        yield from _HOOKS
        yield "NETWORK_ALIGNED int8_t network_arena[NETWORK_ARENA_BYTES];\n"
        for number, each in enumerate(self.program.operators):
            yield self._constants(number, each)
        for function in dict.fromkeys(self.functions):
            yield definition(function)
        if self.model.stage is not None:
            yield from self._stage(self.model.stage)
        yield self._run()

    def _constants(self, number: int, each: Operator) -> str:
        lines = [comment(f"{number}: {each.name}")]
        added = getattr(each, "addition", None)
        if added is not None:
            lines.append(f"static const struct nn_addition addition_{number} = {addition(added)};")
        struct = self.functions[number].struct
        lines.append(f"static const struct nn_{struct} layer_{number} =\n    {layer(self.model, number, each)};")
        return "\n".join(lines) + "\n"

    # the patch stage

    def _stage(self, stage: Stage) -> Iterator[str]:
        yield comment("Rows and columns of every tensor of the patch stage, by patch.")
        grid, tensors = self.model.arena.patches, len(stage.tensors)
        for name, spans in (("rows", stage.rows), ("columns", stage.columns)):
            lines = ",\n".join(f"    {{\n{numbers(map(_span, each), ' ' * 8)}}}" for each in spans)
            yield f"static const struct nn_span patch_{name}[{grid}][{tensors}] = {{\n{lines}}};\n"
        yield "static void run_patch(const int8_t *input, const struct nn_span *rows, const struct nn_span *columns)\n{"
        for number, each in enumerate(self.program.operators):
            if self.model.in_stage(each):
                yield self._patched(stage, number, each)
        yield "}\n"

    def _patched(self, stage: Stage, number: int, each: Operator) -> str:
        """One operator on one patch."""
        function = self.functions[number]
        places = [stage.tensors.index(tensor.name) for tensor in (*each.inputs, each.output)]
        other = places[1] if len(places) > 2 else 0
        whole = int(self.model.ends_stage(each))
        lines = [
            f"    NETWORK_LAYER_BEGIN({number});",
            "    {",
            f"        struct nn_{function.struct} op;",
            f"        nn_take_{function.struct}(&op, &layer_{number});",
            *self._given(each),
            f"        const struct nn_patch at = {{rows, columns, {places[0]}, {other}, {places[-1]}, {whole}}};",
            f"        nn_{function.struct}_part(&op, &at);",
            f"        {function.name}(&op);",
            *(f"        nn_lookup(op.output, network_table_{number}_{i});" for i in range(len(each.lookups))),
            "    }",
            f"    NETWORK_LAYER_END({number});",
        ]
        return "\n".join(lines)

    def _given(self, each: Operator) -> list[str]:
        """What the caller's picture needs: its address."""
        names = ("input", "other")
        fields = [f"{name}.data" if function_has_maps(each) else name for name in names]
        return [
            f"        op.{field} = input;"
            for field, tensor in zip(fields, each.inputs, strict=False)
            if tensor == self.program.input
        ]

    # whole maps

    def _run(self) -> str:
        lines = ["const int8_t *network_run(const int8_t *input)", "{"]
        if self.model.stage is not None:
            lines += [
                f"    for (int y = 0; y < {self.model.arena.patches}; y++) {{",
                f"        for (int x = 0; x < {self.model.arena.patches}; x++) {{",
                "            run_patch(input, patch_rows[y], patch_columns[x]);",
                "        }",
                "    }",
            ]
        for number, each in enumerate(self.program.operators):
            if not self.model.in_stage(each):
                lines += self._whole(number, each)
        lines += [f"    return {self.model.place(self.program.output)};", "}"]
        return "\n".join(lines)

    def _whole(self, number: int, each: Operator) -> list[str]:
        function = self.functions[number]
        call = [f"    {function.name}(&layer_{number});"]
        if given := self._given(each):
            call = [
                "    {",
                f"        struct nn_{function.struct} op;",
                f"        nn_take_{function.struct}(&op, &layer_{number});",
                *given,
                f"        {function.name}(&op);",
                "    }",
            ]
        made, row = each.output, each.output.width * each.output.channels
        target = f"(struct nn_target){{{self.model.place(made)}, {row}, {made.height}, {made.width}, {made.channels}}}"
        tables = [f"    nn_lookup({target}, network_table_{number}_{i});" for i in range(len(each.lookups))]
        return [f"    NETWORK_LAYER_BEGIN({number});", *call, *tables, f"    NETWORK_LAYER_END({number});"]


def function_has_maps(each: Operator) -> bool:
    """Whether its struct has maps as inputs, and not addresses alone."""
    return not isinstance(each, c.FullyConnected)


def _span(span: Span) -> str:
    return f"{{{span[0]}, {span[1]}}}"


def definition(function: Function) -> str:
    """Its text."""
    lines = [
        f"NN_SHARED void {function.name}(const struct nn_{function.struct} *layer)",
        "{",
    ]
    if not function.literals:
        return "\n".join([*lines, f"    {function.kernel}(layer);", "}"]) + "\n"
    lines += [f"    struct nn_{function.struct} op;", f"    nn_take_{function.struct}(&op, layer);"]
    lines += [f"    op.{field} = {value};" for field, value in function.literals]
    if function.fuses:
        lines += [
            "    if (op.addition == NULL) {",
            "        return; " + comment("never: so the compiler knows"),
            "    }",
        ]
    return "\n".join([*lines, f"    {function.kernel}(&op);", "}"]) + "\n"


_HOOKS = [
    comment("Called before and behind each operator, in a patch stage for each patch; define them to profile."),
    "#ifndef NETWORK_LAYER_BEGIN",
    "#define NETWORK_LAYER_BEGIN(number) ((void)0)",
    "#endif",
    "#ifndef NETWORK_LAYER_END",
    "#define NETWORK_LAYER_END(number) ((void)0)",
    "#endif\n",
    "#if defined(__GNUC__)",
    f"#define NETWORK_ALIGNED __attribute__((aligned({_ARENA_ALIGNMENT})))",
    "#else",
    "#define NETWORK_ALIGNED",
    "#endif\n",
]
