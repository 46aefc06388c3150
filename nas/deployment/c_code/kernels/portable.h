/* Kernels in C99 for any processor. Weights lie in plain order: output channel, row, column, input channel (of the
 * group); of a depthwise convolution channel, row, column. Those with `plain` in their name serve other sets too, for
 * operators that these have no faster way for. */
#ifndef NN_PORTABLE_H
#define NN_PORTABLE_H

/* Any kernel and stride. */
NN_INLINE void nn_plain_convolution(const struct nn_convolution *op)
{
    const struct nn_window *window = &op->window;
    const int32_t inputs = op->input.channels / op->groups;
    const int32_t outputs = op->output.channels / op->groups;
    const int32_t area = window->kernel_height * window->kernel_width * inputs;
    for (int32_t y = 0; y < op->output.height; y++) {
        for (int32_t x = 0; x < op->output.width; x++) {
            for (int32_t channel = 0; channel < op->output.channels; channel++) {
                const int32_t from = op->groups == 1 ? 0 : channel / outputs * inputs;
                int32_t weight = channel * area;
                int32_t sum = op->weights.bias[channel];
                for (int32_t ky = 0; ky < window->kernel_height; ky++) {
                    const int32_t row = y * window->stride_height - window->top + ky;
                    for (int32_t kx = 0; kx < window->kernel_width; kx++) {
                        const int32_t column = x * window->stride_width - window->left + kx;
                        const int inside =
                            row >= 0 && row < op->input.height && column >= 0 && column < op->input.width;
                        const int8_t *pixel = op->input.data;
                        if (inside) {
                            pixel += row * op->input.row + column * op->input.channels + from;
                        }
                        for (int32_t i = 0; i < inputs; i++) {
                            const int32_t value = inside ? pixel[i] : op->weights.input_zero_point;
                            sum += nn_weight(&op->weights, weight++) * value;
                        }
                    }
                }
                const int32_t place = x * op->output.channels + channel;
                nn_store(op, sum, channel, y * op->output.row + place, y * op->residual_row + place);
            }
        }
    }
}

#ifndef NN_OWN_CONVOLUTION
NN_INLINE void nn_convolution(const struct nn_convolution *op)
{
    nn_plain_convolution(op);
}
#endif

/* Kernel 1 x 1, stride 1, one group, no padding. */
NN_INLINE void nn_plain_pointwise(const struct nn_convolution *op)
{
    const int32_t inputs = op->input.channels;
    for (int32_t y = 0; y < op->output.height; y++) {
        for (int32_t x = 0; x < op->output.width; x++) {
            const int8_t *pixel = op->input.data + y * op->input.row + x * inputs;
            for (int32_t channel = 0; channel < op->output.channels; channel++) {
                int32_t sum = op->weights.bias[channel];
                for (int32_t i = 0; i < inputs; i++) {
                    sum += nn_weight(&op->weights, channel * inputs + i) * pixel[i];
                }
                const int32_t place = x * op->output.channels + channel;
                nn_store(op, sum, channel, y * op->output.row + place, y * op->residual_row + place);
            }
        }
    }
}

#ifndef NN_OWN_POINTWISE
NN_INLINE void nn_pointwise(const struct nn_convolution *op)
{
    nn_plain_pointwise(op);
}
#endif

#ifndef NN_OWN_DEPTHWISE
/* Input and output apart. */
NN_INLINE void nn_depthwise(const struct nn_depthwise *op)
{
    const struct nn_window *window = &op->window;
    const int32_t channels = op->output.channels;
    for (int32_t y = 0; y < op->output.height; y++) {
        for (int32_t x = 0; x < op->output.width; x++) {
            for (int32_t channel = 0; channel < channels; channel++) {
                int32_t weight = channel * window->kernel_height * window->kernel_width;
                int32_t sum = op->weights.bias[channel];
                for (int32_t ky = 0; ky < window->kernel_height; ky++) {
                    const int32_t row = y * window->stride_height - window->top + ky;
                    for (int32_t kx = 0; kx < window->kernel_width; kx++) {
                        const int32_t column = x * window->stride_width - window->left + kx;
                        int32_t value = op->weights.input_zero_point;
                        if (row >= 0 && row < op->input.height && column >= 0 && column < op->input.width) {
                            value = op->input.data[row * op->input.row + column * channels + channel];
                        }
                        sum += nn_weight(&op->weights, weight++) * value;
                    }
                }
                op->output.data[y * op->output.row + x * channels + channel] =
                    (int8_t)nn_requantized(sum, &op->weights, channel);
            }
        }
    }
}
#endif

/* Copies one channel with its padding into op->plane. */
NN_INLINE void nn_plain_fill_plane(const struct nn_depthwise *op, int32_t channel, int32_t rows, int32_t columns,
                             int32_t step)
{
    const int32_t channels = op->input.channels;
    for (int32_t y = 0; y < rows; y++) {
        const int32_t row = y - op->window.top;
        for (int32_t x = 0; x < columns; x++) {
            const int32_t column = x - op->window.left;
            int32_t value = op->weights.input_zero_point;
            if (row >= 0 && row < op->input.height && column >= 0 && column < op->input.width) {
                value = op->input.data[row * op->input.row + column * channels + channel];
            }
            op->plane[y * step + x] = (int8_t)value;
        }
    }
}

/* The output over the input, by the plane of one channel. */
NN_INLINE void nn_plain_depthwise_in_place(const struct nn_depthwise *op)
{
    const struct nn_window *window = &op->window;
    const int32_t channels = op->output.channels;
    const int32_t rows = (op->output.height - 1) * window->stride_height + window->kernel_height;
    const int32_t columns = (op->output.width - 1) * window->stride_width + window->kernel_width;
    const int32_t step = (columns + 3) & ~3;
    for (int32_t channel = 0; channel < channels; channel++) {
        nn_plain_fill_plane(op, channel, rows, columns, step);
        for (int32_t y = 0; y < op->output.height; y++) {
            for (int32_t x = 0; x < op->output.width; x++) {
                const int8_t *corner = op->plane + y * window->stride_height * step + x * window->stride_width;
                int32_t weight = channel * window->kernel_height * window->kernel_width;
                int32_t sum = op->weights.bias[channel];
                for (int32_t ky = 0; ky < window->kernel_height; ky++) {
                    for (int32_t kx = 0; kx < window->kernel_width; kx++) {
                        sum += nn_weight(&op->weights, weight++) * corner[ky * step + kx];
                    }
                }
                op->output.data[y * op->output.row + x * channels + channel] =
                    (int8_t)nn_requantized(sum, &op->weights, channel);
            }
        }
    }
}

#ifndef NN_OWN_DEPTHWISE_IN_PLACE
NN_INLINE void nn_depthwise_in_place(const struct nn_depthwise *op)
{
    nn_plain_depthwise_in_place(op);
}
#endif

NN_INLINE void nn_plain_fully_connected(const struct nn_fully_connected *op)
{
    for (int32_t channel = 0; channel < op->outputs; channel++) {
        int32_t sum = op->weights.bias[channel];
        for (int32_t i = 0; i < op->inputs; i++) {
            sum += nn_weight(&op->weights, channel * op->inputs + i) * op->input[i];
        }
        op->output[channel] = (int8_t)nn_requantized(sum, &op->weights, channel);
    }
}

#ifndef NN_OWN_FULLY_CONNECTED
NN_INLINE void nn_fully_connected(const struct nn_fully_connected *op)
{
    nn_plain_fully_connected(op);
}
#endif

#ifndef NN_OWN_ADD
NN_INLINE void nn_add(const struct nn_add *op)
{
    const int32_t count = op->output.width * op->output.channels;
    for (int32_t y = 0; y < op->output.height; y++) {
        const int8_t *a = op->input.data + y * op->input.row;
        const int8_t *b = op->other.data + y * op->other.row;
        int8_t *to = op->output.data + y * op->output.row;
        for (int32_t i = 0; i < count; i++) {
            to[i] = (int8_t)nn_sum(a[i], b[i], op->addition);
        }
    }
}
#endif

#ifndef NN_OWN_MULTIPLY
NN_INLINE void nn_multiply(const struct nn_multiply *op)
{
    const int32_t whole = op->other.height > 1 || op->other.width > 1;
    for (int32_t y = 0; y < op->output.height; y++) {
        for (int32_t x = 0; x < op->output.width; x++) {
            const int8_t *a = op->input.data + y * op->input.row + x * op->input.channels;
            const int8_t *b = op->other.data + (whole ? y * op->other.row + x * op->other.channels : 0);
            int8_t *to = op->output.data + y * op->output.row + x * op->output.channels;
            for (int32_t i = 0; i < op->output.channels; i++) {
                const int32_t product = (a[i] - op->zero_point_a) * (b[i] - op->zero_point_b);
                to[i] = (int8_t)nn_bounded(nn_scaled(product, op->multiplier, op->shift), op->bounds);
            }
        }
    }
}
#endif

#ifndef NN_OWN_MEAN
NN_INLINE void nn_mean(const struct nn_mean *op)
{
    for (int32_t channel = 0; channel < op->input.channels; channel++) {
        int32_t sum = -op->input_zero_point * op->input.height * op->input.width;
        for (int32_t y = 0; y < op->input.height; y++) {
            const int8_t *row = op->input.data + y * op->input.row + channel;
            for (int32_t x = 0; x < op->input.width; x++) {
                sum += row[x * op->input.channels];
            }
        }
        op->output[channel] = (int8_t)nn_bounded(nn_scaled(sum, op->multiplier, op->shift), op->bounds);
    }
}
#endif

#ifndef NN_OWN_POOL
/* The rows or columns `from` to `to` - 1 of an axis that window number `place` covers. */
NN_INLINE void nn_covered(int32_t place, int32_t stride, int32_t before, int32_t kernel, int32_t side, int32_t *from,
                          int32_t *to)
{
    *from = nn_most(place * stride - before, 0);
    *to = nn_least(place * stride - before + kernel, side);
}

NN_INLINE void nn_pool(const struct nn_pool *op, int32_t largest)
{
    for (int32_t y = 0; y < op->output.height; y++) {
        int32_t top, bottom;
        nn_covered(y, op->window.stride_height, op->window.top, op->window.kernel_height, op->input.height, &top,
                   &bottom);
        for (int32_t x = 0; x < op->output.width; x++) {
            int32_t left, right;
            nn_covered(x, op->window.stride_width, op->window.left, op->window.kernel_width, op->input.width, &left,
                       &right);
            const int32_t count = (bottom - top) * (right - left);
            for (int32_t channel = 0; channel < op->output.channels; channel++) {
                int32_t most = INT8_MIN;
                int32_t sum = 0;
                for (int32_t row = top; row < bottom; row++) {
                    for (int32_t column = left; column < right; column++) {
                        const int32_t value =
                            op->input.data[row * op->input.row + column * op->input.channels + channel];
                        most = nn_most(most, value);
                        sum += value;
                    }
                }
                const int32_t mean = (sum + (sum > 0 ? count / 2 : -(count / 2))) / count;
                const int32_t value = largest ? most : mean;
                op->output.data[y * op->output.row + x * op->output.channels + channel] =
                    (int8_t)nn_least(nn_most(value, op->bounds.least), op->bounds.most);
            }
        }
    }
}

NN_INLINE void nn_average_pool(const struct nn_pool *op)
{
    nn_pool(op, 0);
}

NN_INLINE void nn_max_pool(const struct nn_pool *op)
{
    nn_pool(op, 1);
}
#endif

#ifndef NN_OWN_LOOKUP
/* In place: `table` has an entry for each of the 256 values, the least first. */
NN_INLINE void nn_lookup(struct nn_target map, const int8_t *table)
{
    for (int32_t y = 0; y < map.height; y++) {
        int8_t *row = map.data + y * map.row;
        for (int32_t i = 0; i < map.width * map.channels; i++) {
            row[i] = table[row[i] + 128];
        }
    }
}
#endif

#endif
