"""Functional coverage: each situation by a query made for it, and what is missing."""

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.sim.coverage import add, missing, of_queries, of_streams
from hamming.sim.stimulus import Vectors

SPEC = AttentionSpec(
    d_head=4, d_value=1, n_keys=4, top_k=2, weights=(2, 2, 1, 1, 0), value_bits=4, weight_bits=2, out_frac_bits=0
)
DESIGN = Design(SPEC, EngineConfig(n_lanes=2, mask=True))

# matches with a query of ones
ALL, THREE, NONE = [1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]


def points(keys, values, *, n_valid=4, mask=None):
    """Count the situations of one query of ones; a mask of four characters, `x` where a key is masked."""
    vectors = Vectors(
        q=np.ones((1, 1, 4), np.uint8),
        k=np.array(keys, np.uint8)[None],
        v=np.array(values)[None, :, None],
        n_valid=np.array([[n_valid]]),
        mask=None if mask is None else np.array([[[letter == "x" for letter in mask]]]),
    )
    attention = attend(SPEC, vectors.q, vectors.k, vectors.v, n_valid=vectors.n_valid, mask=vectors.mask)
    return {name: count for name, count in of_queries(DESIGN, vectors, attention).items() if count}


def test_all_equal_keys_tie_at_the_cut():
    assert points([ALL] * 4, [1, 1, 1, 1]) == {
        "n_valid_is_n_keys": 1,
        "tie_at_cut": 1,
        "all_keys_equal": 1,
        "deficit_0": 2,
    }


def test_one_better_key_leaves_the_others_tied():
    found = points([THREE, THREE, ALL, THREE], [1, 1, 1, 1])
    assert found["tie_at_cut"] == 1
    assert "all_keys_equal" not in found


def test_no_tie_where_all_equal_ones_are_kept():
    assert "tie_at_cut" not in points([ALL, ALL, NONE, NONE], [1, 1, 1, 1])


def test_largest_deficit_weighs_nothing():
    found = points([ALL, NONE], [3, 3], n_valid=2)
    assert found["deficit_d_head"] == found["weight_0"] == found["deficit_0"] == 1


def test_no_key_and_one_key():
    assert points([ALL] * 4, [1] * 4, n_valid=0) == {"no_valid_key": 1}
    assert points([ALL] * 4, [1] * 4, n_valid=1) == {
        "one_valid_key": 1,
        "fewer_valid_than_top_k": 1,
        "n_valid_below_n_lanes": 1,
        "partial_row": 1,
        "deficit_0": 1,
    }


def test_masks():
    found = points([ALL] * 4, [1] * 4, mask="xx  ")
    assert found["masked_key"] == 1
    assert "all_masked" not in found
    assert points([ALL] * 4, [1] * 4, mask="xxxx")["all_masked"] == 1
    # Beyond n_valid a mask says nothing.
    assert "masked_key" not in points([ALL] * 4, [1] * 4, n_valid=2, mask="  xx")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], {"half_rounded"}),  # 1.5
        ([-2, -1], {"half_rounded", "negative_output"}),  # -1.5
        ([-1, 0], {"half_rounded"}),  # -0.5 is rounded to 0
        ([2, 2], set()),
        ([7, 7], {"highest_output"}),
        ([-8, -8], {"lowest_output", "negative_output"}),
    ],
)
def test_outputs(values, expected):
    found = points([ALL, ALL], values, n_valid=2)
    assert found.keys() & {"half_rounded", "negative_output", "highest_output", "lowest_output"} == expected


def test_streams():
    seen = {"o_out": {"transfers": 5, "stalled": 3, "starved": 4}}
    assert of_streams(seen) == {"stalled_o_out": 3, "starved_o_out": 4}


def test_missing_is_what_can_happen_and_did_not():
    counts = dict.fromkeys(points([ALL] * 4, [1] * 4), 1) | {"weight_0": 0, "half_rounded": 0, "starved_i_query": 0}
    counts |= {"stalled_i_row": 0, "stalled_o_out": 0}
    # One multiplier an element: rows are written at once, and their stream never stalls.
    assert missing(counts, DESIGN) == ["weight_0", "stalled_o_out"]


def test_what_a_design_cannot_meet_is_not_missing():
    spec = AttentionSpec(d_head=4, d_value=1, n_keys=1, top_k=1, weights=(1, 1, 1, 1, 0), weight_bits=1)
    names = (
        "fewer_valid_than_top_k",
        "n_valid_below_n_lanes",
        "partial_row",
        "tie_at_cut",
        "all_keys_equal",
        "deficit_d_head",
        "weight_0",
    )
    assert missing(dict.fromkeys(names, 0), Design(spec, EngineConfig())) == []
    assert set(missing(dict.fromkeys(names, 0), DESIGN)) == set(names)


def test_counts_add_up():
    total = {"a": 1}
    add(total, {"a": 2, "b": 3})
    assert total == {"a": 3, "b": 3}
