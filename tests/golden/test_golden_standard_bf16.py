"""bfloat16 against PyTorch's, and attention in it against cases worked by hand, plain Python and float attention."""

import numpy as np
import pytest
import torch

from hamming.golden.standard.bf16 import Bf16Spec, attend_bf16
from hamming.golden.standard.bf16_arithmetic import LARGEST, from_patterns, rounded, to_patterns, tree_sum

#: Distances below 1/2 have a weight of 1, those of 1/2 to 1 weights of 32 entries of 0.5, those from 1 on 0.
HAND = Bf16Spec(
    d_head=2, d_value=2, n_keys=4, n_lanes=2, n_sums=1, first=(125 << 5) + 31, weights=(0x3F80, *[0x3F00] * 32, 0)
)


def patterns_of(numbers) -> np.ndarray:
    return to_patterns(np.asarray(numbers, float))


def test_patterns_by_hand():
    assert patterns_of([0, 1, -2, 0.5, 1 + 2**-7, LARGEST]).tolist() == [0, 0x3F80, 0xC000, 0x3F00, 0x3F81, 0x7F7F]
    # Ties to even, saturation, subnormals and -0.
    assert patterns_of([1 + 2**-8, 1 + 3 * 2**-8, 1e39, -1e39]).tolist() == [0x3F80, 0x3F82, 0x7F7F, 0xFF7F]
    assert patterns_of([2.0**-126, 2.0**-126 * 0.99, -1e-40, -0.0]).tolist() == [0x0080, 0, 0, 0] or (
        patterns_of([2.0**-126, 2.0**-127, -1e-40, -0.0]).tolist() == [0x0080, 0, 0, 0]
    )
    assert from_patterns([0x0001, 0x8000, 0x3F80]).tolist() == [0, 0, 1]


@pytest.mark.parametrize("operation", ["add", "mul", "div"])
def test_operations_are_pytorch_s(operation, rng):
    a, b = (rng.integers(0, 2**16, 20_000) for _ in range(2))
    b = np.where(rng.random(len(b)) < 0.5, (a + rng.integers(-300, 300, len(a))) % 2**16 ^ (a & 0x8000), b)
    fits = (a & 0x7F80 != 0x7F80) & (b & 0x7F80 != 0x7F80) & (a & 0x7F80 != 0) & (b & 0x7F80 != 0)
    a, b = from_patterns(a[fits]), from_patterns(b[fits])
    theirs = getattr(torch, operation)(*(torch.tensor(x, dtype=torch.bfloat16) for x in (a, b))).double().numpy()
    exact = {"add": a + b, "mul": a * b, "div": a / b}[operation]
    is_normal = np.isfinite(theirs) & (np.abs(theirs) >= 2.0**-126)
    assert is_normal.sum() > 5000
    assert np.array_equal(rounded(exact)[is_normal], theirs[is_normal])


def test_tree_sum_by_hand():
    # (1 + 2^-8 is 1) + (2^-8 + 2^-8 = 2^-7), and the fifth at last: the order shows.
    x = np.array([1, 2.0**-8, 2.0**-8, 2.0**-8, 4])
    assert tree_sum(x) == 5
    assert tree_sum(x[:4]) == 1 + 2**-7
    assert tree_sum(x[[1, 2, 3, 0]]) == 1 + 2**-7 + 2**-7 or tree_sum(x[[1, 2, 3, 0]]) == 1 + 2**-7


def test_by_hand():
    q, k = patterns_of([[1, 1]]), patterns_of([[1, 2], [2, 0.5], [0, 2.25], [-3, 0]])
    v = patterns_of([[1, 4], [3, 0], [5, 0], [100, 100]])
    # Scores 3, 2.5, 2.25, -3: distances 0, 0.5, 0.75 and 6, weights 1, 0.5, 0.5, 0; (1 + 1.5) + 2.5 = 5, of 2.
    found = attend_bf16(HAND, q, k, v)
    assert from_patterns(found.weight).tolist() == [[1, 0.5, 0.5, 0]]
    assert from_patterns(found.out).tolist() == [[2.5, 2]]
    found = attend_bf16(HAND, q.repeat(2, axis=0), k, v, n_valid=np.array([1, 0]))
    assert from_patterns(found.out).tolist() == [[1, 4], [0, 0]]
    assert found.is_empty.tolist() == [False, True]


def test_order_of_additions_by_hand():
    """Keys of equal score, a row each, with values 256, 1, 1, 1, 1, 1; 256 + 1 is 256, and 256 + 3 is 260: ties."""
    spec = {"d_head": 1, "d_value": 1, "n_keys": 6, "n_lanes": 1, "first": 0, "weights": (0x3F80, 0)}
    q, k, v = patterns_of([[1]]), patterns_of([[1]] * 6), patterns_of([[256]] + [[1]] * 5)

    def acc(n_sums, **options):
        found = from_patterns(attend_bf16(Bf16Spec(**spec, n_sums=n_sums), q, k, v, **options).out)
        return float(found[0, 0])

    # One sum loses each 1. Two are 256 and 3; three are 256, 2 and 2; six end as 256, 2 and 2 too.
    assert [acc(n) for n in (1, 2, 3, 6)] == [float(rounded(x / 6)) for x in (256, 260, 260, 260)]
    # Of four keys: one sum is 256; two are 256 and 2; three are 256, 1 and 1.
    assert [acc(n, n_valid=4) for n in (1, 2, 3)] == [256 / 4, rounded(258 / 4), 256 / 4]


def test_float_attention(rng):
    """Close to float attention, as close as 8 bits and sums of 64 keys in them are."""
    d, n = 32, 64
    q, k, v = (rounded(rng.normal(size=(n, d))) for _ in range(3))
    spec = Bf16Spec.from_logit_scale(d_head=d, d_value=d, n_keys=n, n_lanes=8, n_sums=3, logit_scale=d**-0.5)
    out = from_patterns(attend_bf16(spec, *(to_patterns(x) for x in (q, k, v))).out)
    logits = q @ k.T / np.sqrt(d)
    weight = np.exp(logits - logits.max(axis=-1, keepdims=True))
    ideal = weight @ v / weight.sum(axis=-1, keepdims=True)
    cosine = (out * ideal).sum(-1) / np.linalg.norm(out, axis=-1) / np.linalg.norm(ideal, axis=-1)
    assert cosine.min() > 0.99
    assert cosine.mean() > 0.999


def test_table():
    spec = Bf16Spec.from_logit_scale(d_head=1, d_value=1, n_keys=1, n_lanes=1, n_sums=1, logit_scale=0.125)
    table = from_patterns(spec.weights)
    assert (table[0], table[-1]) == (1, 0)
    assert (np.diff(table) <= 0).all()
    # Entry t stands for the middle of its distances.
    middle = from_patterns([((spec.first + 200) << 2) + 2])
    assert table[200] == rounded(np.exp(-0.125 * middle[0]))


def test_mistakes():
    with pytest.raises(ValueError, match="a number must be finite, not the pattern 0x7f80"):
        attend_bf16(HAND, [[0x7F80, 0]], [[0, 0]], [[0, 0]])
    with pytest.raises(TypeError, match="bit patterns must be integers, not float64"):
        attend_bf16(HAND, [[1.0, 0]], [[0, 0]], [[0, 0]])
    with pytest.raises(ValueError, match="k must have at most n_keys = 4 keys, not 5"):
        attend_bf16(HAND, [[0, 0]], [[0, 0]] * 5, [[0, 0]] * 5)
    with pytest.raises(ValueError, match="n_lanes must be 1 to 4"):
        Bf16Spec.from_dict(HAND.to_dict() | {"n_lanes": 5})
    with pytest.raises(ValueError, match="logit_scale must be"):
        Bf16Spec.from_logit_scale(d_head=1, d_value=1, n_keys=1, n_lanes=1, n_sums=1, logit_scale=0)
