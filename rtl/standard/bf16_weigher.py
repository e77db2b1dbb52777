"""Second pass of the baseline in bfloat16."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, ResetSignal, Signal, Value

from hamming.rtl.standard.bf16 import Bf16Adder
from hamming.rtl.standard.bf16_lanes import score_of
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.weigher import Weigher

__all__ = ["Bf16Weigher"]

_ONE = 0x3F80
#: Columns that one register of the weights drives. More load would take too much of a cycle.
_COLUMNS_A_REGISTER = 8


class Bf16Weigher(Weigher):
    """As `Weigher`, in bfloat16: lanes give weights, and a further column, of ones, sums them.

    Its lane and column are `Bf16WeightLane` and `Bf16ValueColumn`, and `register` is a `Register` of a row of weights.
    Weights have a register more, one for a few columns. A column's sum is `n_sums` partial sums, which the
    query's last rows leave, one in each cycle: the first of them waits until `o_ready`, which is to stay until
    `o_valid`. There is no `offset`, but

    present : Out(n_sums)
        In the cycle after the transfer: which partial sums the query has. It has fewer than `n_sums` rows where one is
        missing.
    """

    value_registers = 1

    present: Signal

    def __init__(self, design: StandardDesign, *, lane: str, column: str, register: str):
        super().__init__(design, lane=lane, column=column)
        self.register = register

    def _restart_stages(self) -> tuple[int, ...]:
        summed = self.design.weigh_stages + self.design.sum_stages
        return (summed - Bf16Adder.latency, summed + 1)

    def _weigh(self, m: Module, maximum: Signal, enable: list[Value]) -> dict[str, Signal]:
        design = self.design
        n_lanes = design.n_lanes
        levels, takes_part = self.scores.data[:-n_lanes], self.scores.data[-n_lanes:]
        weights = Signal(16 * n_lanes)
        best = Signal(16, reset_less=True)
        with m.If(enable[1]):
            m.d.sync += best.eq(score_of(maximum))
        for lane in range(n_lanes):
            m.submodules[f"lane_{lane}"] = Instance(
                self.lane,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_level=levels.word_select(lane, 16),
                i_best=best,
                i_takes_part=takes_part[lane],
                i_enable=Cat(enable[1 : design.weigh_stages]),
                o_weight=weights.word_select(lane, 16),
            )
        registers = {}
        for n in range(design.spec.d_value // _COLUMNS_A_REGISTER + 1):
            registers[f"weights_{n}"] = held = Signal(len(weights), name=f"weights_{n}")
            m.submodules[f"weight_register_{n}"] = Instance(
                self.register,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_i=weights,
                i_enable=enable[design.weigh_stages],
                o_o=held,
            )
        return registers

    def _sum(
        self,
        m: Module,
        weights: dict[str, Signal],
        enable: list[Value],
        last: list[Value],
        restarts: dict[int, Signal],
        load: Signal,
    ) -> None:
        design = self.design
        n_lanes, d_value, n_sums = design.n_lanes, design.spec.d_value, design.n_sums
        adding, summed = self._restart_stages()

        # A query's first rows begin the partial sums.
        begins = Signal(n_sums - 1)  # whether the row, or one of those before it, is its query's first
        restart = Signal(init=1)
        m.d.comb += begins[0].eq(restarts[adding])
        for n in range(1, n_sums - 1):
            later = Signal(name=f"was_first_{n}")
            with m.If(enable[adding]):
                m.d.sync += later.eq(begins[n - 1])
            m.d.comb += begins[n].eq(later)
        with m.If(enable[adding]):
            m.d.sync += restart.eq(last[adding] | begins.any())

        # Rows leave their sums in turn.
        turn = Signal(n_sums, init=1)
        with m.If(enable[summed]):
            m.d.sync += turn.eq(Mux(last[summed], 1, turn.rotate_left(1)))
        with m.If(load):
            m.d.sync += self.present.eq(turn | Mux(restarts[summed], 0, self.present))

        def column(n: int, name: str, values: Value, held: Value) -> None:
            m.submodules[name] = Instance(
                self.column,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_values=values,
                i_weights=weights[f"weights_{n // _COLUMNS_A_REGISTER}"],
                i_enable=Cat(enable[design.weigh_stages : summed]),
                i_restart=restart,
                i_load=turn & load.replicate(n_sums),
                o_held=held,
            )

        bits = 16 * n_sums
        for n in range(d_value):
            values = Cat(self.values.data.word_select(lane * d_value + n, 16) for lane in range(n_lanes))
            column(n, f"column_{n}", values, self.held.word_select(n, bits))
        column(d_value, "weight_sum_column", Const(_ONE, 16).replicate(n_lanes), self.weight_sum)
