"""Random vectors and designs: legal, repeatable, and as varied as they are meant to be."""

import collections

import numpy as np

from hamming.golden.attention import attend
from hamming.rtl.design import Design, load_design
from hamming.sim import coverage
from hamming.sim.stimulus import random_design, random_vectors

TINY = load_design("tiny", ["engine.mask=true", "engine.n_lanes=4"])


def draw(seed, **options):
    how = {"n_heads": 20, "n_queries": 30, "has_mask": True, **options}
    return random_vectors(TINY.spec, np.random.default_rng(seed), **how)


def test_vectors_are_legal_and_meet_every_situation():
    vectors = draw(1)
    attention = attend(TINY.spec, vectors.q, vectors.k, vectors.v, n_valid=vectors.n_valid, mask=vectors.mask)
    assert coverage.missing(coverage.of_queries(TINY, vectors, attention), TINY) == []


def test_same_seed_same_vectors():
    assert all(np.array_equal(array, draw(7).arrays()[name]) for name, array in draw(7).arrays().items())
    assert not np.array_equal(draw(7).k, draw(8).k)


def test_all_valid_is_all_valid():
    vectors = draw(1, all_valid=True)
    assert np.all(vectors.n_valid == TINY.spec.n_keys)
    assert vectors.mask is None


def test_no_mask_where_there_is_none():
    assert draw(1, has_mask=False).mask is None
    assert "mask" not in draw(1, has_mask=False).arrays()


def test_40_designs_have_every_option_and_odd_sizes():
    designs = [random_design(np.random.default_rng([0, number])) for number in range(40)]
    seen = collections.defaultdict(set)
    for design in designs:
        for name in (
            "selector",
            "memory",
            "table",
            "mask",
            "expose_index",
            "score_stages",
            "n_lanes",
            "value_banks",
            "fabric",
            "waiting_rows",
        ):
            seen[name].add(getattr(design.config, name))
        seen["spare_places"].add(design.dimensions.spare_places)
        for name in ("scan_rows", "n_dividers", "n_macs", "adder_depth"):
            seen[name].add(getattr(design.config, name) is None)
        seen["folds"].add(design.dimensions.fold > 1)
        seen["d_head is a power of two"].add(design.spec.d_head.bit_count() == 1)
        seen["n_keys fill their rows"].add(design.spec.n_keys % design.config.n_lanes == 0)
        seen["keeps all"].add(design.spec.top_k == design.spec.n_keys)
        seen["value_bits"].add(design.spec.value_bits)
    assert {name: len(values) for name, values in seen.items() if len(values) < 2} == {}
    assert seen["score_stages"] == {0, 1, 2, 3, 4}
    assert len(seen["n_lanes"]) >= 5
    assert len({str(design.spec) for design in designs}) == 40


def test_every_design_is_legal():
    for number in range(200):
        design = random_design(np.random.default_rng([1, number]))
        assert Design(design.spec, design.config).dimensions.n_rows >= 1
        assert all(isinstance(weight, int) for table in design.spec.tables for weight in table)
