"""The engine behind AXI: it wires streams, registers and resets."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.spec import AttentionSpec
from hamming.rtl.axi.buffer import Buffer
from hamming.rtl.axi.layout import bytes_of, from_bytes, n_bytes, to_bytes
from hamming.rtl.axi.register_file import RegisterFile, address_bits, axi_lite
from hamming.rtl.axi.registers import COUNTERS, registers, table
from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine, errors

__all__ = ["STREAMS", "AxiEngine", "axi_channels", "axi_streams"]

#: Names of the engine's streams and of the AXI4-Streams that carry them.
STREAMS = {
    "i_row": "s_axis_row",
    "i_query": "s_axis_query",
    "i_mask": "s_axis_mask",
    "o_out": "m_axis_out",
    "o_selected": "m_axis_selected",
}

_IN_FLIGHT_BITS = 16


class AxiEngine(wiring.Component):
    """An `Engine` with AXI4-Streams, registers behind AXI4-Lite and an interrupt, on `aclk`, reset by `aresetn` = 0.

    No output depends on an input of the same cycle. A row that was transferred is seen by every query that is
    transferred in a later cycle. Queries, masks and outputs pass at a beat a cycle, 1 cycle later each; rows every
    `fold + 1` cycles. What a reset by register does is said in `docs/design/0008-axi.md`.

    Parameters
    ----------
    spec, config
        As of `Engine`.

    Members
    -------
    aclk, aresetn : In(1)
    s_axis_row, s_axis_query, s_axis_mask : tdata, tvalid, tready
        Payloads of `i_row`, `i_query`, `i_mask` in bytes (`rtl.axi.layout`).
    m_axis_out, m_axis_selected : tdata, tvalid, tready, tlast
        `tlast` ends a query.
    s_axi : AXI4-Lite
        Registers (`rtl.axi.registers`), and the table where it is loadable.
    irq : Out(1)
        High while a cause that is enabled is set.
    key_read, ... : ports of memories outside, as the engine's
    """

    def __init__(self, spec: AttentionSpec, config: EngineConfig):
        self.spec = spec
        self.config = config
        self.engine = Engine(spec, config)
        self.dims = dims = self.engine.dims
        self.file = RegisterFile(registers(dims), table(dims))
        members: dict[str, wiring.Member] = {"aclk": In(1), "aresetn": In(1)}
        members |= axi_lite(address_bits(registers(dims), table(dims)), "s_axi_")
        members["irq"] = Out(1)
        for name, member in self.engine.signature.members.items():
            if name in STREAMS:
                members |= _stream_members(STREAMS[name], member)
            elif name not in ("i_weight", "error"):
                members[name] = member
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        m.domains.sync = ClockDomain("sync")  # the engine's, which a register resets, too
        m.domains.bus = ClockDomain("bus")
        m.submodules.engine = self.engine
        m.submodules.registers = DomainRenamer("bus")(self.file)
        resets = Signal()  # the engine, by register
        m.d.comb += [
            ClockSignal("bus").eq(self.aclk),
            ResetSignal("bus").eq(~self.aresetn),
            ClockSignal("sync").eq(self.aclk),
            ResetSignal("sync").eq(~self.aresetn | resets),
        ]
        for name in axi_lite(1):
            outer, inner = getattr(self, f"s_axi_{name}"), getattr(self.file, name)
            is_input = self.file.signature.members[name].flow == In
            m.d.comb += inner.eq(outer) if is_input else outer.eq(inner)

        accepts = Signal()
        buffers = self._streams(m, accepts, resets)
        self._others(m)
        is_busy = self._in_flight(m, buffers)
        self._resets(m, accepts, resets, is_busy)
        self._errors(m)
        self._counters(m, buffers, is_busy)
        m.d.bus += self.irq.eq(
            Cat(
                getattr(self.file, f"interrupt_enable_{name}") & getattr(self.file, f"interrupt_status_{name}")
                for name in ("done", "error", "reset")
            ).any()
        )
        return m

    def _streams(self, m: Module, accepts: Signal, resets: Signal) -> dict[str, Buffer]:
        """Put a buffer before each input and behind each output; what an output offers outlives the engine's reset."""
        buffers: dict[str, Buffer] = {}
        for name, member in self.engine.signature.members.items():
            if name not in STREAMS:
                continue
            inner, prefix = getattr(self.engine, name), STREAMS[name]
            tdata, tvalid, tready = (getattr(self, f"{prefix}_{part}") for part in ("tdata", "tvalid", "tready"))
            shape = member.signature.members["payload"].shape
            # A row is wide, and takes `fold` cycles anyway.
            buffers[name] = buffer = Buffer(shape, depth=1 if name == "i_row" else 2)
            if member.flow == In:
                m.submodules[f"{name}_buffer"] = buffer
                m.d.comb += [
                    from_bytes(buffer.i.payload, tdata),
                    buffer.i.valid.eq(tvalid),
                    tready.eq(buffer.i.ready),
                    buffer.accepts.eq(accepts),
                ]
                wiring.connect(m, buffer.o, inner)
            else:
                m.submodules[f"{name}_buffer"] = DomainRenamer("bus")(buffer)
                m.d.comb += [
                    buffer.i.payload.eq(inner.payload),
                    buffer.i.valid.eq(inner.valid & ~resets),
                    inner.ready.eq(buffer.i.ready),
                    to_bytes(buffer.o.payload, tdata),
                    getattr(self, f"{prefix}_tlast").eq(buffer.o.payload.last),
                    tvalid.eq(buffer.o.valid),
                    buffer.o.ready.eq(tready),
                ]
        # No query overtakes a row.
        m.d.comb += buffers["i_query"].accepts.eq(accepts & ~buffers["i_row"].o.valid)
        return buffers

    def _others(self, m: Module) -> None:
        """Connect the table to its window, and ports of memories to ours."""
        if self.config.table == "loadable":
            source, sink = self.file.o_table, self.engine.i_weight
            index_bits = len(sink.payload.index)
            m.d.comb += [
                sink.valid.eq(source.valid),
                source.ready.eq(sink.ready),
                sink.payload.index.eq(source.payload[:index_bits]),
                sink.payload.weight.eq(source.payload[self.file.index_bits :]),
            ]
            if "table" in sink.payload.shape().members:
                m.d.comb += sink.payload.table.eq(source.payload[index_bits : self.file.index_bits])
        for name in self.engine.signature.members:
            if name not in (*STREAMS, "i_weight", "error"):
                wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(self.engine, name))

    def _in_flight(self, m: Module, buffers: dict[str, Buffer]) -> Signal:
        """Count queries from their transfer until their last output beat waits; return whether anything is held."""
        count = Signal(_IN_FLIGHT_BITS)
        is_busy = Signal()
        begins = Signal()
        ends = Signal()
        query, out = buffers["i_query"], buffers["o_out"]
        m.d.comb += [
            begins.eq(query.i.valid & query.i.ready),
            ends.eq(out.i.valid & out.i.ready & out.i.payload.last),
            self.file.status_in_flight.eq(count),
            self.file.status_busy.eq(is_busy),
        ]
        m.d.sync += count.eq(count + begins - ends)
        held = [count.any(), buffers["i_row"].o.valid, out.o.valid]
        if self.config.expose_index:
            held += [self.engine.o_selected.valid, buffers["o_selected"].o.valid]
        m.d.comb += is_busy.eq(Cat(held).any())
        return is_busy

    def _resets(self, m: Module, accepts: Signal, resets: Signal, is_busy: Signal) -> None:
        """Reset the engine for a cycle when that was asked for: at once, or once nothing is held."""
        file = self.file
        is_wanted = Signal()
        m.d.comb += [
            accepts.eq(file.control_enable & ~is_wanted & ~resets),
            file.status_resetting.eq(is_wanted | resets),
            file.interrupt_status_reset_set.eq(resets),
        ]
        m.d.bus += resets.eq(0)
        with m.If(file.control_reset):
            m.d.bus += is_wanted.eq(1)
        with m.Elif(is_wanted & ~(file.control_drain & is_busy)):
            m.d.bus += [is_wanted.eq(0), resets.eq(1)]

    def _errors(self, m: Module) -> None:
        """Pass each cause on once: the engine's bits stay until it is reset."""
        causes = errors(self.dims)
        seen = Signal(len(causes))
        new = Signal(len(causes))
        m.d.sync += seen.eq(self.engine.error)
        m.d.comb += [new.eq(self.engine.error & ~seen), self.file.interrupt_status_error_set.eq(new.any())]
        for bit, name in enumerate(causes):
            m.d.comb += getattr(self.file, f"error_{name}_set").eq(new[bit])

    def _counters(self, m: Module, buffers: dict[str, Buffer], is_busy: Signal) -> None:
        """Count; and say when a query is done."""
        query, row, out = buffers["i_query"].i, buffers["i_row"].o, buffers["o_out"].o
        done = self.file.interrupt_status_done_set
        m.d.comb += done.eq(out.valid & out.ready & out.payload.last)
        events = {
            "queries": done,
            "rows": row.valid & row.ready,
            "busy_cycles": is_busy,
            "stall_query": query.valid & ~query.ready,
            "stall_row": buffers["i_row"].i.valid & ~buffers["i_row"].i.ready,
            "stall_out": out.valid & ~out.ready,
            "stall_selected": 0,
        }
        if self.config.expose_index:
            selected = buffers["o_selected"].o
            events["stall_selected"] = selected.valid & ~selected.ready
        for name in COUNTERS:
            count = Signal(32, name=name)
            m.d.bus += count.eq(count + events[name])
            with m.If(self.file.control_clear):
                m.d.bus += count.eq(0)
            m.d.comb += getattr(self.file, f"{name}_value").eq(count)


def _stream_members(prefix: str, member: wiring.Member) -> dict[str, wiring.Member]:
    """Return the members of the AXI4-Stream that carries a stream."""
    into, back = (In, Out) if member.flow == In else (Out, In)
    members = {
        f"{prefix}_tdata": into(8 * n_bytes(member.signature.members["payload"].shape)),
        f"{prefix}_tvalid": into(1),
        f"{prefix}_tready": back(1),
    }
    return members | ({f"{prefix}_tlast": Out(1)} if member.flow == Out else {})


def axi_streams(engine: AxiEngine) -> dict[str, dict[str, Any]]:
    """Return the AXI4-Streams by the names of the engine's streams, as `rtl.manifest.streams` does.

    Fields lie in TDATA; an output has the port `last`, too. There is the C struct of a beat.
    """
    result = {}
    for name, member in engine.engine.signature.members.items():
        if name not in STREAMS:
            continue
        prefix, shape = STREAMS[name], member.signature.members["payload"].shape
        fields = bytes_of(shape)
        result[name] = {
            "direction": "input" if member.flow == In else "output",
            "valid": f"{prefix}_tvalid",
            "ready": f"{prefix}_tready",
            "payload": f"{prefix}_tdata",
            **({"last": f"{prefix}_tlast"} if member.flow == Out else {}),
            "bits": 8 * n_bytes(shape),
            "fields": [field.to_dict() for field in fields],
            "c_struct": " ".join(field.c_declaration() for field in fields),
        }
    return result


def axi_channels(engine: AxiEngine) -> dict[str, dict[str, Any]]:
    """Return the channels of the AXI4-Lite port by name: direction and ports."""
    payloads = {
        "aw": ("input", ["awaddr", "awprot"]),
        "w": ("input", ["wdata", "wstrb"]),
        "b": ("output", ["bresp"]),
        "ar": ("input", ["araddr", "arprot"]),
        "r": ("output", ["rdata", "rresp"]),
    }
    bits = {name: len(getattr(engine, f"s_axi_{name}")) for _, names in payloads.values() for name in names}
    return {
        f"s_axi_{channel}": {
            "direction": direction,
            "valid": f"s_axi_{channel}valid",
            "ready": f"s_axi_{channel}ready",
            "payload": [f"s_axi_{name}" for name in names],
            "bits": sum(bits[name] for name in names),
        }
        for channel, (direction, names) in payloads.items()
    }
