"""The engine behind AXI: it wires streams, registers and resets."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, DomainRenamer, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.spec import AttentionSpec
from hamming.rtl.axi.buffer import Buffer
from hamming.rtl.axi.gather import Gather
from hamming.rtl.axi.layout import from_bytes, to_bytes
from hamming.rtl.axi.memory_master import MemoryMaster
from hamming.rtl.axi.ports import axis_name, beat, is_carried, stream_members
from hamming.rtl.axi.register_file import RegisterFile, address_bits, axi_lite
from hamming.rtl.axi.registers import COUNTERS, causes, registers, table
from hamming.rtl.chain import Chain
from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine

__all__ = ["AxiEngine"]

_IN_FLIGHT_BITS = 16


class AxiEngine(wiring.Component):
    """An engine, or several in a chain, with AXI4-Streams, registers behind AXI4-Lite and an interrupt.

    All is on `aclk`, reset by `aresetn` = 0.

    No output depends on an input of the same cycle. A row that was transferred is seen by every query that is
    transferred in a later cycle. Queries, masks and outputs pass at a beat a cycle, 1 cycle later each; rows every
    `fold + 1` cycles. What a reset by register does is said in `docs/design/0008-axi.md`.

    Parameters
    ----------
    spec, config
        As of `Engine`, or of `Chain`.

    Members
    -------
    aclk, aresetn : In(1)
    s_axis_row, s_axis_query, s_axis_mask : tdata, tvalid, tready
        Payloads of `i_row`, `i_query`, `i_mask` in bytes (`rtl.axi.layout`); of a group, a query a beat.
    m_axis_out, m_axis_selected : tdata, tvalid, tready, tlast
        `tlast` ends a query.
    s_axi : AXI4-Lite
        Registers (`rtl.axi.registers`), and the table where it is loadable.
    irq : Out(1)
        High while a cause that is enabled is set.
    m_axi_key, m_axi_value : AXI4, of 64 address bits
        A manager for each memory of requests, where a register says that it lies (`rtl.axi.memory_master`).
    key_read, ... : ports of memories outside, as the engine's
    """

    def __init__(self, spec: AttentionSpec, config: EngineConfig):
        self.spec = spec
        self.config = config
        config.require_module()
        self.engine = Engine(spec, config) if config.n_engines == 1 else Chain(spec, config)
        self.dims = dims = self.engine.dims
        self.file = RegisterFile(registers(dims), table(dims))
        members: dict[str, wiring.Member] = {"aclk": In(1), "aresetn": In(1)}
        members |= axi_lite(address_bits(registers(dims), table(dims)), "s_axi_")
        members["irq"] = Out(1)
        for name, member in self.engine.signature.members.items():
            if is_carried(name):
                members |= stream_members(axis_name(name), member, beat(dims, name, member))
        for kind, word in dims.bus_words.items():
            members |= {
                f"m_axi_{kind}_{name}": member for name, member in MemoryMaster.channels(word.data_bits).items()
            }
        members |= {name: self.engine.signature.members[name] for name in self._ports}
        super().__init__(members)

    @property
    def _ports(self) -> list[str]:
        """Names of the engine's ports of memories outside, which are ours, too."""
        behind_masters = (f"{k}_{way}" for k in self.dims.bus_words for way in ("request", "response", "write"))
        inner = {"i_weight", "table_read", "error", *behind_masters}
        return [name for name in self.engine.signature.members if name not in inner and not is_carried(name)]

    @property
    def modules(self) -> dict[str, wiring.Component]:
        """Components that are instantiated by name, to be emitted beside this one."""
        return getattr(self.engine, "modules", {})

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
        buffers, gathered = self._streams(m, accepts, resets)
        self._others(m)
        is_busy = self._in_flight(m, buffers, gathered)
        masters = self._masters(m)
        self._resets(m, accepts, resets, is_busy, Cat(~master.is_idle for master in masters.values()).any())
        self._errors(m, masters)
        self._counters(m, buffers, is_busy)
        m.d.bus += self.irq.eq(
            Cat(
                getattr(self.file, f"interrupt_enable_{name}") & getattr(self.file, f"interrupt_status_{name}")
                for name in ("done", "error", "reset")
            ).any()
        )
        return m

    def _streams(self, m: Module, accepts: Signal, resets: Signal) -> tuple[dict[str, Buffer], Value]:
        """Put a buffer before each input and behind each output; what an output offers outlives the engine's reset.

        Returned are buffers, and how many queries wait for the others of their group.
        """
        buffers: dict[str, Buffer] = {}
        gathered: Value = Const(0)
        for name, member in self.engine.signature.members.items():
            if not is_carried(name):
                continue
            inner, prefix = getattr(self.engine, name), axis_name(name)
            tdata, tvalid, tready = (getattr(self, f"{prefix}_{part}") for part in ("tdata", "tvalid", "tready"))
            shape = beat(self.dims, name, member)
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
                source = buffer.o
                if name == "i_query" and self.dims.n_queries_a_row > 1:
                    m.submodules.gather = gather = Gather(self.dims)
                    wiring.connect(m, source, gather.i)
                    source, gathered = gather.o, gather.n_held
                wiring.connect(m, source, inner)
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
        return buffers, gathered

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
            read = self.engine.table_read
            m.d.comb += [
                Cat(getattr(read, name) for name in read.signature.members if name in ("index", "table")).eq(
                    self.file.table_index
                ),
                self.file.table_weight.eq(read.data),
                self.file.table_is_free.eq(read.is_free),
            ]
        for name in self._ports:
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(self.engine, name))

    def _masters(self, m: Module) -> dict[str, MemoryMaster]:
        """Put a master before each memory of requests."""
        masters: dict[str, MemoryMaster] = {}
        for kind, word in self.dims.bus_words.items():
            masters[kind] = master = MemoryMaster(self.dims, kind)
            m.submodules[f"{kind}_master"] = DomainRenamer("bus")(master)
            for name, member in MemoryMaster.channels(word.data_bits).items():
                outer, inner = getattr(self, f"m_axi_{kind}_{name}"), getattr(master, name)
                m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
            for way in ("request", "response", "write"):
                wiring.connect(m, getattr(self.engine, f"{kind}_{way}"), getattr(master, way))
            base = (getattr(self.file, f"{kind}_{name}") for name in ("base_page", "base_high_value"))
            m.d.comb += master.page.eq(Cat(base))
        return masters

    def _in_flight(self, m: Module, buffers: dict[str, Buffer], gathered: Value) -> Signal:
        """Count queries from their transfer until their last output beat waits; return whether anything is held.

        Queries of a group that is not whole, `gathered`, are counted, and nothing waits for them.
        """
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
        is_answering = count.any() if self.dims.n_queries_a_row == 1 else count != gathered
        held = [is_answering, buffers["i_row"].o.valid, out.o.valid]
        if self.config.expose_index:
            held += [self.engine.o_selected.valid, buffers["o_selected"].o.valid]
        m.d.comb += is_busy.eq(Cat(held).any())
        return is_busy

    def _resets(self, m: Module, accepts: Signal, resets: Signal, is_busy: Signal, awaits: Value) -> None:
        """Reset the engine when that was asked for: at once, or once nothing is held.

        It lasts a cycle, or until memory has answered what was asked for before, which is forgotten.
        """
        file = self.file
        is_wanted = Signal()
        m.d.comb += [
            accepts.eq(file.control_enable & ~is_wanted & ~resets),
            file.status_resetting.eq(is_wanted | resets),
            file.interrupt_status_reset_set.eq(resets & ~awaits),
        ]
        m.d.bus += resets.eq(resets & awaits)
        with m.If(file.control_reset):
            m.d.bus += is_wanted.eq(1)
        with m.Elif(is_wanted & ~(file.control_drain & is_busy)):
            m.d.bus += [is_wanted.eq(0), resets.eq(1)]

    def _errors(self, m: Module, masters: dict[str, MemoryMaster]) -> None:
        """Pass each cause on once: the engine's bits stay until it is reset."""
        seen = Signal(len(self.engine.error))
        new = Signal(len(causes(self.dims)))
        m.d.sync += seen.eq(self.engine.error)
        m.d.comb += [
            new.eq(Cat(self.engine.error & ~seen, (master.write_error for master in masters.values()))),
            self.file.interrupt_status_error_set.eq(new.any()),
        ]
        for bit, name in enumerate(causes(self.dims)):
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
