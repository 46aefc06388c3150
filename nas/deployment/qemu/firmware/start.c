/* Start-up code of the boards that QEMU simulates: vectors, memory, SysTick as a counter of instructions. */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define CPACR REGISTER(0xE000ED88u)
#define SYST_MOST 0x00FFFFFFu
#define PAINT 0xC5C5C5C5u

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { OPEN_RB = 1, OPEN_WB = 5 };
enum { FAULT_EXIT = 70 };

extern uint32_t __stack_bottom[], __stack_top[];
extern uint32_t __data_start[], __data_end[], __data_load[], __bss_start[], __bss_end[];

static volatile uint32_t wraps;
static uint32_t *painted_to;

void reset(void);
void fault(void);
void systick(void);

static int32_t semihosting(uint32_t call, const void *arguments)
{
    register uint32_t r0 __asm__("r0") = call;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

static uint32_t length(const char *text)
{
    uint32_t n = 0;
    while (text[n] != '\0') {
        n++;
    }
    return n;
}

/* SYS_READ and SYS_WRITE alike give the bytes that were not moved. */
static int32_t move(const char *name, uint32_t mode, uint32_t call, uintptr_t bytes_at, uint32_t bytes)
{
    const uint32_t open[3] = {(uint32_t)(uintptr_t)name, mode, length(name)};
    const int32_t handle = semihosting(SYS_OPEN, open);
    if (handle < 0) {
        return -1;
    }
    const uint32_t transfer[3] = {(uint32_t)handle, (uint32_t)bytes_at, bytes};
    const int32_t left = semihosting(call, transfer);
    const uint32_t close[1] = {(uint32_t)handle};
    semihosting(SYS_CLOSE, close);
    return (int32_t)bytes - left;
}

int32_t board_read_file(const char *name, void *to, uint32_t bytes)
{
    return move(name, OPEN_RB, SYS_READ, (uintptr_t)to, bytes);
}

int32_t board_write_file(const char *name, const void *from, uint32_t bytes)
{
    return move(name, OPEN_WB, SYS_WRITE, (uintptr_t)from, bytes);
}

void board_print(const char *text)
{
    semihosting(SYS_WRITE0, text);
}

void board_exit(uint32_t code)
{
    const uint32_t arguments[2] = {0x20026u, code}; /* ADP_Stopped_ApplicationExit */
    for (;;) {
        semihosting(SYS_EXIT_EXTENDED, arguments);
    }
}

uint64_t board_ticks(void)
{
    uint32_t high;
    uint32_t low;
    do {
        high = wraps;
        low = SYST_CVR;
    } while (high != wraps);
    return (((uint64_t)high + 1u) << 24) - low;
}

void board_paint_stack(void)
{
    uint32_t *const here = (uint32_t *)__builtin_frame_address(0) - 16;
    for (uint32_t *word = __stack_bottom; word < here; word++) {
        *word = PAINT;
    }
    painted_to = here;
}

uint32_t board_stack_used(void)
{
    const uint32_t *word = __stack_bottom;
    while (word < painted_to && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)painted_to - (uintptr_t)word);
}

void systick(void)
{
    wraps = wraps + 1u;
}

void fault(void)
{
    board_exit(FAULT_EXIT);
}

void reset(void)
{
    CPACR |= 0xFu << 20; /* floating point and vector instructions, where the core has them */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    for (uint32_t *to = __data_start, *from = __data_load; to < __data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *word = __bss_start; word < __bss_end; word++) {
        *word = 0;
    }
    SYST_RVR = SYST_MOST;
    SYST_CVR = 0;
    SYST_CSR = 7; /* core clock, interrupt, on */
    board_exit((uint32_t)main());
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))(uintptr_t)__stack_top, reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
    fault, fault, fault, systick,
};
