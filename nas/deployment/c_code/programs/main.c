/* Runs the network on a few test pictures, and prints the class of each. Ends with 1 where a logit is not the one that
 * the integer reference gave. On a computer it prints to standard output; on a simulated board by semihosting. */
#include "network.h"
#include "test_pictures.h"

#if __STDC_HOSTED__
#include <stdio.h>

static void print(const char *text)
{
    fputs(text, stdout);
}
#else
#include "board.h"

static void print(const char *text)
{
    board_print(text);
}
#endif

static void print_number(unsigned value)
{
    char digits[12];
    int place = (int)sizeof digits - 1;
    digits[place] = '\0';
    do {
        digits[--place] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value > 0u);
    print(digits + place);
}

static const int8_t *given(const int8_t *picture)
{
#ifdef NETWORK_INPUT
    for (int i = 0; i < NETWORK_INPUT_BYTES; i++) {
        NETWORK_INPUT[i] = picture[i];
    }
    return NETWORK_INPUT;
#else
    return picture;
#endif
}

int main(void)
{
    int wrong = 0;
    for (int i = 0; i < TEST_PICTURES; i++) {
        const int8_t *logits = network_run(given(test_pictures[i]));
        int best = 0;
        int differing = 0;
        for (int k = 0; k < NETWORK_OUTPUTS; k++) {
            best = logits[k] > logits[best] ? k : best;
            differing += logits[k] != test_logits[i][k];
        }
        print("picture ");
        print_number((unsigned)i);
        print(": class ");
        print_number((unsigned)best);
        print(test_labels[i] == best ? ", right" : ", its label is ");
        if (test_labels[i] != best) {
            print_number((unsigned)test_labels[i]);
        }
        print(differing ? "; its logits are NOT those of the reference\n" : "\n");
        wrong += differing;
    }
    return wrong != 0;
}
