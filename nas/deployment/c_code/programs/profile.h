/* Included in front of network.c: the ticks of each layer, see run_board.c. */
void profile_begin(void);
void profile_end(int number);
#define NETWORK_LAYER_BEGIN(number) profile_begin()
#define NETWORK_LAYER_END(number) profile_end(number)
