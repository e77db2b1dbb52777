"""Exact selection: against Python's sort, and by hand."""

import numpy as np
import pytest

from hamming.golden.topk import absent_keys, select


def by_sorting(row: list[int], top_k: int, absent: list[bool]) -> tuple[list[int], list[int]]:
    """The kept keys' indices and deficits, with -1 where fewer were kept."""
    kept = sorted((j for j in range(len(row)) if not absent[j]), key=lambda j: (-row[j], j))[:top_k]
    padding = [-1] * (top_k - len(kept))
    return kept + padding, [row[kept[0]] - row[j] for j in kept] + padding


def test_by_hand():
    # Most first: key 3 (9), then the tie of 1 and 4 (7), of which the lower index is kept.
    index, deficit = select(np.array([2, 7, 5, 9, 7], np.uint8), 2)
    assert (index.tolist(), deficit.tolist()) == ([3, 1], [0, 2])


def test_best_key_absent():
    # Without key 3 the row's own maximum is 7: deficits are counted from there.
    absent = np.array([False, False, False, True, False])
    index, deficit = select(np.array([2, 7, 5, 9, 7], np.uint8), 4, absent)
    assert (index.tolist(), deficit.tolist()) == ([1, 4, 2, 0], [0, 0, 2, 5])


@pytest.mark.parametrize("top_k", [1, 3, 4, 6])
def test_all_equal_keeps_the_lowest_indices(top_k):
    index, deficit = select(np.full((2, 4), 5, np.uint8), top_k)
    kept = [0, 1, 2, 3][:top_k] + [-1] * (top_k - 4)
    assert index.tolist() == [kept, kept]
    assert deficit.tolist() == [[0 if j >= 0 else -1 for j in kept]] * 2


def test_no_key_takes_part():
    index, deficit = select(np.zeros((1, 3), np.uint8), 2, np.ones((1, 3), bool))
    assert (index.tolist(), deficit.tolist()) == ([[-1, -1]], [[-1, -1]])


def test_extreme_scores_are_told_from_absent_keys():
    # A score of 0 at the highest index is the worst of ranks, and still a key.
    matched = np.array([0, 255, 0, 0], np.uint8)
    index, deficit = select(matched, 4, np.array([False, False, True, False]))
    assert (index.tolist(), deficit.tolist()) == ([1, 0, 3, -1], [0, 255, 255, -1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("n_keys", [1, 2, 3, 17, 256, 1000])
@pytest.mark.parametrize("spread", [1, 3, 200])
def test_against_sorting(dtype, n_keys, spread):
    rng = np.random.default_rng([n_keys, spread])
    matched = rng.integers(0, spread + 1, (8, n_keys)).astype(dtype)
    absent = rng.random((8, n_keys)) < np.array([0, 0, 0.1, 0.5, 0.9, 0.99, 1, 0])[:, None]
    for top_k in {1, 2, (n_keys + 1) // 2, n_keys, n_keys + 3}:
        index, deficit = select(matched, top_k, absent)
        for row in range(8):
            expected = by_sorting(matched[row].tolist(), top_k, absent[row].tolist())
            assert (index[row].tolist(), deficit[row].tolist()) == expected


def test_more_keys_than_a_short_rank_holds():
    # 2**24 keys of 8-bit scores fill 32 bits: the last key, of no match, must not be taken for an absent one.
    absent = np.ones(2**24, bool)
    absent[[5, 2**24 - 1]] = False
    index, deficit = select(np.zeros(2**24, np.uint8), 3, absent)
    assert (index.tolist(), deficit.tolist()) == ([5, 2**24 - 1, -1], [0, 0, -1])


def test_absent_keys():
    mask = np.array([[True, False, False], [False, False, True]])
    assert absent_keys(3, None, None) is None
    assert absent_keys(3, None, mask) is mask
    unseen, neither = absent_keys(3, 2, None), absent_keys(3, [1, 3], mask)
    assert unseen is not None
    assert unseen.tolist() == [False, False, True]
    assert neither is not None
    assert neither.tolist() == [[True, True, True], [False, False, True]]
