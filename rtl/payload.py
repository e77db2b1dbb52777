"""Layouts of the payloads that components hand each other, each defined once."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib.data import ArrayLayout, StructLayout

from hamming.rtl.dimensions import Dimensions
from hamming.rtl.memory import ReadPort, address_bits, value_read_port

__all__ = [
    "bounded_query",
    "chosen_key",
    "counts",
    "cut",
    "each",
    "kept_key",
    "key_row",
    "levels",
    "mask_row",
    "of_each",
    "offset_values",
    "out_beat",
    "partial",
    "place",
    "placeless_key",
    "query",
    "ranged_query",
    "read_request",
    "read_response",
    "replayed_key",
    "row_request",
    "score_request",
    "sum_parts",
    "totals",
    "waiting_row",
    "weight_entry",
    "weighted_key",
    "write_key",
    "write_values",
]


def each(dims: Dimensions, shape: Shape) -> Shape | ArrayLayout:
    """What each query of a group has: an array, or, where a row of keys is read for one query, that one's alone."""
    n_queries = dims.n_queries_a_row
    return shape if n_queries == 1 else ArrayLayout(shape, n_queries)


def of_each(dims: Dimensions, found: Any) -> list[Any]:
    """Return what each query of a group has, of a field that `each` made."""
    return [found] if dims.n_queries_a_row == 1 else [found[n] for n in range(dims.n_queries_a_row)]


def query(dims: Dimensions) -> StructLayout:
    """A query, or a group: its `d_head` bits and the keys that it sees, those below `n_valid`.

    With `range`, those from `first` on, and the spec's `n_sinks`, if any, from `base` on; of several tables, its own.
    One of several engines is told which of its own keys are sinks: from `base` to below `sink_end`, which may be none.
    """
    spec = dims.spec
    fields = {"query": each(dims, unsigned(spec.d_head)), "n_valid": each(dims, unsigned(spec.n_valid_bits))}
    if dims.config.range:
        fields["first"] = each(dims, unsigned(spec.n_valid_bits))
        if spec.n_sinks and dims.is_share:
            fields |= {"base": unsigned(spec.n_valid_bits), "sink_end": unsigned(spec.n_valid_bits)}
        elif spec.n_sinks:
            fields["base"] = unsigned(spec.index_bits)
    if spec.n_tables > 1:
        fields["table"] = each(dims, unsigned(spec.table_bits))
    return StructLayout(fields)


def bounded_query(dims: Dimensions) -> StructLayout:
    """A query, how many keys it sees, `n_keys` at most, and whether a single row of the key memory holds them."""
    spec = dims.spec
    return StructLayout(
        {"query": unsigned(spec.d_head), "n_valid": unsigned(spec.n_valid_bits), "is_single": unsigned(1)}
    )


def ranged_query(dims: Dimensions) -> StructLayout:
    """A query, or a group, the keys that it sees, and the rows that hold them: `begin_row` to `last_row`.

    With sinks, those at `base` or above and below `sink_end`, of which there may be none. Where they do not lie next to
    the range the query `jumps`, behind `sink_row`, its row number `n_before`, to the range's first row.
    """
    spec = dims.spec
    fields = {
        "query": each(dims, unsigned(spec.d_head)),
        "n_valid": each(dims, unsigned(spec.n_valid_bits)),
    }
    if dims.config.range:
        fields["first"] = each(dims, unsigned(spec.n_valid_bits))
    fields |= {"begin_row": unsigned(dims.row_bits), "last_row": unsigned(dims.row_bits)}
    if spec.n_sinks:
        fields |= {
            "base": unsigned(spec.index_bits),
            "sink_end": unsigned(spec.n_valid_bits + 1),
            "sink_row": unsigned(dims.row_bits),
            "n_before": unsigned(dims.sink_rows.bit_length()),
            "jumps": unsigned(1),
        }
    return StructLayout(fields)


def place(dims: Dimensions) -> StructLayout:
    """Where a query's rows lie: from `begin_row` on; if it `jumps`, after `n_before` rows from `first_row` on."""
    fields = {"begin_row": unsigned(dims.row_bits)}
    if dims.spec.n_sinks:
        fields |= {
            "first_row": unsigned(dims.row_bits),
            "n_before": unsigned(dims.sink_rows.bit_length()),
            "jumps": unsigned(1),
        }
    return StructLayout(fields)


def key_row(dims: Dimensions) -> StructLayout:
    """A key and its value vector, to be stored at `index`; dropped if that is `n_keys` or above."""
    spec = dims.spec
    return StructLayout(
        {
            "index": unsigned(spec.index_bits),
            "key": unsigned(spec.d_head),
            "value": ArrayLayout(signed(spec.value_bits), spec.d_value),
        }
    )


def weight_entry(dims: Dimensions) -> StructLayout:
    """An entry of the softmax table: `index` is the deficit, 0 to `d_head`; of several tables, of `table`."""
    fields = {"index": unsigned(dims.spec.matches_bits), "weight": unsigned(dims.spec.weight_bits)}
    if dims.spec.n_tables > 1:
        fields["table"] = unsigned(dims.spec.table_bits)
    return StructLayout(fields)


def score_request(dims: Dimensions) -> StructLayout:
    """A query against one row of keys (which the key memory holds out), and the lanes that take part."""
    return StructLayout(
        {"query": unsigned(dims.spec.d_head), "takes_part": unsigned(dims.n_lanes), "last": unsigned(1)}
    )


def row_request(dims: Dimensions) -> StructLayout:
    """A `score_request`, or those of a group against the same row of keys."""
    return StructLayout(
        {name: field.shape if name == "last" else each(dims, field.shape) for name, field in score_request(dims)}
    )


def mask_row(dims: Dimensions) -> Shape:
    """For a row of keys, a 1 for each key to leave out; of a group, the first query's lowest."""
    return unsigned(dims.n_queries_a_row * dims.n_lanes)


def levels(dims: Dimensions) -> StructLayout:
    """One row of scores: a level a lane (`matches + 1`, 0 where no key takes part); `last` ends the query."""
    return StructLayout({"level": ArrayLayout(unsigned(dims.level_bits), dims.n_lanes), "last": unsigned(1)})


def waiting_row(dims: Dimensions) -> StructLayout:
    """A row of `levels` that other rows may have been left out before, with its number among those of the query."""
    return StructLayout(
        {name: field.shape for name, field in levels(dims)} | {"row": unsigned(dims.spec.index_bits - dims.lane_bits)}
    )


def chosen_key(dims: Dimensions) -> StructLayout:
    """A key for a sorted list, or none; `last` ends the query, with this key."""
    return StructLayout(
        {
            "level": unsigned(dims.level_bits),
            "index": unsigned(dims.spec.index_bits),
            "has_key": unsigned(1),
            "last": unsigned(1),
        }
    )


def kept_key(dims: Dimensions) -> StructLayout:
    """A kept key: `deficit = max_matches - matches`. An empty query: `is_empty`, `last`, and zeros."""
    return StructLayout(
        {
            "index": unsigned(dims.spec.index_bits),
            "deficit": unsigned(dims.spec.matches_bits),
            "is_empty": unsigned(1),
            "last": unsigned(1),
        }
    )


def slice_bits(dims: Dimensions) -> int:
    """Bits of a slice's number, 0 to `fold - 1` (none if there is one slice)."""
    return (dims.fold - 1).bit_length()


def replayed_key(dims: Dimensions) -> StructLayout:
    """A kept key on one of its `fold` passes; `last` ends the pass, slice `fold - 1` the query."""
    return StructLayout(
        {
            "index": unsigned(dims.spec.index_bits),
            "deficit": unsigned(dims.spec.matches_bits),
            "slice": unsigned(slice_bits(dims)),
            "is_empty": unsigned(1),
            "last": unsigned(1),
        }
    )


def weighted_key(dims: Dimensions) -> StructLayout:
    """A kept key with its weight, on one pass; an empty query's weight is 0."""
    return StructLayout(
        {
            "index": unsigned(dims.spec.index_bits),
            "weight": unsigned(dims.spec.weight_bits),
            "slice": unsigned(slice_bits(dims)),
            "is_empty": unsigned(1),
            "last": unsigned(1),
        }
    )


def placeless_key(dims: Dimensions) -> StructLayout:
    """A weighted key of which the value was asked for: where it lies matters no more."""
    return StructLayout({name: field.shape for name, field in weighted_key(dims) if name != "index"})


def read_request(port: ReadPort) -> StructLayout:
    """A word that is asked for of a memory of any latency."""
    return StructLayout({"address": unsigned(address_bits(port.depth))})


def read_response(port: ReadPort) -> StructLayout:
    """The word; with `error` it is wrong, and used all the same."""
    return StructLayout({"data": unsigned(port.width), "error": unsigned(1)})


def write_key(dims: Dimensions) -> StructLayout:
    """A key for a memory of any latency: `address` is its index, lane `index % n_lanes` of word `index // n_lanes`."""
    return StructLayout({"address": unsigned(address_bits(dims.spec.n_keys)), "data": unsigned(dims.spec.d_head)})


def write_values(dims: Dimensions) -> StructLayout:
    """A slice of a value vector for a memory of any latency, as it is read."""
    port = value_read_port(dims)
    return StructLayout({"address": unsigned(address_bits(port.depth)), "data": unsigned(port.width)})


def offset_values(dims: Dimensions) -> ArrayLayout:
    """A word of the value memory: `n_macs` elements of one slice, each offset by `2**(value_bits - 1)`."""
    return ArrayLayout(unsigned(dims.spec.value_bits), dims.n_macs)


def sum_parts(dims: Dimensions) -> StructLayout:
    """Sums over one slice, in parts, which `Normalizer` puts together; `last` is the query's last slice.

    Values are offset by `2**(value_bits - 1)`, so that everything is unsigned. Modulo `2**acc_bits`,

        sum(weight * offset_value) = acc + sum(2**position * carry) - (2**value_bits - 1) * negated

    with a position of `dims.kept_carries` for each carry, and

        2**(out_frac_bits + 1) * (offset + offset_carry) + low = 2**(out_frac_bits + 1) * negated + sum(weight)

    All are 0 for an empty query, but for a `low` of 1.
    """
    fields = {
        "acc": ArrayLayout(unsigned(dims.spec.acc_bits), dims.n_macs),
        "carry": ArrayLayout(unsigned(len(dims.kept_carries)), dims.n_macs),
        "negated": unsigned(dims.negated_bits),
        "low": unsigned(dims.spec.out_frac_bits + 1),
        "offset": unsigned(dims.offset_bits),
        "offset_carry": unsigned(1),
        "is_empty": unsigned(1),
        "last": unsigned(1),
    }
    if not dims.kept_carries:
        del fields["carry"]
    return StructLayout(fields)


def out_beat(dims: Dimensions) -> StructLayout:
    """`n_dividers` output elements, in order; `last` ends the query, `is_empty` says that no key took part."""
    return StructLayout(
        {
            "value": ArrayLayout(signed(dims.spec.out_bits), dims.n_dividers),
            "is_empty": unsigned(1),
            "last": unsigned(1),
        }
    )


def partial(dims: Dimensions) -> StructLayout:
    """`n_dividers` sums of weights times values, in order, the sum of weights, and the level they are counted from.

    Values are offset by `2**(value_bits - 1)`: golden's `Partial.acc` is `acc - 2**(value_bits - 1) * weight_sum`. All
    but `max_level` and `last` are 0 where no key was kept, and `is_empty` is 1; `last` ends the query.
    """
    spec = dims.spec
    return StructLayout(
        {
            "acc": ArrayLayout(unsigned(spec.acc_bits), dims.n_dividers),
            "weight_sum": unsigned(spec.weight_sum_bits),
            "max_level": unsigned(dims.level_bits),
            "is_empty": unsigned(1),
            "last": unsigned(1),
        }
    )


def counts(dims: Dimensions) -> StructLayout:
    """How many keys are at a level or above, `top_k` if more: a beat for each level, from `d_head + 1` down to 1."""
    return StructLayout({"count": unsigned(dims.spec.top_k.bit_length())})


def totals(dims: Dimensions) -> StructLayout:
    """The `counts` of all engines, and of those before this one alone."""
    bits = dims.spec.top_k.bit_length()
    return StructLayout({"total": unsigned(bits), "before": unsigned(bits)})


def cut(dims: Dimensions) -> StructLayout:
    """What an engine needs to know to scan a query: golden's `Cut`, and how many keys it keeps."""
    bits = dims.spec.top_k.bit_length()
    return StructLayout(
        {
            "level": unsigned(dims.level_bits),
            "quota": unsigned(bits),
            "max_level": unsigned(dims.level_bits),
            "n_kept": unsigned(bits),
        }
    )
