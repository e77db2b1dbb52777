"""Reading in the second half of the histogram selector: a query's groups of levels, one after the other."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from hamming.rtl.dimensions import Dimensions
from hamming.rtl.memory import DualPortMemory

__all__ = ["AheadReader", "GroupReader"]


class GroupReader:
    """Reads the groups of a query that is handed over, each when the one before has moved on.

    The memory holds a group out until the next one is read. Reading goes on to the next query while the last group of
    this one still gives keys.

    Attributes
    ----------
    cut
        The cut of the query that is read.
    is_new
        The query that is read has moved no group on.
    is_read, group
        A group is held out; its number.
    moves
        It moves on.
    has_group, ends_group, ends_scan
        To be assigned: there is a group that has moved on, it gives its last key, it gives its query's last.
    lets_next
        To be assigned where `Dimensions.has_chains`: `(~has_group | ends_group) & (is_new | ~ends_scan)`.
    is_over
        All of the query has been read, and has moved on.
    """

    def __init__(self, dims: Dimensions, cut: Mapping[str, Value], next_group: Signal):
        self.dims = dims
        self.n_groups = dims.scan_groups(dims.spec.n_keys)
        self.found_cut = cut
        self.next_group = next_group
        self.cut = {name: Signal.like(value, name=f"read_{name}", reset_less=True) for name, value in cut.items()}
        self.is_new = Signal(name="is_new")
        self.is_read = Signal(name="is_read")
        self.reads = Signal(name="reads")
        self.moves = Signal(name="moves")
        self.this_group = Signal(range(max(2, self.n_groups)), name="this_group")
        self.group = Signal.like(self.this_group, name="read_group", reset_less=True)
        self.has_group = Signal(name="has_group")
        self.ends_group = Signal(name="ends_group")
        self.ends_scan = Signal(name="ends_scan")
        self.lets_next = Signal(name="lets_next")
        self.is_over: Value = (next_group == self.n_groups) & ~self.is_read

    def read(
        self, m: Module, scores: DualPortMemory, is_complete: Value, handed_over: Signal, scan_bank: Signal
    ) -> None:
        """Take queries as they are complete, and read them; `next_group` is the number of groups when none is left."""
        this_group, next_group, n_groups = self.this_group, self.next_group, self.n_groups
        if self.dims.n_stored == 2:
            bank, next_bank = scan_bank ^ handed_over, ~scan_bank
        else:
            bank, next_bank = (scan_bank + handed_over)[: len(scan_bank)], scan_bank + 1
        m.d.comb += [
            self.moves.eq(self.is_read & (~self.has_group | self.ends_group) & (self.is_new | ~self.ends_scan)),
            handed_over.eq(is_complete & (next_group == n_groups) & ~self.is_read),
            self.reads.eq(handed_over | ((next_group != n_groups) & (~self.is_read | self.moves))),
            this_group.eq(Mux(handed_over, 0, next_group)),
            scores.read.addr.eq(Cat(bank, this_group)),
            scores.read.en.eq(self.reads),
        ]
        with m.If(self.reads | self.moves):
            m.d.sync += self.is_read.eq(self.reads)
        with m.If(self.reads):
            m.d.sync += [self.group.eq(this_group), next_group.eq(this_group + 1)]
        with m.If(self.moves):
            m.d.sync += self.is_new.eq(0)
        with m.If(handed_over):
            m.d.sync += [self.is_new.eq(1), scan_bank.eq(next_bank)]
            m.d.sync += [self.cut[name].eq(value) for name, value in self.found_cut.items()]
        with m.Elif(self.ends_scan & ~self.is_new):  # the query's other groups have nothing
            m.d.sync += [self.is_read.eq(0), next_group.eq(n_groups)]


class AheadReader(GroupReader):
    """The same, with what is read next in registers: once all of a query is read, the first group of the next one.

    A query's first group waits a cycle for its cut, which is found meanwhile (`Dimensions.cut_stages`).
    """

    def __init__(self, dims: Dimensions, cut: Mapping[str, Value], next_group: Signal):
        super().__init__(dims, cut, next_group)
        self.has_more = Signal(name="has_more")  # groups of the query that is read
        self.is_over = ~self.has_more & ~self.is_read

    def read(
        self, m: Module, scores: DualPortMemory, is_complete: Value, handed_over: Signal, scan_bank: Signal
    ) -> None:
        """Take queries as they are complete, and read them."""
        has_more, next_group = self.has_more, self.next_group
        next_bank = Signal.like(scan_bank, name="next_bank", init=0)
        ends_bank = Signal()
        waits = Signal()  # for the cut
        cut_is_here: Value = handed_over
        if self.dims.cut_stages:
            m.d.sync += waits.eq(handed_over)
            cut_is_here = waits
        m.d.comb += [
            self.moves.eq(
                self.is_read & ~waits & self.lets_next
                if self.dims.has_chains
                else self.is_read & ~waits & (~self.has_group | self.ends_group) & (self.is_new | ~self.ends_scan)
            ),
            handed_over.eq(is_complete & self.is_over),
            self.reads.eq(handed_over | (has_more & (~self.is_read | self.moves))),
            ends_bank.eq(next_group == self.n_groups - 1),
            scores.read.addr.eq(Cat(next_bank, next_group)),
            scores.read.en.eq(self.reads),
        ]
        with m.If(self.reads | self.moves):
            m.d.sync += self.is_read.eq(self.reads)
        with m.If(self.reads):
            m.d.sync += [
                self.group.eq(next_group),
                next_group.eq(Mux(ends_bank, 0, next_group + 1)),
                next_bank.eq(next_bank + ends_bank),
                has_more.eq(~ends_bank),
            ]
        with m.If(self.moves):
            m.d.sync += self.is_new.eq(0)
        with m.If(handed_over):
            m.d.sync += [self.is_new.eq(1), scan_bank.eq(next_bank)]
        with m.Elif(self.ends_scan & ~self.is_new):  # the query's other groups have nothing
            m.d.sync += [self.is_read.eq(0), has_more.eq(0), next_group.eq(0), next_bank.eq(next_bank + has_more)]
        with m.If(cut_is_here):
            m.d.sync += [self.cut[name].eq(value) for name, value in self.found_cut.items()]
