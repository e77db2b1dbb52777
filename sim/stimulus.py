"""Random vectors for a design, drawn so that what is rare in uniform ones happens often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.spec import AttentionSpec

__all__ = ["Vectors", "random_vectors"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Vectors:
    """Queries of several heads, as of `golden.attention.attend`, with one leading axis."""

    q: NDArray[np.uint8]
    k: NDArray[np.uint8]
    v: NDArray[np.int64]
    n_valid: NDArray[np.int64]
    mask: NDArray[np.bool_] | None = None

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
    all_valid: bool = False,
) -> Vectors:
    """Draw vectors: each head, and each query, of one of several kinds.

    Keys are uniform, or near a few prototypes (many ties), or all equal, or one key and its complement (the largest
    deficits). Values are uniform, or the extremes, or constant. `n_valid` is anything, small, all, near `top_k`, or
    rises by one a query.

    Parameters
    ----------
    spec
        Shapes and widths.
    rng
        Source of randomness.
    n_heads, n_queries
        Sizes.
    has_mask
        Whether queries bring a mask.
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
    return Vectors(q=q, k=k, v=v, n_valid=n_valid, mask=mask)


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
        case _:  # a key, often fewer times than are kept, and its complement
            k = some[0] ^ (rng.random((spec.n_keys, 1)) < rng.choice([0.5, 0.5 * spec.top_k / spec.n_keys]))
    k = k.astype(np.uint8)

    near = k[rng.integers(0, spec.n_keys, n_queries)] ^ rng.integers(0, 2, (n_queries, 1), np.uint8)
    noise = rng.random((n_queries, spec.d_head)) < rng.choice([0.0, 0.05, 0.5], (n_queries, 1))
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
