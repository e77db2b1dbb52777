"""Second pass of the baseline in bfloat16."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, ResetSignal, Signal, Value

from hamming.rtl.standard.weigher import Weigher

__all__ = ["Bf16Weigher"]

_ONE = 0x3F80


class Bf16Weigher(Weigher):
    """As `Weigher`, in bfloat16: lanes give weights, and a further column, of ones, sums them.

    Its lane and column are `Bf16WeightLane` and `Bf16ValueColumn`; there is no `offset`.
    """

    def _weigh(self, m: Module, maximum: Signal, enable: list[Value]) -> dict[str, Signal]:
        n_lanes = self.design.n_lanes
        levels, takes_part = self.scores.data[:-n_lanes], self.scores.data[-n_lanes:]
        weights = Signal(16 * n_lanes)
        for lane in range(n_lanes):
            m.submodules[f"lane_{lane}"] = Instance(
                self.lane,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_level=levels.word_select(lane, 16),
                i_maximum=maximum,
                i_takes_part=takes_part[lane],
                i_enable=Cat(enable[1], enable[2]),
                o_weight=weights.word_select(lane, 16),
            )
        return {"weights": weights}

    def _sum(
        self, m: Module, weights: dict[str, Signal], enable: list[Value], restarts: dict[int, Signal], load: Signal
    ) -> None:
        design = self.design
        n_lanes, d_value = design.n_lanes, design.spec.d_value
        enables = Cat(enable[3 : 3 + design.sum_stages])

        def column(name: str, values: Value, **outputs: Value) -> None:
            m.submodules[name] = Instance(
                self.column,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_values=values,
                i_weights=weights["weights"],
                i_enable=enables,
                i_restart=restarts[2 + design.sum_stages],
                i_load=load,
                **{f"o_{port}": signal for port, signal in outputs.items()},
            )

        for n in range(d_value):
            values = Cat(self.values.data.word_select(lane * d_value + n, 16) for lane in range(n_lanes))
            column(f"column_{n}", values, held=self.held.word_select(n, 16))
        column("weight_sum_column", Const(_ONE, 16).replicate(n_lanes), held=self.weight_sum)
