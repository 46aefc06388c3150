/* An operator's struct for one picture or one patch, from the constant that describes it for the whole map. */
#ifndef NN_PARTS_H
#define NN_PARTS_H

/* Rows, or columns, `start` to `stop` - 1. */
struct nn_span {
    int16_t start, stop;
};

/* One patch: the rows and columns of every tensor of its stage, and which of these an operator reads and makes.
 * `other`: the second input of an addition. `whole`: the output is the stage's, stored in its place in the whole map. */
struct nn_patch {
    const struct nn_span *rows, *columns;
    int32_t input, other, output;
    int whole;
};

/* Copies part by part: compilers make calls of memcpy of larger ones. */
NN_INLINE void nn_take_convolution(struct nn_convolution *op, const struct nn_convolution *layer)
{
    op->input = layer->input;
    op->output = layer->output;
    op->window = layer->window;
    op->weights = layer->weights;
    op->groups = layer->groups;
    op->addition = layer->addition;
    op->residual = layer->residual;
    op->residual_row = layer->residual_row;
}

NN_INLINE void nn_take_depthwise(struct nn_depthwise *op, const struct nn_depthwise *layer)
{
    op->input = layer->input;
    op->output = layer->output;
    op->window = layer->window;
    op->weights = layer->weights;
    op->plane = layer->plane;
}

NN_INLINE void nn_take_add(struct nn_add *op, const struct nn_add *layer)
{
    op->input = layer->input;
    op->other = layer->other;
    op->output = layer->output;
    op->addition = layer->addition;
}

NN_INLINE void nn_take_mean(struct nn_mean *op, const struct nn_mean *layer)
{
    op->input = layer->input;
    op->output = layer->output;
    op->input_zero_point = layer->input_zero_point;
    op->multiplier = layer->multiplier;
    op->shift = layer->shift;
    op->bounds = layer->bounds;
}

NN_INLINE void nn_take_multiply(struct nn_multiply *op, const struct nn_multiply *layer)
{
    op->input = layer->input;
    op->other = layer->other;
    op->output = layer->output;
    op->zero_point_a = layer->zero_point_a;
    op->zero_point_b = layer->zero_point_b;
    op->multiplier = layer->multiplier;
    op->shift = layer->shift;
    op->bounds = layer->bounds;
}

NN_INLINE void nn_take_pool(struct nn_pool *op, const struct nn_pool *layer)
{
    op->input = layer->input;
    op->output = layer->output;
    op->window = layer->window;
    op->bounds = layer->bounds;
}

NN_INLINE void nn_take_fully_connected(struct nn_fully_connected *op, const struct nn_fully_connected *layer)
{
    op->input = layer->input;
    op->output = layer->output;
    op->inputs = layer->inputs;
    op->outputs = layer->outputs;
    op->weights = layer->weights;
}

NN_INLINE int32_t nn_length(struct nn_span span)
{
    return span.stop - span.start;
}

/* Along one axis: what of the input is read for the outputs `made`. `*before` becomes the padding that is left, `*side`
 * the length that is read; the result is where that begins. */
NN_INLINE int32_t nn_read_span(struct nn_span made, int32_t stride, int32_t kernel, int32_t *before, int32_t *side)
{
    const int32_t first = made.start * stride - *before;
    const int32_t begin = nn_most(first, 0);
    *side = nn_least((made.stop - 1) * stride - *before + kernel, *side) - begin;
    *before = begin - first;
    return begin;
}

/* `in` and `window` become those of the patch; of the input `rows` x `columns` are stored at `in->data`. */
NN_SHARED void nn_read_part(struct nn_source *in, struct nn_window *window, const struct nn_patch *at, int32_t tensor)
{
    const struct nn_span rows = at->rows[tensor];
    const struct nn_span columns = at->columns[tensor];
    const int32_t top = nn_read_span(at->rows[at->output], window->stride_height, window->kernel_height, &window->top,
                                     &in->height);
    const int32_t left = nn_read_span(at->columns[at->output], window->stride_width, window->kernel_width,
                                      &window->left, &in->width);
    in->row = nn_length(columns) * in->channels;
    in->data += (top - rows.start) * in->row + (left - columns.start) * in->channels;
}

NN_SHARED void nn_made_part(struct nn_target *out, const struct nn_patch *at)
{
    const struct nn_span rows = at->rows[at->output];
    const struct nn_span columns = at->columns[at->output];
    out->height = nn_length(rows);
    out->width = nn_length(columns);
    if (at->whole) {
        out->data += rows.start * out->row + columns.start * out->channels;
    } else {
        out->row = out->width * out->channels;
    }
}

NN_SHARED void nn_convolution_part(struct nn_convolution *op, const struct nn_patch *at)
{
    nn_read_part(&op->input, &op->window, at, at->input);
    nn_made_part(&op->output, at);
    if (op->addition != NULL) {
        const int32_t down = at->rows[at->output].start - at->rows[at->other].start;
        const int32_t right = at->columns[at->output].start - at->columns[at->other].start;
        op->residual_row = nn_length(at->columns[at->other]) * op->output.channels;
        op->residual += down * op->residual_row + right * op->output.channels;
    }
}

NN_SHARED void nn_depthwise_part(struct nn_depthwise *op, const struct nn_patch *at)
{
    nn_read_part(&op->input, &op->window, at, at->input);
    nn_made_part(&op->output, at);
}

NN_SHARED void nn_add_part(struct nn_add *op, const struct nn_patch *at)
{
    struct nn_window window = {1, 1, 1, 1, 0, 0};
    nn_read_part(&op->input, &window, at, at->input);
    window.top = 0;
    window.left = 0;
    nn_read_part(&op->other, &window, at, at->other);
    nn_made_part(&op->output, at);
}

#endif
