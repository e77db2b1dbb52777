"""Attention in parts: counts, cuts and sums worked by hand, and any cutting against one engine's bits."""

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
import torch

from hamming.golden import AttentionSpec, agree, attend, level_counts, merge, merge_softmax, partial

#: Keys 0 to 5 match the query 111 in 2, 3, 2, 2, 0 and 2 elements.
Q = np.array([[1, 1, 1]])
K = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1], [1, 0, 1], [0, 0, 0], [1, 1, 0]])
V = np.array([[1], [20], [3], [4], [5], [60]])
HAND = AttentionSpec(
    d_head=3, d_value=1, n_keys=6, top_k=3, weights=(8, 4, 2, 1), weight_bits=4, value_bits=8, out_frac_bits=1
)
PARTS = (slice(0, 1), slice(1, 3), slice(3, 6))


def in_parts(spec, q, k, v, parts, masks=None, table=None, **limits):
    """What engines that agree compute."""
    own = [limits | ({} if masks is None else {"mask": masks[..., part]}) for part in parts]
    counts = [level_counts(spec, q, k[..., p, :], start=p.start, **o) for p, o in zip(parts, own, strict=True)]
    cuts = agree(spec, counts)
    sums = [
        partial(spec, q, k[..., p, :], v[..., p, :], cut, start=p.start, table=table, **o)
        for p, cut, o in zip(parts, cuts, own, strict=True)
    ]
    return merge(spec, sums)


def test_counts_by_hand():
    # Levels are matches + 1, 0 to 4.
    counts = [level_counts(HAND, Q, K[part], start=part.start).tolist() for part in PARTS]
    assert counts == [[[0, 0, 0, 1, 0]], [[0, 0, 0, 1, 1]], [[0, 1, 0, 2, 0]]]
    # Keys 3 and 4 alone take part, of the last part.
    counts = [level_counts(HAND, Q, K[part], start=part.start, first=3, n_valid=5).tolist() for part in PARTS]
    assert counts == [[[1, 0, 0, 0, 0]], [[2, 0, 0, 0, 0]], [[1, 1, 0, 1, 0]]]


def test_agreement_by_hand():
    # One key at level 4, four at level 3: of these the first two are kept, one of the first part and one of the second.
    cuts = agree(HAND, [level_counts(HAND, Q, K[part], start=part.start) for part in PARTS])
    assert [[x.tolist() for x in cut] for cut in cuts] == [[[3], [1], [4]], [[3], [1], [4]], [[3], [0], [4]]]


def test_partial_sums_by_hand():
    cuts = agree(HAND, [level_counts(HAND, Q, K[part], start=part.start) for part in PARTS])
    sums = [partial(HAND, Q, K[p], V[p], cut, start=p.start) for p, cut in zip(PARTS, cuts, strict=True)]
    # Weights against the best of all: key 0 has 4, key 1 has 8, key 2 has 4.
    assert [one.acc.tolist() for one in sums] == [[[4]], [[8 * 20 + 4 * 3]], [[0]]]
    assert [one.weight_sum.tolist() for one in sums] == [[4], [12], [0]]
    assert [one.max_level.tolist() for one in sums] == [[4], [4], [4]]
    # 2 * 176 / 16
    assert merge(HAND, sums).out.tolist() == [[22]]


def test_no_key_by_hand():
    cuts = agree(HAND, [level_counts(HAND, Q, K[part], start=part.start, n_valid=0) for part in PARTS])
    assert [[x.tolist() for x in cut] for cut in cuts] == [[[1], [0], [0]]] * 3
    merged = in_parts(HAND, Q, K, V, PARTS, n_valid=0)
    assert (merged.out.tolist(), merged.is_empty.tolist()) == ([[0]], [True])


def test_fewer_keys_than_top_k_are_all_kept():
    merged = in_parts(HAND, Q, K, V, PARTS, first=3, n_valid=5)
    # Key 3 of 2 matches, and key 4 two below: 2 * (8*4 + 2*5) / 10 = 8.4
    assert (merged.out.tolist(), merged.is_empty.tolist()) == ([[8]], [False])


@pytest.mark.parametrize("seed", range(60))
def test_any_cutting_gives_one_engines_bits(seed):
    rng = np.random.default_rng(seed)
    n_keys, d_head = int(rng.integers(1, 80)), int(rng.choice([1, 2, 3, 8, 33, 64]))  # few levels: many ties
    n_tables, n_sinks = int(rng.integers(1, 4)), int(rng.integers(0, min(n_keys, 5) + 1))
    spec = AttentionSpec.from_logit_scale(
        d_head=d_head,
        d_value=3,
        n_keys=n_keys,
        top_k=int(rng.integers(1, n_keys + 1)),
        logit_scale=[0.1 * (n + 1) for n in range(n_tables)],
        n_sinks=n_sinks,
    )
    q = rng.integers(0, 2, (2, 5, d_head))
    k = rng.random((2, n_keys, d_head)) < rng.choice([0.5, 0.9])
    v = rng.integers(-128, 128, (1, n_keys, 3))
    limits = {
        "first": rng.integers(0, n_keys + 1, (2, 5)) // 3,
        "n_valid": rng.integers(0, n_keys + 1, (2, 5)),
        "base": rng.integers(0, n_keys, (2, 1)) if n_sinks else None,
    }
    masks = rng.random((2, 5, n_keys)) < 0.2 if rng.integers(2) else None
    table = rng.integers(0, n_tables, (2, 5))
    bounds = [0, *np.sort(rng.integers(0, n_keys + 1, rng.integers(0, 6))).tolist(), n_keys]  # some are empty
    parts = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    merged = in_parts(spec, q, k, v, parts, masks, table, **limits)
    whole = attend(spec, q, k, v, mask=masks, table=table, **limits)
    assert np.array_equal(merged.out, whole.out)
    assert np.array_equal(merged.is_empty, whole.is_empty)


def test_ties_go_to_the_parts_of_lower_indices():
    """All keys alike: the first four of nine are kept, of parts of two, two, three and two keys."""
    spec = AttentionSpec(d_head=2, d_value=1, n_keys=9, top_k=5, weights=(1, 1, 1), weight_bits=1)
    q, k, v = np.ones((1, 2), int), np.ones((9, 2), int), np.arange(9)[:, None]
    parts = [slice(0, 2), slice(2, 4), slice(4, 7), slice(7, 9)]
    cuts = agree(spec, [level_counts(spec, q, k[part], start=part.start) for part in parts])
    assert [cut.quota.tolist() for cut in cuts] == [[2], [2], [1], [0]]
    assert in_parts(spec, q, k, v, parts).out.tolist() == [[2 * 256]]  # the mean of 0 to 4


def test_softmax_partials_by_hand():
    # Own maxima: 2, 3 and 2 matches. Kept: key 0 (8 of 8); 1 and 2 (8, 4); 3, 5 and 4 (8, 8, 2). Factors 4, 8 and 4.
    sums = [partial(HAND, Q, K[p], V[p], start=p.start) for p in PARTS]
    assert [one.max_level.tolist() for one in sums] == [[3], [4], [3]]
    assert [one.weight_sum.tolist() for one in sums] == [[8], [12], [18]]
    acc = 4 * 8 * 1 + 8 * (8 * 20 + 4 * 3) + 4 * (8 * 4 + 8 * 60 + 2 * 5)
    expected = math.floor(2 * Fraction(acc, 4 * 8 + 8 * 12 + 4 * 18) + Fraction(1, 2))
    assert merge_softmax(HAND, sums).out.tolist() == [[expected]]
    # Which is not what one engine gives, since it keeps keys 0 to 2 alone.
    assert attend(HAND, Q, K, V).out.tolist() == [[22]]
    assert expected != 22


@pytest.mark.parametrize("seed", range(10))
def test_softmax_partials_of_equal_maxima_that_keep_as_many_are_exact(seed):
    rng = np.random.default_rng(seed)
    spec = AttentionSpec.from_logit_scale(d_head=16, d_value=4, n_keys=24, top_k=24, logit_scale=0.2)
    q = rng.integers(0, 2, (1, 16))
    k, v = rng.integers(0, 2, (24, 16)), rng.integers(-128, 128, (24, 4))
    parts = [slice(0, 9), slice(9, 15), slice(15, 24)]
    for part in parts:
        k[part.start] = q  # each part has a key that is the query
    sums = [partial(spec, q, k[p], v[p], start=p.start, n_valid=20) for p in parts]
    assert np.array_equal(merge_softmax(spec, sums).out, attend(spec, q, k, v, n_valid=20).out)


@pytest.mark.parametrize("seed", range(6))
def test_softmax_partials_are_near_the_softmax_over_all_that_is_kept(seed):
    """PyTorch's softmax over the union of the parts' best keys, within what the merge's docstring states."""
    rng = np.random.default_rng(seed)
    top_k, n_keys, d_head, scale = 6, 60, 32, 0.1
    bits = 32 if seed % 2 else 12  # with 32 the sums need more than 63 bits
    spec = AttentionSpec.from_logit_scale(
        d_head=d_head, d_value=5, n_keys=n_keys, top_k=top_k, logit_scale=scale, weight_bits=bits, value_bits=8
    )
    q, k = rng.integers(0, 2, (7, d_head)), rng.integers(0, 2, (n_keys, d_head))
    v = rng.integers(-128, 128, (n_keys, 5))
    parts = [slice(0, 10), slice(10, 40), slice(40, 60)]
    sums = [partial(spec, q, k[p], v[p], start=p.start) for p in parts]
    logit = scale * ((2 * q - 1) @ (2 * k - 1).T)
    kept = np.zeros((7, n_keys), bool)
    for part in parts:
        for row in range(7):
            best = sorted(range(part.start, part.stop), key=lambda j: (-logit[row, j], j))[:top_k]
            kept[row, best] = True
    masked = torch.tensor(np.where(kept, logit, -np.inf))
    expected = (torch.softmax(masked, dim=-1) @ torch.tensor(v, dtype=torch.float64)).numpy()
    top = 2**bits - 1
    tolerance = 255 / 2 * 18 * (1 / top + 1 / (4 * top**2)) + 0.5 / 256 + 1e-9
    assert np.abs(merge_softmax(spec, sums).out / 256 - expected).max() <= tolerance


def test_softmax_partials_of_empty_parts():
    sums = [partial(HAND, Q, K[p], V[p], start=p.start, n_valid=1) for p in PARTS]
    merged = merge_softmax(HAND, sums)
    assert (merged.out.tolist(), merged.is_empty.tolist()) == ([[2]], [False])
    none = merge_softmax(HAND, [partial(HAND, Q, K[p], V[p], start=p.start, n_valid=0) for p in PARTS])
    assert (none.out.tolist(), none.is_empty.tolist()) == ([[0]], [True])


def test_softmax_partials_have_their_table():
    spec = AttentionSpec.from_dict(HAND.to_dict() | {"weights": [[8, 4, 2, 1], [8, 8, 8, 8]]})
    flat = AttentionSpec.from_dict(HAND.to_dict() | {"weights": [8, 8, 8, 8]})
    sums = [partial(spec, Q, K[p], V[p], start=p.start, table=1) for p in PARTS]
    alone = [partial(flat, Q, K[p], V[p], start=p.start) for p in PARTS]
    assert merge_softmax(spec, sums, table=1).out.tolist() == merge_softmax(flat, alone).out.tolist()
    with pytest.raises(ValueError, match=r"^table must be 0 to 1, not 2$"):
        merge_softmax(spec, sums, table=2)


def test_what_cannot_be_merged_is_refused():
    with pytest.raises(ValueError, match=r"^counts must be of one part or more, not none$"):
        agree(HAND, [])
    with pytest.raises(ValueError, match=re.escape("the counts of all parts must broadcast, not (1, 5), (2, 3)")):
        agree(HAND, [np.zeros((1, 5), int), np.zeros((2, 3), int)])
    with pytest.raises(ValueError, match=re.escape("counts must have d_head + 2 = 5 levels, not 4")):
        agree(HAND, [np.zeros((1, 4), int)])
    for join in (merge, merge_softmax):
        with pytest.raises(ValueError, match=r"^partials must be of one part or more, not none$"):
            join(HAND, [])
    with pytest.raises(ValueError, match=r"^partials must share their maximum, .*; merge_softmax merges those"):
        merge(HAND, [partial(HAND, Q, K[p], V[p], start=p.start) for p in PARTS])
    with pytest.raises(ValueError, match=r"^start must be 0 to 3, not 4$"):
        level_counts(HAND, Q, K[:3], start=4)
    with pytest.raises(ValueError, match=re.escape("the leading axes of q and k must broadcast, not (2,) and (3,)")):
        level_counts(HAND, np.tile(Q, (2, 1, 1)), np.tile(K, (3, 1, 1)))
