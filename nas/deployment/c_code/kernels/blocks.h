/* Operators out of blocks of two pixels and two channels, whose sums nn_products makes, and planes of one channel, whose
 * outputs nn_from_plane makes: a kernel set in front of this one brings both.
 *
 * Weights lie in plain order, those of 4 bits as the targets' pack function says: where an operator's rows of weights
 * are a multiple of 8 long, byte i of each 4 holds weight i in its lower half and weight i + 4 in its upper one.
 */
#ifndef NN_BLOCKS_H
#define NN_BLOCKS_H

#define NN_OWN_CONVOLUTION
#define NN_OWN_POINTWISE
#define NN_OWN_DEPTHWISE_IN_PLACE
#define NN_OWN_FULLY_CONNECTED
#define NN_OWN_ADD

NN_INLINE void nn_plain_convolution(const struct nn_convolution *op);
NN_INLINE void nn_plain_pointwise(const struct nn_convolution *op);
NN_INLINE void nn_plain_depthwise_in_place(const struct nn_depthwise *op);
NN_INLINE void nn_plain_fully_connected(const struct nn_fully_connected *op);

/* As nn_products with weights of 4 bits, `count` a multiple of 8, and sums 16 times as large. */
NN_INLINE void nn_half_products(struct nn_block *block, int32_t count, int pixels, int channels)
{
    for (; count > 0; count -= 8) {
        uint32_t packed[2];
        NN_UNROLL
        for (int c = 0; c < channels; c++) {
            packed[c] = nn_word(block->weights[c]);
            block->weights[c] += 4;
        }
        NN_UNROLL
        for (int half = 0; half < 2; half++) {
            uint32_t even[2], odd[2];
            NN_UNROLL
            for (int p = 0; p < pixels; p++) {
                const uint32_t word = nn_word(block->pixels[p]);
                even[p] = nn_even(word);
                odd[p] = nn_odd(word);
                block->pixels[p] += 4;
            }
            NN_UNROLL
            for (int c = 0; c < channels; c++) {
                const uint32_t word = (half ? packed[c] : packed[c] << 4) & 0xF0F0F0F0u;
                const uint32_t first = nn_even(word);
                const uint32_t second = nn_odd(word);
                NN_UNROLL
                for (int p = 0; p < pixels; p++) {
                    block->sums[p][c] = nn_both(block->sums[p][c], even[p], first);
                    block->sums[p][c] = nn_both(block->sums[p][c], odd[p], second);
                }
            }
        }
    }
}

/* Some channels of an operator: their rows of weights, biases, and how sums become outputs. */
struct nn_channels {
    int32_t first;
    const int8_t *weights[2];
    int32_t bias[2];
    struct nn_rounding rounding[2];
};

NN_INLINE struct nn_channels nn_channels_of(const struct nn_weights *how, int32_t first, int32_t row_bytes, int channels)
{
    struct nn_channels found;
    found.first = first;
    NN_UNROLL
    for (int c = 0; c < channels; c++) {
        found.weights[c] = (const int8_t *)how->data + (first + c) * row_bytes;
        found.bias[c] = how->bias[first + c];
        found.rounding[c] = nn_rounding_of(how, first + c);
    }
    return found;
}

NN_INLINE void nn_begin(struct nn_block *block, const struct nn_channels *of, int32_t finer, int pixels, int channels)
{
    NN_UNROLL
    for (int c = 0; c < channels; c++) {
        block->weights[c] = of->weights[c];
        NN_UNROLL
        for (int p = 0; p < pixels; p++) {
            block->sums[p][c] = of->bias[c] * finer;
        }
    }
}

/* value x multiplier x 2^(shift - 31), as nn_scaled rounds it, of a value below 2^30. */
NN_INLINE int32_t nn_rescaled(int32_t value, int32_t multiplier, int32_t shift)
{
    if (shift >= 0) {
        return nn_scaled(value, multiplier, shift);
    }
    const int32_t high = nn_high_product(value * 2, multiplier);
    return (high + (high >> 31) + (1 << (-shift - 1))) >> -shift;
}

/* What nn_sum gives. Once in a program: such sums are few, and long. */
NN_SHARED int32_t nn_added(int32_t value, int32_t residual, const struct nn_addition *how)
{
    const int32_t first = nn_rescaled((value - how->zero_point_a) * (1 << 20), how->multiplier_a, how->shift_a);
    const int32_t second = nn_rescaled((residual - how->zero_point_b) * (1 << 20), how->multiplier_b, how->shift_b);
    return nn_bounded(nn_rescaled(first + second, how->multiplier, how->shift), how->output);
}

/* Stores the block's outputs: the channels of the pixels at `out`, which lie beside each other. */
NN_INLINE void nn_finish(const struct nn_convolution *op, const struct nn_block *block, const struct nn_channels *of,
                         int8_t *out, const int8_t *residual, int pixels, int channels)
{
    NN_UNROLL
    for (int p = 0; p < pixels; p++) {
        NN_UNROLL
        for (int c = 0; c < channels; c++) {
            const int32_t place = p * op->output.channels + of->first + c;
            int32_t value = nn_rounded(block->sums[p][c], &of->rounding[c], &op->weights);
            if (op->addition != NULL) {
                value = nn_added(value, residual[place], op->addition);
            }
            out[place] = (int8_t)value;
        }
    }
}

/* Whether the weights of rows of this length are packed in groups of eight. */
NN_INLINE int nn_in_eights(const struct nn_weights *weights, int32_t row)
{
    return weights->bits == 4 && row % 8 == 0;
}

/* One or two pixels beside each other, of a 1 x 1 convolution. */
NN_INLINE void nn_pointwise_block(const struct nn_convolution *op, const struct nn_channels *of, const int8_t *pixel,
                                  int8_t *out, const int8_t *residual, int pixels, int channels)
{
    const int32_t inputs = op->input.channels;
    struct nn_block block;
    NN_UNROLL
    for (int p = 0; p < pixels; p++) {
        block.pixels[p] = pixel + p * inputs;
    }
    if (op->weights.bits == 8) {
        nn_begin(&block, of, 1, pixels, channels);
        nn_products(&block, inputs, pixels, channels, inputs);
    } else {
        nn_begin(&block, of, 16, pixels, channels);
        nn_half_products(&block, inputs, pixels, channels);
        NN_UNROLL
        for (int c = 0; c < channels; c++) {
            NN_UNROLL
            for (int p = 0; p < pixels; p++) {
                block.sums[p][c] >>= 4;
            }
        }
    }
    nn_finish(op, &block, of, out, residual, pixels, channels);
}

/* One or two channels of all pixels; rows without gaps are one long row. */
NN_INLINE void nn_pointwise_channels(const struct nn_convolution *op, int32_t first, int32_t height, int32_t width,
                                     int channels)
{
    const int32_t inputs = op->input.channels;
    const int32_t outputs = op->output.channels;
    const int32_t row_bytes = op->weights.bits == 8 ? inputs : inputs / 2;
    const struct nn_channels of = nn_channels_of(&op->weights, first, row_bytes, channels);
    for (int32_t y = 0; y < height; y++) {
        const int8_t *pixel = op->input.data + y * op->input.row;
        int8_t *out = op->output.data + y * op->output.row;
        const int8_t *residual = op->addition == NULL ? NULL : op->residual + y * op->residual_row;
        int32_t left = width;
        for (; left >= 2; left -= 2) {
            nn_pointwise_block(op, &of, pixel, out, residual, 2, channels);
            pixel += 2 * inputs;
            out += 2 * outputs;
            residual = op->addition == NULL ? NULL : residual + 2 * outputs;
        }
        if (left > 0) {
            nn_pointwise_block(op, &of, pixel, out, residual, 1, channels);
        }
    }
}

NN_INLINE void nn_pointwise(const struct nn_convolution *op)
{
    const int32_t inputs = op->input.channels;
    const int32_t outputs = op->output.channels;
    if (op->weights.bits != 8 && !nn_in_eights(&op->weights, inputs)) {
        nn_plain_pointwise(op);
        return;
    }
    int32_t height = op->output.height;
    int32_t width = op->output.width;
    if (op->input.row == width * inputs && op->output.row == width * outputs &&
        (op->addition == NULL || op->residual_row == op->output.row)) {
        width *= height;
        height = 1;
    }
    int32_t channel = 0;
    for (; channel + 2 <= outputs; channel += 2) {
        nn_pointwise_channels(op, channel, height, width, 2);
    }
    if (channel < outputs) {
        nn_pointwise_channels(op, channel, height, width, 1);
    }
}

NN_INLINE void nn_fully_connected(const struct nn_fully_connected *op)
{
    if (op->weights.bits != 8 && !nn_in_eights(&op->weights, op->inputs)) {
        nn_plain_fully_connected(op);
        return;
    }
    struct nn_convolution pointwise;
    pointwise.input.data = op->input;
    pointwise.input.row = 0;
    pointwise.input.channels = op->inputs;
    pointwise.output.data = op->output;
    pointwise.output.row = 0;
    pointwise.output.channels = op->outputs;
    pointwise.weights = op->weights;
    pointwise.addition = NULL;
    for (int32_t channel = 0; channel < op->outputs; channel++) {
        nn_pointwise_channels(&pointwise, channel, 1, 1, 1);
    }
}

NN_INLINE void nn_add(const struct nn_add *op)
{
    const int32_t count = op->output.width * op->output.channels;
    for (int32_t y = 0; y < op->output.height; y++) {
        const int8_t *a = op->input.data + y * op->input.row;
        const int8_t *b = op->other.data + y * op->other.row;
        int8_t *to = op->output.data + y * op->output.row;
        for (int32_t i = 0; i < count; i++) {
            to[i] = (int8_t)nn_added(a[i], b[i], op->addition);
        }
    }
}

/* Convolutions with windows */

/* One pixel whose window reaches over the border, one channel: runs of pixels inside, the zero point elsewhere. */
NN_SHARED int32_t nn_border_sum(const struct nn_convolution *op, const int8_t *weights, int32_t sum, int32_t y, int32_t x)
{
    const struct nn_window *window = &op->window;
    const int32_t inputs = op->input.channels;
    const int32_t top = y * window->stride_height - window->top;
    const int32_t left = x * window->stride_width - window->left;
    const int32_t from = nn_most(-left, 0) * inputs;
    const int32_t to = nn_least(op->input.width - left, window->kernel_width) * inputs;
    const int32_t length = window->kernel_width * inputs;
    for (int32_t ky = 0; ky < window->kernel_height; ky++) {
        const int32_t row = top + ky;
        const int inside = row >= 0 && row < op->input.height;
        const int8_t *pixel = op->input.data + (inside ? row : 0) * op->input.row + left * inputs;
        int32_t outside = 0;
        for (int32_t i = 0; i < length; i++) {
            const int32_t weight = *weights++;
            if (inside && i >= from && i < to) {
                sum += weight * pixel[i];
            } else {
                outside += weight;
            }
        }
        sum += outside * op->weights.input_zero_point;
    }
    return sum;
}

/* Where a convolution's pixel (y, x) goes, and the addition's second input. */
NN_INLINE int8_t *nn_out_at(const struct nn_convolution *op, int32_t y, int32_t x)
{
    return op->output.data + y * op->output.row + x * op->output.channels;
}

NN_INLINE const int8_t *nn_residual_at(const struct nn_convolution *op, int32_t y, int32_t x)
{
    return op->addition == NULL ? NULL : op->residual + y * op->residual_row + x * op->output.channels;
}

NN_INLINE void nn_border_pixel(const struct nn_convolution *op, const struct nn_channels *of, int32_t y, int32_t x,
                               int channels)
{
    struct nn_block block;
    NN_UNROLL
    for (int c = 0; c < channels; c++) {
        block.sums[0][c] = nn_border_sum(op, of->weights[c], of->bias[c], y, x);
    }
    nn_finish(op, &block, of, nn_out_at(op, y, x), nn_residual_at(op, y, x), 1, channels);
}

/* Pixels whose windows lie inside, beside each other. */
NN_INLINE void nn_window_block(const struct nn_convolution *op, const struct nn_channels *of, int32_t y, int32_t x,
                               int pixels, int channels)
{
    const struct nn_window *window = &op->window;
    const int32_t top = y * window->stride_height - window->top;
    const int32_t left = x * window->stride_width - window->left;
    const int8_t *corner = op->input.data + top * op->input.row + left * op->input.channels;
    const int32_t step = window->stride_width * op->input.channels;
    struct nn_block block;
    nn_begin(&block, of, 1, pixels, channels);
    NN_UNROLL
    for (int32_t ky = 0; ky < window->kernel_height; ky++) {
        NN_UNROLL
        for (int p = 0; p < pixels; p++) {
            block.pixels[p] = corner + ky * op->input.row + p * step;
        }
        nn_products(&block, window->kernel_width * op->input.channels, pixels, channels, 0);
    }
    nn_finish(op, &block, of, nn_out_at(op, y, x), nn_residual_at(op, y, x), pixels, channels);
}

/* The first output of an axis whose window lies inside, and the one behind the last. */
NN_INLINE int32_t nn_first_inside(int32_t stride, int32_t before)
{
    return (before + stride - 1) / stride;
}

NN_INLINE int32_t nn_behind_inside(int32_t stride, int32_t before, int32_t kernel, int32_t side, int32_t outputs)
{
    const int32_t most = side + before - kernel;
    return most < 0 ? 0 : nn_least(most / stride + 1, outputs);
}

NN_INLINE void nn_window_channels(const struct nn_convolution *op, int32_t first, int channels)
{
    const struct nn_window *window = &op->window;
    const int32_t row_bytes = window->kernel_height * window->kernel_width * op->input.channels;
    const struct nn_channels of = nn_channels_of(&op->weights, first, row_bytes, channels);
    const int32_t width = op->output.width;
    const int32_t from_row = nn_first_inside(window->stride_height, window->top);
    const int32_t to_row = nn_behind_inside(window->stride_height, window->top, window->kernel_height,
                                            op->input.height, op->output.height);
    const int32_t from = nn_first_inside(window->stride_width, window->left);
    const int32_t to =
        nn_behind_inside(window->stride_width, window->left, window->kernel_width, op->input.width, width);
    for (int32_t y = 0; y < op->output.height; y++) {
        const int row = y >= from_row && y < to_row && from < to;
        int32_t x = 0;
        for (; x < (row ? from : width); x++) {
            nn_border_pixel(op, &of, y, x, channels);
        }
        for (; x + 2 <= to; x += 2) {
            nn_window_block(op, &of, y, x, 2, channels);
        }
        for (; x < to; x++) {
            nn_window_block(op, &of, y, x, 1, channels);
        }
        for (; x < width; x++) {
            nn_border_pixel(op, &of, y, x, channels);
        }
    }
}

NN_INLINE void nn_convolution(const struct nn_convolution *op)
{
    if (op->groups != 1 || op->weights.bits != 8) {
        nn_plain_convolution(op);
        return;
    }
    int32_t channel = 0;
    for (; channel + 2 <= op->output.channels; channel += 2) {
        nn_window_channels(op, channel, 2);
    }
    if (channel < op->output.channels) {
        nn_window_channels(op, channel, 1);
    }
}

/* Depthwise convolutions in place */

/* Copies one channel with its padding into op->plane, rows of `step` elements. */
NN_SHARED void nn_fill_plane(const struct nn_depthwise *op, int32_t channel, int32_t rows, int32_t columns, int32_t step)
{
    const int32_t channels = op->input.channels;
    const int32_t zero_point = op->weights.input_zero_point;
    const int32_t left = op->window.left;
    const int32_t inside = nn_least(op->input.width, columns - left);
    int8_t *to = op->plane;
    for (int32_t y = 0; y < rows; y++) {
        const int32_t row = y - op->window.top;
        int32_t x = 0;
        if (row >= 0 && row < op->input.height) {
            const int8_t *from = op->input.data + row * op->input.row + channel;
            for (; x < left; x++) {
                to[x] = (int8_t)zero_point;
            }
            _Pragma("GCC unroll 4")
            for (int32_t i = 0; i < inside; i++) {
                to[x++] = *from;
                from += channels;
            }
        }
        for (; x < columns; x++) {
            to[x] = (int8_t)zero_point;
        }
        to += step;
    }
}

NN_INLINE void nn_depthwise_in_place(const struct nn_depthwise *op)
{
    const struct nn_window *window = &op->window;
    const int32_t kernel = window->kernel_width;
    if (window->kernel_height != kernel || !nn_takes(op)) {
        nn_plain_depthwise_in_place(op);
        return;
    }
    const int32_t rows = (op->output.height - 1) * window->stride_height + kernel;
    const int32_t columns = (op->output.width - 1) * window->stride_width + kernel;
    const int32_t step = (columns + 3) & ~3;
    for (int32_t channel = 0; channel < op->output.channels; channel++) {
        nn_fill_plane(op, channel, rows, columns, step);
        nn_from_plane(op, channel, step, kernel);
    }
}

#endif
