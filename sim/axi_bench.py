"""The bench of an engine behind AXI: the same cases, played by the sources, sinks and masters of `cocotbext.axi`."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import cocotb
from cocotb.triggers import SimTimeoutError, with_timeout
from cocotb.utils import get_sim_time
from numpy.typing import NDArray

from hamming.golden.spec import AttentionSpec
from hamming.rtl.axi.engine import STREAMS
from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import streams
from hamming.sim.bench import RESET_CYCLES, Bench
from hamming.sim.exchange import End, Hang, Stepped
from hamming.sim.harness import AXI_WAYS, axi_monitor, monitor
from hamming.sim.payloads import Stream, read_streams
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

__all__ = ["AxiBench", "AxiPorts"]

#: Steps of simulated time in a cycle.
_CYCLE_STEPS = 2

#: More than a RAM of cocotbext.axi can have no length for.
_RAM_ADDRESS_BITS = 62

#: Cycles after the last access.
_SETTLING_CYCLES = 2

#: Frames that wait in a source at most: enough that it never idles.
_QUEUED = 4


#: Codes of `sim/verilog/hamming_axi_read_monitor.v` and of the write monitor.
_VIOLATIONS = {
    1: "a burst that is none",
    2: "a burst crosses 4 kB",
    3: "an answer that nobody asked for",
    4: "the last beat is another",
    5: "EXOKAY",
    6: "valid is 1 in a reset",
    7: "too much is under way",
}


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
            bus = AxiStreamBus.from_prefix(dut, STREAMS[name])
            # A beat is one number.
            if stream.direction == "input":
                self.sources[name] = AxiStreamSource(bus, dut.clk, dut.rst, byte_lanes=1)
            else:
                self.sinks[name] = AxiStreamSink(bus, dut.clk, dut.rst, byte_lanes=1)
        self.registers: Any = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
        self.rams: dict[str, Any] = {
            kind: AxiRam(
                AxiBus.from_prefix(dut, master["prefix"]), dut.clk, dut.rst, size=1 << _RAM_ADDRESS_BITS, mem=memory
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


class _Source:
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
        return [(began - self._first_step) // _CYCLE_STEPS + 1 for began in self._began]

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


class _Sink:
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
            at = (frame.sim_time_end - self._first_step) // _CYCLE_STEPS
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


class _TableSource:
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


class AxiBench(Bench):
    """A `Bench` of an engine behind AXI, whose methods it has.

    After each case the registers are read: errors and counters must be those of what was sent.

    Parameters
    ----------
    ports
        Of this run.
    dut, fields, arrays, count
        As of `Bench`.
    """

    def __init__(
        self,
        ports: AxiPorts,
        dut: Any,
        fields: dict[str, Any],
        arrays: dict[str, NDArray],
        count: Callable[[], None],
    ) -> None:
        super().__init__(dut, fields, arrays, count)
        self._ports = ports
        self._map = {one["name"]: one for one in fields["registers"]["registers"]}
        self._axi: list[_Source | _TableSource | _Sink] = []
        self._error = 0
        config = EngineConfig.from_dict(fields["engine"])
        if config.table == "loadable":
            engine = Engine(AttentionSpec.from_dict(fields["spec"]), config)
            self.streams |= read_streams({"i_weight": streams(engine)["i_weight"]})

    def source(self, name: str, payloads: Sequence[int], gates: Sequence[Gate] = (), beside: Any = None) -> Any:
        """Drive a stream, or write the table; arguments as of `Bench.source`."""
        source: _Source | _TableSource
        if name == "i_weight":
            offset = self.fields["registers"]["table"]["offset"]
            source = _TableSource(self.streams[name], payloads, self._ports.registers, offset)
        else:
            port = self._ports.sources[name]
            self._pauses(port, name)
            source = _Source(self.dut, self.streams[name], port, payloads, gates)
        self._axi.append(source)
        return source

    def _sink(
        self, name: str, n_packets: int, receive: Callable[[int, int], None], on_packet: Callable[[], None] | None
    ) -> Any:
        port = self._ports.sinks[name]
        self._pauses(port, name)
        sink = _Sink(self.dut, self.streams[name], port, n_packets, receive, on_packet)
        self._axi.append(sink)
        return sink

    def _ends(self) -> Sequence[End]:
        return self._axi

    def _pauses(self, port: Any, name: str) -> None:
        stall = self.fields.get("stall", 0.0)
        has_pauses = stall.get(name, 0.0) if isinstance(stall, dict) else stall
        port.set_pause_generator(self._pause(name) if has_pauses else None)
        port.pause = False

    async def read(self, register: str) -> int:
        """Read a register by its name."""
        return await self._in_time(self._ports.registers.read_dword(self._map[register]["offset"]), register)

    async def write(self, register: str, value: int) -> None:
        """Write a register by its name."""
        await self._in_time(self._ports.registers.write_dword(self._map[register]["offset"], value), register)

    async def _in_time(self, access: Awaitable[int], register: str) -> int:
        """Await an access, as long as the watchdog allows."""
        try:
            return await with_timeout(access, _CYCLE_STEPS * self.fields["watchdog"], "step")
        except SimTimeoutError:
            raise Hang(f"register {register}: no answer for {self.fields['watchdog']} cycles") from None

    def error(self) -> int:
        """Return what the register ERROR had at the end."""
        return self._error

    async def reset(self, others: Sequence[Stepped] = ()) -> None:
        """Reset, and forget what was left of the case before."""
        edge = self.dut.clk.rising_edge
        for name, channel in self._ports.channels():
            self._pauses(channel, name)
        self.dut.rst.value = 1
        for cycle in range(RESET_CYCLES):
            await edge
            if cycle:
                self._fail_unless_quiet(STREAMS)
        self._ports.clear()
        self.dut.rst.value = 0

    async def _play(self, others: Sequence[Stepped]) -> None:
        """Enable, run all streams to the end, and hold the registers against what went through."""
        step = get_sim_time()
        for part in self._axi:
            part.begin(step)
        beside = cocotb.start_soon(self._beside())
        try:
            await super()._play(others)
            if self.fields.get("last_cycle") is None:
                await self._hold_registers()
                for _ in range(_SETTLING_CYCLES):  # monitors count the last answer
                    await self.dut.clk.rising_edge
        finally:
            beside.cancel()
            self._ports.clear()

    async def _beside(self) -> None:
        for kind in self._ports.rams:
            base = self._map[f"{kind.upper()}_BASE"]["offset"]
            await self._ports.registers.write_qword(
                base, random.Random(kind).randrange(1 << _RAM_ADDRESS_BITS - 13) << 12
            )
        await self._ports.registers.write_dword(self._map["CONTROL"]["offset"], 1)
        for part in self._axi:
            if isinstance(part, _TableSource):
                await part.run()
                await self._hold_table()

    async def _hold_table(self) -> None:
        """Read the softmax table back, while queries are on their way; nothing is above its last entry."""
        offset, bits = self.fields["registers"]["table"]["offset"], self.streams["i_weight"].field("index").bits
        for number, table in enumerate(AttentionSpec.from_dict(self.fields["spec"]).tables):
            for deficit in range(1 << bits):
                want = table[deficit] if deficit < len(table) else 0
                place = offset + 4 * (number << bits | deficit)
                if (got := await self._ports.registers.read_dword(place)) != want:
                    self.fail(f"table {number}: entry {deficit} reads as {got}, not {want}")

    def report(self) -> dict[str, Any]:
        """Return what happened, as `Bench` does, with what is wrong of whole AXI ports; transfers count, too."""
        report = super().report()
        n_transfers = sum(int(getattr(self.dut, monitor(name)).n_transfers.value) for name in self._watched)
        for prefix in dict.fromkeys(channel.rpartition("_")[0] for channel in self.channels):
            for way in AXI_WAYS:
                seen = getattr(self.dut, axi_monitor(prefix, way))
                if violation := int(seen.violation.value):
                    cycle = int(seen.violation_cycle.value) + 1
                    report["violations"].append(f"{prefix} {way}: {_VIOLATIONS[violation]} (cycle {cycle})")
                elif self.fields.get("last_cycle") is None and (n_due := int(seen.n_due.value)):
                    report["violations"].append(f"{prefix} {way}: {n_due} answers did not come")
        report["coverage"]["axi_transfers"] = n_transfers
        return report

    async def _hold_registers(self) -> None:
        """Hold the registers against what was sent and received."""
        self._error = await self.read("ERROR")
        expected = {"STATUS": 0, "INTERRUPT_STATUS": 1 | 2 * bool(self._error)}
        expected["QUERIES"] = next(part.count for part in self._axi if part.stream.name == "o_out")
        rows = next(part for part in self._axi if part.stream.name == "i_row")
        expected["ROWS"] = rows.count
        for name, value in expected.items():
            if (got := await self.read(name)) != value:
                self.fail(f"register {name} is {got}, not {value}")
        for name in ("ID", "VERSION", "D_HEAD", "N_KEYS", "FEATURES", "OUT_BYTES"):
            want = sum(field["init"] << field["lsb"] for field in self._map[name]["fields"])
            if (got := await self.read(name)) != want:
                self.fail(f"register {name} is {got}, not {want}")
