/* Sums of products for cores with the DSP extension (Cortex-M4, M7, M33): two products of 16 bits an instruction. */
#ifndef NN_DSP_H
#define NN_DSP_H

#ifndef NN_OWN_SUMS
#if NN_DSP
/* Two pixels times two rows of weights, pixels and rows `apart` bytes from each other: the loop that most time goes into,
 * in assembly, for it needs each of the fourteen registers. `count` is a multiple of 4. */
NN_INLINE void nn_products_of_pairs(struct nn_block *block, int32_t count, int32_t apart)
{
    const int8_t *pixel = block->pixels[0];
    const int8_t *weight = block->weights[0];
    int32_t a = block->sums[0][0], b = block->sums[0][1], c = block->sums[1][0], d = block->sums[1][1];
    const int8_t *end = pixel + count;
    uint32_t even, odd, even_too, odd_too, first, second;
    __asm__ volatile(
        "1:\n\t"
        "ldr %[oo], [%[pixel], %[apart]]\n\t"
        "ldr %[o], [%[pixel]], #4\n\t"
        "sxtb16 %[ee], %[oo]\n\t"
        "sxtb16 %[oo], %[oo], ror #8\n\t"
        "sxtb16 %[e], %[o]\n\t"
        "sxtb16 %[o], %[o], ror #8\n\t"
        "ldr %[s], [%[weight], %[apart]]\n\t"
        "sxtb16 %[f], %[s]\n\t"
        "sxtb16 %[s], %[s], ror #8\n\t"
        "smlad %[b], %[e], %[f], %[b]\n\t"
        "smlad %[d], %[ee], %[f], %[d]\n\t"
        "smlad %[b], %[o], %[s], %[b]\n\t"
        "smlad %[d], %[oo], %[s], %[d]\n\t"
        "ldr %[s], [%[weight]], #4\n\t"
        "sxtb16 %[f], %[s]\n\t"
        "sxtb16 %[s], %[s], ror #8\n\t"
        "smlad %[a], %[e], %[f], %[a]\n\t"
        "smlad %[c], %[ee], %[f], %[c]\n\t"
        "smlad %[a], %[o], %[s], %[a]\n\t"
        "cmp %[pixel], %[end]\n\t"
        "smlad %[c], %[oo], %[s], %[c]\n\t"
        "bne 1b\n\t"
        : [pixel] "+r"(pixel), [weight] "+r"(weight), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d),
          [e] "=&r"(even), [o] "=&r"(odd), [ee] "=&r"(even_too), [oo] "=&r"(odd_too), [f] "=&r"(first), [s] "=&r"(second)
        : [apart] "r"(apart), [end] "r"(end)
        : "cc", "memory");
    block->sums[0][0] = a;
    block->sums[0][1] = b;
    block->sums[1][0] = c;
    block->sums[1][1] = d;
    block->pixels[0] = pixel;
    block->pixels[1] = pixel + apart;
    block->weights[0] = weight;
    block->weights[1] = weight + apart;
}
#endif

/* Adds `count` products to each sum, and steps behind them. `apart`: of pixels and of rows of weights alike; 0 where
 * these differ. */
NN_INLINE void nn_products(struct nn_block *block, int32_t count, int pixels, int channels, int32_t apart)
{
#if NN_DSP
    if (pixels == 2 && channels == 2 && apart != 0 && count >= 4) {
        nn_products_of_pairs(block, count & ~3, apart);
        count &= 3;
    }
#else
    (void)apart;
#endif
    for (; count >= 4; count -= 4) {
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
            const uint32_t word = nn_word(block->weights[c]);
            const uint32_t first = nn_even(word);
            const uint32_t second = nn_odd(word);
            block->weights[c] += 4;
            NN_UNROLL
            for (int p = 0; p < pixels; p++) {
                block->sums[p][c] = nn_both(block->sums[p][c], even[p], first);
                block->sums[p][c] = nn_both(block->sums[p][c], odd[p], second);
            }
        }
    }
    for (; count > 0; count--) {
        NN_UNROLL
        for (int c = 0; c < channels; c++) {
            const int32_t weight = *block->weights[c]++;
            NN_UNROLL
            for (int p = 0; p < pixels; p++) {
                block->sums[p][c] += weight * *block->pixels[p];
            }
        }
        NN_UNROLL
        for (int p = 0; p < pixels; p++) {
            block->pixels[p]++;
        }
    }
}

/* Whether nn_from_plane takes an operator: its kernel's width and stride, and how its outputs are rounded. */
NN_INLINE int nn_takes(const struct nn_depthwise *op)
{
    const int32_t kernel = op->window.kernel_width;
    return (kernel == 3 || kernel == 5 || kernel == 7) && op->window.stride_width <= 2;
}

/* A row of up to eight weights as pairs: (0, 2), (1, 3), (4, 6), (5, 7). */
enum { NN_PAIRS = 4 };

NN_INLINE uint32_t nn_pair(int32_t lower, int32_t upper)
{
    return ((uint32_t)lower & 0xFFFFu) | ((uint32_t)upper << 16);
}

/* Adds one row's products for the outputs at `at`, and with `outputs` 2 at at + 1 too. */
NN_INLINE void nn_row(int32_t sums[2], const int8_t *at, const uint32_t pairs[NN_PAIRS], int32_t kernel, int outputs)
{
    const uint32_t word = nn_word(at);
    const uint32_t even = nn_even(word);
    const uint32_t odd = nn_odd(word);
    sums[0] = nn_both(sums[0], even, pairs[0]);
    if (kernel == 3) {
        sums[0] = nn_lower(sums[0], odd, pairs[1]);
        if (outputs == 2) {
            sums[1] = nn_both(sums[1], odd, pairs[0]);
            sums[1] = nn_upper(sums[1], even, pairs[1]);
        }
        return;
    }
    sums[0] = nn_both(sums[0], odd, pairs[1]);
    if (kernel == 5 && outputs == 1) {
        sums[0] = nn_lower(sums[0], (uint32_t)at[4], pairs[2]);
        return;
    }
    if (outputs == 2) {
        const uint32_t third = nn_word(at + 2);
        const uint32_t later = nn_even(third);
        sums[1] = nn_both(sums[1], odd, pairs[0]);
        sums[1] = nn_both(sums[1], later, pairs[1]);
        if (kernel == 5) {
            sums[0] = nn_upper(sums[0], later, pairs[2]);
            sums[1] = nn_upper(sums[1], nn_odd(third), pairs[2]);
            return;
        }
    }
    const uint32_t last = nn_word(at + 4);
    const uint32_t last_even = nn_even(last);
    const uint32_t last_odd = nn_odd(last);
    sums[0] = nn_both(sums[0], last_even, pairs[2]);
    sums[0] = nn_lower(sums[0], last_odd, pairs[3]);
    if (outputs == 2) {
        sums[1] = nn_both(sums[1], last_odd, pairs[2]);
        sums[1] = nn_upper(sums[1], last_even, pairs[3]);
    }
}

/* The pairs of a channel's weights, 3, 5 or 7 a row. */
NN_INLINE void nn_take_pairs(uint32_t pairs[][NN_PAIRS], const struct nn_weights *weights, int32_t channel,
                             int32_t kernel)
{
    const int32_t first = channel * kernel * kernel;
    NN_UNROLL
    for (int32_t ky = 0; ky < kernel; ky++) {
        int32_t row[8] = {0};
        NN_UNROLL
        for (int32_t kx = 0; kx < kernel; kx++) {
            row[kx] = nn_weight(weights, first + ky * kernel + kx);
        }
        pairs[ky][0] = nn_pair(row[0], row[2]);
        pairs[ky][1] = nn_pair(row[1], row[3]);
        pairs[ky][2] = nn_pair(row[4], row[6]);
        pairs[ky][3] = nn_pair(row[5], row[7]);
    }
}

/* One channel from its plane. */
NN_INLINE void nn_from_plane(const struct nn_depthwise *op, int32_t channel, int32_t step, int32_t kernel)
{
    uint32_t pairs[7][NN_PAIRS];
    const int32_t channels = op->output.channels;
    const int32_t stride = op->window.stride_width;
    const int32_t bias = op->weights.bias[channel];
    const struct nn_rounding rounding = nn_rounding_of(&op->weights, channel);
    nn_take_pairs(pairs, &op->weights, channel, kernel);
    for (int32_t y = 0; y < op->output.height; y++) {
        const int8_t *corner = op->plane + y * op->window.stride_height * step;
        int8_t *out = op->output.data + y * op->output.row + channel;
        int32_t left = op->output.width;
        for (; stride == 1 && left >= 2; left -= 2) {
            int32_t sums[2] = {bias, bias};
            NN_UNROLL
            for (int32_t ky = 0; ky < kernel; ky++) {
                nn_row(sums, corner + ky * step, pairs[ky], kernel, 2);
            }
            out[0] = (int8_t)nn_rounded(sums[0], &rounding, &op->weights);
            out[channels] = (int8_t)nn_rounded(sums[1], &rounding, &op->weights);
            out += 2 * channels;
            corner += 2;
        }
        for (; left > 0; left--) {
            int32_t sums[2] = {bias, bias};
            NN_UNROLL
            for (int32_t ky = 0; ky < kernel; ky++) {
                nn_row(sums, corner + ky * step, pairs[ky], kernel, 1);
            }
            out[0] = (int8_t)nn_rounded(sums[0], &rounding, &op->weights);
            out += channels;
            corner += stride;
        }
    }
}

#endif

#endif
