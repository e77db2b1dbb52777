"""Arithmetic without state, at the sizes of the presets: each circuit against `+`, `*` and `==`."""

from __future__ import annotations

from amaranth.hdl import Cat, Signal, Value

from hamming.formal.designs import small
from hamming.formal.harness import Harness
from hamming.formal.order import total
from hamming.formal.proof import Proof
from hamming.rtl.multiply import Multiply
from hamming.rtl.popcount import XnorPopcount, count_ones, thermometer
from hamming.rtl.quotient import carry_select_difference
from hamming.rtl.shift import Shift

__all__ = ["PROOFS"]


def xnor_popcount(d_head: int) -> Harness:
    """The count does not change when two neighbours change places, and is right where equal bits come first.

    Neighbours that change places bring any bits into that order, so the count is the number of equal bits of any.
    """
    h = Harness(has_state=False)

    def count(name: str, q: Value, k: Value) -> Signal:
        h.m.submodules[name] = unit = XnorPopcount(d_head=d_head)
        h.m.d.comb += [unit.q.eq(q), unit.k.eq(k)]
        return unit.count

    q, k, n_equal = h.free("q", d_head), h.free("k", d_head), h.free("n_equal", d_head.bit_length())
    whole = count("unit", q, k)
    for b in range(d_head - 1):
        swapped = [Cat(word[:b], word[b + 1], word[b], word[b + 2 :]) for word in (q, k)]
        h.claim(f"bits {b} and {b + 1} may change places", whole == count(f"swapped_{b}", *swapped))
    h.assume(n_equal <= d_head)
    ones = Cat(n_equal > b for b in range(d_head))
    h.claim("the first bits are counted", count("first", q, ~(q ^ ones)) == n_equal)
    return h


def ones(n_words: int, width: int) -> Harness:
    """Each position's count is the sum of its bits."""
    h = Harness(has_state=False)
    words = [h.free(f"word_{n}", width) for n in range(n_words)]
    counts = count_ones(h.m, words, width)
    for p in range(width):
        h.claim(f"count {p} is the sum", Cat(count[p] for count in counts) == total(word[p] for word in words))
    return h


def thermometers(n_bits: int) -> Harness:
    """Bit `i` is whether the number is above `i`."""
    h = Harness(has_state=False)
    number = h.free("number", n_bits)
    word = thermometer(h.m, number, "word")
    h.claim("as many bits as there are numbers", len(word) == 2**n_bits - 1)
    h.claim("bit i says whether the number is above i", Cat(number > i for i in range(len(word))) == word)
    return h


def products(kind: type[Multiply] | type[Shift], value_bits: int, weight_bits: int) -> Harness:
    """The rows of a product, and what they are too large by, are weight times value."""
    h = Harness(has_state=False)
    name = "shift" if kind is Shift else "multiply"
    weights = (1 << weight_bits - 1, 0, 0)
    dims = small(value_bits=value_bits, weight_bits=weight_bits, weights=weights, product=name)
    weight, value = h.free("weight", weight_bits), h.free("value", value_bits)
    product = kind(dims)
    lines = product.lines(h.m, weight)
    columns = product.rows(h.m, lines, [value[b] for b in range(value_bits)])
    modulus = 1 << dims.spec.acc_bits
    rows = total(bit << place for place, column in enumerate(columns) for bit in column)
    negated = product.negated(lines)
    if kind is Shift:
        h.assume((weight & (weight - 1))[:weight_bits] == 0)
    else:
        digits = total(
            (lines[3 * i] + 2 * lines[3 * i + 1] - lines[3 * i + 2]) << 2 * i for i in range(len(product.tops))
        )
        h.claim("the digits' sum is the weight", digits == weight)
        places = total(lines[3 * i + 2] << 2 * i for i in range(len(product.tops)))
        h.claim("what is counted are the digits of -1", negated == places)
    wanted = weight * value + (2**value_bits - 1) * negated
    h.claim("rows add up to weight times value", (rows - wanted) % modulus == 0)
    return h


def difference(width: int) -> Harness:
    """Carry-select subtraction is subtraction."""
    h = Harness(has_state=False)
    a, b = h.free("a", width + 1), h.free("b", width)
    found = carry_select_difference(h.m, "d", a, b)
    h.claim("the difference, a bit wider", found == (a - b)[: len(found)])
    return h


def _proof(
    name: str, component: str, what: str, size: str, build, *, engine: str = "cec", is_small: bool = False
) -> Proof:
    return Proof(
        name=f"arithmetic.{name}",
        component=component,
        what=what,
        size=size,
        build=build,
        engine=engine,
        is_small=is_small,
    )


PROOFS = (
    _proof(
        "popcount_16",
        "XnorPopcount",
        "equals the number of equal bits",
        "16 bits",
        lambda: xnor_popcount(16),
        is_small=True,
    ),
    _proof("popcount_64", "XnorPopcount", "equals the number of equal bits", "64 bits", lambda: xnor_popcount(64)),
    _proof("ones", "count_ones", "equals a sum", "16 words of 2 bits", lambda: ones(16, 2)),
    _proof("thermometer", "thermometer", "equals comparisons", "7 bits", lambda: thermometers(7), is_small=True),
    *(
        _proof(
            f"multiply_{v}_{w}",
            "Multiply",
            "digits add up to the weight, rows to weight times value",
            f"values of {v} bits, weights of {w}",
            lambda v=v, w=w: products(Multiply, v, w),
            engine="bdd",
            is_small=(v, w) == (4, 4),
        )
        for v, w in ((4, 4), (4, 5), (8, 8), (8, 12))
    ),
    _proof(
        "shift_8_12",
        "Shift",
        "the row is weight times value, for weights that are a power of two or 0",
        "values of 8 bits, weights of 12",
        lambda: products(Shift, 8, 12),
    ),
    _proof("difference", "carry_select_difference", "equals `-`", "24 bits", lambda: difference(24), is_small=True),
)
