"""`attend` against cases worked by hand, exact fractions in plain Python, and PyTorch's attention."""

import math
import os
import re
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import torch

from hamming.golden import arguments
from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec

#: Keys 0 to 4 of the hand-worked cases match the query 1111 in 2, 4, 3, 4 and 0 elements.
Q = np.array([[1, 1, 1, 1]])
K = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
V = np.array([[10, -1], [-7, 2], [100, 0], [20, -3], [-128, 127]])
HAND = AttentionSpec(
    d_head=4, d_value=2, n_keys=5, top_k=3, weights=(12, 5, 2, 1, 0), weight_bits=4, value_bits=8, out_frac_bits=2
)


def spec_like(spec: AttentionSpec, **change) -> AttentionSpec:
    return AttentionSpec.from_dict(spec.to_dict() | change)


def test_by_hand():
    found = attend(HAND, Q, K, V)
    # Most matches: 1 and 3 (4 each, lower index first), then 2 (3 matches, a deficit of 1).
    assert found.index.tolist() == [[1, 3, 2]]
    assert found.weight.tolist() == [[12, 12, 5]]
    # 4 * (12*-7 + 12*20 + 5*100) / 29 = 4 * 656 / 29 = 90.48...; 4 * (12*2 + 12*-3) / 29 = -1.66
    assert found.out.tolist() == [[90, -2]]
    assert found.is_empty.tolist() == [False]


def test_tie_at_the_cut_by_hand():
    # Only one of keys 1 and 3 is kept: the lower index. Its mean is its value, times 4.
    found = attend(spec_like(HAND, top_k=1), Q, K, V)
    assert (found.index.tolist(), found.out.tolist()) == ([[1]], [[-28, 8]])


def test_all_keys_kept_by_hand():
    found = attend(spec_like(HAND, top_k=5), Q, K, V)
    # Deficits 0, 0, 1, 2, 4; key 4 is kept with a weight of 0.
    assert found.index.tolist() == [[1, 3, 2, 0, 4]]
    assert found.weight.tolist() == [[12, 12, 5, 2, 0]]
    # 4 * (656 + 2*10) / 31 = 87.2; 4 * (-12 - 2) / 31 = -1.8
    assert found.out.tolist() == [[87, -2]]


def test_fewer_valid_keys_than_top_k_by_hand():
    found = attend(HAND, Q, K, V, n_valid=1)
    # Key 0 alone; its deficit is counted from its own 2 matches, so its weight is the table's first.
    assert (found.index.tolist(), found.weight.tolist()) == ([[0, -1, -1]], [[12, 0, 0]])
    assert found.out.tolist() == [[40, -4]]


def test_no_valid_key_by_hand():
    for limits in ({"n_valid": 0}, {"mask": True}, {"n_valid": 2, "mask": [[True, True, False, False, False]]}):
        limits = {name: np.array(value) for name, value in limits.items()}
        found = attend(HAND, Q, K, V, **limits)
        assert (found.index.tolist(), found.weight.tolist()) == ([[-1, -1, -1]], [[0, 0, 0]])
        assert (found.out.tolist(), found.is_empty.tolist()) == ([[0, 0]], [True])


def test_halves_go_up_by_hand():
    # Two keys of equal weight: means of half-integers. 0.5 to 1, -0.5 to 0, 1.5 to 2, -1.5 to -1.
    spec = AttentionSpec(d_head=1, d_value=4, n_keys=2, top_k=2, weights=(1, 0), weight_bits=1, out_frac_bits=0)
    v = [[0, 0, 1, -1], [1, -1, 2, -2]]
    assert attend(spec, [[1]], [[1], [1]], v).out.tolist() == [[1, 0, 2, -1]]


def test_causal_by_hand():
    # Each query sees the keys up to its own: a growing prefix of keys 0 to 4.
    found = attend(spec_like(HAND, top_k=2), np.repeat(Q, 5, axis=0), K, V, n_valid=np.arange(1, 6))
    assert found.index.tolist() == [[0, -1], [1, 0], [1, 2], [1, 3], [1, 3]]


def test_masked_by_hand():
    # Without keys 1 and 3 the best is key 2 (3 matches), from which key 0 (2) and key 4 (0) are 1 and 3 away.
    found = attend(HAND, Q, K, V, mask=np.array([False, True, False, True, False]))
    assert (found.index.tolist(), found.weight.tolist()) == ([[2, 0, 4]], [[12, 5, 1]])


def test_no_keys_yet():
    found = attend(HAND, Q, K[:0], V[:0])
    assert (found.out.tolist(), found.index.tolist(), found.is_empty.tolist()) == ([[0, 0]], [[-1, -1, -1]], [True])


def test_no_queries():
    found = attend(HAND, Q[:0], K, V)
    assert (found.out.shape, found.index.shape, found.is_empty.shape) == ((0, 2), (0, 3), (0,))


def test_n_valid_above_n_keys_is_n_keys():
    """As an engine takes it: as far as the port's bits reach, where all of the spec's keys are there."""
    q = np.repeat(Q, 3, axis=0)
    found = attend(HAND, q, K, V, n_valid=[5, 6, 7])
    np.testing.assert_array_equal(found.index, np.repeat(attend(HAND, Q, K, V).index, 3, axis=0))
    np.testing.assert_array_equal(found.out, np.repeat(attend(HAND, Q, K, V).out, 3, axis=0))


def in_plain_python(spec, q, k, v, n_valid, mask):
    """The contract for one query, word for word, with fractions."""
    takes_part = [j for j in range(len(k)) if j < n_valid and not mask[j]]
    matches = {j: sum(a == b for a, b in zip(q, k[j], strict=True)) for j in takes_part}
    kept = sorted(takes_part, key=lambda j: (-matches[j], j))[: spec.top_k]
    padding = spec.top_k - len(kept)
    if not kept:
        return [0] * spec.d_value, [-1] * padding, [0] * padding, True
    w = [spec.weights[max(matches.values()) - matches[j]] for j in kept]
    means = [Fraction(sum(a * v[j][i] for a, j in zip(w, kept, strict=True)), sum(w)) for i in range(spec.d_value)]
    out = [math.floor(2**spec.out_frac_bits * mean + Fraction(1, 2)) for mean in means]
    return out, kept + [-1] * padding, w + [0] * padding, False


def random_spec(rng: np.random.Generator) -> AttentionSpec:
    weight_bits = int(rng.integers(1, 33))
    value_bits = int(rng.integers(2, 17))
    d_head = int(rng.choice([1, 2, 3, 5, 8, 31, 63, 64, 65, 130, 256]))
    n_keys = int(rng.integers(1, 24))
    top_k = int(rng.integers(1, n_keys + 1))
    most_frac_bits = 61 - value_bits - (top_k * (2**weight_bits - 1)).bit_length()
    top = int(rng.integers(1, 2**weight_bits))
    tail = np.sort(rng.integers(0, top + 1, d_head))[::-1].tolist()
    return AttentionSpec(
        d_head=d_head,
        d_value=int(rng.integers(1, 9)),
        n_keys=n_keys,
        top_k=top_k,
        weights=(top, *tail),
        value_bits=value_bits,
        weight_bits=weight_bits,
        out_frac_bits=int(rng.integers(0, min(most_frac_bits, 12) + 1)),
    )


@pytest.mark.parametrize("seed", range(60))
def test_against_plain_python(seed):
    rng = np.random.default_rng(seed)
    spec = random_spec(rng)
    n_queries, n_keys = 6, int(rng.integers(1, spec.n_keys + 1))
    bias = rng.choice([0.1, 0.5, 0.9])  # few distinct scores, or many
    q, k = (rng.random((n, spec.d_head)) < bias for n in (n_queries, n_keys))
    high = 2 ** (spec.value_bits - 1)
    v = (
        rng.choice([-high, high - 1], (n_keys, spec.d_value))
        if seed % 3
        else rng.integers(-high, high, (n_keys, spec.d_value))
    )
    n_valid = rng.integers(0, n_keys + 1, n_queries)
    mask = rng.random((n_queries, n_keys)) < rng.choice([0, 0.3, 0.9])
    found = attend(spec, q, k, v, n_valid=n_valid, mask=mask)
    for row in range(n_queries):
        expected = in_plain_python(spec, q[row].tolist(), k.tolist(), v.tolist(), n_valid[row], mask[row])
        out, index, weight, is_empty = expected
        assert found.index[row].tolist() == index
        assert found.weight[row].tolist() == weight
        assert found.out[row].tolist() == out
        assert found.is_empty[row] == is_empty


@pytest.mark.parametrize(
    ("d_head", "n_queries", "n_keys", "top_k", "logit_scale"),
    [(64, 40, 200, 32, 0.05), (32, 33, 128, 30, 0.3), (1, 9, 9, 4, 0.2), (100, 20, 50, 50, 0.02), (64, 12, 70, 1, 2.0)],
)
@pytest.mark.parametrize("is_causal", [False, True])
def test_against_pytorch(d_head, n_queries, n_keys, top_k, logit_scale, is_causal):
    # PyTorch's softmax attention in float64, with an additive mask that keeps the top keys, chosen by sorting.
    # Wide tables, values and outputs bring the integers within 1e-5 of a value's range.
    rng = np.random.default_rng([d_head, n_keys])
    spec = AttentionSpec.from_logit_scale(
        d_head=d_head,
        d_value=16,
        n_keys=n_keys,
        top_k=top_k,
        logit_scale=logit_scale,
        weight_bits=24,
        value_bits=12,
        out_frac_bits=10,
    )
    q, k = rng.integers(0, 2, (n_queries, d_head)), rng.integers(0, 2, (n_keys, d_head))
    v = rng.integers(-2048, 2048, (n_keys, 16))
    n_valid = np.arange(1, n_queries + 1) if is_causal else np.full(n_queries, n_keys)
    dot = (2 * q - 1) @ (2 * k - 1).T
    additive = np.full((n_queries, n_keys), -np.inf)
    kept = []
    for row in range(n_queries):
        best = sorted((-score, index) for index, score in enumerate(dot[row, : n_valid[row]].tolist()))[:top_k]
        kept.append([index for _, index in best])
        additive[row, kept[-1]] = 0
    expected = torch.nn.functional.scaled_dot_product_attention(
        *(torch.tensor(x, dtype=torch.float64)[None] for x in (2 * q - 1, 2 * k - 1, v)),
        attn_mask=torch.tensor(additive)[None],
        scale=logit_scale,
    )[0].numpy()

    found = attend(spec, q, k, v, n_valid=n_valid)
    assert [[index for index in row if index >= 0] for row in found.index.tolist()] == kept
    # spread * (n - 1) / (2 * weight_sum) for the table, half a unit in the last place for the output
    tolerance = 4095 * (top_k - 1) / (2 * (2**24 - 1)) + 0.5 / 1024 + 1e-9
    assert tolerance < 0.01
    assert np.abs(found.out / 1024 - expected).max() <= tolerance


@pytest.mark.parametrize("seed", range(4))
def test_batches_equal_their_members(seed, monkeypatch):
    # Leading axes that broadcast; parts of a few scores, so that every cut is made.
    rng = np.random.default_rng(seed)
    spec = AttentionSpec.from_logit_scale(d_head=20, d_value=5, n_keys=30, top_k=7, logit_scale=0.1)
    q = rng.integers(0, 2, (3, 1, 11, 20))
    k = rng.integers(0, 2, (4, 25, 20))
    v = rng.integers(-128, 128, (2, 1, 1, 25, 5))
    n_valid = rng.integers(0, 26, (1, 1, 4, 11))
    mask = rng.random((1, 3, 1, 1, 25)) < 0.2
    monkeypatch.setattr(arguments, "SCORES_A_PART", [2**30, 700, 60, 1][seed])
    found = attend(spec, q, k, v, n_valid=n_valid, mask=mask)
    assert found.out.shape == (2, 3, 4, 11, 5)
    assert found.index.shape == found.weight.shape == (2, 3, 4, 11, 7)
    assert found.is_empty.shape == (2, 3, 4, 11)
    monkeypatch.undo()
    for a, b, c in np.ndindex(2, 3, 4):
        alone = attend(spec, q[b, 0], k[c], v[a, 0, 0], n_valid=n_valid[0, 0, c], mask=mask[0, b, 0])
        for name in ("out", "index", "weight", "is_empty"):
            assert np.array_equal(getattr(found, name)[a, b, c], getattr(alone, name)), name


def test_limits_broadcast():
    rng = np.random.default_rng(1)
    q, k = rng.integers(0, 2, (2, 6, 4)), rng.integers(0, 2, (5, 4))
    mask = np.array([True, False, False, False, True])
    whole = attend(HAND, q, k, V, n_valid=np.full((2, 6), 4), mask=np.tile(mask, (2, 6, 1)))
    for n_valid in (4, np.int8(4), [[4]], [[4], [4]], np.full((1, 6), 4)):
        assert np.array_equal(attend(HAND, q, k, V, n_valid=n_valid, mask=mask).out, whole.out)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64])
def test_mask_of_integers_is_one_of_booleans(dtype):
    mask = np.array([[0, 1, 0, 1, 0]])
    assert np.array_equal(attend(HAND, Q, K, V, mask=mask.astype(dtype)).index, [[2, 0, 4]])


@pytest.mark.parametrize("name", ["n_valid", "mask"])
def test_an_axis_of_heads_is_never_taken_for_one_of_queries(name):
    """Five heads of five queries of five keys: what lacks an axis could be of heads as well as of queries."""
    rng = np.random.default_rng(4)
    q, k, v = rng.integers(0, 2, (5, 5, 4)), rng.integers(0, 2, (5, 5, 4)), rng.integers(-128, 128, (5, 5, 2))
    limit = np.arange(1, 6) if name == "n_valid" else rng.random((5, 5)) < 0.5
    shape = (5, 5) if name == "n_valid" else (5, 5, 5)
    short = "be one integer or have the shape" if name == "n_valid" else "have the shape (5,) or"
    with pytest.raises(
        ValueError, match=f"^{re.escape(f'{name} must {short} {shape}, where any axis may have')}"
    ) as say:
        attend(HAND, q, k, v, **{name: limit})
    assert str(say.value).endswith(f"not {limit.shape}: with an axis left out, heads could be taken for queries")
    of_heads = attend(HAND, q, k, v, **{name: limit[:, None]})
    of_queries = attend(HAND, q, k, v, **{name: limit[None]})
    for head in range(5):
        one = limit[head]
        assert np.array_equal(of_heads.index[head], attend(HAND, q[head], k[head], v[head], **{name: one}).index)
        assert np.array_equal(of_queries.index[head], attend(HAND, q[head], k[head], v[head], **{name: limit}).index)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.uint64, np.int64])
def test_bits_of_any_integer_type(dtype):
    assert attend(HAND, Q.astype(dtype), K.astype(dtype), V.astype(np.int16)).out.tolist() == [[90, -2]]


def test_memory_does_not_grow_with_the_scores(monkeypatch):
    # 16 million scores, whose packed words alone would take 128 MiB.
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    rng = np.random.default_rng(3)
    spec = AttentionSpec.from_logit_scale(d_head=64, d_value=1, n_keys=4096, top_k=2, logit_scale=0.1)
    q, k = rng.integers(0, 2, (2, 4096, 64), np.uint8)
    v = rng.integers(-128, 128, (4096, 1))
    tracemalloc.start()
    try:
        attend(spec, q, k, v)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20


def test_arguments_are_left_alone():
    rng = np.random.default_rng(2)
    arrays = {"q": rng.integers(0, 2, (6, 4)), "k": K.copy(), "v": V.copy(), "mask": rng.random((6, 5)) < 0.5}
    before = {name: array.copy() for name, array in arrays.items()}
    attend(HAND, **arrays)
    for name, array in arrays.items():
        assert np.array_equal(array, before[name]), name


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (
            {"q": Q.astype(float)},
            TypeError,
            "q must be bits (0 and 1, or booleans), not float64; hamming.binarize makes bits of real numbers",
        ),
        ({"k": K.astype(str)}, TypeError, "k must be bits (0 and 1, or booleans), not <U21"),
        (
            {"v": V / 2},
            TypeError,
            "v must be integers, not float64; hamming.quantize makes integers of real numbers",
        ),
        ({"v": V > 0}, TypeError, "v must be integers, not bool"),
        ({"q": Q[0]}, ValueError, "q must have a shape of (..., n_queries, d_head = 4), not (4,)"),
        ({"q": Q[:, :3]}, ValueError, "q must have a shape of (..., n_queries, d_head = 4), not (1, 3)"),
        ({"k": K[:, :3]}, ValueError, "k must have a shape of (..., n_keys, d_head = 4), not (5, 3)"),
        ({"v": V[:, :1]}, ValueError, "v must have a shape of (..., n_keys, d_value = 2), not (5, 1)"),
        ({"q": 2 * Q}, ValueError, "q must be 0 to 1, not 2"),
        ({"k": 2 * K - 1}, ValueError, "k must be 0 to 1, not -1"),
        ({"v": V + 1}, ValueError, "v must be -128 to 127, not 128"),
        ({"v": V - 1}, ValueError, "v must be -128 to 127, not -129"),
        ({"k": np.tile(K, (2, 1))}, ValueError, "k must have at most n_keys = 5 keys, not 10"),
        ({"v": V[:4]}, ValueError, "v must have a vector for each of the 5 keys, not 4"),
        (
            {"q": np.tile(Q, (2, 1, 1)), "k": np.tile(K, (3, 1, 1))},
            ValueError,
            "the leading axes of q, k and v must broadcast, not (2,), (3,) and ()",
        ),
        ({"n_valid": 2.0}, TypeError, "n_valid must be integers, not float64"),
        ({"n_valid": True}, TypeError, "n_valid must be integers, not bool"),
        ({"n_valid": -1}, ValueError, "n_valid must be 0 to 7, not -1"),
        ({"n_valid": [8]}, ValueError, "n_valid must be 0 to 7, not 8"),
        ({"k": K[:4], "v": V[:4], "n_valid": [5]}, ValueError, "n_valid must be 0 to 4, not 5"),
        (
            {"n_valid": [1, 2]},
            ValueError,
            "n_valid must be one integer or have the shape (1,), where any axis may have length 1, not (2,)",
        ),
        (
            {"mask": np.zeros((1, 5))},
            TypeError,
            "mask must be booleans, or integers 0 and 1, true where a key is masked out, not float64",
        ),
        ({"mask": [[0, 2, 0, 0, 0]]}, ValueError, "mask must be 0 to 1, not 2"),
        ({"q": [[1, 1, 1, 1], [1]]}, ValueError, "q must be an array; its rows differ in length"),
        ({"q": Q.reshape((1,) * 40 + (1, 4))}, ValueError, "q must have at most 32 axes, not 42"),
        (
            {"mask": np.zeros((1, 4), bool)},
            ValueError,
            "mask must have the shape (5,) or (1, 5), where any axis may have length 1, not (1, 4)",
        ),
        (
            {"mask": np.zeros((2, 5), bool)},
            ValueError,
            "mask must have the shape (5,) or (1, 5), where any axis may have length 1, not (2, 5)",
        ),
        (
            {"mask": np.zeros((2, 1, 5), bool)},
            ValueError,
            "mask must have the shape (5,) or (1, 5), where any axis may have length 1, not (2, 1, 5)",
        ),
    ],
)
def test_bad_input_is_refused(change, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        attend(HAND, **{"q": Q, "k": K, "v": V} | change)
