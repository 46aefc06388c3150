/* Runs the network on a simulated board, on the pictures `input0`, `input1`, ... of the working directory, PICTURES of
 * them, and writes `output` (logits of all pictures) and `figures`, 32 bits each: bytes of the arena, the most that were
 * written of it, the most of the stack, and the ticks of each picture.
 *
 * With PROFILED each picture's layers are counted too: `layers` has the ticks of each, all pictures together.
 */
#include "board.h"
#include "network.h"

enum { ARENA, WRITTEN, STACK, TICKS, FIGURES = TICKS + PICTURES };

static int8_t picture[NETWORK_INPUT_BYTES];
static int8_t logits[PICTURES][NETWORK_OUTPUTS];
static uint32_t figures[FIGURES];

#ifdef PROFILED
static uint32_t layers[NETWORK_LAYERS];
static uint64_t begun;

void profile_begin(void)
{
    begun = board_ticks();
}

void profile_end(int number)
{
    layers[number] += (uint32_t)(board_ticks() - begun);
}
#endif

static uint32_t written(int8_t paint)
{
    uint32_t bytes = NETWORK_ARENA_BYTES;
    while (bytes > 0 && network_arena[bytes - 1] == paint) {
        bytes--;
    }
    return bytes;
}

static void run(int8_t paint, int8_t *to, uint32_t *ticks)
{
    const int8_t *from = picture;
    for (uint32_t i = 0; i < NETWORK_ARENA_BYTES; i++) {
        network_arena[i] = paint;
    }
#ifdef NETWORK_INPUT
    for (uint32_t i = 0; i < NETWORK_INPUT_BYTES; i++) {
        NETWORK_INPUT[i] = picture[i];
    }
    from = NETWORK_INPUT;
#endif
    board_paint_stack();
    const uint64_t began = board_ticks();
    const int8_t *made = network_run(from);
    *ticks = (uint32_t)(board_ticks() - began);
    const uint32_t stack = board_stack_used();
    figures[STACK] = stack > figures[STACK] ? stack : figures[STACK];
    for (int i = 0; i < NETWORK_OUTPUTS; i++) {
        to[i] = made[i];
    }
    const uint32_t bytes = written(paint);
    figures[WRITTEN] = bytes > figures[WRITTEN] ? bytes : figures[WRITTEN];
}

int main(void)
{
    char name[8] = "input0";
    figures[ARENA] = NETWORK_ARENA_BYTES;
    for (int i = 0; i < PICTURES; i++) {
        name[5] = (char)('0' + i);
        if (board_read_file(name, picture, NETWORK_INPUT_BYTES) != NETWORK_INPUT_BYTES) {
            return 2;
        }
        run((int8_t)(i % 2 == 0 ? 0x35 : -0x36), logits[i], &figures[TICKS + i]);
    }
#ifdef PROFILED
    board_write_file("layers", layers, sizeof layers);
#endif
    board_write_file("output", logits, sizeof logits);
    board_write_file("figures", figures, sizeof figures);
    return 0;
}
