"""`WeightedSum`: sums by plain multiplication, in order."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal, Value

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_within
from hamming.formal.proof import Proof
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.memory import DualPortMemory, value_write_port
from hamming.rtl.weighted_sum import WeightedSum

__all__ = ["PROOFS"]


def sums(dims: Dimensions) -> Harness:
    """Passes of any weights at any time over a value memory that holds anything; one pass, any one, is watched.

    A pass has `top_k` keys at most; an empty one is a single key of weight 0.
    """
    part = WeightedSum(dims)
    h = Harness(part)
    m, spec, most = h.m, dims.spec, part.latency
    m.submodules.memory = memory = DualPortMemory(value_write_port(dims))
    m.d.comb += [memory.read.addr.eq(part.values.addr), memory.read.en.eq(part.values.en[0])]
    data = memory.read.data
    for stage in range(1, dims.config.read_latency):
        register = Signal.like(data, name=f"data_{stage}")
        with m.If(part.values.en[stage]):
            m.d.always += register.eq(data)
        data = register
    m.d.comb += part.values.data.eq(data)
    taken = h.drive(part.i, "i")
    given = h.drain(part.o, "o")
    key = part.i.p
    number = Signal(range(spec.top_k + 1))
    with m.If(taken):
        m.d.sync += number.eq(Mux(key.last, 0, number + 1))
    h.assume(~part.i.valid | key.last | (number < spec.top_k - 1))
    h.assume(~part.i.valid | ~key.is_empty | (key.last & (number == 0) & (key.weight == 0)))
    h.assume(~part.i.valid | (key.index < spec.n_keys))
    if dims.fold > 1:
        h.assume(~part.i.valid | (key.slice < dims.fold))
    if dims.config.product == "shift":
        h.assume(~part.i.valid | ((key.weight & (key.weight - 1))[: spec.weight_bits] == 0))

    # A plain sum of the watched pass, with its values as they are in the memory, which nothing writes.
    address = key.index * dims.fold + (key.slice if dims.fold > 1 else 0)
    words = [h.constant(f"word_{n}", memory.port.width) for n in range(memory.port.depth)]
    value = words[-1]
    for n, word in enumerate(words[:-1]):
        value = Mux(address == n, word, value)
    fetched, is_fetched = h.before(value, "fetched"), h.before(part.values.en[0], "is_fetched")
    h.assume(~is_fetched | (memory.read.data == fetched))
    ends_in, ends_out = taken & key.last, given
    inside = Signal(range(most + 2))
    m.d.sync += inside.eq(inside + ends_in - ends_out)
    h.claim("no more sums go out than passes came in", ~ends_out | (inside != 0))
    h.claim(f"at most {most} passes are inside", inside <= most)
    starts = h.free("watch") & taken & (number == 0)
    is_in, came, done = Signal(), Signal(), Signal()
    ahead = Signal(range(most + 2))
    is_watched = is_in | (starts & ~came)
    weight_sum = Signal(spec.weight_sum_bits + 1)
    totals = [Signal(spec.acc_bits, name=f"total_{n}") for n in range(dims.n_macs)]
    is_empty, is_last = Signal(), Signal()
    with m.If(taken & is_watched):
        m.d.sync += [is_in.eq(~key.last), came.eq(1), is_empty.eq(key.is_empty)]
        m.d.sync += is_last.eq(key.last & ((key.slice == dims.fold - 1) if dims.fold > 1 else 1))
        m.d.sync += weight_sum.eq(weight_sum + key.weight)
        for n, total in enumerate(totals):
            m.d.sync += total.eq(total + key.weight * value.word_select(n, spec.value_bits))
    with m.If(starts & ~came):
        m.d.sync += ahead.eq(inside - ends_out)
    with m.Elif(ends_out & (ahead != 0)):
        m.d.sync += ahead.eq(ahead - 1)
    answers = came & ~is_in & ~done & (ahead == 0) & part.o.valid
    with m.If(answers & given):
        m.d.sync += done.eq(1)

    out = part.o.p
    n_low = spec.out_frac_bits + 1
    for n, total in enumerate(totals):
        found: Value = out.acc[n] - (2**spec.value_bits - 1) * out.negated
        for i, column in enumerate(dims.kept_carries):
            found = found + (out.carry[n][i] << column)
        is_right = found[: spec.acc_bits] == total
        h.claim(f"sum {n} is the plain one", ~answers | is_right)
    found = ((out.offset + out.offset_carry) << n_low) + out.low
    wanted = Mux(is_empty, 1, weight_sum) + (out.negated << n_low)
    h.claim("the sum of weights is the plain one (1 of no key)", ~answers | (found == wanted))
    h.claim("what is said of the slice is so", ~answers | ((out.is_empty == is_empty) & (out.last == is_last)))
    claim_within(h, most - 1, "sums come out of a pass that ended", (inside != 0) & ~part.o.valid)
    claim_within(h, int(dims.has_chains), "a key is taken if sums are", part.i.valid & part.o.ready & ~part.i.ready)
    h.reach("the watched sums go out", answers & (weight_sum > 2))
    return h


_SIZES = ("top_k", "n_keys", "value_bits", "weight_bits", "fold", "n_macs", "product", "read_latency")


def _proof(name: str, *, depth: int = 0, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"weighted_sum.{name}",
        component="WeightedSum",
        what="sums equal those of plain products, in order; offers hold; none is lost; no wait beyond the latency",
        size=size_of(dims, *_SIZES, *(name for name in ("adder_depth", "fabric") if name in sizes)),
        build=lambda: sums(dims),
        engine="bmc" if depth else "pdr",
        depth=depth,
        is_small=is_small,
    )


PROOFS = (
    _proof("one_key", n_keys=2, weight_bits=2, top_k=1, is_small=True),
    _proof("digits", n_keys=2, weight_bits=2),
    _proof("waiting_carries", n_keys=2, weight_bits=2, adder_depth=1),
    _proof("chains", n_keys=2, weight_bits=2, top_k=1, fabric="luts"),
    _proof("chains_two_keys", n_keys=2, weight_bits=2, depth=11, fabric="luts"),
    _proof("multiplier", n_keys=2, weight_bits=2, depth=11, fabric="luts", product="dsp"),
    _proof("slow_memory", n_keys=2, top_k=1, memory="external", read_latency=3),
    _proof("three_keys", n_keys=3, top_k=3, weight_bits=3, d_value=2, n_macs=1, depth=12),
    _proof("shift", n_keys=2, weight_bits=3, weights=(4, 2, 0), product="shift", d_value=2),
)
