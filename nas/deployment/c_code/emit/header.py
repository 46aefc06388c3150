"""network.h: what firmware includes."""

from nas.deployment.c_code.emit.model import Model
from nas.quantization.affine import Affine

_TEXT = """\
/* {title} */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define NETWORK_ARENA_BYTES {arena}
#define NETWORK_LAYERS {layers}

/* The picture: int8, rows of pixels, the channels of a pixel beside each other; a value x of the prepared picture is
 * round(x / NETWORK_INPUT_SCALE) + NETWORK_INPUT_ZERO_POINT within -128 and 127. */
#define NETWORK_INPUT_HEIGHT {height}
#define NETWORK_INPUT_WIDTH {width}
#define NETWORK_INPUT_CHANNELS {channels}
#define NETWORK_INPUT_BYTES (NETWORK_INPUT_HEIGHT * NETWORK_INPUT_WIDTH * NETWORK_INPUT_CHANNELS)
#define NETWORK_INPUT_SCALE {input_scale}
#define NETWORK_INPUT_ZERO_POINT ({input_zero})
{image}
/* A logit is NETWORK_OUTPUT_SCALE * (value - NETWORK_OUTPUT_ZERO_POINT). */
#define NETWORK_OUTPUTS {outputs}
#define NETWORK_OUTPUT_SCALE {output_scale}
#define NETWORK_OUTPUT_ZERO_POINT ({output_zero})

/* All memory that the network needs beside the stack. */
extern int8_t network_arena[NETWORK_ARENA_BYTES];

/* From a picture to its logits, which stay where they are until the next call. Not reentrant: there is one arena. */
const int8_t *network_run(const int8_t *input);

#ifdef __cplusplus
}}
#endif

#endif
"""
_IMAGE = """
/* The picture has its place in the arena, which every run overwrites: write it there, and hand NETWORK_INPUT over. */
#define NETWORK_INPUT (network_arena + {offset})
"""


def header(model: Model, title: str) -> str:
    """The whole file; `title`: what the network is, one line."""
    given, made, offset = model.program.input, model.program.output, model.image_offset
    return _TEXT.format(
        title=title.replace("*/", "* /"),
        arena=model.arena.bytes,
        layers=len(model.program.operators),
        height=given.height,
        width=given.width,
        channels=given.channels,
        input_scale=_float(model.given),
        input_zero=model.given.zero_point,
        image="" if offset is None else _IMAGE.format(offset=offset),
        outputs=made.bytes,
        output_scale=_float(model.answer),
        output_zero=model.answer.zero_point,
    )


def _float(how: Affine) -> str:
    return f"{how.scale!r}f"
