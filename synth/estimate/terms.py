"""What blocks are counted in: things that are used so often, and the memories beside them."""

from __future__ import annotations

from typing import NamedTuple

from hamming.rtl.dimensions import Dimensions
from hamming.synth.estimate.activity import activity

__all__ = ["Array", "Term", "Terms", "arrays", "kept_keys"]


class Term(NamedTuple):
    """So many of one thing, how often a query uses them, and whether they take area; what glitches takes none."""

    amount: float
    uses: float
    takes_area: bool = True


Terms = dict[str, Term]


class Array(NamedTuple):
    """A memory that becomes a macro: words, bits of a word, and how many a query reads and writes."""

    depth: int
    width: int
    reads: float
    writes: float


def arrays(dims: Dimensions) -> dict[str, Array]:
    """Return the memories, by name, for queries of all keys and weights that are not 0.

    Of a `request` memory it is the buffer of what is under way.
    """
    spec = dims.spec
    keys, values = dims.config.memories
    reads = activity(spec).weighted * dims.fold
    found = {"key_memory": _array(dims, keys, dims.n_rows, dims.n_lanes * spec.d_head, dims.n_rows)}
    if dims.config.selector == "histogram":
        groups = dims.scan_groups(spec.n_keys)
        width = dims.scan_rows * dims.n_lanes * dims.level_bits
        found["selector.scores"] = Array(2 * groups, width, groups, dims.n_rows)
    words = sum(dims.value_memories.values())
    for name, depth in dims.value_memories.items():
        found[name] = _array(dims, values, depth, dims.n_macs * spec.value_bits, reads * depth / words)
    return found


def _array(dims: Dimensions, memory: str, depth: int, width: int, reads: float) -> Array:
    return Array(dims.outstanding, width, reads, reads) if memory == "request" else Array(depth, width, reads, 0)


def kept_keys(dims: Dimensions) -> int:
    """Return the keys that a query of all keys keeps."""
    return max(1, min(dims.spec.top_k, dims.spec.n_keys))
