/* The driver on a bus without an engine, compiled with sanitizers: every buffer is exactly as long as it has to be. */
#include <stdio.h>
#include <stdlib.h>

#include "hamming.h"

#define CHECK(what) \
    if (!(what)) return printf("line %d: %s\n", __LINE__, #what), 1

static uint32_t registers[0x4000];
static uint32_t answer_bytes;

static uint32_t read_word(void *context, uint32_t offset) {
    (void)context;
    return registers[offset / 4];
}

static void write_word(void *context, uint32_t offset, uint32_t value) {
    (void)context;
    if (offset >= 0x400 || offset == 0x08) registers[offset / 4] = value;
}

static int send(void *context, int stream, const uint8_t *bytes, size_t n_bytes) {
    uint8_t sum = 0;
    (void)context, (void)stream;
    for (size_t n = 0; n < n_bytes; n++) sum = (uint8_t)(sum + bytes[n]); /* each is there */
    return sum & 0;
}

static int receive(void *context, int stream, uint8_t *bytes, size_t n_bytes) {
    (void)context, (void)stream;
    for (size_t n = 0; n < n_bytes; n++) bytes[n] = 0xFF; /* -1, and is_empty */
    return (int)(stream == HAMMING_OUT ? answer_bytes : n_bytes);
}

static uint32_t width_of(uint32_t bits) { return bits <= 8 ? 1 : bits <= 16 ? 2 : 4; }

static int engine(uint32_t d_head, uint32_t d_value, uint32_t n_keys, uint32_t value_bits, uint32_t out_bits) {
    const struct hamming_bus bus = {NULL, read_word, write_word, send, receive};
    struct hamming_core core;
    const uint32_t key_bytes = (d_head + 7) / 8, index_bytes = width_of(n_keys > 256 ? 16 : 8);
    const uint32_t n_lanes = 4, row_bytes = index_bytes + key_bytes + d_value * width_of(value_bits);
    registers[0] = 0x48414D4D, registers[1] = 0x10001;
    const uint32_t facts[] = {d_head, d_value, n_keys, 2, value_bits, 12, 8, out_bits};
    for (size_t n = 0; n < 8; n++) registers[0x10 + n] = facts[n];
    registers[0x64 / 4] = 1, registers[0x80 / 4] = n_lanes, registers[0x9C / 4] = 0x707;
    registers[0xB0 / 4] = 3;
    registers[0xC0 / 4] = row_bytes, registers[0xC4 / 4] = index_bytes, registers[0xC8 / 4] = index_bytes + key_bytes;
    registers[0xCC / 4] = key_bytes + width_of(n_keys >= 256 ? 16 : 8), registers[0xD0 / 4] = key_bytes;
    registers[0xE0 / 4] = 2, registers[0xE4 / 4] = width_of(out_bits) + 1, registers[0xE8 / 4] = d_value;
    registers[0xEC / 4] = 4, registers[0xF0 / 4] = 0x4000;
    answer_bytes = registers[0xE4 / 4] * d_value;
    CHECK(hamming_open(&core, &bus, NULL, 0) == HAMMING_TOO_SMALL);
    uint8_t *scratch = malloc(core.scratch_bytes), *key = calloc(1, key_bytes), *mask = calloc(1, (n_keys + 7) / 8);
    int32_t *values = calloc(d_value, sizeof *values), *out = calloc(d_value, sizeof *out);
    uint32_t *weights = calloc(d_head + 1, sizeof *weights);
    int is_empty = 0;
    CHECK(scratch && key && mask && values && out && weights);
    CHECK(hamming_open(&core, &bus, scratch, core.scratch_bytes - 1) == HAMMING_TOO_SMALL);
    CHECK(hamming_write_row(&core, 0, key, values) == HAMMING_LOST); /* what no engine is open for goes nowhere */
    CHECK(hamming_open(&core, &bus, scratch, core.scratch_bytes) == HAMMING_OK);
    CHECK(hamming_enable(&core, 1) == HAMMING_OK && hamming_reset(&core, 1) == HAMMING_OK && hamming_errors(&core) == 0);
    weights[d_head] = 4095;
    CHECK(hamming_load_table(&core, 0, weights) == HAMMING_OK && hamming_read_table(&core, 0, weights) == HAMMING_OK);
    CHECK(weights[d_head] == 4095);
    CHECK(hamming_place(&core, 0xF00001000u, 0x2000) == HAMMING_OK);
    CHECK(hamming_place(&core, 1, 0) == HAMMING_OUT_OF_RANGE);
    values[d_value - 1] = -(1 << (value_bits - 1));
    CHECK(hamming_write_row(&core, n_keys - 1, key, values) == HAMMING_OK);
    values[d_value - 1]--;
    CHECK(hamming_write_row(&core, n_keys - 1, key, values) == HAMMING_OUT_OF_RANGE);
    values[d_value - 1] = 0;
    CHECK(hamming_write_row(&core, n_keys, key, values) == HAMMING_OUT_OF_RANGE);
    for (uint32_t n_valid = 0; n_valid <= n_keys; n_valid++)
        CHECK(hamming_attend(&core, key, n_valid, n_valid % 2 ? mask : NULL, out, &is_empty) == HAMMING_OK);
    uint8_t *keys = calloc(3, key_bytes), *masks = calloc(3, (n_keys + 7) / 8);
    int32_t *outs = calloc(3 * d_value, sizeof *outs);
    const uint32_t ends[3] = {0, n_keys, n_keys / 2};
    int are_empty[3] = {0};
    CHECK(keys && masks && outs);
    CHECK(hamming_attend_group(&core, 3, keys, ends, masks, outs, are_empty) == HAMMING_OK);
    CHECK(outs[0] == -1 && outs[3 * d_value - 1] == -1 && are_empty[2] == 0xFF);
    CHECK(hamming_attend_group(&core, 4, keys, ends, masks, outs, are_empty) == HAMMING_OUT_OF_RANGE);
    free(keys), free(masks), free(outs);
    CHECK(is_empty == 0xFF && out[0] == -1 && out[d_value - 1] == -1);
    CHECK(hamming_decode_step(&core, n_keys - 1, key, values, key, out) == HAMMING_OK);
    answer_bytes--;
    CHECK(hamming_attend(&core, key, 1, NULL, out, NULL) == HAMMING_BUS);
    answer_bytes++;
    CHECK(hamming_attend(&core, key, 1, NULL, out, NULL) == HAMMING_LOST);
    CHECK(hamming_write_row(&core, 0, key, values) == HAMMING_LOST);
    CHECK(hamming_open(&core, &bus, scratch, core.scratch_bytes) == HAMMING_OK);
    CHECK(hamming_attend(&core, key, 1, NULL, out, NULL) == HAMMING_OK);
    free(scratch), free(key), free(mask), free(values), free(out), free(weights);
    return 0;
}

int main(void) {
    for (uint32_t d_head = 1; d_head < 70; d_head += 3)
        for (uint32_t value_bits = 2; value_bits <= 16; value_bits++)
            if (engine(d_head, 1 + d_head % 5, 4 + 19 * (d_head % 17), value_bits, value_bits + 8)) return 1;
    return 0;
}
