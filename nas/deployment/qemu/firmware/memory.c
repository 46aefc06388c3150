/* The four functions that gcc may call in freestanding code. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *one, const void *other, size_t bytes);

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    if ((((uintptr_t)target | (uintptr_t)source) & 3u) == 0u) {
        for (; bytes >= 4u; bytes -= 4u, target += 4, source += 4) {
            *(uint32_t *)(void *)target = *(const uint32_t *)(const void *)source;
        }
    }
    while (bytes-- > 0u) {
        *target++ = *source++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    if (target < source) {
        return memcpy(to, from, bytes);
    }
    while (bytes-- > 0u) {
        target[bytes] = source[bytes];
    }
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *target = to;
    while (bytes-- > 0u) {
        *target++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *one, const void *other, size_t bytes)
{
    const uint8_t *left = one;
    const uint8_t *right = other;
    for (; bytes > 0u; bytes--, left++, right++) {
        if (*left != *right) {
            return (int)*left - (int)*right;
        }
    }
    return 0;
}
