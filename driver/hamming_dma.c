#include "hamming_dma.h"

/* Registers of a channel (PG021), and how far those into memory are above those out of it. */
enum { DMACR = 0x00, DMASR = 0x04, ADDRESS = 0x18, ADDRESS_MSB = 0x1C, LENGTH = 0x28, S2MM = 0x30 };
enum { DMACR_RUN = 1, DMACR_RESET = 4 };
enum { DMASR_IDLE = 0x2, DMASR_ERRORS = 0x770 };

/* Reset a channel, and the other one of its DMA with it: nothing is written into memory any more. */
static int give_up(const struct hamming_dma *dma, uint64_t channel) {
    const struct hamming_io *io = &dma->io;
    io->write(io->context, channel + DMACR, DMACR_RESET);
    for (uint32_t n = 0; n < dma->polls; n++)
        if (!(io->read(io->context, channel + DMACR) & DMACR_RESET)) break;
    return -1;
}

/* Have a channel move bytes, and wait until it has; return how many it moved, or -1. */
static int move(const struct hamming_dma *dma, uint64_t channel, const uint8_t *bytes, size_t n_bytes) {
    const struct hamming_io *io = &dma->io;
    const uint64_t address = (uint64_t)(uintptr_t)bytes;
    io->write(io->context, channel + DMACR, DMACR_RUN);
    io->write(io->context, channel + ADDRESS, (uint32_t)(address & 0xFFFFFFFFu));
    io->write(io->context, channel + ADDRESS_MSB, (uint32_t)(address >> 32));
    io->write(io->context, channel + LENGTH, (uint32_t)n_bytes); /* which starts it */
    for (uint32_t n = 0; n < dma->polls; n++) {
        const uint32_t status = io->read(io->context, channel + DMASR);
        if (status & DMASR_ERRORS) return give_up(dma, channel);
        if (status & DMASR_IDLE) return (int)io->read(io->context, channel + LENGTH);
    }
    return give_up(dma, channel);
}

static uint32_t read_word(void *context, uint32_t offset) {
    const struct hamming_dma *dma = context;
    return dma->io.read(dma->io.context, dma->core + offset);
}

static void write_word(void *context, uint32_t offset, uint32_t value) {
    const struct hamming_dma *dma = context;
    dma->io.write(dma->io.context, dma->core + offset, value);
}

static int send(void *context, int stream, const uint8_t *bytes, size_t n_bytes) {
    const struct hamming_dma *dma = context;
    return dma->streams[stream] ? move(dma, dma->streams[stream], bytes, n_bytes) : -1;
}

static int receive(void *context, int stream, uint8_t *bytes, size_t n_bytes) {
    const struct hamming_dma *dma = context;
    return dma->streams[stream] ? move(dma, dma->streams[stream] + S2MM, bytes, n_bytes) : -1;
}

struct hamming_bus hamming_dma_bus(struct hamming_dma *dma) {
    const struct hamming_bus bus = {dma, read_word, write_word, send, receive};
    return bus;
}
