"""Claims that many components share: nothing is lost, made up or overtaken, and nothing waits for ever."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Signal, Value

from hamming.formal.harness import Harness

__all__ = ["claim_in_order", "claim_within", "count_inside", "total"]


def total(bits: Any) -> Value:
    """Return how many of `bits` are 1, by plain addition, in pairs."""
    words = [Value.cast(bit) for bit in bits]
    while len(words) > 1:
        words = [sum(words[n + 1 : n + 2], words[n]) for n in range(0, len(words), 2)]
    return words[0] if words else Value.cast(0)


def count_inside(h: Harness, *, comes: Value, goes: Value, most: int, what: str = "beats") -> Signal:
    """Count what is inside, and claim that nothing goes that did not come, and that there are `most` at most."""
    inside = Signal(range(most + 2), name=f"{what}_inside")
    h.m.d.sync += inside.eq(inside + comes - goes)
    h.claim(f"no more {what} go out than came in", ~goes | comes | (inside != 0))
    h.claim(f"at most {most} {what} are inside", inside <= most)
    h.show(f"{what} inside", inside)
    return inside


def claim_in_order(h: Harness, *, comes: Value, expected: Any, goes: Value, found: Any, most: int) -> Signal:
    """Claim that what goes out is what is expected of what came in, one for one, in order.

    Of all that comes any one is watched. What is expected of it is remembered, and those before it are counted.

    Parameters
    ----------
    comes, goes
        Whether there is a transfer in, and out.
    expected
        What is to go out, of what comes in.
    found
        What goes out.
    most
        What can be inside at the same time, at most.

    Returns
    -------
    Signal
        How many are inside.
    """
    m = h.m
    expected, found = Value.cast(expected), Value.cast(found)
    inside = count_inside(h, comes=comes, goes=goes, most=most)
    wanted = Signal(len(expected), name="wanted")
    ahead = Signal(range(most + 2), name="ahead")
    is_watched, came = Signal(name="is_watched"), Signal(name="came")
    starts = h.free("watch") & comes & ~came
    passes = starts & (inside == 0) & goes  # it goes out as it comes in
    with m.If(starts):
        m.d.sync += [came.eq(1), is_watched.eq(~passes), wanted.eq(expected), ahead.eq(inside - goes)]
    with m.Elif(is_watched & goes):
        m.d.sync += [ahead.eq(ahead - 1), is_watched.eq(ahead != 0)]
    h.claim(
        "what goes out is what it must be, in order",
        (~passes | (found == expected)) & (~(is_watched & goes & (ahead == 0)) | (found == wanted)),
    )
    h.reach("what is watched goes out", passes | (is_watched & goes & (ahead == 0)))
    h.show("is watched", Cat(is_watched, starts))
    h.show("wanted", wanted)
    return inside


def claim_within(h: Harness, cycles: int, what: str, waits: Value) -> None:
    """Claim that `waits` is not 1 for more than `cycles` cycles in a row."""
    waited = Signal(range(cycles + 2), name=f"waited_{len(h.claims)}")
    with h.m.If(~waits):
        h.m.d.sync += waited.eq(0)
    with h.m.Elif(waited <= cycles):
        h.m.d.sync += waited.eq(waited + 1)
    h.claim(f"{what}, within {cycles} cycles", waited <= cycles)
