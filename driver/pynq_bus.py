"""The bus of `driver.core` by what PYNQ has: an MMIO of the registers, and a DMA for each stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hamming.driver.core import BusError

__all__ = ["PynqBus"]


class PynqBus:
    """Registers by `ip.read` and `ip.write`, streams by DMAs in simple mode, buffers by `pynq.allocate`.

        overlay = pynq.Overlay("design.bit")
        dmas = {"row": overlay.dma_row, "query": overlay.dma_query, "out": overlay.dma_query}
        core = Core(PynqBus(overlay.hamming, dmas, pynq.allocate))

    Parameters
    ----------
    ip
        `read(offset)` and `write(offset, value)`: an `MMIO`, or a `DefaultIP`.
    dmas
        By stream: `sendchannel` or `recvchannel`, each with `transfer(buffer)` and `wait()`; a `recvchannel` says in
        `transferred` how many bytes came.
    allocate
        Makes a buffer: `allocate(shape=(n,), dtype=...)`, with `flush()` and `invalidate()`.
    """

    def __init__(self, ip: Any, dmas: Mapping[str, Any], allocate: Callable[..., Any]) -> None:
        self._ip, self._dmas, self._allocate = ip, dmas, allocate
        self._buffers: dict[tuple[str, int], Any] = {}

    def read(self, offset: int) -> int:
        """Read a register."""
        return self._ip.read(offset)

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self._ip.write(offset, value)

    def send(self, stream: str, data: bytes) -> None:
        """Send beats."""
        buffer = self._buffer(stream, len(data))
        buffer[:] = np.frombuffer(data, np.uint8)
        buffer.flush()
        channel = self._dma(stream).sendchannel
        channel.transfer(buffer)
        channel.wait()

    def receive(self, stream: str, n_bytes: int) -> bytes:
        """Receive one packet."""
        buffer = self._buffer(stream, n_bytes)
        channel = self._dma(stream).recvchannel
        channel.transfer(buffer)
        channel.wait()
        buffer.invalidate()
        return np.asarray(buffer)[: channel.transferred].tobytes()

    def _dma(self, stream: str) -> Any:
        if stream not in self._dmas:
            raise BusError(f"no DMA for the stream {stream!r}")
        return self._dmas[stream]

    def _buffer(self, stream: str, n_bytes: int) -> Any:
        """Return a buffer for packets of this length, made once."""
        key = (stream, n_bytes)
        if key not in self._buffers:
            self._buffers[key] = self._allocate(shape=(n_bytes,), dtype=np.uint8)
        return self._buffers[key]
