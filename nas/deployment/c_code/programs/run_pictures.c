/* Runs the network on the pictures of a file, one after the other, and writes the logits to another:
 *
 *     run_pictures INPUTS OUTPUTS
 *
 * Each picture runs twice, with the arena painted in two ways before: logits that differ would depend on what lay there.
 * Prints the arena's bytes, the most that were written of it, and the number of pictures.
 */
#include <stdio.h>
#include <string.h>

#include "network.h"

static int8_t picture[NETWORK_INPUT_BYTES];
static int8_t logits[2][NETWORK_OUTPUTS];

static size_t written(int8_t paint)
{
    size_t bytes = NETWORK_ARENA_BYTES;
    while (bytes > 0 && network_arena[bytes - 1] == paint) {
        bytes--;
    }
    return bytes;
}

static size_t run(int8_t paint, int8_t *to)
{
    const int8_t *from = picture;
    memset(network_arena, paint, NETWORK_ARENA_BYTES);
#ifdef NETWORK_INPUT
    memcpy(NETWORK_INPUT, picture, NETWORK_INPUT_BYTES);
    from = NETWORK_INPUT;
#endif
    memcpy(to, network_run(from), NETWORK_OUTPUTS);
    return written(paint);
}

int main(int count, char **arguments)
{
    FILE *inputs = count == 3 ? fopen(arguments[1], "rb") : NULL;
    FILE *outputs = inputs != NULL ? fopen(arguments[2], "wb") : NULL;
    size_t most = 0;
    unsigned long pictures = 0;
    if (outputs == NULL) {
        fprintf(stderr, "usage: run_pictures INPUTS OUTPUTS\n");
        return 2;
    }
    while (fread(picture, 1, NETWORK_INPUT_BYTES, inputs) == NETWORK_INPUT_BYTES) {
        const size_t first = run(0x35, logits[0]);
        const size_t second = run(-0x36, logits[1]);
        most = first > most ? first : most;
        most = second > most ? second : most;
        if (memcmp(logits[0], logits[1], NETWORK_OUTPUTS) != 0) {
            fprintf(stderr, "picture %lu: the logits depend on what lay in the arena before\n", pictures);
            return 1;
        }
        if (fwrite(logits[0], 1, NETWORK_OUTPUTS, outputs) != NETWORK_OUTPUTS) {
            return 1;
        }
        pictures++;
    }
    if (fclose(outputs) != 0 || fclose(inputs) != 0) {
        return 1;
    }
    printf("%lu %lu %lu\n", (unsigned long)sizeof network_arena, (unsigned long)most, pictures);
    return 0;
}
