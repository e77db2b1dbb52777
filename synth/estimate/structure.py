"""What an engine is made of, block by block, in numbers of things: what area and energy are estimated from.

Each *term* is so many of one thing, full adders, flip-flops, multiplexers of a bit, that are used so many times a
query. What one of them takes in a library's cells, and in energy a use, is fitted (`synth.estimate.fit`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from hamming.rtl import payload
from hamming.rtl.digits import row_heights, top_digits
from hamming.rtl.dimensions import Dimensions
from hamming.synth.estimate import scoring
from hamming.synth.estimate.activity import activity, cycles_a_query
from hamming.synth.estimate.terms import Term, Terms, kept_keys

__all__ = ["BLOCKS", "blocks"]


def blocks(dims: Dimensions) -> dict[str, Terms]:
    """Return what each block is made of, for queries of all keys."""
    cycles = cycles_a_query(dims)
    found = {name: block(dims) for name, block in BLOCKS.items()}
    for name, amount in _always_clocked(dims).items():
        found[name]["cycles"] = Term(amount, cycles, takes_area=False)
    return {name: {kind: term for kind, term in made.items() if term.amount} for name, made in found.items()}


def _always_clocked(dims: Dimensions) -> dict[str, float]:
    """Return about how many flip-flops and clock gates of a block a query clocks in each of its cycles."""
    is_list, is_loadable = dims.fold > 1, dims.config.table == "loadable"
    return {
        "score": 1 + dims.config.score_stages,
        "selector": dims.spec.top_k if dims.config.selector == "insertion" else dims.spec.d_head,
        "replay": dims.spec.top_k if is_list else 1,
        "softmax": dims.spec.d_head if is_loadable else 1,
        "weighted_sum": 1,
        "normalizer": dims.division_latency * (2 + dims.n_dividers),
        "fetch": 1,
        "loader": 1,
        "fork": 1,
        "turns": 1,
    }


def _replay(dims: Dimensions) -> Terms:
    spec, passes = dims.spec, kept_keys(dims) * dims.fold
    width = spec.index_bits + spec.matches_bits
    if dims.fold == 1:
        return {"register: bits": Term(width, passes), "register: all": Term(1, passes)}
    return {
        "list: bits": Term(max(2, spec.top_k) * width, kept_keys(dims)),
        "list: entries": Term(max(2, spec.top_k), passes),
        "list: all": Term(1, passes),
    }


def _softmax(dims: Dimensions) -> Terms:
    spec, passes = dims.spec, kept_keys(dims) * dims.fold
    found = {
        "flip-flops": Term(2 * payload.weighted_key(dims).size, passes),
        "all": Term(1, passes),
    }
    if dims.config.table == "loadable":
        found["loadable: bits"] = Term((spec.d_head + 1) * spec.weight_bits * spec.n_tables, passes)
    else:  # what changes from entry to entry
        steps = [a ^ b for table in spec.tables for a, b in pairwise(table)]
        found["table: steps"] = Term(sum(step.bit_count() for step in steps), passes)
    return found


#: Loads of a line that says which digit a weight has, beyond which its buffers have a level more.
_MOST_LOADS = 256


def _weighted_sum(dims: Dimensions) -> Terms:
    spec, macs, product = dims.spec, dims.n_macs, dims.config.product
    moved, passes = activity(spec).weighted * dims.fold, kept_keys(dims) * dims.fold
    rows = sum(row_heights(product, spec.value_bits, spec.weight_bits, spec.acc_bits))
    found = {
        "sums": Term(macs * (spec.acc_bits + len(dims.kept_carries)), moved),
        "values": Term(macs * spec.value_bits, moved),
        "shared": Term(spec.weight_bits + dims.offset_bits + dims.negated_bits + spec.out_frac_bits, moved),
        "all": Term(1, passes),
    }
    if product == "multiply":
        found["multiply: rows"] = Term(macs * rows, moved)
        found["multiply: digits"] = Term(len(top_digits(spec.weight_bits)), moved)
        digits, bits = activity(spec).digits * dims.fold, macs * spec.value_bits
        found["multiply: digits that are not 0"] = Term(bits, digits, takes_area=False)
        # Lines with so many loads are late, and products change more than once.
        late = bits if bits > _MOST_LOADS else 0
        found["multiply: digits that are late"] = Term(late, digits, takes_area=False)
    else:
        found["shift: rows"] = Term(macs * rows, moved)
        found["shift: selects"] = Term(macs * spec.value_bits * spec.weight_bits, moved)
    return found


def _normalizer(dims: Dimensions) -> Terms:
    spec, macs, dividers, slices = dims.spec, dims.n_macs, dims.n_dividers, dims.fold
    word = spec.acc_bits + len(dims.kept_carries)
    n_adds, bits = len(dims.addition_places), spec.out_bits
    beats = spec.d_value // dividers
    return {
        "held": Term(macs * word, slices),
        "selects": Term((macs - dividers) * word, 0),
        # Of the many words at the leaves of a tree few ever move.
        "selected": Term(dividers * word * math.log2(1 + macs / dividers), beats, takes_area=False),
        "additions": Term(dividers * n_adds * spec.acc_bits, beats),
        "remainders": Term(dividers * bits * spec.weight_sum_bits, 0),
        # Divisors that are sums of few powers of two leave remainders in which less moves.
        f"{dims.config.product}: remainders": Term(dividers * bits * spec.weight_sum_bits, beats, takes_area=False),
        "quotients": Term(dividers * (bits * (bits + 1) // 2 + spec.value_bits * (spec.value_bits - 1) // 2), beats),
        "divisors": Term((bits + n_adds) * spec.weight_sum_bits, slices),
        "corrections": Term(n_adds * spec.acc_bits, slices),
        "stages": Term(bits + n_adds, beats),
        "all": Term(1, beats),
    }


def _loader(dims: Dimensions) -> Terms:
    spec, fold = dims.spec, dims.fold
    return {
        "selects": Term((fold - 1) * dims.n_macs * spec.value_bits, 0),
        "values": Term(dims.n_macs * spec.value_bits if fold > 1 else 0, 0),
        "address": Term(spec.index_bits, 0),
        "lanes": Term(dims.n_lanes, 0),
        "all": Term(1, 1),
    }


def _value_memory(dims: Dimensions) -> Terms:
    n_banks, bits = len(dims.value_bank_depths), dims.n_macs * dims.spec.value_bits
    moved = activity(dims.spec).weighted * dims.fold
    return {
        "bits read": Term(bits, moved, takes_area=False),
        "bits of banks": Term(n_banks * bits if n_banks > 1 else 0, moved),
        "banks": Term(n_banks if n_banks > 1 else 0, moved),
    }


def _control(dims: Dimensions) -> Terms:
    return {"all": Term(1, 1)}


#: What each block is made of.
BLOCKS: dict[str, Callable[[Dimensions], Terms]] = {
    "key_memory": scoring.key_memory,
    "score": scoring.score,
    "selector": scoring.selector,
    "spare_row": scoring.spare_row,
    "spare_key": scoring.spare_key,
    "replay": _replay,
    "softmax": _softmax,
    "weighted_sum": _weighted_sum,
    "normalizer": _normalizer,
    "fetch": scoring.fetch,
    "loader": _loader,
    "value_memory": _value_memory,
    "fork": _control,
    "turns": _control,
}
