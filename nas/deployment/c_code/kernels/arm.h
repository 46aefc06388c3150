/* What kernels for ARM cores with the DSP extension share: pairs of 16 bits, rounding, a block of pixels and channels. */
#ifndef NN_ARM_H
#define NN_ARM_H

#if defined(__clang__)
#define NN_UNROLL
#else
#define NN_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__ARM_FEATURE_DSP)
#define NN_DSP 1 /* else C stands for the instructions, so that other machines can check what is made of them */
#else
#define NN_DSP 0
#endif

/* Four bytes from anywhere. */
NN_INLINE uint32_t nn_word(const int8_t *from)
{
    uint32_t word;
    __builtin_memcpy(&word, from, sizeof word);
    return word;
}

/* Bytes 0 and 2 as 16 bits each, with their signs. */
NN_INLINE uint32_t nn_even(uint32_t word)
{
#if NN_DSP
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
#else
    return (uint32_t)(uint16_t)(int8_t)word | (uint32_t)(int8_t)(word >> 16) << 16;
#endif
}

/* Bytes 1 and 3. */
NN_INLINE uint32_t nn_odd(uint32_t word)
{
#if NN_DSP
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
#else
    return nn_even(word >> 8);
#endif
}

/* sum + lower x lower + upper x upper */
NN_INLINE int32_t nn_both(int32_t sum, uint32_t a, uint32_t b)
{
#if NN_DSP
    int32_t result;
    __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
#else
    return sum + (int16_t)a * (int16_t)b + (int16_t)(a >> 16) * (int16_t)(b >> 16);
#endif
}

/* sum + lower x lower */
NN_INLINE int32_t nn_lower(int32_t sum, uint32_t a, uint32_t b)
{
#if NN_DSP
    int32_t result;
    __asm__("smlabb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
#else
    return sum + (int16_t)a * (int16_t)b;
#endif
}

/* sum + upper of a x lower of b */
NN_INLINE int32_t nn_upper(int32_t sum, uint32_t a, uint32_t b)
{
#if NN_DSP
    int32_t result;
    __asm__("smlatb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
#else
    return sum + (int16_t)(a >> 16) * (int16_t)b;
#endif
}

/* How a channel's sums become outputs. With `right` `down` is how far they are shifted, and `offset` what is added
 * before: half a step, and the zero point so many bits up. */
struct nn_rounding {
    int32_t multiplier, down, offset;
};

NN_INLINE struct nn_rounding nn_rounding_of(const struct nn_weights *how, int32_t channel)
{
    const int32_t down = -how->shifts[channel];
    struct nn_rounding rounding = {how->multipliers[channel], down, 0};
    if (how->right) {
        rounding.offset = (int32_t)((uint32_t)(2 * how->output.zero_point + 1) << (down - 1));
    }
    return rounding;
}

/* (a x b + 2^31) >> 32 */
NN_INLINE int32_t nn_high_product(int32_t a, int32_t b)
{
#if NN_DSP
    int32_t result;
    __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
#endif
}

/* Within int8. */
NN_INLINE int32_t nn_saturated(int32_t value)
{
#if NN_DSP
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value));
    return result;
#else
    return nn_least(nn_most(value, INT8_MIN), INT8_MAX);
#endif
}

/* What nn_requantized gives. smmulr of twice the sum rounds as nn_scaled does: (2 s m + 2^31) >> 32. */
NN_INLINE int32_t nn_rounded(int32_t sum, const struct nn_rounding *rounding, const struct nn_weights *how)
{
    int32_t value;
    if (!how->right) {
        value = nn_scaled(sum, rounding->multiplier, -rounding->down) + how->output.zero_point;
    } else {
        value = nn_high_product(sum * 2, rounding->multiplier);
        value = (value + (value >> 31) + rounding->offset) >> rounding->down;
    }
    if (how->output.least == INT8_MIN && how->output.most == INT8_MAX) {
        return nn_saturated(value);
    }
    return nn_least(nn_most(value, how->output.least), how->output.most);
}

/* Up to two pixels times up to two rows of weights. */
struct nn_block {
    const int8_t *pixels[2];
    const int8_t *weights[2];
    int32_t sums[2][2];
};

#endif
