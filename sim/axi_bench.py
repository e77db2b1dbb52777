"""The bench of an engine behind AXI: the same cases, played by the sources, sinks and masters of `cocotbext.axi`."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import cocotb
from cocotb.triggers import SimTimeoutError, with_timeout
from cocotb.utils import get_sim_time
from numpy.typing import NDArray

from hamming.golden.spec import AttentionSpec
from hamming.rtl.axi.engine import AxiEngine
from hamming.rtl.config import EngineConfig
from hamming.rtl.manifest import streams
from hamming.sim.axi_ends import CYCLE_STEPS, RAM_ADDRESS_BITS, AxiPorts, AxiSink, AxiSource, TableSource
from hamming.sim.bench import RESET_CYCLES, Bench
from hamming.sim.exchange import End, Hang, Stepped
from hamming.sim.harness import AXI_WAYS, axi_monitor, monitor
from hamming.sim.payloads import read_streams
from hamming.sim.streams import Gate

__all__ = ["AxiBench"]


#: Cycles after the last access.
_SETTLING_CYCLES = 2


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
        self._axi: list[AxiSource | TableSource | AxiSink] = []
        self._error = 0
        config = EngineConfig.from_dict(fields["engine"])
        if config.table == "loadable":
            behind = AxiEngine(AttentionSpec.from_dict(fields["spec"]), config).engine
            self.streams |= read_streams({"i_weight": streams(behind)["i_weight"]})

    def source(self, name: str, payloads: Sequence[int], gates: Sequence[Gate] = (), beside: Any = None) -> Any:
        """Drive a stream, or write the table; arguments as of `Bench.source`."""
        source: AxiSource | TableSource
        if name == "i_weight":
            offset = self.fields["registers"]["table"]["offset"]
            source = TableSource(self.streams[name], payloads, self._ports.registers, offset)
        else:
            port = self._ports.sources[name]
            self._pauses(port, name)
            source = AxiSource(self.dut, self.streams[name], port, payloads, gates)
        self._axi.append(source)
        return source

    def _sink(
        self, name: str, n_packets: int, receive: Callable[[int, int], None], on_packet: Callable[[], None] | None
    ) -> Any:
        port = self._ports.sinks[name]
        self._pauses(port, name)
        sink = AxiSink(self.dut, self.streams[name], port, n_packets, receive, on_packet)
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
            return await with_timeout(access, CYCLE_STEPS * self.fields["watchdog"], "step")
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
                self._fail_unless_quiet([name for name in self.streams if name != "i_weight"])
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
                base, random.Random(kind).randrange(1 << RAM_ADDRESS_BITS - 13) << 12
            )
        await self._ports.registers.write_dword(self._map["CONTROL"]["offset"], 1)
        for part in self._axi:
            if isinstance(part, TableSource):
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
