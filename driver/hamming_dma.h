/* The bus of hamming.h where registers are words of memory and a DMA moves each stream.
 *
 * The DMA is AMD's AXI DMA without scatter-gather (PG021, "direct register mode"), or one with its registers: a channel
 * out of memory at the address of its MM2S registers, a channel into memory 0x30 above. Buffers are those of the program
 * itself: memory that a DMA sees must not be cached, or be coherent, and addresses of pointers be those of the bus.
 */
#ifndef HAMMING_DMA_H
#define HAMMING_DMA_H

#include "hamming.h"

/* Reads and writes a register at an address; on bare metal a dereferenced volatile pointer. */
struct hamming_io {
    void *context;
    uint32_t (*read)(void *context, uint64_t address);
    void (*write)(void *context, uint64_t address, uint32_t value);
};

struct hamming_dma {
    struct hamming_io io;
    uint64_t core;       /* address of the engine's registers */
    uint64_t streams[5]; /* addresses of the registers of each stream's DMA, by enum hamming_stream; 0: none */
    uint32_t polls;      /* how often to ask whether a DMA is done; then it is reset, and HAMMING_BUS returned */
};

/* Return the bus; dma must outlive it. */
struct hamming_bus hamming_dma_bus(struct hamming_dma *dma);

#endif
