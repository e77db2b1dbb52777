"""First pass of the baseline: a query against every key that it sees, a row of keys a cycle, and the row maximum."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Mux, ResetSignal, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hamming.golden.standard import StandardSpec
from hamming.golden.standard.bf16 import Bf16Spec
from hamming.rtl.memory import WritePort
from hamming.rtl.standard import payload
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.rows import digit_lines

__all__ = ["Scorer", "query_bits", "score_port", "scored_query"]

#: Lanes that one register of the query drives. More load would take more of a cycle than the key memory does.
LANES_A_REGISTER = 8


def query_bits(design: StandardDesign) -> int:
    """Return the bits of a query as the lanes take it."""
    spec = design.spec
    return (3 * spec.n_digits if isinstance(spec, StandardSpec) else spec.element_bits) * spec.d_head


def scored_query(design: StandardDesign) -> StructLayout:
    """A query whose rows of scores are stored: its maximum, the number of its last row, and whether it sees no key."""
    return StructLayout(
        {
            "maximum": unsigned(design.spec.level_bits),
            "last_row": unsigned(max(1, (design.n_rows - 1).bit_length())),
            "is_empty": unsigned(1),
        }
    )


def score_port(design: StandardDesign) -> WritePort:
    """Port by which rows of scores are written."""
    width = payload.score_row(design).size
    return WritePort(depth=design.score_rows, width=width, granularity=width)


class Scorer(wiring.Component):
    """Scores a query's keys, stores their levels, and hands on the query's maximum when all are stored.

    The score memory is a queue of rows, which holds more than a query's rows, so that the next query is scored while
    this one is weighed.

    * **Latency**: `score_stages + log2(n_lanes) + 3` cycles from the read of a query's last row of keys to its offer.
    * **Throughput**: a row of `n_lanes` keys a cycle, also from one query to the next.
    * A stall (no room for a row of scores, or a maximum not taken when the next one is there) holds all stages.

    Parameters
    ----------
    design
        Sizes.
    lane
        Name of the Verilog module of `ScoreLane`, or `Bf16ScoreLane`.
    register
        Name of the Verilog module of `Register`, of `query_bits`.

    Members
    -------
    i : In(stream of payload.query)
        Transferred with the read of its last row; in bfloat16 a cycle later, if that is its first. `n_valid` above
        `n_keys` is not allowed.
    keys : Out(ReadPort)
    scores : Out(WritePort)
    has_read : In(1)
        A row of scores is being read, and makes room.
    o : Out(stream of scored_query)
    """

    i: stream.Interface
    o: stream.Interface
    keys: wiring.PureInterface
    scores: wiring.PureInterface
    has_read: Signal

    def __init__(self, design: StandardDesign, *, lane: str, register: str):
        self.design = design
        self.lane = lane
        self.register = register
        super().__init__(
            {
                "i": In(stream.Signature(payload.query(design))),
                "keys": Out(payload.read_port(design, design.spec.d_head)),
                "scores": Out(score_port(design)),
                "has_read": In(1),
                "o": Out(stream.Signature(scored_query(design))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        design, spec = self.design, self.design.spec
        n_lanes, level_bits = design.n_lanes, spec.level_bits

        go = Signal()
        read = Signal()
        is_last = Signal()
        has_room = Signal()
        lines = self._read(m, go, read, is_last)

        def follow(name: str, value: Value, first: int, last: int) -> list[Value]:
            """Return `value`, of stage `first - 1`, in the stages `first` to `last`, under their numbers."""
            stages: list[Value] = [value] * first
            for stage in range(first, last + 1):
                register = Signal(len(value), name=f"{name}_{stage}", reset_less=name != "valid")
                with m.If(go):
                    m.d.sync += register.eq(stages[-1])
                stages.append(register)
            return stages

        # A row's levels are there in stage `scored`, its maximum a cycle for each round of comparisons later.
        n_stages = design.score_stages
        scored = n_stages + 1
        best_stage = scored + design.lane_bits
        valid = follow("valid", read, 1, best_stage)
        last = follow("last", is_last, 1, best_stage)
        here = Signal(n_lanes.bit_length())  # keys of this row that the query sees
        m.d.comb += here.eq(Mux(self._remaining > n_lanes, n_lanes, self._remaining))
        n_here = follow("n_here", here, 1, n_stages)
        seen = Signal(n_lanes)
        m.d.comb += seen.eq(Cat(n_here[n_stages] > lane for lane in range(n_lanes)))
        takes_part = follow("takes_part", seen, scored, scored)[scored]
        is_empty = follow("is_empty", ~takes_part[0], scored + 1, best_stage)[best_stage]

        # The dot products.
        levels = [Signal(level_bits, name=f"level_{lane}") for lane in range(n_lanes)]
        enables = Signal(n_stages)
        m.d.comb += enables.eq(Cat(go & valid[stage] for stage in range(1, n_stages + 1)))
        for lane, level in enumerate(levels):
            m.submodules[f"lane_{lane}"] = Instance(
                self.lane,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_key=self.keys.data.word_select(lane, spec.element_bits * spec.d_head),
                i_enable=enables,
                o_level=level,
                **{f"i_{name}": value for name, value in lines[lane // LANES_A_REGISTER].items()},
            )

        # Rows are stored.
        count = Signal(range(design.score_rows + 1))
        row = Signal(range(design.score_rows))
        stored = Signal()
        m.d.comb += [
            has_room.eq(count != design.score_rows),
            stored.eq(valid[scored] & go),
            self.scores.addr.eq(row),
            self.scores.data.eq(Cat(*levels, takes_part)),
            self.scores.en.eq(stored),
        ]
        with m.If(stored):
            m.d.sync += row.eq(Mux(row == design.score_rows - 1, 0, row + 1))
        has_read = Signal()
        m.d.sync += has_read.eq(self.has_read)
        with m.If(stored != has_read):
            m.d.sync += count.eq(Mux(stored, count + 1, count - 1))

        # The maximum over lanes, a round a stage, then over rows.
        masked = [Signal(level_bits, name=f"masked_{lane}") for lane in range(n_lanes)]
        m.d.comb += [
            signal.eq(level & bit.replicate(level_bits))
            for signal, level, bit in zip(masked, levels, takes_part, strict=True)
        ]
        values: Sequence[Value] = masked
        for stage in range(scored + 1, best_stage + 1):
            pairs = zip(values[::2], values[1::2], strict=True)
            registers = []
            for n, (a, b) in enumerate(pairs):
                register = Signal(level_bits, name=f"maximum_{stage}_{n}", reset_less=True)
                with m.If(go & valid[stage - 1]):
                    m.d.sync += register.eq(Mux(a < b, b, a))
                registers.append(register)
            values = registers
        best = Signal(level_bits, reset_less=True)
        so_far = Signal(level_bits)
        rows_before = Signal(range(max(2, design.n_rows)))
        m.d.comb += so_far.eq(Mux((rows_before == 0) | (best < values[0]), values[0], best))
        result = Signal(scored_query(design), reset_less=True)
        m.d.comb += [
            self.o.p.eq(result),
            go.eq(~((valid[scored] & ~has_room) | (valid[-1] & last[-1] & self.o.valid))),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(go & valid[-1]):
            m.d.sync += [best.eq(so_far), rows_before.eq(Mux(last[-1], 0, rows_before + 1))]
            with m.If(last[-1]):
                m.d.sync += [
                    self.o.valid.eq(1),
                    result.maximum.eq(so_far),
                    result.last_row.eq(rows_before),
                    result.is_empty.eq(is_empty),
                ]
        return m

    def _read(self, m: Module, go: Signal, read: Signal, is_last: Signal) -> list[dict[str, Value]]:
        """Walk a query over its rows of keys; return it as the lanes take it, one for each few of them."""
        design, spec = self.design, self.design.spec
        row = Signal(self.keys.addr.shape())
        self._remaining = remaining = Signal(spec.n_valid_bits)  # keys from this row on
        after_first = Signal(spec.n_valid_bits, reset_less=True)
        may_read, ready, takes_query = self.i.valid & go, go & is_last, read & (row == 0)
        if isinstance(spec, Bf16Spec):
            # Lanes have a register behind the memory, so the query is registered a cycle later: one of a single row
            # stays for another cycle.
            is_new = Signal()
            stays = Signal()
            with m.If(go):
                m.d.sync += [is_new.eq(takes_query), stays.eq(takes_query & is_last)]
            may_read, ready, takes_query = may_read & ~stays, go & Mux(row == 0, stays, is_last), go & is_new
        m.d.comb += [
            remaining.eq(Mux(row == 0, self.i.p.n_valid, after_first)),
            is_last.eq(remaining <= design.n_lanes),
            read.eq(may_read),
            self.i.ready.eq(ready),
            self.keys.addr.eq(row),
            self.keys.en.eq(read),
        ]
        with m.If(read):
            m.d.sync += [row.eq(Mux(is_last, 0, row + 1)), after_first.eq(remaining - design.n_lanes)]

        # Registers, one for a few lanes each, of what all lanes take.
        if isinstance(spec, StandardSpec):
            numbers = [self.i.p.query[i] for i in range(spec.d_head)]
            parts = {name: Cat(words) for name, words in digit_lines(m, numbers, "query", spec.n_digits).items()}
        else:
            parts = {"query": self.i.p.query.as_value()}
        registers = []
        for n in range(-(-design.n_lanes // LANES_A_REGISTER)):
            held = Signal(query_bits(design), name=f"query_{n}")
            m.submodules[f"query_register_{n}"] = Instance(
                self.register,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_i=Cat(parts.values()),
                i_enable=takes_query,
                o_o=held,
            )
            starts = [0, *accumulate(len(part) for part in parts.values())]
            registers.append({name: held[a:b] for name, (a, b) in zip(parts, pairwise(starts), strict=True)})
            if isinstance(spec, StandardSpec):
                registers[n]["positive"] = ~registers[n]["negative"][-spec.d_head :]
        return registers
