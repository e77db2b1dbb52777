"""The register file: AXI4-Lite on one side, fields on the other."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl.axi.registers import Register, Table

__all__ = ["OKAY", "SLVERR", "RegisterFile", "address_bits", "axi_lite", "member_name"]

#: Responses.
OKAY, SLVERR = 0, 2

_ALL_BYTES = 0b1111


def axi_lite(addr_bits: int, prefix: str = "") -> dict[str, wiring.Member]:
    """Return the members of an AXI4-Lite subordinate of 32 bits, each name after `prefix`."""
    members = {
        "awaddr": In(addr_bits),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(32),
        "wstrb": In(4),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(addr_bits),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(32),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }
    return {f"{prefix}{name}": member for name, member in members.items()}


def address_bits(registers: Sequence[Register], table: Table | None) -> int:
    """Return the bits of an address that reaches everything."""
    end = max(one.offset for one in registers) + 4
    if table is not None:
        end = max(end, table.offset + 4 * table.n_words)
    return (end - 1).bit_length()


def member_name(register: Register, field: str) -> str:
    """Return the name of a field's member."""
    return f"{register.name}_{field}".lower()


class RegisterFile(wiring.Component):
    """Registers of 32 bits behind AXI4-Lite.

    A write takes effect once address and data are here, whichever comes first. One that has not all of its bytes
    enabled, that meets no register, or a register of which nothing is to be written, is answered SLVERR and changes
    nothing; so is a read of no register, which reads as 0. A read of the table waits until it is free. The lowest two
    bits of an address are not looked at, nor is its protection.

    * **Throughput**: a write every 3 cycles, a read every 3 cycles, beside each other. No output depends on an input of
      the same cycle.

    Parameters
    ----------
    registers
        What there is.
    table
        Words behind them; None: none.

    Members
    -------
    awaddr, ... rready
        AXI4-Lite.
    REGISTER_FIELD : Out for controls, commands (1 for a cycle) and sticky bits; In for a status
    REGISTER_FIELD_set : In
        Sets a sticky bit, which beats clearing it.
    o_table : Out(stream of index and weight), if there is a table
    table_index : Out, table_weight : In, table_is_free : In(1), if there is a table
        What is read of it: the entry of `table_index`, in a cycle in which it is free.
    """

    def __init__(self, registers: Sequence[Register], table: Table | None):
        self.registers = registers
        self.table = table
        self.addr_bits = address_bits(registers, table)
        members = axi_lite(self.addr_bits)
        for register in registers:
            for field in register.fields:
                name = member_name(register, field.name)
                if field.access == "status":
                    members[name] = In(field.bits)
                elif field.access != "constant":
                    members[name] = Out(field.bits)
                if field.access == "sticky":
                    members[f"{name}_set"] = In(field.bits)
        if table is not None:
            self.index_bits = (table.n_words - 1).bit_length()
            members["o_table"] = Out(stream.Signature(self.index_bits + table.weight_bits))
            members["table_index"] = Out(self.index_bits)
            members["table_weight"] = In(table.weight_bits)
            members["table_is_free"] = In(1)
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _write(self, m: Module) -> None:
        has_addr = Signal()
        has_data = Signal()
        word = Signal(self.addr_bits - 2)
        data = Signal(32)
        strobes = Signal(4)
        m.d.comb += [self.awready.eq(~has_addr), self.wready.eq(~has_data)]
        with m.If(self.awvalid & ~has_addr):
            m.d.sync += [has_addr.eq(1), word.eq(self.awaddr[2:])]
        with m.If(self.wvalid & ~has_data):
            m.d.sync += [has_data.eq(1), data.eq(self.wdata), strobes.eq(self.wstrb)]
        with m.If(self.bvalid & self.bready):
            m.d.sync += self.bvalid.eq(0)

        is_whole = Signal()
        is_known = Signal()
        waits = Signal()
        executes = Signal()
        writes = Signal()
        m.d.comb += [
            is_whole.eq(strobes == _ALL_BYTES),
            executes.eq(has_addr & has_data & ~self.bvalid & ~waits),
            writes.eq(executes & is_whole),
        ]
        with m.If(executes):
            m.d.sync += [
                has_addr.eq(0),
                has_data.eq(0),
                self.bvalid.eq(1),
                self.bresp.eq(SLVERR),
            ]
            with m.If(is_whole & is_known):
                m.d.sync += self.bresp.eq(OKAY)

        self._sticky(m)
        with m.Switch(word):
            for register in self.registers:
                written = [f for f in register.fields if f.access in ("control", "command", "sticky")]
                if not written:
                    continue
                with m.Case(register.offset >> 2):
                    m.d.comb += is_known.eq(1)
                    with m.If(writes):
                        for field in written:
                            self._written(m, register, field, data[field.lsb : field.lsb + field.bits])
        if self.table is not None:
            is_table = self._is_table(word)
            m.d.comb += [
                self.o_table.payload.eq(Cat(word[: self.index_bits], data[: self.table.weight_bits])),
                self.o_table.valid.eq(has_addr & has_data & ~self.bvalid & is_whole & is_table),
                waits.eq(self.o_table.valid & ~self.o_table.ready),
            ]
            with m.If(is_table):
                m.d.comb += is_known.eq(1)

    def _sticky(self, m: Module) -> None:
        """Set sticky bits."""
        for register in self.registers:
            for field in register.fields:
                if field.access == "sticky":
                    value, name = self._field(register, field), member_name(register, field.name)
                    m.d.sync += value.eq(value | getattr(self, f"{name}_set"))

    def _written(self, m: Module, register: Register, field, data) -> None:
        value = self._field(register, field)
        if field.access == "control":
            m.d.sync += value.eq(data)
        elif field.access == "command":
            m.d.comb += value.eq(data)
        else:
            m.d.sync += value.eq(value & ~data | getattr(self, f"{member_name(register, field.name)}_set"))

    def _field(self, register: Register, field) -> Signal:
        return getattr(self, member_name(register, field.name))

    def _is_table(self, word: Value) -> Value:
        """Return whether a word's address is the table's."""
        assert self.table is not None
        return word[self.index_bits :] == self.table.offset >> self.index_bits + 2

    def _read(self, m: Module) -> None:
        has_addr = Signal()
        word = Signal(self.addr_bits - 2)
        waits: Value = Const(0)
        is_table: Value = Const(0)
        if self.table is not None:
            is_table = self._is_table(word)
            waits = is_table & ~self.table_is_free
            m.d.comb += self.table_index.eq(word)
        m.d.comb += self.arready.eq(~has_addr)
        with m.If(self.arvalid & ~has_addr):
            m.d.sync += [has_addr.eq(1), word.eq(self.araddr[2:])]
        with m.If(self.rvalid & self.rready):
            m.d.sync += self.rvalid.eq(0)
        with m.If(has_addr & ~self.rvalid & ~waits):
            m.d.sync += [has_addr.eq(0), self.rvalid.eq(1), self.rdata.eq(0), self.rresp.eq(SLVERR)]
            with m.Switch(word):
                for register in self.registers:
                    with m.Case(register.offset >> 2):
                        m.d.sync += self.rresp.eq(OKAY)
                        for field in register.fields:
                            value = field.init
                            if field.access == "command":
                                continue
                            if field.access != "constant":
                                value = self._field(register, field)
                            m.d.sync += self.rdata[field.lsb : field.lsb + field.bits].eq(value)
            if self.table is not None:
                with m.If(is_table):
                    m.d.sync += [self.rresp.eq(OKAY), self.rdata.eq(self.table_weight)]
