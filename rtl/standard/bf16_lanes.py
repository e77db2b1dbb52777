"""What the baseline in bfloat16 has many of: scoring lanes, weighing lanes and value columns."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.standard.bf16 import FRACTION_BITS, Bf16Spec
from hamming.rtl.standard.bf16 import Bf16Adder, Bf16Multiplier
from hamming.rtl.standard.bf16_tree import operate, tree
from hamming.rtl.standard.design import StandardDesign

__all__ = ["Bf16ScoreLane", "Bf16ValueColumn", "Bf16WeightLane", "score_of"]

_SIGN = 0x8000


def score_of(level: Value) -> Value:
    """Return the score of a level: an unsigned number in the same order as the scores."""
    return level ^ Mux(level[15], _SIGN, 0xFFFF)


def _register(m: Module, value: Value, enable: Value, name: str) -> Signal:
    register = Signal(len(value), name=name, reset_less=True)
    with m.If(enable):
        m.d.sync += register.eq(value)
    return register


class Bf16ScoreLane(wiring.Component):
    """Dot product of a query and a key, as a level (`score_of`).

    * **Latency**: `design.score_stages` cycles: a register behind the memory, a product, and the levels of the tree.
    * **Throughput**: a key a cycle.

    Parameters
    ----------
    design
        Sizes.
    multiplier, adder
        Names of the Verilog modules of `Bf16Multiplier` and `Bf16Adder`.

    Members
    -------
    key, query : In(16 * d_head)
    enable : In(score_stages)
    level : Out(16)
    """

    key: Signal
    query: Signal
    enable: Signal
    level: Signal

    def __init__(self, design: StandardDesign, *, multiplier: str, adder: str):
        self.design = design
        self.multiplier = multiplier
        self.adder = adder
        bits = 16 * design.spec.d_head
        super().__init__({"key": In(bits), "query": In(bits), "enable": In(design.score_stages), "level": Out(16)})

    def elaborate(self, platform) -> Module:
        m = Module()
        key = _register(m, self.key, self.enable[0], "key_held")
        multiply, add = self.enable[1 : 1 + Bf16Multiplier.latency], self.enable[1 + Bf16Multiplier.latency :]
        products = [
            operate(m, self.multiplier, f"product_{i}", self.query.word_select(i, 16), key.word_select(i, 16), multiply)
            for i in range(self.design.spec.d_head)
        ]
        score = tree(m, products, add, adder=self.adder, name="sum")
        m.d.comb += self.level.eq(score ^ Mux(score[15], 0xFFFF, _SIGN))
        return m


class Bf16WeightLane(wiring.Component):
    """Weight of a key by the distance of its level from the maximum; 0 where the key takes no part.

    * **Latency**: `design.weigh_stages - 1` cycles: a register behind the memory, the distance, its place in the table,
      and the table.
    * **Throughput**: a key a cycle.

    Parameters
    ----------
    design
        Sizes.
    adder
        Name of the Verilog module of `Bf16Adder`.

    Members
    -------
    level : In(16)
    takes_part : In(1)
    best : In(16)
        The highest score of all, a cycle after `level`.
    enable : In(weigh_stages - 1)
    weight : Out(16)
    """

    level: Signal
    best: Signal
    takes_part: Signal
    enable: Signal
    weight: Signal

    def __init__(self, design: StandardDesign, *, adder: str):
        self.design = design
        self.adder = adder
        super().__init__(
            {
                "level": In(16),
                "best": In(16),
                "takes_part": In(1),
                "enable": In(design.weigh_stages - 1),
                "weight": Out(16),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        spec = self.design.spec
        assert isinstance(spec, Bf16Spec)

        minus = _register(m, score_of(self.level) ^ _SIGN, self.enable[0], "minus")
        distance = operate(m, self.adder, "distance", self.best, minus, self.enable[1:-2])
        has_part: Value = self.takes_part
        for n in range(self.design.weigh_stages - 2):
            has_part = _register(m, has_part, self.enable[n], f"has_part_{n}")

        end = len(spec.weights) - 1
        beyond = Signal(signed(9 + FRACTION_BITS))
        place = Signal(range(end + 1))
        m.d.comb += beyond.eq(distance[7 - FRACTION_BITS : 15] - spec.first)
        with m.If(beyond < 0):
            m.d.comb += place.eq(0)
        with m.Elif(beyond > end):
            m.d.comb += place.eq(end)
        with m.Else():
            m.d.comb += place.eq(beyond)
        found = Signal(16)
        with m.Switch(_register(m, place, self.enable[-2], "place_held")):
            for t, weight in enumerate(spec.weights):
                with m.Case(t):
                    m.d.comb += found.eq(weight)
        m.d.comb += self.weight.eq(_register(m, found & has_part.replicate(16), self.enable[-1], "weight_held"))
        return m


class Bf16ValueColumn(wiring.Component):
    """Partial sums of weight times value over a query's rows of keys; or of weights, where each value is 1.

    * **Latency**: `1 + design.sum_stages` cycles: a register behind the memory, a product, the levels of the tree, the
      accumulator, whose adder has a partial sum in each stage.
    * **Throughput**: a row a cycle. A query's rows come without a gap.

    Parameters
    ----------
    design
        Sizes.
    multiplier, adder
        Names of the Verilog modules of `Bf16Multiplier` and `Bf16Adder`.

    Members
    -------
    values : In(16 * n_lanes)
    weights : In(16 * n_lanes)
        A cycle after `values`.
    enable : In(1 + sum_stages)
    restart : In(1)
        The accumulator begins a new partial sum; a cycle before it does.
    load : In(n_sums)
        Which of the held sums takes what the accumulator has.
    held : Out(16 * n_sums)
    """

    values: Signal
    weights: Signal
    enable: Signal
    restart: Signal
    load: Signal
    held: Signal

    def __init__(self, design: StandardDesign, *, multiplier: str, adder: str):
        self.design = design
        self.multiplier = multiplier
        self.adder = adder
        bits = 16 * design.n_lanes
        super().__init__(
            {
                "values": In(bits),
                "weights": In(bits),
                "enable": In(1 + design.sum_stages),
                "restart": In(1),
                "load": In(design.n_sums),
                "held": Out(16 * design.n_sums),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        values = _register(m, self.values, self.enable[0], "values_held")
        multiply, add = self.enable[1 : 1 + Bf16Multiplier.latency], self.enable[1 + Bf16Multiplier.latency :]
        products = [
            operate(
                m,
                self.multiplier,
                f"product_{lane}",
                self.weights.word_select(lane, 16),
                values.word_select(lane, 16),
                multiply,
            )
            for lane in range(self.design.n_lanes)
        ]
        row = tree(m, products, add[: -Bf16Adder.latency], adder=self.adder, name="sum")
        restart = _register(m, self.restart, self.enable[-1 - Bf16Adder.latency], "restart_held")
        kept = Signal(16)
        total = operate(m, self.adder, "acc", kept, row, add[-Bf16Adder.latency :])
        m.d.comb += [
            kept.eq(Mux(restart, Const(0, 16), total)),
            self.held.eq(Cat(_register(m, total, load, f"held_{n}") for n, load in enumerate(self.load))),
        ]
        return m
