"""The picture of an engine's blocks, each with its size and its share of the area."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from hamming.datasheet.svg import line, path, rectangle, svg, text

__all__ = ["picture"]

_WIDE, _STEP, _LEFT = 138, 156, 130
_LOWER, _UPPER = 196, 68
_TIMES = "\N{MULTIPLICATION SIGN}"


def picture(facts: Mapping[str, Any], shares: Mapping[str, float]) -> str:
    """Return the data path as SVG.

    Parameters
    ----------
    facts
        The manifest.
    shares
        Share of the logic's area by block, as far as known.
    """
    return svg(_x(7) + 86, 342, f"Blocks of {facts['name']}, from queries to outputs", _parts(facts, shares))


def _x(column: int) -> int:
    return _LEFT + _STEP * column


def _parts(facts: Mapping[str, Any], shares: Mapping[str, float]) -> Iterator[Markup]:
    spec, engine, sizes = facts["spec"], facts["engine"], facts["dimensions"]
    streams = facts["streams"]
    lower = (
        ("fetch", "KeyFetch", f"{_many(sizes['n_lanes'], 'key')} a cycle"),
        ("score", "ScoreArray", f"{sizes['n_lanes']} {_TIMES} {_many(spec['d_head'], 'XNOR')}"),
        ("selector", "Selector", f"best {spec['top_k']} of {spec['n_keys']:,}"),
        ("replay", "Replay", f"{sizes['fold']} {_TIMES} {_many(spec['top_k'], 'key')}"),
        ("softmax", "Softmax", f"{engine['table']}, {spec['d_head'] + 1} {_TIMES} {_many(spec['weight_bits'], 'bit')}"),
        ("weighted_sum", "WeightedSum", f"{_many(sizes['n_macs'], 'sum')} of {_many(sizes['acc_bits'], 'bit')}"),
        ("normalizer", "Normalizer", f"{_many(sizes['n_dividers'], 'quotient')} a cycle"),
    )
    for column, (block, name, size) in enumerate(lower):
        yield from _box("block", column, _LOWER, name, size, shares.get(block))
        yield line((_x(column) + _WIDE, _LOWER + 38), (_x(column + 1), _LOWER + 38), arrow=True)
    rows = f"a row in {_many(sizes['fold'], 'cycle')}"
    yield from _box("block", 0, _UPPER, "RowLoader", rows, shares.get("loader"))
    keys, values = (_words(facts, name) for name in ("key_memory", "value_memory"))
    yield from _box("memory", 1, _UPPER, "Keys", keys, shares.get("key_memory"))
    yield from _box("memory", 5, _UPPER, "Values", values, shares.get("value_memory"))
    yield line((_x(0) + _WIDE, _UPPER + 38), (_x(1), _UPPER + 38), arrow=True)
    yield line((_x(0) + 69, _UPPER), (_x(0) + 69, 40), (_x(5) + 69, 40), (_x(5) + 69, _UPPER), arrow=True)
    for column in (1, 5):
        yield line((_x(column) + 69, _UPPER + 76), (_x(column) + 69, _LOWER), arrow=True)
    inputs = {"i_row": _UPPER + 38, "i_query": _LOWER + 22, "i_mask": _LOWER + 62}
    for name, y in inputs.items():
        if name in streams:
            yield line((8, y), (_x(0), y), arrow=True)
            yield text(10, y - 6, f"{name}, {streams[name]['bits']:,}", "port start")
    if "i_weight" in streams:
        yield line((_x(4) + 69, _LOWER - 36), (_x(4) + 69, _LOWER), arrow=True)
        yield text(_x(4) + 69, _LOWER - 42, f"i_weight, {streams['i_weight']['bits']}", "port")
    right = _x(7) + 78
    yield line((_x(7), _LOWER + 38), (right, _LOWER + 38), arrow=True)
    yield text(right, _LOWER + 30, f"o_out, {streams['o_out']['bits']}", "port end")
    if "o_selected" in streams:
        yield line((_x(2) + 69, _LOWER + 76), (_x(2) + 69, 292), (right, 292), arrow=True)
        yield text(right, 286, f"o_selected, {streams['o_selected']['bits']}", "port end")
    terms = facts["cycles"]["terms"]
    for first, last, words in (
        (0, 1, f"scoring: {_many(terms['score']['cycles'], 'cycle')} a query"),
        (3, 5, f"summing: {_many(terms['sum']['cycles'], 'cycle')} a query, while the next is scored"),
    ):
        x0, x1 = _x(first), _x(last) + _WIDE
        yield path("wire", f"M{x0} 304V310H{x1}V304")
        yield text((x0 + x1) / 2, 328, words)


def _box(kind: str, column: int, y: int, name: str, size: str, share: float | None) -> Iterator[Markup]:
    middle = _x(column) + _WIDE / 2
    yield rectangle(kind, _x(column), y, _WIDE, 76)
    yield text(middle, y + 23, name, "name")
    yield text(middle, y + 44, size, "small")
    if share is not None:
        yield text(middle, y + 65, f"{share:.1%} of the area", "note")


def _words(facts: Mapping[str, Any], name: str) -> str:
    """Return a memory's arrays, as words times bits."""
    found = [memory for memory in facts["memories"] if memory["name"].partition(".")[0] == name]
    depths, width = [memory["depth"] for memory in found], found[0]["bits_a_word"]
    is_even = len(set(depths)) == 1 < len(depths)
    words = f"{len(depths)} {_TIMES} {depths[0]:,}" if is_even else f"{sum(depths):,}"
    return f"{words} {_TIMES} {_many(width, 'bit')}"


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
