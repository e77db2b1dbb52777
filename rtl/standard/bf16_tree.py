"""Sums of bfloat16 by a tree of adders, a level a cycle."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal, Value

__all__ = ["operate", "tree"]


def operate(m: Module, kind: str, name: str, a: Value, b: Value, enable: Value) -> Signal:
    """Return the result of a module `kind`, a `Bf16Adder` or `Bf16Multiplier`, named `name`: a cycle later."""
    result = Signal(16, name=name)
    m.submodules[f"do_{name}"] = Instance(
        kind, i_clk=ClockSignal(), i_rst=ResetSignal(), i_a=a, i_b=b, i_enable=enable, o_o=result
    )
    return result


def tree(m: Module, words: Sequence[Value], enables: Sequence[Value], *, adder: str, name: str) -> Value:
    """Sum words in pairs of neighbours, a level a cycle; a word without a partner waits for the next level.

    Parameters
    ----------
    m
        Module that the adders are added to.
    words
        16 bits each.
    enables
        Of each level.
    adder
        Name of the Verilog module of `Bf16Adder`.
    name
        Prefix of the signals' names.

    Equals `golden.standard.bf16_arithmetic.tree_sum`. **Latency**: `len(enables)` cycles, as many as there are levels.
    """
    words = list(words)
    for level, enable in enumerate(enables):
        pairs: list[Value] = [
            operate(m, adder, f"{name}_{level}_{n}", a, b, enable)
            for n, (a, b) in enumerate(zip(words[::2], words[1::2], strict=False))
        ]
        if len(words) % 2:
            waiting = Signal(16, name=f"{name}_{level}_waiting", reset_less=True)
            with m.If(enable):
                m.d.sync += waiting.eq(words[-1])
            pairs.append(waiting)
        words = pairs
    assert len(words) == 1, "one level for each halving"
    return words[0]
