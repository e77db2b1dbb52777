"""Functional coverage: how often a simulation met each situation that matters, and which it never met."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from hamming.golden.attention import Attention
from hamming.golden.score import matches
from hamming.golden.topk import absent_keys
from hamming.golden.weighted_sum import weighted_sum
from hamming.rtl.design import Design
from hamming.sim.stimulus import Vectors

__all__ = ["add", "missing", "of_queries", "of_streams"]


def of_queries(design: Design, vectors: Vectors, attention: Attention) -> dict[str, int]:
    """Count the queries (or output elements, or kept keys) that met each situation.

    Parameters
    ----------
    design
        Spec and configuration.
    vectors
        Queries, keys and values.
    attention
        What the golden model returned for them.
    """
    spec, config = design.spec, design.config
    q, k, v, n_valid, mask = vectors.q, vectors.k, vectors.v, vectors.n_valid, vectors.mask
    first, base = vectors.first, vectors.base
    n_keys = k.shape[-2]
    score = matches(q, k).astype(np.int64)
    part = np.ones(score.shape, bool)
    if (absent := absent_keys(n_keys, n_valid, mask, first=first, base=base, n_sinks=spec.n_sinks)) is not None:
        part &= ~absent
    n_part = part.sum(axis=-1)
    best = np.where(part, score, -1).max(axis=-1)
    worst = np.where(part, score, spec.d_head + 1).min(axis=-1)

    kept = attention.index >= 0
    kept_score = np.take_along_axis(score, np.maximum(attention.index, 0), axis=-1)
    cut = np.where(kept, kept_score, spec.d_head + 1).min(axis=-1)
    n_reaching_cut = (part & (score >= cut[..., None])).sum(axis=-1)
    deficit = best[..., None] - kept_score

    acc, weight_sum = weighted_sum(spec, attention.weight, attention.index, v)
    numerator = acc << (spec.out_frac_bits + 1)
    is_half = (numerator - weight_sum[..., None]) % np.maximum(2 * weight_sum, 1)[..., None] == 0
    highest = (1 << (spec.value_bits - 1)) - 1
    some = ~attention.is_empty[..., None]

    counts = {
        "no_valid_key": n_part == 0,
        "one_valid_key": n_part == 1,
        "fewer_valid_than_top_k": (n_part > 0) & (n_part < spec.top_k),
        "n_valid_is_n_keys": n_valid == spec.n_keys,
        "n_valid_below_n_lanes": (n_valid > 0) & (n_valid < config.n_lanes),
        "partial_row": n_valid % config.n_lanes != 0,
        "tie_at_cut": n_reaching_cut > np.maximum(kept.sum(axis=-1), 0),
        "all_keys_equal": (n_part > 1) & (best == worst),
        "deficit_0": kept & (deficit == 0),
        "deficit_d_head": kept & (deficit == spec.d_head),
        "weight_0": kept & (attention.weight == 0),
        "negative_output": attention.out < 0,
        "half_rounded": some & is_half,
        "highest_output": some & (attention.out == highest << spec.out_frac_bits),
        "lowest_output": some & (attention.out == -(highest + 1) << spec.out_frac_bits),
    }
    if mask is not None:
        seen = np.arange(n_keys) < n_valid[..., None]
        counts["masked_key"] = (mask & seen).any(axis=-1)
        counts["all_masked"] = (n_valid > 0) & (n_part == 0)
    if first is not None:
        has_range = first < n_valid
        row, last_row = first // config.n_lanes, (n_valid - 1) // config.n_lanes
        counts |= {
            "empty_range": ~has_range,
            "range_above_n_valid": first > n_valid,
            "range_of_one_row": has_range & (row == last_row),
            "range_of_several_rows": has_range & (row < last_row),
            "range_begins_within_a_row": has_range & (first % config.n_lanes != 0),
            "range_begins_behind_row_0": has_range & (row > 0),
        }
        if spec.n_sinks:
            base = vectors.named("base")
            has_sinks = base < np.minimum(first, n_valid)
            sink_row = (base + spec.n_sinks - 1) // config.n_lanes
            counts |= {
                "sinks_alone": has_sinks & ~has_range,
                "sinks_in_the_range": has_range & (base >= first),
                "sinks_reach_the_range": has_sinks & has_range & (base + spec.n_sinks > first),
                "sinks_apart": has_sinks & has_range & (sink_row + 1 < row),
                "sinks_in_the_row_before": has_sinks & has_range & (sink_row + 1 == row),
                "sinks_cut_by_n_valid": has_sinks & (base + spec.n_sinks > n_valid),
            }
    if spec.n_tables > 1:
        counts |= {f"table_{n}": vectors.named("table") == n for n in range(spec.n_tables)}
    return {name: int(np.count_nonzero(hits)) for name, hits in counts.items()}


def of_streams(streams: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Count cycles in which each stream was stalled (valid, not ready) and starved (ready, not valid)."""
    return {f"{point}_{name}": seen[point] for name, seen in streams.items() for point in ("stalled", "starved")}


#: Of a chain each engine has such a stream.
_NEED_NOT = ("starved_i_", "stalled_key_response", "stalled_value_response")


def missing(counts: Mapping[str, int], design: Design) -> list[str]:
    """Return the situations that this design can meet and a thorough simulation of it did not.

    A half needs particular weights, so `half_rounded` is never missing. Inputs may wait for `valid` with their
    `ready`, so they need not be starved; a table, responses, and rows that are written in one cycle, are never stalled.
    """
    spec, config = design.spec, design.config
    several_kept = spec.top_k > 1
    n_rows = design.dimensions.n_rows
    sink_rows = -(-spec.n_sinks // config.n_lanes)  # at least
    cannot = {
        "half_rounded": True,
        "fewer_valid_than_top_k": not several_kept,
        "n_valid_below_n_lanes": config.n_lanes == 1,
        "partial_row": config.n_lanes == 1,
        "tie_at_cut": spec.top_k == spec.n_keys,
        "all_keys_equal": spec.n_keys == 1,
        "deficit_d_head": not several_kept,
        "weight_0": not any(0 in table for table in spec.tables) or not several_kept,
        "range_of_several_rows": n_rows == 1,
        "range_begins_within_a_row": config.n_lanes == 1,
        "range_begins_behind_row_0": n_rows == 1,
        "sinks_reach_the_range": spec.n_sinks == 1,
        "sinks_apart": n_rows < sink_rows + 2,
        "sinks_in_the_row_before": n_rows < sink_rows + 1,
        "sinks_alone": spec.n_keys == 1,
        "sinks_cut_by_n_valid": spec.n_sinks == 1,
        "stalled_i_weight": True,
        "stalled_i_row": design.dimensions.fold == 1,
    }
    return [
        name for name, count in counts.items() if not count and not cannot.get(name) and not name.startswith(_NEED_NOT)
    ]


def add(total: dict[str, int], counts: Mapping[str, int] | Iterable[tuple[str, int]]) -> None:
    """Add counts to a total, in place."""
    for name, count in dict(counts).items():
        total[name] = total.get(name, 0) + count
