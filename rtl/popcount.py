"""Counting ones by carry-save compression, bit-sliced: one tree of full adders counts many words at once."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.checks import require_int
from hamming.rtl.tree import Word, compress, tree_depth

__all__ = ["XnorPopcount", "count_ones", "thermometer"]


def count_ones(
    m: Module,
    words: Sequence[Value],
    width: int,
    *,
    enables: Sequence[Value] = (),
    before: int = 0,
    name: str = "ones",
) -> list[Value]:
    """Count, at each bit position, the ones among `words`: `count[p] = sum(word[p] for word in words)`.

    The tree is bit-sliced: each full adder is a pair of `width`-bit statements, so that its source and the time
    it takes to emit do not grow with the number of positions.

    Parameters
    ----------
    m
        Module that the adders are added to.
    words
        Values of `width` bits.
    width
        Positions that are counted side by side.
    enables
        One enable a pipeline register on the way. The registers cut the tree into parts of equal depth.
    before
        As how many levels of the tree what comes before it counts, for the first of these parts.
    name
        Prefix of the signals' names.

    Returns
    -------
    list
        Bits of the count, least significant first, each a word of `width` positions;
        `len(words).bit_length()` of them. **Latency**: `len(enables)` cycles.
    """
    n_stages = len(enables)
    depth_limit = tree_depth(len(words))
    serial = 0

    def signal(prefix: str, column: int, **kwargs) -> Signal:
        nonlocal serial
        serial += 1
        return Signal(width, name=f"{name}_{prefix}{column}_{serial}", **kwargs)

    def at_stage(word: Word, stage: int, column: int) -> Value:
        for s in range(max(word.delayed) + 1, stage + 1):
            register = signal("reg", column, reset_less=True)
            with m.If(enables[s - 1]):
                m.d.sync += register.eq(word.delayed[s - 1])
            word.delayed[s] = register
        return word.delayed[stage]

    def stage_of(depth: int) -> int:
        return (depth - 1 + before) * (n_stages + 1) // max(1, depth_limit + before)

    def add(operands: list[Word], column: int, depth: int) -> tuple[Word, Word]:
        stage = max([stage_of(depth), *(min(word.delayed) for word in operands)])
        values = [at_stage(word, stage, column) for word in operands]
        total, carry = signal("sum", column), signal("carry", column)
        if len(values) == 3:
            a, b, c = values
            m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | (c & (a ^ b)))]
        else:
            a, b = values
            m.d.comb += [total.eq(a ^ b), carry.eq(a & b)]
        return Word(total, depth, stage), Word(carry, depth, stage)

    counts = compress([Word(word) for word in words], add)
    return [at_stage(word, n_stages, column) for column, word in enumerate(counts)]


def thermometer(m: Module, value: Value, name: str) -> Value:
    """Return the word of `2**len(value) - 1` bits whose lowest `value` bits are 1, by logarithmic depth.

    Its signals are added to `m`, with `name` as their prefix.
    """
    word: Value = Const(0, 0)
    for b in range(len(value)):
        longer = Signal(2 * len(word) + 1, name=f"{name}_{b}")
        m.d.comb += longer.eq(Cat(Mux(value[b], ~Const(0, len(word)), word), value[b], Mux(value[b], word, 0)))
        word = longer
    return word


class XnorPopcount(wiring.Component):
    """Hamming similarity of one query and one key: `count = popcount(~(q ^ k))`.

    Combinational; the unit by which binary dot products are compared. The engine's `ScoreArray` uses the same
    tree for all its lanes at once.

    Parameters
    ----------
    d_head
        Elements of a query or key.

    Members
    -------
    q, k : In(d_head)
    count : Out(d_head.bit_length())

    Equals `golden.score.matches`.
    """

    q: Signal
    k: Signal
    count: Signal

    def __init__(self, *, d_head: int):
        self.d_head = require_int("d_head", d_head, 1)
        super().__init__({"q": In(d_head), "k": In(d_head), "count": Out(d_head.bit_length())})

    def elaborate(self, platform) -> Module:
        m = Module()
        same = Signal(self.d_head)
        m.d.comb += same.eq(~self.q ^ self.k)
        m.d.comb += self.count.eq(Cat(*count_ones(m, list(same), 1)))
        return m
