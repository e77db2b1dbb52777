"""The driver of an engine behind AXI, bare-metal C99: `hamming.h`; over a DMA: `hamming_dma.h`."""
