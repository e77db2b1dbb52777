#include "hamming.h"

#define IDENTIFICATION 0x48414D4Du
#define MAJOR 1u
#define RESET_POLLS 1000000u

/* Offsets of registers, the same for every engine (rtl/axi/registers.py). */
enum {
    ID = 0x00,
    VERSION = 0x04,
    CONTROL = 0x08,
    STATUS = 0x0C,
    ERROR = 0x10,
    D_HEAD = 0x40,
    D_VALUE = 0x44,
    N_KEYS = 0x48,
    TOP_K = 0x4C,
    VALUE_BITS = 0x50,
    WEIGHT_BITS = 0x54,
    OUT_FRAC_BITS = 0x58,
    OUT_BITS = 0x5C,
    N_TABLES = 0x64,
    N_LANES = 0x80,
    FEATURES = 0x9C,
    KEY_BASE = 0xA0,
    VALUE_BASE = 0xA8,
    N_QUERIES_A_ROW = 0xB0,
    ROW_BYTES = 0xC0,
    ROW_KEY = 0xC4,
    ROW_VALUE = 0xC8,
    QUERY_BYTES = 0xCC,
    QUERY_N_VALID = 0xD0,
    MASK_BYTES = 0xE0,
    OUT_BYTES = 0xE4,
    OUT_BEATS = 0xE8,
    SELECTED_BYTES = 0xEC,
    TABLE_OFFSET = 0xF0,
    TABLE_WORDS = 0xF4,
    KEY_BYTES = 0xF8,
    VALUE_BYTES = 0xFC
};

enum { CONTROL_ENABLE = 1, CONTROL_RESET = 2, CONTROL_DRAIN = 4 };
enum { STATUS_RESETTING = 2, STATUS_IN_FLIGHT = 16 }; /* a bit; where a number begins */
enum { FEATURE_LOADABLE = 1, FEATURE_MASK = 2, FEATURE_SELECTED = 4 };
enum { FEATURE_KEYS = 0x100, FEATURE_VALUES = 0x200, FEATURE_GROUPS = 0x400 };
enum { PAGE = 0x1000 };

static uint32_t read_register(const struct hamming_core *core, uint32_t offset) {
    return core->bus.read(core->bus.context, offset);
}

static void write_register(const struct hamming_core *core, uint32_t offset, uint32_t value) {
    core->bus.write(core->bus.context, offset, value);
}

/* Bytes of a number: 1, 2 or 4. */
static uint32_t width_of(uint32_t bits) { return bits <= 8 ? 1 : bits <= 16 ? 2 : 4; }

static uint32_t bits_of(uint32_t number) {
    uint32_t bits = 0;
    for (; number; number >>= 1) bits++;
    return bits;
}

/* Byte by byte: the same on little- and big-endian machines. */
static void put(uint8_t *bytes, uint32_t number, uint32_t width) {
    for (uint32_t n = 0; n < width; n++) bytes[n] = (uint8_t)(number >> (8 * n));
}

static int32_t get(const uint8_t *bytes, uint32_t width) {
    uint32_t number = bytes[width - 1] & 0x80u ? 0xFFFFFFFFu : 0;
    for (uint32_t n = width; n-- > 0;) number = number << 8 | bytes[n];
    return number <= INT32_MAX ? (int32_t)number : -(int32_t)(~number) - 1;
}

static void put_bits(uint8_t *bytes, const uint8_t *bits, uint32_t n_bits) {
    for (uint32_t n = 0; n < (n_bits + 7) / 8; n++) bytes[n] = bits[n];
}

static void clear(uint8_t *bytes, uint32_t n_bytes) {
    for (uint32_t n = 0; n < n_bytes; n++) bytes[n] = 0;
}

/* Whether all went well on the bus; if not, nobody knows what comes next. */
static int moved(struct hamming_core *core, int is_well) {
    if (!is_well) core->is_lost = 1;
    return is_well ? HAMMING_OK : HAMMING_BUS;
}

static int send(struct hamming_core *core, int stream, uint32_t n_bytes) {
    return moved(core, core->bus.send(core->bus.context, stream, core->scratch, n_bytes) >= 0);
}

/* Receive a packet of n_bytes, or, is_shorter, of fewer. */
static int receive(struct hamming_core *core, int stream, uint32_t n_bytes, int is_shorter) {
    const int got = core->bus.receive(core->bus.context, stream, core->scratch, n_bytes);
    return moved(core, is_shorter ? got >= 0 : got == (int)n_bytes);
}

int hamming_open(struct hamming_core *core, const struct hamming_bus *bus, uint8_t *scratch, size_t scratch_bytes) {
    core->bus = *bus;
    core->scratch = scratch;
    core->is_lost = 1; /* until all is well */
    if (read_register(core, ID) != IDENTIFICATION || read_register(core, VERSION) >> 16 != MAJOR) return HAMMING_NOT_FOUND;
    if (read_register(core, STATUS) >> STATUS_IN_FLIGHT) return HAMMING_LOST;
    core->d_head = read_register(core, D_HEAD);
    core->d_value = read_register(core, D_VALUE);
    core->n_keys = read_register(core, N_KEYS);
    core->top_k = read_register(core, TOP_K);
    core->value_bits = read_register(core, VALUE_BITS);
    core->weight_bits = read_register(core, WEIGHT_BITS);
    core->out_frac_bits = read_register(core, OUT_FRAC_BITS);
    core->out_bits = read_register(core, OUT_BITS);
    core->n_tables = read_register(core, N_TABLES);
    core->n_lanes = read_register(core, N_LANES);
    core->features = read_register(core, FEATURES);
    core->row_bytes = read_register(core, ROW_BYTES);
    core->row_key = read_register(core, ROW_KEY);
    core->row_value = read_register(core, ROW_VALUE);
    core->query_bytes = read_register(core, QUERY_BYTES);
    core->query_n_valid = read_register(core, QUERY_N_VALID);
    core->mask_bytes = read_register(core, MASK_BYTES);
    core->out_bytes = read_register(core, OUT_BYTES);
    core->out_beats = read_register(core, OUT_BEATS);
    core->selected_bytes = read_register(core, SELECTED_BYTES);
    core->table_offset = read_register(core, TABLE_OFFSET);
    core->table_words = read_register(core, TABLE_WORDS);
    core->key_bytes = read_register(core, KEY_BYTES);
    core->value_bytes = read_register(core, VALUE_BYTES);
    core->n_queries_a_row = core->features & FEATURE_GROUPS ? read_register(core, N_QUERIES_A_ROW) : 1;
    if (core->out_bits > 32) return HAMMING_UNSUPPORTED;
    const uint32_t needed[] = {core->row_bytes, core->query_bytes, core->mask_bytes, core->out_bytes * core->out_beats,
                               core->selected_bytes * core->top_k};
    core->scratch_bytes = 0;
    for (size_t n = 0; n < sizeof needed / sizeof *needed; n++)
        if (needed[n] > core->scratch_bytes) core->scratch_bytes = needed[n];
    core->is_lost = scratch_bytes < core->scratch_bytes;
    return core->is_lost ? HAMMING_TOO_SMALL : HAMMING_OK;
}

int hamming_enable(struct hamming_core *core, int is_enabled) {
    write_register(core, CONTROL, is_enabled ? CONTROL_ENABLE : 0);
    return HAMMING_OK;
}

int hamming_reset(struct hamming_core *core, int is_drained) {
    const uint32_t enable = read_register(core, CONTROL) & CONTROL_ENABLE;
    write_register(core, CONTROL, enable | CONTROL_RESET | (is_drained ? CONTROL_DRAIN : 0));
    for (uint32_t n = 0; n < RESET_POLLS; n++)
        if (!(read_register(core, STATUS) & STATUS_RESETTING)) return HAMMING_OK;
    return HAMMING_TIMEOUT;
}

uint32_t hamming_errors(struct hamming_core *core) {
    const uint32_t errors = read_register(core, ERROR);
    write_register(core, ERROR, errors);
    return errors;
}

int hamming_load_table(struct hamming_core *core, uint32_t table, const uint32_t *weights) {
    const uint32_t first = table << bits_of(core->d_head); /* an entry's index has as many bits as d_head */
    if (!(core->features & FEATURE_LOADABLE)) return HAMMING_UNSUPPORTED;
    if (table >= core->n_tables) return HAMMING_OUT_OF_RANGE;
    for (uint32_t n = 0; n <= core->d_head; n++)
        if (core->weight_bits < 32 && weights[n] >> core->weight_bits) return HAMMING_OUT_OF_RANGE;
    for (uint32_t n = 0; n <= core->d_head; n++) write_register(core, core->table_offset + 4 * (first + n), weights[n]);
    return HAMMING_OK;
}

int hamming_read_table(struct hamming_core *core, uint32_t table, uint32_t *weights) {
    const uint32_t first = table << bits_of(core->d_head);
    if (!(core->features & FEATURE_LOADABLE)) return HAMMING_UNSUPPORTED;
    if (table >= core->n_tables) return HAMMING_OUT_OF_RANGE;
    for (uint32_t n = 0; n <= core->d_head; n++) weights[n] = read_register(core, core->table_offset + 4 * (first + n));
    return HAMMING_OK;
}

static void write_address(const struct hamming_core *core, uint32_t offset, uint64_t address) {
    write_register(core, offset, (uint32_t)(address & 0xFFFFFFFFu));
    write_register(core, offset + 4, (uint32_t)(address >> 32));
}

int hamming_place(struct hamming_core *core, uint64_t keys, uint64_t values) {
    if ((keys && !(core->features & FEATURE_KEYS)) || (values && !(core->features & FEATURE_VALUES)))
        return HAMMING_UNSUPPORTED;
    if (keys % PAGE || values % PAGE) return HAMMING_OUT_OF_RANGE;
    if (core->features & FEATURE_KEYS) write_address(core, KEY_BASE, keys);
    if (core->features & FEATURE_VALUES) write_address(core, VALUE_BASE, values);
    return HAMMING_OK;
}

int hamming_write_row(struct hamming_core *core, uint32_t index, const uint8_t *key, const int32_t *values) {
    const uint32_t width = width_of(core->value_bits);
    const int32_t highest = (int32_t)((1u << (core->value_bits - 1)) - 1);
    if (index >= core->n_keys) return HAMMING_OUT_OF_RANGE;
    for (uint32_t n = 0; n < core->d_value; n++)
        if (values[n] > highest || values[n] < -highest - 1) return HAMMING_OUT_OF_RANGE;
    if (core->is_lost) return HAMMING_LOST;
    clear(core->scratch, core->row_bytes);
    put(core->scratch, index, core->row_key);
    put_bits(core->scratch + core->row_key, key, core->d_head);
    for (uint32_t n = 0; n < core->d_value; n++)
        put(core->scratch + core->row_value + n * width, (uint32_t)values[n], width);
    return send(core, HAMMING_ROW, core->row_bytes);
}

/* Queries, and none for those that the group lacks. */
static int send_queries(struct hamming_core *core, uint32_t n_queries, const uint8_t *queries, const uint32_t *n_valid) {
    for (uint32_t n = 0; n < core->n_queries_a_row; n++) {
        clear(core->scratch, core->query_bytes);
        if (n < n_queries) {
            put_bits(core->scratch, queries + n * ((core->d_head + 7) / 8), core->d_head);
            put(core->scratch + core->query_n_valid, n_valid[n], width_of(bits_of(core->n_keys)));
        }
        if (send(core, HAMMING_QUERY, core->query_bytes) < 0) return HAMMING_BUS;
    }
    return HAMMING_OK;
}

/* A beat for each row of keys that is read: n_lanes bits of each query of the group. */
static int send_masks(struct hamming_core *core, uint32_t n_queries, uint32_t end, const uint8_t *masks) {
    for (uint32_t first = 0; first == 0 || first < end; first += core->n_lanes) {
        clear(core->scratch, core->mask_bytes);
        for (uint32_t n = 0; masks && n < n_queries * core->n_lanes; n++) {
            const uint8_t *mask = masks + n / core->n_lanes * ((core->n_keys + 7) / 8);
            const uint32_t key = first + n % core->n_lanes;
            if (key < core->n_keys && mask[key / 8] >> key % 8 & 1)
                core->scratch[n / 8] = (uint8_t)(core->scratch[n / 8] | 1u << n % 8);
        }
        if (send(core, HAMMING_MASK, core->mask_bytes) < 0) return HAMMING_BUS;
    }
    return HAMMING_OK;
}

int hamming_attend_group(struct hamming_core *core, uint32_t n_queries, const uint8_t *queries, const uint32_t *n_valid,
                         const uint8_t *masks, int32_t *out, int *is_empty) {
    const uint32_t width = width_of(core->out_bits), n_a_beat = core->d_value / core->out_beats;
    const uint32_t out_bytes = core->out_bytes * core->out_beats;
    uint32_t end = 0;
    if (n_queries == 0 || n_queries > core->n_queries_a_row) return HAMMING_OUT_OF_RANGE;
    for (uint32_t n = 0; n < n_queries; n++) {
        if (n_valid[n] > core->n_keys) return HAMMING_OUT_OF_RANGE;
        if (n_valid[n] > end) end = n_valid[n];
    }
    if (masks && !(core->features & FEATURE_MASK)) return HAMMING_UNSUPPORTED;
    if (core->is_lost) return HAMMING_LOST;
    if (send_queries(core, n_queries, queries, n_valid) < 0) return HAMMING_BUS;
    if (core->features & FEATURE_MASK && send_masks(core, n_queries, end, masks) < 0) return HAMMING_BUS;
    for (uint32_t query = 0; query < core->n_queries_a_row; query++) {
        if (core->features & FEATURE_SELECTED &&
            receive(core, HAMMING_SELECTED, core->selected_bytes * core->top_k, 1) < 0)
            return HAMMING_BUS;
        if (receive(core, HAMMING_OUT, out_bytes, 0) < 0) return HAMMING_BUS;
        if (query >= n_queries) continue;
        for (uint32_t n = 0; n < core->d_value; n++)
            out[query * core->d_value + n] =
                get(core->scratch + n / n_a_beat * core->out_bytes + n % n_a_beat * width, width);
        if (is_empty) is_empty[query] = core->scratch[core->out_bytes - 1];
    }
    return HAMMING_OK;
}

int hamming_attend(struct hamming_core *core, const uint8_t *query, uint32_t n_valid, const uint8_t *mask, int32_t *out,
                   int *is_empty) {
    return hamming_attend_group(core, 1, query, &n_valid, mask, out, is_empty);
}

int hamming_decode_step(struct hamming_core *core, uint32_t index, const uint8_t *key, const int32_t *values,
                        const uint8_t *query, int32_t *out) {
    const int status = hamming_write_row(core, index, key, values);
    return status < 0 ? status : hamming_attend(core, query, index + 1, NULL, out, NULL);
}
