"""The baseline's parts by themselves, the text of its Verilog, and the checks of its design."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hamming.golden.standard import StandardSpec, digits, score_bias
from hamming.golden.standard.bf16_arithmetic import from_patterns, to_patterns
from hamming.rtl.design import load_design
from hamming.rtl.standard.bf16 import Bf16Adder, Bf16Multiplier
from hamming.rtl.standard.design import ELEMENTS, StandardDesign
from hamming.rtl.standard.engine import StandardEngine
from hamming.rtl.standard.heap import addends, compress
from hamming.rtl.standard.lane import ScoreLane
from hamming.rtl.standard.manifest import standard_manifest
from hamming.rtl.standard.rows import digit_lines
from hamming.rtl.standard.verilog import emit_standard
from hamming.rtl.standard.weight import WeightLane

TINY = StandardDesign.like(load_design("tiny"))


class Recoder(wiring.Component):
    """The digits of one number."""

    def __init__(self, n_digits: int):
        self.n_digits = n_digits
        super().__init__({"number": In(2 * n_digits), "lines": Out(3 * n_digits)})

    def elaborate(self, platform) -> Module:
        m = Module()
        found: Any = self
        lines = digit_lines(m, [found.number], "x", self.n_digits)
        m.d.comb += found.lines.eq(Cat(*lines["one"], *lines["two"], *lines["negative"]))
        return m


class Heap(wiring.Component):
    """The sum of columns of bits."""

    def __init__(self, heights):
        self.heights = heights
        super().__init__({"bits": In(sum(heights)), "total": Out(len(heights))})

    def elaborate(self, platform) -> Module:
        m = Module()
        found: Any = self
        bits = iter(found.bits)
        columns = [[next(bits) for _ in range(height)] for height in self.heights]
        m.d.comb += found.total.eq(sum(addends(compress(m, columns)), Signal(len(self.heights))))
        return m


def answers(dut: Any, cases: list[dict[str, int]], outputs: list[str], *, cycles: int = 0) -> list[tuple[int, ...]]:
    """Set each case's inputs, and return the outputs after so many cycles."""
    found = []

    async def testbench(ctx):
        for case in cases:
            for name, value in case.items():
                ctx.set(getattr(dut, name), value)
            for _ in range(cycles):
                await ctx.tick()
            await ctx.delay(1e-9)
            found.append(tuple(ctx.get(getattr(dut, name)) for name in outputs))

    simulator = Simulator(dut)
    if cycles:
        simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return found


@pytest.mark.parametrize("n_digits", [4, 2])
def test_recoding_of_every_number(n_digits: int) -> None:
    half = 2 ** (2 * n_digits - 1)
    numbers = np.arange(-half, half)
    found = answers(Recoder(n_digits), [{"number": int(x) % (2 * half)} for x in numbers], ["lines"])
    for number, (lines,) in zip(numbers, found, strict=True):
        one, two, negative = ([lines >> part * n_digits + n & 1 for n in range(n_digits)] for part in range(3))
        expected = digits(number, n_digits)
        # Of all but the highest digit -1 is its own line; of the highest, `negative` is the sign of one and two.
        assert negative == [int(d < 0) for d in expected]
        assert two == [int(abs(d) == 2) for d in expected]
        assert one == [int(d == 1) for d in expected[:-1]] + [int(abs(expected[-1]) == 1)]


@pytest.mark.parametrize("heights", [[3, 1], [7, 0, 2, 5, 1, 0], [20, 20, 20, 20, 20, 20, 1, 1]])
def test_heap(heights, rng) -> None:
    cases = [0, 2 ** sum(heights) - 1, *(int.from_bytes(rng.bytes(16), "little") for _ in range(60))]
    cases = [case % 2 ** sum(heights) for case in cases]
    found = answers(Heap(heights), [{"bits": case} for case in cases], ["total"])
    for case, (total,) in zip(cases, found, strict=True):
        start, expected = 0, 0
        for column, height in enumerate(heights):
            expected += (case >> start & 2**height - 1).bit_count() << column
            start += height
        assert total == expected % 2 ** len(heights)


@pytest.mark.parametrize(("bits", "extremes"), [(8, [-128, -127, -1, 0, 1, 85, 127]), (4, [-8, -7, -1, 0, 1, 5, 7])])
def test_score_lane(bits: int, extremes: list[int], rng) -> None:
    spec = StandardSpec(d_head=5, d_value=1, n_keys=1, score_shift=2, weights=(1,), element_bits=bits)
    half = 2 ** (bits - 1)
    q, k = (rng.choice(extremes, (40, 5)) for _ in range(2))
    q[20:], k[20:] = rng.integers(-half, half, (2, 20, 5))
    cases = []
    for query, key in zip(q, k, strict=True):
        of_digit = digits(query, spec.n_digits).T  # (digit, element)
        lines = [
            [(d == 1) if n < spec.n_digits - 1 else abs(d) == 1 for n, row in enumerate(of_digit) for d in row],
            [abs(d) == 2 for row in of_digit for d in row],
            [d < 0 for row in of_digit for d in row],
            [d >= 0 for d in of_digit[-1]],
        ]
        words = [sum(int(bit) << n for n, bit in enumerate(word)) for word in lines]
        offset = sum(int(x + half) << bits * i for i, x in enumerate(key))
        names = ("one", "two", "negative", "positive")
        cases.append({"key": offset, "enable": 7, **dict(zip(names, words, strict=True))})
    found = answers(ScoreLane(spec), cases, ["level"], cycles=ScoreLane.latency)
    expected = ((q * k).sum(axis=1) + score_bias(spec, q)) >> 2
    assert [level for (level,) in found] == expected.tolist()


@pytest.mark.parametrize("last", [0, 3])
def test_weight_lane(last) -> None:
    spec = StandardSpec(d_head=2, d_value=1, n_keys=1, score_shift=9, weights=(170, 127, 100, 61, last))
    top = 2**spec.level_bits - 1
    cases = [
        {"maximum": top, "level": top - distance, "takes_part": part, "enable": 3}
        for distance in range(12)
        for part in (0, 1)
    ]
    found = answers(WeightLane(spec), cases, ["one", "two", "negative"], cycles=WeightLane.latency)
    for case, lines in zip(cases, found, strict=True):
        one, two, negative = ([word >> n & 1 for n in range(4)] for word in lines)
        weight = sum((o + 2 * t - s) * 4**n for n, (o, t, s) in enumerate(zip(one, two, negative, strict=True)))
        assert weight == (spec.weights[min(case["maximum"] - case["level"], 4)] if case["takes_part"] else 0)


@pytest.mark.parametrize(("kind", "operation"), [(Bf16Adder, np.add), (Bf16Multiplier, np.multiply)])
def test_bf16(kind, operation, rng) -> None:
    a, b = (rng.integers(0, 2**16, 3000) for _ in range(2))
    # Every other pair is close in size, where digits cancel.
    b[::2] = (a[::2] + rng.integers(-1500, 1500, len(a[::2]))) % 2**16 ^ rng.choice([0, 0x8000], len(a[::2]))
    # Every fourth product is close to the smallest or the largest number.
    exponent = np.where(rng.random(len(a[3::4])) < 0.5, 127, 381) - (a[3::4] >> 7 & 0xFF) + rng.integers(-2, 3)
    if kind is Bf16Multiplier:
        b[3::4] = b[3::4] & 0x807F | np.clip(exponent, 0, 254) << 7
    fits = (a & 0x7F80 != 0x7F80) & (b & 0x7F80 != 0x7F80)
    a, b = a[fits], b[fits]
    if kind is Bf16Adder:
        a, b = (np.where(x & 0x7F80, x, x & 0x8000) for x in (a, b))  # it takes no subnormals
    cases = [{"a": int(x), "b": int(y), "enable": 2**kind.latency - 1} for x, y in zip(a, b, strict=True)]
    found = [o for (o,) in answers(kind(), cases, ["o"], cycles=kind.latency)]
    assert found == to_patterns(operation(from_patterns(a), from_patterns(b))).tolist()


@pytest.mark.parametrize("element", ELEMENTS)
def test_repeated_modules_stand_once(element) -> None:
    design = StandardDesign.like(load_design("tiny", ["engine.n_lanes=4"]), element=element)
    text = emit_standard(StandardEngine(design))
    assert text == emit_standard(StandardEngine(design))
    modules = re.findall(r"^module (\S+?)\(", text, re.MULTILINE)
    assert len(modules) == len(set(modules))
    for part, number in (("score_lane", 4), ("weight_lane", 4), ("value_column", 8)):
        assert modules.count(f"{design.name}_{part}") == 1
        instances = re.findall(rf"^  {design.name}_{part} ", text, re.MULTILINE)
        assert len(instances) == number + (element == "bf16" and part == "value_column")


def test_manifest_describes_the_verilog() -> None:
    engine = StandardEngine(TINY)
    text = emit_standard(engine)
    manifest = standard_manifest(engine, text)
    header = re.search(r"^module tiny_standard\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert header is not None
    assert {port["name"] for port in manifest["ports"]} == set(re.findall(r"\w+", header[1]))
    assert set(manifest["streams"]) == {"i_row", "i_query", "o_out"}
    assert [memory["bits"] for memory in manifest["memories"][:2]] == [16 * 8 * 8, 16 * 8 * 8]
    assert StandardDesign.from_dict(manifest["design"]) == TINY


@pytest.mark.parametrize("element", ELEMENTS)
def test_design_round_trip(element) -> None:
    design = StandardDesign.like(load_design("minilm"), element=element)
    assert StandardDesign.from_dict(design.to_dict()) == design
    # In bfloat16 the last rows leave three partial sums, in three cycles.
    terms = {"score": 15, "divide": 34 if element == "bf16" else 32}
    if design.selects:  # 30 kept keys in two slices each, all but the last of which hold the selector: and 8 groups
        terms |= {"select": 8 + 30, "sum": 2 * 30}
    assert (design.n_rows, design.fold, design.cycle_terms(30)) == (64, 32, terms)


def test_outputs_keep_up_with_a_query_of_all_keys() -> None:
    # 197 keys in 50 rows: 64 elements take two dividers.
    assert StandardDesign.like(load_design("deit")).n_outputs == 2
    assert StandardDesign.like(load_design("flagship")).n_outputs == 1
    # 64 beats and two cycles more are too many for 64 rows.
    assert StandardDesign.like(load_design("flagship"), element="bf16").n_outputs == 2


def test_wrong_designs() -> None:
    with pytest.raises(ValueError, match=r"n_lanes must be a power of two, .* not 3"):
        StandardDesign(spec=TINY.spec, n_lanes=3)
    with pytest.raises(ValueError, match=r"n_lanes must be 1 to 16 \(n_keys\), not 17"):
        StandardDesign(spec=TINY.spec, n_lanes=17)
    with pytest.raises(ValueError, match="memory must be one of internal, external, not 'none'"):
        StandardDesign(spec=TINY.spec, memory="none")
    with pytest.raises(ValueError, match="n_macs and value_banks are of a spec with a top_k"):
        StandardDesign(spec=TINY.spec, n_macs=4)
    sparse = StandardDesign.like(load_design("tiny"), element="sparse_int8")
    with pytest.raises(ValueError, match="memory must be one of internal, not 'external'"):
        dataclasses.replace(sparse, memory="external")
    with pytest.raises(ValueError, match="n_macs must divide d_value = 8"):
        dataclasses.replace(sparse, n_macs=3)
    with pytest.raises(ValueError, match="only a spec with a top_k keeps some"):
        _ = TINY.kept
    with pytest.raises(ValueError, match=r"element must be one of int8, .*sparse_int4, not 'fp32'"):
        StandardDesign.like(load_design("tiny"), element="fp32")
    bf16 = StandardDesign.like(load_design("tiny"), element="bf16")
    with pytest.raises(ValueError, match="n_lanes must be the spec's, 1, by which it sums, not 2"):
        StandardDesign(spec=bf16.spec, n_lanes=2)
    with pytest.raises(ValueError, match="n_sums must be 3, the adder's stages, not 4"):
        StandardDesign.from_dict(bf16.to_dict() | {"spec": bf16.spec.to_dict() | {"n_sums": 4}})
