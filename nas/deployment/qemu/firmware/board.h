/* What a program needs of a simulated board: files of the host, ticks, the stack's high-water mark. No libc. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* SysTick's ticks since reset; under -icount shift=0 one instruction takes a nanosecond. */
uint64_t board_ticks(void);

/* Files of the host's working directory, by semihosting. Bytes read or written; -1 where the file cannot be opened. */
int32_t board_read_file(const char *name, void *to, uint32_t bytes);
int32_t board_write_file(const char *name, const void *from, uint32_t bytes);

/* Text for the host's standard error. */
void board_print(const char *text);

/* Paints the stack below the caller; board_stack_used() then gives the most bytes that were used since. */
void board_paint_stack(void);
uint32_t board_stack_used(void);

__attribute__((noreturn)) void board_exit(uint32_t code);

int main(void);

#endif
