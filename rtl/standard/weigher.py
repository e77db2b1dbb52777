"""Second pass of the baseline: stored scores become weights, and weights and values become sums."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.standard import StandardSpec
from hamming.rtl.memory import ReadPort
from hamming.rtl.standard import payload
from hamming.rtl.standard.column import carry_places
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.scorer import score_port, scored_query
from hamming.rtl.standard.sums import WeightSums

__all__ = ["Weigher", "held_bits", "shared_sums"]


def held_bits(design: StandardDesign) -> int:
    """Return the bits of a column's sum, as it is held for division."""
    spec = design.spec
    if isinstance(spec, StandardSpec):
        return spec.acc_bits + len(carry_places(spec.acc_bits))
    return design.n_sums * spec.value_bits


def shared_sums(design: StandardDesign) -> dict[str, int]:
    """Return the sums that division needs beside the columns', and their bits."""
    spec = design.spec
    if isinstance(spec, StandardSpec):
        return {"weight_sum": spec.weight_sum_bits, "offset": spec.acc_bits}
    return {"weight_sum": held_bits(design), "present": design.n_sums}


class Weigher(wiring.Component):
    """Weighs a query's keys by their distance from its maximum, and sums weights, and values by weight.

    * **Latency**: `weigh_stages + sum_stages + 2` cycles from a query's last read of scores to the offer of its sums.
    * **Throughput**: a row of `n_lanes` keys a cycle, without a gap within a query, also from one query to the next.
    * A stall (sums not taken when the last row is in) holds all stages.

    Parameters
    ----------
    design
        Sizes.
    lane, column
        Names of the Verilog modules of `WeightLane` and `ValueColumn`.

    Members
    -------
    i : In(stream of scored_query)
    scores, values : Out(ReadPort)
    o_valid : Out(1)
        A query's sums are there.
    o_ready : In(1)
        With `o_valid`: each column copies its sum into `held`.
    is_empty : Out(1)
        With `o_valid`: the query sees no key.
    weight_sum, offset : Out
        In the cycle after the transfer: the sum of weights, and what a column's sum is to be taken from.
    held : Out(d_value sums, as of ValueColumn.held)
    """

    #: Registers of the columns behind the value memory.
    value_registers: ClassVar[int] = 0

    i: stream.Interface
    scores: wiring.PureInterface
    values: wiring.PureInterface
    o_valid: Signal
    o_ready: Signal
    weight_sum: Signal
    offset: Signal
    is_empty: Signal
    held: Signal

    def __init__(self, design: StandardDesign, *, lane: str, column: str):
        self.design = design
        self.lane = lane
        self.column = column
        spec = design.spec
        port = score_port(design)
        super().__init__(
            {
                "i": In(stream.Signature(scored_query(design))),
                "scores": Out(ReadPort(depth=port.depth, width=port.width)),
                "values": Out(payload.read_port(design, spec.d_value)),
                "o_valid": Out(1),
                "o_ready": In(1),
                "is_empty": Out(1),
                "held": Out(spec.d_value * held_bits(design)),
                **{name: Out(bits) for name, bits in shared_sums(design).items()},
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        design, spec = self.design, self.design.spec
        go = Signal()

        # Stage 0: a row of scores is read. A query is taken with its first one.
        rows_left = Signal.like(self.i.p.last_row)
        is_first = Signal()
        read = Signal()
        is_last = Signal()
        address = Signal(range(design.score_rows))
        maximum = Signal(spec.level_bits, reset_less=True)
        is_empty_1 = Signal(reset_less=True)
        m.d.comb += [
            is_first.eq(rows_left == 0),
            read.eq(go & (~is_first | self.i.valid)),
            is_last.eq(Mux(is_first, self.i.p.last_row == 0, rows_left == 1)),
            self.i.ready.eq(go & is_first),
            self.scores.addr.eq(address),
            self.scores.en.eq(read),
        ]
        with m.If(read):
            m.d.sync += [
                rows_left.eq(Mux(is_first, self.i.p.last_row, rows_left - 1)),
                address.eq(Mux(address == design.score_rows - 1, 0, address + 1)),
            ]
            with m.If(is_first):
                m.d.sync += [maximum.eq(self.i.p.maximum), is_empty_1.eq(self.i.p.is_empty)]

        def follow(name: str, value: Value, first: int, last: int) -> list[Value]:
            stages: list[Value] = [value] * first
            for stage in range(first, last + 1):
                register = Signal(name=f"{name}_{stage}")
                with m.If(go):
                    m.d.sync += register.eq(stages[-1])
                stages.append(register)
            return stages

        # Weights are there in stage `weighed + 1`, with their values; sums grow in stage `summed`.
        weighed = design.weigh_stages
        summed = weighed + design.sum_stages
        valid = follow("valid", read, 1, summed + 1)
        last = follow("last", is_last & read, 1, summed + 1)
        is_empty = follow("is_empty", is_empty_1, 2, summed + 1)
        enable = [go & stage for stage in valid]

        row = Signal(self.values.addr.shape())
        fetch = weighed - self.value_registers
        m.d.comb += [self.values.addr.eq(row), self.values.en.eq(enable[fetch])]
        with m.If(enable[fetch]):
            m.d.sync += row.eq(Mux(last[fetch], 0, row + 1))

        # The next query's first row begins sums anew.
        restarts = {stage: Signal(init=1, name=f"restart_{stage}") for stage in self._restart_stages()}
        for stage, restart in restarts.items():
            with m.If(enable[stage]):
                m.d.sync += restart.eq(last[stage])
        # Of a query's last rows, each ends a partial sum.
        load = Signal()
        is_ending: Value = self.o_valid
        if design.n_sums > 1:
            is_ending = valid[summed + 1] & Cat(last[summed + 2 - design.n_sums :]).any()
        m.d.comb += [
            self.o_valid.eq(last[summed + 1]),
            self.is_empty.eq(is_empty[summed + 1]),
            load.eq(is_ending & self.o_ready),
            go.eq(~is_ending | self.o_ready),
        ]
        weights = self._weigh(m, maximum, enable)
        self._sum(m, weights, enable, last, restarts, load)
        return m

    def _restart_stages(self) -> tuple[int, ...]:
        """Return the stages in which it is to be known whether a row is its query's first."""
        summed = self.design.weigh_stages + self.design.sum_stages
        return (self.design.weigh_stages + 1, summed, summed + 1)

    def _weigh(self, m: Module, maximum: Signal, enable: list[Value]) -> dict[str, Signal]:
        """Return the weights' digits, as the columns take them, in stage 3."""
        design, spec = self.design, self.design.spec
        n_lanes = design.n_lanes
        # Stages 1 and 2: weights.
        levels, takes_part = self.scores.data[:-n_lanes], self.scores.data[-n_lanes:]
        lines = {"one": spec.n_digits, "two": spec.n_digits, "negative": spec.n_digits - 1}
        of_lanes = {name: [Signal(n, name=f"{name}_{lane}") for lane in range(n_lanes)] for name, n in lines.items()}
        for lane in range(n_lanes):
            m.submodules[f"lane_{lane}"] = Instance(
                self.lane,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_level=levels.word_select(lane, spec.level_bits),
                i_maximum=maximum,
                i_takes_part=takes_part[lane],
                i_enable=Cat(enable[1], enable[2]),
                **{f"o_{name}": signals[lane] for name, signals in of_lanes.items()},
            )
        digits = {name: Signal(n * n_lanes, name=name) for name, n in lines.items()}
        for name, n_digits in lines.items():
            m.d.comb += digits[name].eq(Cat(word[n] for n in range(n_digits) for word in of_lanes[name]))
        return digits

    def _sum(
        self,
        m: Module,
        weights: dict[str, Signal],
        enable: list[Value],
        last: list[Value],
        restarts: dict[int, Signal],
        load: Signal,
    ) -> None:
        """Sum over stages from 3 on."""
        design, spec = self.design, self.design.spec
        m.submodules.sums = sums = WeightSums(design)
        m.d.comb += [getattr(sums, name).eq(word) for name, word in weights.items()]
        m.d.comb += [
            sums.enable.eq(Cat(enable[stage] for stage in (3, 4, 5))),
            sums.restart.eq(restarts[5]),
            self.weight_sum.eq(sums.weight_sum),
            self.offset.eq(sums.offset),
        ]
        bits = spec.element_bits
        for n in range(spec.d_value):
            words = (self.values.data.word_select(lane * spec.d_value + n, bits) for lane in range(design.n_lanes))
            m.submodules[f"column_{n}"] = Instance(
                self.column,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_values=Cat(words),
                i_enable=Cat(enable[3], enable[4]),
                i_restart=restarts[3],
                i_load=load,
                o_held=self.held.word_select(n, held_bits(self.design)),
                **{f"i_{name}": word for name, word in weights.items()},
            )
