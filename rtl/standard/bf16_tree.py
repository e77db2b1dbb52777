"""Sums of bfloat16 by a tree of adders."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal, Value

from hamming.rtl.standard.bf16 import Bf16Adder

__all__ = ["operate", "tree"]


def operate(m: Module, kind: str, name: str, a: Value, b: Value, enable: Value) -> Signal:
    """Return the result of a module `kind`, a `Bf16Adder` or `Bf16Multiplier`, named `name`, after its `latency`."""
    result = Signal(16, name=name)
    m.submodules[f"do_{name}"] = Instance(
        kind, i_clk=ClockSignal(), i_rst=ResetSignal(), i_a=a, i_b=b, i_enable=enable, o_o=result
    )
    return result


def tree(m: Module, words: Sequence[Value], enable: Value, *, adder: str, name: str) -> Value:
    """Sum words in pairs of neighbours; a word without a partner waits for the next level.

    Parameters
    ----------
    m
        Module that the adders are added to.
    words
        16 bits each.
    enable
        A bit for each stage of each level: `Bf16Adder.latency * tree_depth(len(words))`.
    adder
        Name of the Verilog module of `Bf16Adder`.
    name
        Prefix of the signals' names.

    Equals `golden.standard.bf16_arithmetic.tree_sum`. **Latency**: `len(enable)` cycles.
    """
    words = list(words)
    for level in range(len(enable) // Bf16Adder.latency):
        stages = enable.word_select(level, Bf16Adder.latency)
        pairs: list[Value] = [
            operate(m, adder, f"{name}_{level}_{n}", a, b, stages)
            for n, (a, b) in enumerate(zip(words[::2], words[1::2], strict=False))
        ]
        if len(words) % 2:
            waiting = words[-1]
            for n, stage in enumerate(stages):
                register = Signal(16, name=f"{name}_{level}_waiting_{n}", reset_less=True)
                with m.If(stage):
                    m.d.sync += register.eq(waiting)
                waiting = register
            pairs.append(waiting)
        words = pairs
    assert len(words) == 1, "enables for each stage of each level"
    return words[0]
