/* What every kernel is given, and the arithmetic of one element. C99, no libc.
 *
 * Maps are int8, NHWC: rows of pixels, the channels of a pixel beside each other, pixels of a row without gaps. A
 * kernel is a `static inline` function (NN_INLINE) that reads its operator from a struct. Callers copy that struct and
 * set in the copy, as literals, the fields that a program is specialised by, so that the compiler folds them. A kernel
 * set that brings a function of its own defines NN_OWN_<FUNCTION> in front of portable.h.
 */
#ifndef NN_OPERATORS_H
#define NN_OPERATORS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#define NN_INLINE static inline __attribute__((always_inline))
#define NN_SHARED static __attribute__((noinline, unused))
#elif defined(__GNUC__)
#define NN_INLINE static inline __attribute__((always_inline))
#define NN_SHARED static __attribute__((noinline, noclone, unused)) /* so that its size is the same in any program */
#else
#define NN_INLINE static inline
#define NN_SHARED static
#endif

/* A rectangle of a map: `row` elements from one row to the next, which may be more than width x channels. */
struct nn_source {
    const int8_t *data;
    int32_t row, height, width, channels;
};

struct nn_target {
    int8_t *data;
    int32_t row, height, width, channels;
};

/* Output (y, x) reads the rows y * stride - top + 0 .. kernel_height - 1 of the rectangle, columns likewise. What lies
 * outside of the rectangle has the value of the input's zero point. */
struct nn_window {
    int32_t kernel_height, kernel_width, stride_height, stride_width, top, left;
};

/* From an int32 sum to an output: times multiplier x 2^(shift - 31), rounded twice, plus zero point, within bounds. */
struct nn_output {
    int32_t zero_point, least, most;
};

/* `bias` is that of the network less input zero point x the sum of the channel's weights: a kernel computes
 * bias + sum(weight * input) with inputs as they are. `bits` of a weight: 8, or 4 with two a byte, the first in the
 * lower half; `weights` lie as the target packs them, operators without gaps. Sums and their parts stay below 2^30.
 * `right`: whether all shifts lie between -22 and -1. */
struct nn_weights {
    const void *data;
    const int32_t *bias;
    const int32_t *multipliers;
    const int8_t *shifts;
    int32_t bits, input_zero_point, right;
    struct nn_output output;
};

/* ADD: both inputs, less their zero points, times 2^20, requantized, added, requantized. */
struct nn_addition {
    int32_t zero_point_a, zero_point_b, multiplier_a, multiplier_b, shift_a, shift_b;
    int32_t multiplier, shift;
    struct nn_output output;
};

/* A convolution, with an addition of `residual` to what it would have put out where `addition` is not NULL. `groups`
 * divide the channels. The output may lie in the residual's memory, each element where its own residual is or before:
 * so a residual's element is read before its output is written, and the outputs of a channel come in order of rows and
 * pixels. */
struct nn_convolution {
    struct nn_source input;
    struct nn_target output;
    struct nn_window window;
    struct nn_weights weights;
    int32_t groups;
    const struct nn_addition *addition;
    const int8_t *residual;
    int32_t residual_row;
};

/* One kernel a channel. With `plane` the output lies at the first byte of the input, pixels without gaps: a kernel
 * copies one channel at a time into the plane, which has room for ((height - 1) * stride_height + kernel_height) rows
 * of the output's height, each of ((width - 1) * stride_width + kernel_width) columns rounded up to a multiple of 4,
 * and begins at a multiple of 4. Without (NULL) input and output lie apart. */
struct nn_depthwise {
    struct nn_source input;
    struct nn_target output;
    struct nn_window window;
    struct nn_weights weights;
    int8_t *plane;
};

struct nn_fully_connected {
    const int8_t *input;
    int8_t *output;
    int32_t inputs, outputs;
    struct nn_weights weights;
};

/* `output` may lie where `input` or `other` does, row for row. */
struct nn_add {
    struct nn_source input, other;
    struct nn_target output;
    const struct nn_addition *addition;
};

/* MUL: `other` is as large as `input`, or one pixel that counts for all. `output` may lie where `input` does. */
struct nn_multiply {
    struct nn_source input, other;
    struct nn_target output;
    int32_t zero_point_a, zero_point_b, multiplier, shift;
    struct nn_output bounds;
};

/* MEAN over height and width; the count of elements is divided out of the multiplier. */
struct nn_mean {
    struct nn_source input;
    int8_t *output;
    int32_t input_zero_point, multiplier, shift;
    struct nn_output bounds;
};

/* AVERAGE_POOL_2D and MAX_POOL_2D: what lies outside is left out. */
struct nn_pool {
    struct nn_source input;
    struct nn_target output;
    struct nn_window window;
    struct nn_output bounds;
};

NN_INLINE int32_t nn_least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

NN_INLINE int32_t nn_most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* MultiplyByQuantizedMultiplier of TensorFlow Lite Micro: halves go up first, then away from zero. */
NN_INLINE int32_t nn_scaled(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int32_t shifted = (int32_t)((uint32_t)value << left);
    const int32_t high = (int32_t)(((int64_t)shifted * multiplier + ((int64_t)1 << 30)) >> 31);
    const int32_t mask = (int32_t)(((uint32_t)1 << right) - 1u);
    const int32_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
    return (high >> right) + ((high & mask) > threshold ? 1 : 0);
}

NN_INLINE int32_t nn_bounded(int32_t value, struct nn_output how)
{
    return nn_least(nn_most(value + how.zero_point, how.least), how.most);
}

NN_INLINE int32_t nn_sum(int32_t a, int32_t b, const struct nn_addition *how)
{
    const int32_t first = nn_scaled((a - how->zero_point_a) * (1 << 20), how->multiplier_a, how->shift_a);
    const int32_t second = nn_scaled((b - how->zero_point_b) * (1 << 20), how->multiplier_b, how->shift_b);
    return nn_bounded(nn_scaled(first + second, how->multiplier, how->shift), how->output);
}

/* The output element of a channel for its sum. */
NN_INLINE int32_t nn_requantized(int32_t sum, const struct nn_weights *how, int32_t channel)
{
    return nn_bounded(nn_scaled(sum, how->multipliers[channel], how->shifts[channel]), how->output);
}

/* Stores it at `offset` of the output; with an addition that of the residual at `residual_offset` comes on top. */
NN_INLINE void nn_store(const struct nn_convolution *op, int32_t sum, int32_t channel, int32_t offset,
                        int32_t residual_offset)
{
    int32_t value = nn_requantized(sum, &op->weights, channel);
    if (op->addition != NULL) {
        value = nn_sum(value, op->residual[residual_offset], op->addition);
    }
    op->output.data[offset] = (int8_t)value;
}

/* Weight number `index` of an operator whose weights lie in plain order. */
NN_INLINE int32_t nn_weight(const struct nn_weights *weights, int32_t index)
{
    if (weights->bits == 8) {
        return ((const int8_t *)weights->data)[index];
    }
    const int32_t pair = ((const uint8_t *)weights->data)[index >> 1];
    const int32_t half = (index & 1) != 0 ? pair >> 4 : pair & 15;
    return (half ^ 8) - 8;
}

#endif
