/* The least firmware that runs the network: what it weighs is what the network takes of the flash. */
#include "board.h"
#include "network.h"

#ifndef NETWORK_INPUT
static int8_t picture[NETWORK_INPUT_BYTES];
#define NETWORK_INPUT picture
#endif

int main(void)
{
    return network_run(NETWORK_INPUT)[0];
}
