"""Ranges, sinks and tables of a query: cases worked by hand, and PyTorch's attention under a mask."""

import re

import numpy as np
import pytest
import torch

from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec

#: Keys 0 to 5 match the query 1111 in 4, 2, 3, 3, 1 and 4 elements.
Q = np.array([[1, 1, 1, 1]])
K = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]])
V = np.array([[1], [10], [20], [30], [40], [50]])
FIELDS = {"d_head": 4, "d_value": 1, "n_keys": 6, "top_k": 2, "weights": (8, 4, 2, 1, 0), "weight_bits": 4}
HAND = AttentionSpec.from_dict(FIELDS | {"out_frac_bits": 0})


def spec_like(**change) -> AttentionSpec:
    return AttentionSpec.from_dict(HAND.to_dict() | change)


@pytest.mark.parametrize(
    ("first", "n_valid", "index", "out"),
    [
        (0, 6, [0, 5], 26),  # (8*1 + 8*50) / 16 = 25.5, up
        (1, 5, [2, 3], 25),  # keys 1 to 4, of 2, 3, 3 and 1 matches
        (3, 5, [3, 4], 32),  # a deficit of 2: (8*30 + 2*40) / 10
        (5, 6, [5, -1], 50),
        (4, 4, [-1, -1], 0),
        (5, 2, [-1, -1], 0),  # first above n_valid: none
        (7, 7, [-1, -1], 0),  # both are taken as 6
        (1, 7, [5, 2], 40),  # (8*50 + 4*20) / 12
    ],
)
def test_a_range_by_hand(first, n_valid, index, out):
    found = attend(HAND, Q, K, V, first=first, n_valid=n_valid)
    assert (found.index.tolist(), found.out.tolist()) == ([index], [[out]])
    assert found.is_empty.tolist() == [index[0] < 0]


def test_first_alone_leaves_the_end_open():
    assert attend(HAND, Q, K, V, first=4).index.tolist() == [[5, 4]]


@pytest.mark.parametrize(
    ("first", "n_valid", "base", "index"),
    [
        (4, 5, None, [0, 1, 4]),  # sinks 0 and 1, of 4 and 2 matches, beside key 4 (1)
        (4, 5, 1, [2, 1, 4]),  # sinks 1 and 2, of 2 and 3
        (4, 5, 3, [3, 4, -1]),  # the second one is in the range already
        (4, 5, 4, [4, -1, -1]),  # not below n_valid
        (4, 6, 5, [5, 4, -1]),
        (2, 4, 2, [2, 3, -1]),
        (2, 1, 0, [0, -1, -1]),  # an empty range, and one sink below n_valid
        (2, 0, 0, [-1, -1, -1]),
        (6, 6, 6, [-1, -1, -1]),
        (7, 7, 7, [-1, -1, -1]),
    ],
)
def test_sinks_by_hand(first, n_valid, base, index):
    found = attend(spec_like(n_sinks=2, top_k=3), Q, K, V, first=first, n_valid=n_valid, base=base)
    assert found.index.tolist() == [index]


def test_sinks_without_a_range_change_nothing():
    assert attend(spec_like(n_sinks=3), Q, K, V, n_valid=4).index.tolist() == [[0, 2]]


def test_a_masked_sink_takes_no_part():
    mask = np.array([True, False, False, False, False, False])
    found = attend(spec_like(n_sinks=2, top_k=3), Q, K, V, first=4, n_valid=5, mask=mask)
    assert found.index.tolist() == [[1, 4, -1]]


def test_tables_by_hand():
    spec = spec_like(weights=[[8, 4, 2, 1, 0], [8, 8, 8, 8, 8], [8, 0, 0, 0, 0]])
    assert (spec.n_tables, spec.table_bits) == (3, 2)
    q = np.repeat(Q, 4, axis=0)
    found = attend(spec, q, K, V, first=1, n_valid=6, table=[0, 1, 2, 3])
    # Keys 5 and 2, a deficit of 1: weights 8 and 4, 8 and 8, 8 and 0; 3 is taken as the last table, 2.
    assert found.index.tolist() == [[5, 2]] * 4
    assert found.weight.tolist() == [[8, 4], [8, 8], [8, 0], [8, 0]]
    assert found.out.tolist() == [[40], [35], [50], [50]]
    assert attend(spec, Q, K, V, first=1).out.tolist() == [[40]]  # none is named: the first


def test_limits_of_heads_broadcast():
    rng = np.random.default_rng(0)
    q, k = rng.integers(0, 2, (2, 3, 4)), rng.integers(0, 2, (2, 6, 4))
    spec = spec_like(n_sinks=1, weights=[[8, 4, 2, 1, 0], [8, 7, 6, 5, 4]])
    limits = {"first": [[2], [4]], "n_valid": [[4, 5, 6]], "base": [[0], [1]], "table": [[0], [1]]}
    found = attend(spec, q, k, V, **limits)
    for head, query in np.ndindex(2, 3):
        one = {name: np.broadcast_to(x, (2, 3))[head, query] for name, x in limits.items()}
        alone = attend(spec, q[head, query : query + 1], k[head], V, **one)
        assert np.array_equal(found.out[head, query], alone.out[0])
        assert np.array_equal(found.index[head, query], alone.index[0])


@pytest.mark.parametrize("seed", range(8))
def test_against_pytorch(seed):
    """PyTorch's attention in float64, under a mask that leaves the top keys of the range and the sinks."""
    rng = np.random.default_rng(seed)
    n_keys, n_queries, d_head, top_k, n_sinks = 150, 30, 32, 12, int(rng.integers(0, 6))
    scales = [0.05, 0.3, 0.11]
    spec = AttentionSpec.from_logit_scale(
        d_head=d_head,
        d_value=8,
        n_keys=n_keys,
        top_k=top_k,
        logit_scale=scales,
        weight_bits=24,
        value_bits=12,
        out_frac_bits=10,
        n_sinks=n_sinks,
    )
    q, k = rng.integers(0, 2, (n_queries, d_head)), rng.integers(0, 2, (n_keys, d_head))
    v = rng.integers(-2048, 2048, (n_keys, 8))
    first, n_valid, base = (rng.integers(0, n_keys, n_queries) for _ in range(3))
    table = rng.integers(0, 3, n_queries)
    dot = (2 * q - 1) @ (2 * k - 1).T
    additive = np.full((n_queries, n_keys), -np.inf)
    for row in range(n_queries):
        sees = {*range(first[row], n_valid[row])} | {
            j for j in range(base[row], base[row] + n_sinks) if j < n_valid[row]
        }
        best = sorted((-dot[row, j], j) for j in sees)[:top_k]
        additive[row, [j for _, j in best]] = 0
    has_key = (additive == 0).any(axis=1)
    assert has_key.any()
    assert not has_key.all()
    scaled = (2 * q - 1) * np.array(scales)[table][:, None]
    expected = torch.nn.functional.scaled_dot_product_attention(
        *(torch.tensor(x, dtype=torch.float64)[None] for x in (scaled, 2 * k - 1, v)),
        attn_mask=torch.tensor(np.where(has_key[:, None], additive, 0))[None],
        scale=1.0,
    )[0].numpy()

    sinks = {"base": base} if n_sinks else {}
    found = attend(spec, q, k, v, first=first, n_valid=n_valid, table=table, **sinks)
    assert np.array_equal(found.is_empty, ~has_key)
    assert not found.out[~has_key].any()
    # As in test_golden_attention: the table's rounding, and half a unit in the last place.
    tolerance = 4095 * (top_k - 1) / (2 * (2**24 - 1)) + 0.5 / 1024 + 1e-9
    assert np.abs(found.out / 1024 - expected)[has_key].max() <= tolerance


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"first": 1.0}, TypeError, "first must be integers, not float64"),
        ({"first": [8]}, ValueError, "first must be 0 to 7, not 8"),
        ({"first": [-1]}, ValueError, "first must be 0 to 7, not -1"),
        ({"k": K[:4], "v": V[:4], "first": 5}, ValueError, "first must be 0 to 4, not 5"),
        (
            {"first": [1, 2]},
            ValueError,
            "first must be one integer or have the shape (1,), where any axis may have length 1, not (2,)",
        ),
        ({"table": 1}, ValueError, "table must be 0 to 0, not 1"),
        ({"table": True}, TypeError, "table must be integers, not bool"),
        (
            {"base": 0},
            ValueError,
            "base says where a query's sinks begin, and the spec has n_sinks = 0; leave it out",
        ),
        ({"spec": spec_like(n_sinks=1), "base": [8]}, ValueError, "base must be 0 to 7, not 8"),
        ({"spec": spec_like(weights=[FIELDS["weights"]] * 3), "table": 4}, ValueError, "table must be 0 to 3, not 4"),
    ],
)
def test_bad_input_is_refused(change, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        attend(**{"spec": HAND, "q": Q, "k": K, "v": V} | change)
