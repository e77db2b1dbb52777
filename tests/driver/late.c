/* The driver over DMAs without an engine, whose second answer comes later than it waits. */
#include <stdio.h>

#include "hamming_dma.h"

#define CHECK(what) \
    if (!(what)) return printf("line %d: %s\n", __LINE__, #what), 1

enum { QUERY = 0x5000, OUT = 0x6030, CONTROL = 0x00, STATUS = 0x04, ADDRESS = 0x18, ADDRESS_MSB = 0x1C, LENGTH = 0x28 };
enum { RESET = 4, HALTED = 1, IDLE = 2 };

static uint32_t registers[64];
static struct { uint32_t words[16]; int is_armed; } channels[2]; /* out of memory, into it */
static uint8_t asked[4]; /* queries that wait for their answer: their first byte, as a number */
static int n_asked, n_waited;

/* A channel's memory. */
static uint8_t *memory(int n) {
    return (uint8_t *)(uintptr_t)((uint64_t)channels[n].words[ADDRESS_MSB / 4] << 32 | channels[n].words[ADDRESS / 4]);
}

/* Answer the oldest query, if there is somebody who takes it. */
static void answer(void) {
    if (!channels[1].is_armed || !n_asked || n_waited < 0) return;
    const uint8_t bytes[] = {asked[0], 0, 0};
    for (int n = 0; n < 3; n++) memory(1)[n] = bytes[n];
    for (int n = 1; n < n_asked; n++) asked[n - 1] = asked[n];
    n_asked--;
    channels[1].is_armed = 0, channels[1].words[STATUS / 4] = IDLE, channels[1].words[LENGTH / 4] = 3;
}

static uint32_t read_word(void *context, uint64_t address) {
    (void)context;
    if (address < QUERY) return registers[address / 4];
    if (address == OUT + STATUS) n_waited++, answer();
    return channels[address >= OUT].words[(address - (address >= OUT ? OUT : QUERY)) / 4];
}

static void write_word(void *context, uint64_t address, uint32_t value) {
    (void)context;
    if (address < QUERY) return;
    const int n = address >= OUT;
    const uint64_t offset = address - (n ? OUT : QUERY);
    channels[n].words[offset / 4] = value;
    if (offset == CONTROL && value & RESET) {
        channels[n].is_armed = 0, channels[n].words[STATUS / 4] = HALTED, channels[n].words[CONTROL / 4] = 0;
    } else if (offset == LENGTH && n == 0) {
        asked[n_asked++] = memory(0)[0];
        channels[0].words[STATUS / 4] = IDLE;
    } else if (offset == LENGTH) {
        channels[1].is_armed = 1, channels[1].words[STATUS / 4] = 0;
    }
}

int main(void) {
    const uint32_t facts[] = {8, 1, 4, 2, 8, 8, 8, 16};
    registers[0] = 0x48414D4D, registers[1] = 0x10001, registers[0x64 / 4] = registers[0x80 / 4] = 1;
    for (int n = 0; n < 8; n++) registers[0x10 + n] = facts[n];
    registers[0xC0 / 4] = 3, registers[0xC4 / 4] = 1, registers[0xC8 / 4] = 2, registers[0xCC / 4] = 2;
    registers[0xD0 / 4] = 1, registers[0xE4 / 4] = 3, registers[0xE8 / 4] = 1;
    struct hamming_dma dma = {{NULL, read_word, write_word}, 0, {0, QUERY, 0, OUT - 0x30, 0}, 10};
    const struct hamming_bus bus = hamming_dma_bus(&dma);
    struct hamming_core core;
    uint8_t scratch[3], query = 1;
    int32_t out;
    CHECK(hamming_open(&core, &bus, scratch, sizeof scratch) == HAMMING_OK);
    CHECK(hamming_attend(&core, &query, 1, NULL, &out, NULL) == HAMMING_OK && out == 1);

    n_waited = -50, query = 2;
    CHECK(hamming_attend(&core, &query, 1, NULL, &out, NULL) == HAMMING_BUS);
    scratch[0] = 9, n_waited = 0;
    answer();
    CHECK(n_asked == 1 && scratch[0] == 9); /* nothing is written into memory that was given up */
    query = 3;
    CHECK(hamming_attend(&core, &query, 1, NULL, &out, NULL) == HAMMING_LOST && n_asked == 1);
    CHECK(hamming_reset(&core, 0) == HAMMING_OK);
    CHECK(hamming_attend(&core, &query, 1, NULL, &out, NULL) == HAMMING_LOST);

    registers[3] = 1u << 16; /* in flight, as another program finds it */
    CHECK(hamming_open(&core, &bus, scratch, sizeof scratch) == HAMMING_LOST);
    n_asked = 0, registers[3] = 0; /* a reset by wire */
    CHECK(hamming_open(&core, &bus, scratch, sizeof scratch) == HAMMING_OK);
    CHECK(hamming_attend(&core, &query, 1, NULL, &out, NULL) == HAMMING_OK && out == 3);
    return 0;
}
