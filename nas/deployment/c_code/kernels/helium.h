/* Sums of products for cores with Helium (Cortex-M55, M85): sixteen products of 8 bits an instruction. */
#ifndef NN_HELIUM_H
#define NN_HELIUM_H

#if defined(__ARM_FEATURE_MVE)
#define NN_OWN_SUMS /* elsewhere those of dsp.h serve */

#include <arm_mve.h>

/* Adds `count` products to each sum, and steps behind them. */
NN_INLINE void nn_products(struct nn_block *block, int32_t count, int pixels, int channels, int32_t apart)
{
    (void)apart;
    while (count > 0) {
        const mve_pred16_t these = vctp8q((uint32_t)count);
        const int32_t step = nn_least(count, 16);
        int8x16_t inputs[2];
        NN_UNROLL
        for (int p = 0; p < pixels; p++) {
            inputs[p] = vldrbq_z_s8(block->pixels[p], these);
            block->pixels[p] += step;
        }
        NN_UNROLL
        for (int c = 0; c < channels; c++) {
            const int8x16_t weights = vldrbq_z_s8(block->weights[c], these);
            block->weights[c] += step;
            NN_UNROLL
            for (int p = 0; p < pixels; p++) {
                block->sums[p][c] = vmladavaq_s8(block->sums[p][c], inputs[p], weights);
            }
        }
        count -= step;
    }
}

/* Whether nn_from_plane takes an operator: how its outputs are rounded. */
NN_INLINE int nn_takes(const struct nn_depthwise *op)
{
    return op->weights.right && op->window.kernel_width <= 7;
}

/* What nn_requantized gives, of four sums. */
NN_INLINE int32x4_t nn_rounded_four(int32x4_t sums, int32_t multiplier, int32_t shift, const struct nn_weights *how)
{
    int32x4_t values = vqrdmulhq_n_s32(sums, multiplier);
    values = vaddq_s32(values, vshrq_n_s32(values, 31)); /* halves of what is below zero go down */
    values = vrshlq_n_s32(values, shift);
    values = vaddq_n_s32(values, how->output.zero_point);
    values = vmaxq_s32(values, vdupq_n_s32(how->output.least));
    return vminq_s32(values, vdupq_n_s32(how->output.most));
}

/* One channel from its plane, four outputs of a row at once. */
NN_INLINE void nn_from_plane(const struct nn_depthwise *op, int32_t channel, int32_t step, int32_t kernel)
{
    int32_t weights[49];
    const int32_t channels = op->output.channels;
    const int32_t stride = op->window.stride_width;
    const uint32x4_t apart = vidupq_n_u32(0, 1);
    const uint32x4_t from = vmulq_n_u32(apart, (uint32_t)stride);
    const uint32x4_t to = vmulq_n_u32(apart, (uint32_t)channels);
    NN_UNROLL
    for (int32_t i = 0; i < kernel * kernel; i++) {
        weights[i] = nn_weight(&op->weights, channel * kernel * kernel + i);
    }
    for (int32_t y = 0; y < op->output.height; y++) {
        const int8_t *corner = op->plane + y * op->window.stride_height * step;
        int8_t *out = op->output.data + y * op->output.row + channel;
        for (int32_t left = op->output.width; left > 0; left -= 4) {
            const mve_pred16_t these = vctp32q((uint32_t)left);
            int32x4_t sums = vdupq_n_s32(op->weights.bias[channel]);
            NN_UNROLL
            for (int32_t ky = 0; ky < kernel; ky++) {
                NN_UNROLL
                for (int32_t kx = 0; kx < kernel; kx++) {
                    const int8_t *at = corner + ky * step + kx;
                    const int32x4_t values =
                        stride == 1 ? vldrbq_z_s32(at, these) : vldrbq_gather_offset_z_s32(at, from, these);
                    sums = vmlaq_n_s32(sums, values, weights[ky * kernel + kx]);
                }
            }
            const int32_t multiplier = op->weights.multipliers[channel];
            const int32_t shift = op->weights.shifts[channel];
            const int32x4_t made = nn_rounded_four(sums, multiplier, shift, &op->weights);
            vstrbq_scatter_offset_p_s32(out, to, made, these);
            corner += 4 * stride;
            out += 4 * channels;
        }
    }
}

#endif

#endif
