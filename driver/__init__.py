"""The driver of an engine behind AXI, bare-metal C99: `hamming.h`, `hamming.c`."""
