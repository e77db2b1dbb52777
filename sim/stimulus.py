"""Random vectors and designs, drawn so that what is rare in uniform ones happens often."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hamming.golden.spec import AttentionSpec, exponential_table, power_of_two_table
from hamming.rtl.banks import bank_numbers
from hamming.rtl.config import MEMORIES, OUTPUTS, SELECTORS, TABLES, EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.dimensions import Dimensions

__all__ = ["Vectors", "random_chain", "random_design", "random_vectors"]

#: Widest row of keys of a random design.
_MAX_LANE_BITS = 2048


@dataclass(frozen=True, kw_only=True, eq=False)
class Vectors:
    """Queries of several heads, as of `golden.attention.attend`, with one leading axis."""

    q: NDArray[np.uint8]
    k: NDArray[np.uint8]
    v: NDArray[np.int64]
    n_valid: NDArray[np.int64]
    mask: NDArray[np.bool_] | None = None
    first: NDArray[np.int64] | None = None
    base: NDArray[np.int64] | None = None
    table: NDArray[np.int64] | None = None

    @property
    def limits(self) -> dict[str, NDArray]:
        """What `golden.attention.attend` takes beside queries, keys and values."""
        return {name: array for name, array in self.arrays().items() if name not in ("q", "k", "v")}

    def named(self, name: str) -> NDArray[np.int64]:
        """Return what each query names: `n_valid`, `first`, `base` or `table`; 0 where there is no such array."""
        found = getattr(self, name)
        return np.zeros_like(self.n_valid) if found is None else found

    def arrays(self) -> dict[str, NDArray]:
        """Return the arrays that there are, by name."""
        return {name: array for name, array in vars(self).items() if array is not None}


def random_vectors(
    spec: AttentionSpec,
    rng: np.random.Generator,
    *,
    n_heads: int,
    n_queries: int,
    has_mask: bool,
    has_range: bool = False,
    all_valid: bool = False,
) -> Vectors:
    """Draw vectors: each head, and each query, of one of several kinds.

    Keys are uniform, or near a few prototypes (many ties), or all equal, or one key and its complement (the largest
    deficits, and with queries between the two all others). Values are uniform, or the extremes, or constant. `n_valid`
    is anything, small, all, near `top_k`, or rises by one a query; `first` is 0, anything, a little below, or above it,
    or a window's length below it; `base` is 0, anything, or not far below `first`. Tables are drawn evenly.

    Parameters
    ----------
    spec
        Shapes and widths.
    rng
        Source of randomness.
    n_heads, n_queries
        Sizes.
    has_mask, has_range
        Whether queries bring a mask, and a range.
    all_valid
        Every query sees every key, unmasked.
    """
    heads = [_head(spec, rng, n_queries) for _ in range(n_heads)]
    q, k, v, n_valid = (np.stack(parts) for parts in zip(*heads, strict=True))
    mask = None
    if all_valid:
        n_valid = np.full(n_valid.shape, spec.n_keys)
    elif has_mask:
        density = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0], (n_heads, n_queries, 1))
        mask = rng.random((n_heads, n_queries, spec.n_keys)) < density
    first = _firsts(spec, rng, n_valid) if has_range and not all_valid else None
    base = _bases(spec, rng, first) if first is not None and spec.n_sinks else None
    table = rng.integers(0, spec.n_tables, n_valid.shape) if spec.n_tables > 1 else None
    return Vectors(q=q, k=k, v=v, n_valid=n_valid, mask=mask, first=first, base=base, table=table)


def _firsts(spec: AttentionSpec, rng: np.random.Generator, n_valid: NDArray[np.int64]) -> NDArray[np.int64]:
    """Draw the first keys of ranges."""
    n, shape = spec.n_keys, n_valid.shape
    window = rng.integers(1, n + 1, (shape[0], 1))
    kinds = np.stack(
        [
            np.zeros(shape, np.int64),
            rng.integers(0, n + 1, shape),
            n_valid - rng.integers(-1, 4, shape),
            np.broadcast_to(n_valid - window, shape),
            n_valid - spec.top_k + rng.integers(-1, 2, shape),
        ]
    )
    kind = rng.integers(0, len(kinds), shape)
    return np.clip(np.take_along_axis(kinds, kind[None], axis=0)[0], 0, n)


def _bases(spec: AttentionSpec, rng: np.random.Generator, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Draw where sinks begin."""
    anywhere = rng.integers(0, spec.n_keys, first.shape)
    before = first - rng.integers(0, 2 * spec.n_sinks + 2, first.shape)
    kind = rng.integers(0, 3, first.shape)
    return np.clip(np.choose(kind, [np.zeros_like(first), anywhere, before]), 0, spec.n_keys - 1)


def _head(spec: AttentionSpec, rng: np.random.Generator, n_queries: int) -> tuple[NDArray, ...]:
    bits = (2, spec.d_head)
    some = rng.integers(0, 2, bits, np.uint8)
    match rng.integers(5):
        case 0 | 1:
            k = rng.integers(0, 2, (spec.n_keys, spec.d_head), np.uint8)
        case 2:  # a few prototypes, a few bits flipped
            k = some[rng.integers(0, 2, spec.n_keys)] ^ (rng.random((spec.n_keys, spec.d_head)) < 0.05)
        case 3:
            k = np.repeat(some[:1], spec.n_keys, axis=0)
        case _:  # a key, often fewer times than are kept, and its complement, of which half may be a bit off
            is_far = rng.random((spec.n_keys, 1)) < rng.choice([0.5, 1 - 0.5 * spec.top_k / spec.n_keys])
            is_other = np.arange(spec.d_head) != np.where(
                rng.random((spec.n_keys, 1)) < rng.choice([0, 0.5]), 0, spec.d_head
            )
            k = some[0] ^ (is_far & is_other)
    k = k.astype(np.uint8)

    near = k[rng.integers(0, spec.n_keys, n_queries)] ^ rng.integers(0, 2, (n_queries, 1), np.uint8)
    share = np.where(
        rng.random((n_queries, 1)) < 0.25, rng.random((n_queries, 1)), rng.choice([0, 0.05, 0.5], (n_queries, 1))
    )
    noise = rng.random((n_queries, spec.d_head)) < share
    q = near ^ noise.astype(np.uint8)

    low, high = -(1 << (spec.value_bits - 1)), (1 << (spec.value_bits - 1)) - 1
    shape = (spec.n_keys, spec.d_value)
    match rng.integers(5):
        case 0 | 1:
            v = rng.integers(low, high + 1, shape)
        case 2:
            v = rng.choice([low, high], shape)
        case 3:
            v = np.broadcast_to(rng.choice([low, high], (1, spec.d_value)), shape)
        case _:
            v = rng.integers(-1, 2, shape)

    n = spec.n_keys
    kinds = np.stack(
        [
            rng.integers(0, n + 1, n_queries),
            np.minimum(rng.integers(0, 4, n_queries), n),
            np.full(n_queries, n),
            np.clip(spec.top_k + rng.integers(-1, 2, n_queries), 0, n),
        ]
    )
    if rng.random() < 0.25:  # decoding
        n_valid = np.minimum(rng.integers(0, n + 1) + np.arange(n_queries), n)
    else:
        n_valid = kinds[rng.integers(0, len(kinds), n_queries), np.arange(n_queries)]
    return q, k, v.astype(np.int64), n_valid.astype(np.int64)


def random_design(rng: np.random.Generator) -> Design:
    """Draw a design: sizes that are odd as often as round, every option of the configuration."""
    while True:
        try:
            return _draw(rng)
        except ValueError:  # a combination that is refused: an accumulator too wide, more lanes than keys
            continue


def random_chain(design: Design, rng: np.random.Generator) -> Design:
    """Divide a design's keys among several engines; what they cannot have yet is left out."""
    n_lanes = design.config.n_lanes
    n_engines = int(rng.choice([2, 2, 3, 4, 7]))
    most = max(n_lanes, design.spec.n_keys // n_engines)
    n_own = int(rng.integers(n_lanes, most + 1)) if rng.integers(2) else most
    spec = dataclasses.replace(
        design.spec,
        n_keys=n_own * n_engines,
        top_k=min(design.spec.top_k, n_own * n_engines),
        n_sinks=min(design.spec.n_sinks, n_own * n_engines),
    )
    config = dataclasses.replace(
        design.config,
        selector="histogram",
        scan_rows=None,
        waiting_rows=0,
        value_banks=1,
        output=str(rng.choice(OUTPUTS, p=[0.75, 0.25])),
        n_engines=n_engines,
        n_queries_a_row=1,
    )
    return Design(spec, config)


def _draw(rng: np.random.Generator) -> Design:
    def flip() -> bool:
        return bool(rng.integers(2))

    def pick(*choices: int) -> int:
        return int(rng.choice(choices))

    def between(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    d_head = pick(1, 2, 3, 5, 7, 8, 11, 16, 20, 31, 32, 33, 48, 64, 65, 80, 96, 128)
    d_value = pick(1, 2, 3, 4, 5, 6, 8, 9, 12, 15, 16, 24, 32, 64)
    n_keys = pick(between(1, 8), between(9, 64), between(65, 199), 2 ** between(0, 7))
    weight_bits = pick(1, 2, 8, 12, 16)
    product = str(rng.choice(("multiply", "shift"), p=[0.75, 0.25]))
    has_range = flip()
    weights = tuple(_table(rng, d_head, weight_bits, product) for _ in range(1 if flip() else pick(2, 3, 4, 5)))
    spec = AttentionSpec(
        d_head=d_head,
        d_value=d_value,
        n_keys=n_keys,
        top_k=min(n_keys, pick(1, 2, 3, n_keys, between(1, 32))),
        weights=weights,
        value_bits=pick(2, 3, 5, 8, 8, 11, 16),
        weight_bits=weight_bits,
        out_frac_bits=pick(0, 1, 4, 8, 8, 12),
        n_sinks=min(n_keys, pick(0, 1, 2, 4, between(1, 40))) if has_range else 0,
    )
    selector = str(rng.choice(SELECTORS))
    n_lanes = 2 ** between(0, 5)
    if n_lanes * d_head > _MAX_LANE_BITS:
        raise ValueError("compiling it would take longer than simulating it")
    n_rows = -(-n_keys // n_lanes)
    n_macs = None if flip() else pick(*_divisors(d_value))
    memory, *own = (str(rng.choice(MEMORIES)) for _ in range(3))
    key_memory, value_memory = (None if flip() else one for one in own)
    kinds = {key_memory or memory, value_memory or memory}
    config = EngineConfig(
        name="engine",
        n_lanes=n_lanes,
        n_macs=n_macs,
        selector=selector,
        scan_rows=2 ** between(0, (n_rows - 1).bit_length()) if selector == "histogram" and flip() else None,
        score_stages=between(0, 4),
        n_dividers=None if flip() else pick(*_divisors(n_macs or d_value)),
        product=product,
        memory=memory,
        key_memory=key_memory,
        value_memory=value_memory,
        read_latency=between(1, 3) if "external" in kinds else 1,
        outstanding=pick(4, 5, 16, 200) if "request" in kinds and flip() else None,
        table=str(rng.choice(TABLES)),
        mask=flip(),
        expose_index=flip(),
        range=has_range,
    )
    if config.memories[1] == "internal" and flip():
        n_words = spec.n_keys * Dimensions(spec, config).fold
        allowed = [n for n in bank_numbers(n_words) if n <= 16]
        config = dataclasses.replace(config, value_banks=pick(*allowed))
    n_queries_a_row = 1 if spec.n_sinks else pick(1, 1, 2, 3, 4)
    if n_queries_a_row * n_lanes * d_head > _MAX_LANE_BITS:
        raise ValueError("compiling it would take longer than simulating it")
    config = dataclasses.replace(
        config,
        spare_places=flip(),
        n_queries_a_row=n_queries_a_row,
        adder_depth=None if flip() else between(1, 9),
    )
    if selector == "insertion" and flip():
        config = dataclasses.replace(config, waiting_rows=pick(2, 4, 8, 32))
    if rng.integers(3) == 0:  # as an FPGA has it
        has_multiplier = product == "multiply" and flip()
        config = dataclasses.replace(
            config, fabric="luts", adder_depth=None, product="dsp" if has_multiplier else product
        )
    return Design(spec, config)


def _table(rng: np.random.Generator, d_head: int, weight_bits: int, product: str) -> tuple[int, ...]:
    if rng.integers(2):
        build = power_of_two_table if product == "shift" else exponential_table
        return build(d_head, float(rng.choice([0.0, 0.02, 0.1, 0.5])), weight_bits)
    if product == "shift":
        some = (1 << rng.integers(0, weight_bits, d_head + 1)) * (rng.random(d_head + 1) < 0.8)
    else:
        some = rng.integers(0, 2**weight_bits, d_head + 1)
    return tuple(sorted(some.tolist(), reverse=True))


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]
