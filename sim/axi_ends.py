"""The ends of an engine behind AXI: sources, sinks, masters and RAMs of `cocotbext.axi`, as a bench's own."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from hamming.rtl.axi.ports import axis_name
from hamming.sim.harness import monitor
from hamming.sim.payloads import Stream
from hamming.sim.streams import Gate

# cocotbext.axi 0.1.28 is written for an older cocotb.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"cocotbext\.axi|cocotb_bus")
from cocotbext.axi import (  # noqa: E402
    AxiBus,
    AxiLiteBus,
    AxiLiteMaster,
    AxiRam,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

__all__ = ["CYCLE_STEPS", "RAM_ADDRESS_BITS", "AxiPorts", "AxiSink", "AxiSource", "TableSource"]

#: Steps of simulated time in a cycle.
CYCLE_STEPS = 2

#: More than a RAM of cocotbext.axi can have no length for.
RAM_ADDRESS_BITS = 62

#: Frames that wait in a source at most: enough that it never idles.
_QUEUED = 4


class AxiPorts:
    """Sources, sinks, the master of registers, and a RAM for each master of the engine's, made once a run.

    Parameters
    ----------
    dut
        Handle of the harness, in reset.
    names
        Streams and their directions.
    masters
        As a manifest lists them.
    memory
        What all RAMs are; None: each has its own. It has a length, and slices to be read and set.
    """

    def __init__(
        self, dut: Any, names: dict[str, Stream], masters: dict[str, Any] | None = None, *, memory: Any = None
    ) -> None:
        logging.getLogger("cocotb.hamming_harness").setLevel(logging.WARNING)
        self.sources: dict[str, Any] = {}
        self.sinks: dict[str, Any] = {}
        for name, stream in names.items():
            bus = AxiStreamBus.from_prefix(dut, axis_name(name))
            # A beat is one number.
            if stream.direction == "input":
                self.sources[name] = AxiStreamSource(bus, dut.clk, dut.rst, byte_lanes=1)
            else:
                self.sinks[name] = AxiStreamSink(bus, dut.clk, dut.rst, byte_lanes=1)
        self.registers: Any = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
        self.rams: dict[str, Any] = {
            kind: AxiRam(
                AxiBus.from_prefix(dut, master["prefix"]), dut.clk, dut.rst, size=1 << RAM_ADDRESS_BITS, mem=memory
            )
            for kind, master in (masters or {}).items()
        }

    def channels(self) -> list[tuple[str, Any]]:
        """Return what pauses in the master of registers and in RAMs, by the channels' names."""
        ends = {"s_axi": self.registers} | {f"m_axi_{kind}": ram for kind, ram in self.rams.items()}
        return [
            (f"{prefix}_{name}", getattr(part, f"{name}_channel"))
            for prefix, end in ends.items()
            for part, names in ((end.write_if, ("aw", "w", "b")), (end.read_if, ("ar", "r")))
            for name in names
        ]

    def clear(self) -> None:
        """Forget what was left of a case."""
        for part in (*self.sources.values(), *self.sinks.values()):
            part.clear()


class AxiSource:
    """Hands payloads to an AXI4-Stream source as their gates open; attributes as of `sim.streams.Source`."""

    def __init__(self, dut: Any, stream: Stream, source: Any, payloads: Sequence[int], gates: Sequence[Gate]) -> None:
        self.stream = stream
        self.payloads = payloads
        self.transferred_at: list[int] = []
        self._began: list[int] = []
        self._source, self._gates = source, gates
        self._transfers = getattr(dut, monitor(stream.name)).n_transfers
        self._n_queued = 0
        self._first_step = 0

    @property
    def offered_at(self) -> list[int]:
        """Cycle in which each beat was first offered."""
        return [(began - self._first_step) // CYCLE_STEPS + 1 for began in self._began]

    @property
    def count(self) -> int:
        """Beats transferred, in cycles before this one."""
        return len(self.transferred_at)

    @property
    def is_done(self) -> bool:
        """True once every beat was transferred."""
        return self.count >= len(self.payloads)

    def begin(self, step: int) -> None:
        """Take note of when cycle 1 began."""
        self._first_step = step

    def step(self, cycle: int) -> bool:
        """Queue what may be offered; True if a beat was transferred."""
        n_new = int(self._transfers.value) - self.count
        self.transferred_at += [cycle - 1] * n_new
        while (
            self._n_queued < len(self.payloads)
            and self._n_queued < self.count + _QUEUED
            and all(gate.of.count >= gate.needs[self._n_queued] for gate in self._gates)
        ):
            beat: Any = [self.payloads[self._n_queued]]
            frame = AxiStreamFrame(beat, tx_complete=self._note)
            self._source.send_nowait(frame)
            self._n_queued += 1
        return n_new > 0

    def _note(self, frame: Any) -> None:
        if frame.sim_time_end is not None:
            self._began.append(frame.sim_time_end)

    def state(self) -> str:
        """Describe the progress."""
        return f"{self.stream.name} {self.count} of {len(self.payloads)} beats sent"


class AxiSink:
    """Takes packets of an AXI4-Stream sink; attributes as of `sim.streams.Sink`."""

    def __init__(
        self,
        dut: Any,
        stream: Stream,
        sink: Any,
        n_packets: int,
        receive: Callable[[int, int], None],
        on_packet: Callable[[], None] | None,
    ) -> None:
        self.stream = stream
        self.n_packets = n_packets
        self.packet_at: list[int] = []
        self._sink, self._receive, self._on_packet = sink, receive, on_packet
        self._transfers = getattr(dut, monitor(stream.name)).n_transfers
        self._n_transfers = 0
        self._last = 1 << stream.field("last").offset
        self._first_step = 0

    @property
    def count(self) -> int:
        """Packets received."""
        return len(self.packet_at)

    @property
    def is_done(self) -> bool:
        """True once all expected packets are here."""
        return self.count >= self.n_packets

    def begin(self, step: int) -> None:
        """Take note of when cycle 1 began."""
        self._first_step = step

    def step(self, cycle: int) -> bool:
        """Take the packets that came; True if a beat was transferred, or a packet is whole."""
        n_before = self.count
        while not self._sink.empty():
            frame = self._sink.recv_nowait(compact=False)
            at = (frame.sim_time_end - self._first_step) // CYCLE_STEPS
            beats = list(frame.tdata)
            beats[-1] |= self._last
            for beat in beats:
                self._receive(beat, at)
            self.packet_at.append(at)
            if self._on_packet is not None:
                self._on_packet()
        before, self._n_transfers = self._n_transfers, int(self._transfers.value)
        return self._n_transfers > before or self.count > n_before

    def state(self) -> str:
        """Describe the progress."""
        return f"{self.stream.name} {self.count} of {self.n_packets} packets received"


class TableSource:
    """Writes the softmax table through its window; attributes as of `sim.streams.Source`."""

    def __init__(self, stream: Stream, payloads: Sequence[int], registers: Any, offset: int) -> None:
        self.stream = stream
        self.payloads = payloads
        self.count = 0
        self._n_told = 0
        self._registers, self._offset = registers, offset

    @property
    def is_done(self) -> bool:
        """True once every entry was written."""
        return self.count == len(self.payloads)

    async def run(self) -> None:
        """Write every entry."""
        beats = self.stream.decode(self.payloads)
        index = beats["index"]
        if "table" in beats:
            index = index + (beats["table"] << self.stream.field("index").bits)
        for at, weight in zip(index.tolist(), beats["weight"].tolist(), strict=True):
            await self._registers.write_dword(self._offset + 4 * at, weight)
            self.count += 1

    def begin(self, step: int) -> None:
        """Nothing is timed."""

    def step(self, cycle: int) -> bool:
        """True if an entry was written, which happens beside."""
        before, self._n_told = self._n_told, self.count
        return self._n_told > before

    def state(self) -> str:
        """Describe the progress."""
        return f"{self.stream.name} {self.count} of {len(self.payloads)} entries written"
