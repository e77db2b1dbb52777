"""`Normalizer`: quotients that are exactly rounded, in order."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal, Value

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_within
from hamming.formal.proof import Proof
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.normalizer import Normalizer

__all__ = ["PROOFS"]


def quotients(dims: Dimensions) -> Harness:
    """Slices at any time, of any sums that values and weights can give; one, any one, is watched.

    Where all weights are 0 the elements are the largest value.
    """
    part = Normalizer(dims)
    h = Harness(part)
    m, spec = h.m, dims.spec
    n_beats = dims.n_macs // dims.n_dividers
    most = dims.division_latency // n_beats + 2
    taken = h.drive(part.i, "i")
    given = h.drain(part.o, "o")

    # What comes in: whole sums, which no weighted mean of offset values exceeds, in any parts.
    sums = part.i.p
    weight_sum = (((sums.offset + sums.offset_carry) << spec.out_frac_bits + 1) + sums.low) - (
        sums.negated << spec.out_frac_bits + 1
    )
    most_weight = spec.top_k * (2**spec.weight_bits - 1)
    h.assume(~part.i.valid | (weight_sum <= most_weight))
    totals = []
    for n in range(dims.n_macs):
        total: Value = sums.acc[n] - (2**spec.value_bits - 1) * sums.negated
        for i, column in enumerate(dims.kept_carries):
            total = total + (sums.carry[n][i] << column)
        word = Signal(spec.acc_bits, name=f"sum_{n}")
        m.d.comb += word.eq(total)
        h.assume(~part.i.valid | (word <= (2**spec.value_bits - 1) * weight_sum))
        h.assume(~part.i.valid | ~sums.is_empty | (word == 0))
        totals.append(word)
    h.assume(~part.i.valid | ~sums.is_empty | (weight_sum == 1))

    starts = h.free("watch") & taken
    came, done = Signal(), Signal()
    ahead, inside = Signal(range(most + 2)), Signal(range(most + 2))
    beat, beat_out = Signal(range(n_beats)), Signal(range(n_beats))
    ends = given & (beat_out == n_beats - 1)
    with m.If(given):
        m.d.sync += beat_out.eq(Mux(beat_out == n_beats - 1, 0, beat_out + 1))
    m.d.sync += inside.eq(inside + taken - ends)
    h.claim("nothing is offered where nothing is inside", ~part.o.valid | (inside != 0))
    h.claim(f"at most {most} slices are inside", inside <= most)
    held = [Signal.like(word, name=f"watched_{n}") for n, word in enumerate(totals)]
    divisor, flags = Signal(spec.weight_sum_bits), Signal(2)
    with m.If(starts & ~came):
        m.d.sync += [
            came.eq(1),
            ahead.eq(inside - ends),
            divisor.eq(weight_sum),
            flags.eq(sums.is_empty | sums.last << 1),
        ]
        m.d.sync += [word.eq(total) for word, total in zip(held, totals, strict=True)]
    with m.Elif(ends & (ahead != 0)):
        m.d.sync += ahead.eq(ahead - 1)
    answers = came & ~done & (ahead == 0) & part.o.valid
    with m.If(answers & given):
        m.d.sync += beat.eq(Mux(beat == n_beats - 1, 0, beat + 1))
        m.d.sync += done.eq(beat == n_beats - 1)
    out = part.o.p
    for n in range(dims.n_dividers):
        word = held[n]
        for b in range(1, n_beats):
            word = Mux(beat == b, held[b * dims.n_dividers + n], word)
        # floor(2**f * sum / divisor + 1/2) of the offset sum is q: q * 2 * divisor <= 2 * 2**f * sum + divisor < ...
        whole = Value.cast(out.value[n]).as_signed() + 2 ** (spec.out_bits - 1)
        dividend = (word << spec.out_frac_bits + 1) + divisor
        is_right = (whole * 2 * divisor <= dividend) & (dividend < (whole + 1) * 2 * divisor)
        is_right = Mux(divisor == 0, out.value[n] == 2 ** (spec.out_bits - 1) - 1, is_right)
        h.claim(f"element {n} is exactly rounded", ~answers | Mux(flags[0], out.value[n] == 0, is_right))
    h.claim("what is said of the beat is so", ~answers | (out.is_empty == flags[0]))
    h.claim("the last beat says so", ~answers | (out.last == (flags[1] & (beat == n_beats - 1))))
    most_waits = n_beats + dims.division_latency
    claim_within(h, most_waits, "elements come out of a slice", (inside != 0) & part.o.ready & ~part.o.valid)
    claim_within(h, n_beats, "a slice is taken if elements are", part.i.valid & part.o.ready & ~part.i.ready)
    h.reach("the watched elements go out", done & (divisor > 2))
    return h


def _proof(name: str, *, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"normalizer.{name}",
        component="Normalizer",
        what="elements are exactly rounded quotients, in order; offers hold; none is lost; no wait beyond the latency",
        size=size_of(dims, "value_bits", "weight_sum_bits", "out_frac_bits", "n_macs", "n_dividers"),
        build=lambda: quotients(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("whole_bits", top_k=1, n_keys=1, out_frac_bits=0, is_small=True),
    _proof("one_element", top_k=1, n_keys=1),
    _proof("two_beats", top_k=1, n_keys=1, d_value=2, n_dividers=1),
)
