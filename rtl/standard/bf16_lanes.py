"""What the baseline in bfloat16 has many of: scoring lanes, weighing lanes and value columns."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.standard.bf16 import FRACTION_BITS, Bf16Spec
from hamming.rtl.standard.bf16_tree import operate, tree
from hamming.rtl.standard.design import StandardDesign, tree_depth

__all__ = ["Bf16ScoreLane", "Bf16ValueColumn", "Bf16WeightLane"]

_SIGN = 0x8000


class Bf16ScoreLane(wiring.Component):
    """Dot product of a query and a key, as a level: an unsigned number in the same order as the scores.

    * **Latency**: `design.score_stages` cycles: products, and a level of the tree each.
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
        products = [
            operate(
                m,
                self.multiplier,
                f"product_{i}",
                self.query.word_select(i, 16),
                self.key.word_select(i, 16),
                self.enable[0],
            )
            for i in range(self.design.spec.d_head)
        ]
        score = tree(m, products, list(self.enable[1:]), adder=self.adder, name="sum")
        m.d.comb += self.level.eq(score ^ Mux(score[15], 0xFFFF, _SIGN))
        return m


class Bf16WeightLane(wiring.Component):
    """Weight of a key by the distance of its level from the maximum; 0 where the key takes no part.

    * **Latency**: 2 cycles.
    * **Throughput**: a key a cycle.

    Parameters
    ----------
    spec
        The arithmetic.
    adder
        Name of the Verilog module of `Bf16Adder`.

    Members
    -------
    level, maximum : In(16)
    takes_part : In(1)
    enable : In(2)
    weight : Out(16)
    """

    level: Signal
    maximum: Signal
    takes_part: Signal
    enable: Signal
    weight: Signal

    def __init__(self, spec: Bf16Spec, *, adder: str):
        self.spec = spec
        self.adder = adder
        super().__init__({"level": In(16), "maximum": In(16), "takes_part": In(1), "enable": In(2), "weight": Out(16)})

    def elaborate(self, platform) -> Module:
        m = Module()

        def score(level: Value) -> Value:
            return level ^ Mux(level[15], _SIGN, 0xFFFF)

        minus = score(self.level) ^ _SIGN
        distance = operate(m, self.adder, "distance", score(self.maximum), minus, self.enable[0])
        has_part = Signal(reset_less=True)
        with m.If(self.enable[0]):
            m.d.sync += has_part.eq(self.takes_part)

        table = self.spec.weights
        place = Signal(9 + FRACTION_BITS)
        found = Signal(16)
        m.d.comb += place.eq(distance[7 - FRACTION_BITS : 15] - self.spec.first)
        with m.If(place[-1]):
            m.d.comb += found.eq(table[0])
        with m.Elif(place >= len(table) - 1):
            m.d.comb += found.eq(table[-1])
        with m.Else(), m.Switch(place[: (len(table) - 1).bit_length()]):
            for t, weight in enumerate(table):
                with m.Case(t):
                    m.d.comb += found.eq(weight)
        weight = Signal(16, reset_less=True)
        with m.If(self.enable[1]):
            m.d.sync += weight.eq(found & has_part.replicate(16))
        m.d.comb += self.weight.eq(weight)
        return m


class Bf16ValueColumn(wiring.Component):
    """Sum of weight times value over a query's rows of keys; or of weights, where each value is 1.

    * **Latency**: `design.sum_stages` cycles: products, a level of the tree each, the accumulator.
    * **Throughput**: a row a cycle.

    Parameters
    ----------
    design
        Sizes.
    multiplier, adder
        Names of the Verilog modules of `Bf16Multiplier` and `Bf16Adder`.

    Members
    -------
    values, weights : In(16 * n_lanes)
    enable : In(sum_stages)
    restart : In(1)
        The last stage begins a new sum.
    load : In(1)
    held : Out(16)
        The accumulator when last loaded.
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
                "enable": In(design.sum_stages),
                "restart": In(1),
                "load": In(1),
                "held": Out(16),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        n_lanes = self.design.n_lanes
        products = [
            operate(
                m,
                self.multiplier,
                f"product_{lane}",
                self.weights.word_select(lane, 16),
                self.values.word_select(lane, 16),
                self.enable[0],
            )
            for lane in range(n_lanes)
        ]
        levels = list(self.enable[1 : 1 + tree_depth(n_lanes)])
        row = tree(m, products, levels, adder=self.adder, name="sum")
        kept = Signal(16)
        held = Signal(16, reset_less=True)
        total = operate(m, self.adder, "acc", kept, row, self.enable[-1])
        m.d.comb += [kept.eq(Mux(self.restart, Const(0, 16), total)), self.held.eq(held)]
        with m.If(self.load):
            m.d.sync += held.eq(total)
        return m
