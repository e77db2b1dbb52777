/* Driver of a hamming engine behind AXI: C99, bare metal, no allocation.
 *
 * What differs between engines is read from registers, so one build serves all whose registers have major version 1.
 * The caller plays the bus: registers, and streams as by a DMA. No function may be called while another one runs.
 */
#ifndef HAMMING_H
#define HAMMING_H

#include <stddef.h>
#include <stdint.h>

/* What every function returns. */
enum hamming_status {
    HAMMING_OK = 0,
    HAMMING_NOT_FOUND = -1,   /* no engine answers, or one of another major version */
    HAMMING_TOO_SMALL = -2,   /* the scratch memory; core.scratch_bytes says what is needed */
    HAMMING_OUT_OF_RANGE = -3, /* an index, a count, an entry or a place that cannot be; nothing was sent */
    HAMMING_UNSUPPORTED = -4, /* an option that this engine does not have */
    HAMMING_BUS = -5,         /* a stream did not move, or a packet had another length */
    HAMMING_TIMEOUT = -6,     /* a reset did not end */
    HAMMING_LOST = -7         /* after HAMMING_BUS, or if opening failed; nothing was sent; see below */
};

enum hamming_stream { HAMMING_ROW, HAMMING_QUERY, HAMMING_MASK, HAMMING_OUT, HAMMING_SELECTED };

/* After HAMMING_BUS a query or a row may be on its way, in part, and its answer come at any time, which is then not that of
 * the next query. So rows and queries are refused, HAMMING_LOST, until engine and DMAs were reset by their wires and
 * hamming_open was called again. hamming_reset does not do: what an output offers, it goes on offering.
 */

/* The bus. send and receive return 0 or more where they did it; receive the bytes of one packet, which ends by TLAST. */
struct hamming_bus {
    void *context;
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    int (*send)(void *context, int stream, const uint8_t *bytes, size_t n_bytes);
    int (*receive)(void *context, int stream, uint8_t *bytes, size_t n_bytes);
};

struct hamming_core {
    struct hamming_bus bus;
    uint8_t *scratch;
    size_t scratch_bytes;
    uint32_t d_head, d_value, n_keys, top_k, value_bits, weight_bits, out_frac_bits, out_bits, n_tables, n_lanes;
    uint32_t features;
    uint32_t row_bytes, row_key, row_value, query_bytes, query_n_valid, mask_bytes, out_bytes, out_beats;
    uint32_t selected_bytes, table_offset, table_words, key_bytes, value_bytes, n_queries_a_row;
    int is_lost;
};

/* Find an engine and read what it is. scratch must outlive core; scratch_bytes is what it has. HAMMING_LOST where queries
 * are in flight, which another program has sent. */
int hamming_open(struct hamming_core *core, const struct hamming_bus *bus, uint8_t *scratch, size_t scratch_bytes);

/* Take rows and queries, or not. */
int hamming_enable(struct hamming_core *core, int is_enabled);

/* Set the engine back: once all queries are answered, or, without is_drained, at once. Memories stay. */
int hamming_reset(struct hamming_core *core, int is_drained);

/* Bits of ERROR since they were cleared; clears them. */
uint32_t hamming_errors(struct hamming_core *core);

/* Write table number `table` of d_head + 1 weights, before the first query that uses it. */
int hamming_load_table(struct hamming_core *core, uint32_t table, const uint32_t *weights);

/* Read table number `table` back. */
int hamming_read_table(struct hamming_core *core, uint32_t table, uint32_t *weights);

/* Where keys and values lie that the engine reads by itself: addresses of its bus, multiples of 4096. keys has
 * core.key_bytes a key, bits lowest first; values as the manifest says, where nothing is padded d_value numbers a key, of
 * 1 byte up to 8 bits, else of 2. The address of what lies inside is to be 0. To be called while nothing is in flight. */
int hamming_place(struct hamming_core *core, uint64_t keys, uint64_t values);

/* Write a key, of d_head bits, lowest first, and its d_value values at index. */
int hamming_write_row(struct hamming_core *core, uint32_t index, const uint8_t *key, const int32_t *values);

/* Attention of a query to keys 0 to n_valid - 1: out gets d_value numbers with out_frac_bits fraction bits.
 * mask: n_keys bits, 1 for a key to leave out; NULL for none. is_empty, if it is not NULL: whether no key took part. */
int hamming_attend(struct hamming_core *core, const uint8_t *query, uint32_t n_valid, const uint8_t *mask, int32_t *out,
                   int *is_empty);

/* Attention of up to core.n_queries_a_row queries, for which keys are read once: queries, masks and outs one behind the other,
 * a query or a mask in whole bytes; n_valid and is_empty have one each. Of fewer the engine answers as many in as long. */
int hamming_attend_group(struct hamming_core *core, uint32_t n_queries, const uint8_t *queries, const uint32_t *n_valid,
                         const uint8_t *masks, int32_t *out, int *is_empty);

/* Append a row at index, and attend to it and all before it. */
int hamming_decode_step(struct hamming_core *core, uint32_t index, const uint8_t *key, const int32_t *values,
                        const uint8_t *query, int32_t *out);

#endif
