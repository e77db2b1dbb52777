"""A whole comparison of the smallest preset, and what is varied."""

from __future__ import annotations

import dataclasses
import functools
import json

import pytest
from click.testing import CliRunner

from hamming.cli import main
from hamming.golden.standard import logit_scale_of
from hamming.rtl.design import Design, load_design
from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.experiment import compare
from hamming.synth.compare.variants import LIST, WAITING, variants
from hamming.synth.library.libraries import load_library


@functools.cache
def comparison(baseline: str) -> Comparison:
    """Measure the engine once, and each baseline beside it."""
    known = () if baseline == "int8" else [comparison("int8")]
    return compare(load_design("tiny"), library=load_library(), baseline=baseline, with_variants=False, known=known)


@pytest.fixture(params=["int8", "bf16", "sparse_int8"])
def found(request: pytest.FixtureRequest) -> Comparison:
    return comparison(request.param)


def test_both_take_the_same_cycles(found: Comparison):
    """Equal throughput, at the gates: 16 keys, one a cycle."""
    for design in (found.hamming, found.standard):
        assert design.cycles == pytest.approx(16, abs=0.1)
        assert design.cycles_by_formula == 16


def test_every_answer_of_both_was_checked(found: Comparison):
    for design in (found.hamming, found.standard):
        assert design.verification is not None
        assert design.verification.queries == 2 * 64 * 8  # real and random vectors, streams, queries
        assert design.verification.mismatches == 0


def test_areas_energies_and_periods_are_there(found: Comparison):
    for design in (found.hamming, found.standard):
        assert {"scores", "weighted sum", "division"} <= {block.role for block in design.blocks}
        assert all(block.area > 0 for block in design.blocks if block.cells)
        assert all(design.role_energy(role) > 0 for role in ("scores", "weighted sum", "division"))
        assert design.timings[0].tool == "synth.timing"
        assert {timing.tool.split()[0] for timing in design.timings} >= {"synth.timing", "ABC"}
        for timing in design.timings:  # ABC merges tables that depend on other pins (docs/timing.md)
            tolerance = 0.1 if timing.tool == "ABC" else 0.01
            assert timing.period == pytest.approx(design.timings[0].period, rel=tolerance)
        assert design.critical_path[-1].arrival <= design.timings[0].period
        assert [contrast.energy > 0 for contrast in design.contrast] == [True]


def test_memories_are_the_manifests(found: Comparison):
    bits = {memory.name: memory.bits for memory in found.hamming.memories}
    assert (bits["key_memory"], bits["value_memory"]) == (16 * 8, 16 * 8 * 8)
    bits = {memory.name: memory.bits for memory in found.standard.memories}
    element = 16 if found.standard.key == "standard-bf16" else 8
    assert (bits["key_memory"], bits["value_memory"]) == (16 * 8 * element, 16 * 8 * element)


@pytest.fixture
def nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure_again(*arguments: object, **options: object) -> None:
        raise RuntimeError("measured again")

    monkeypatch.setattr("hamming.synth.compare.measure.at_work", measure_again)


@pytest.mark.usefixtures("nothing_is_measured")
def test_designs_that_are_known_are_not_measured_again(found: Comparison):
    element = found.standard.key.removeprefix("standard-")
    again = compare(load_design("tiny"), library=load_library(), with_variants=False, baseline=element, known=[found])
    assert again.designs == found.designs


@pytest.mark.usefixtures("nothing_is_measured")
@pytest.mark.parametrize("found", ["int8"], indirect=True)
def test_under_other_circumstances_they_are(found: Comparison):
    same = {"library": load_library(), "with_variants": False, "baseline": "int8", "known": [found]}
    for change in ({"clock": 0.9}, {"vectors": "random"}, {"known": []}, {"baseline": "int4"}):
        with pytest.raises(RuntimeError, match="measured again"):
            compare(load_design("tiny"), **{**same, **change})
    with pytest.raises(RuntimeError, match="measured again"):
        compare(load_design("tiny", ["spec.top_k=3"]), **same)


def test_integers_are_close_to_their_ideals(found: Comparison):
    # Of 16 keys 4 are kept: where scores differ by less than a step of the table, not always those of floating point.
    least = 0.97 if found.standard.key == "standard-sparse_int8" else 0.999
    assert found.hamming.accuracy[0].mean_cosine > 0.999
    assert found.standard.accuracy[0].mean_cosine > least


def test_it_survives_json(found: Comparison):
    assert Comparison.from_dict(json.loads(json.dumps(found.to_dict()))).to_dict() == found.to_dict()


def by_key_of(design: Design) -> dict[str, Design]:
    return {variant.key: changed for variant, changed in variants(design)}


def test_variants_change_table_and_widths_alone():
    design = load_design("tiny")
    by_key = by_key_of(design)
    shifted = ["hamming-shift", "hamming-shift4"]  # and none of few keys: its own are fewer
    assert list(by_key) == ["hamming-12", "hamming-10", "hamming-6", "hamming-4", *shifted]
    assert by_key["hamming-12"].spec.weight_bits == 12
    four = by_key["hamming-4"].spec
    assert (four.weight_bits, four.value_bits, four.out_frac_bits) == (4, 4, 2)
    for key in shifted:
        assert all(weight & (weight - 1) == 0 for weight in by_key[key].spec.tables[0])
        assert by_key[key].config.product == "shift"
    for changed in by_key.values():
        widths = {name: getattr(design.spec, name) for name in ("weight_bits", "value_bits", "out_frac_bits")}
        assert dataclasses.replace(changed.spec, weights=design.spec.weights, **widths) == design.spec
    # What is a variant itself has the others alone.
    assert list(by_key_of(by_key["hamming-12"])) == [
        "hamming-10",
        "hamming-8",
        "hamming-6",
        "hamming-4",
        *shifted,
    ]
    assert list(variants(by_key["hamming-shift"])) == []


def test_few_keys_take_as_few_multipliers_as_keep_up():
    for preset, n_macs in (("bert", 8), ("flagship", 16), ("deit", 16)):
        design = load_design(preset)
        by_key = by_key_of(design)
        for few, product in ((by_key["hamming-few"], "shift"), (by_key["hamming-few3"], "multiply")):
            assert (few.spec.top_k, few.config.n_macs, few.config.product) == (8, n_macs, product)
            assert max(few.dimensions.cycle_terms().values()) <= design.dimensions.n_rows


def test_a_list_has_twice_the_lanes_where_they_are_few_enough_for_the_clock():
    """128 keys, 4 a cycle, one in a cycle into the list: 32 cycles and more; sums take 64, as the 2 lanes did."""
    by_preset = {preset: by_key_of(load_design(preset)) for preset in ("bert", "deit")}
    listed = by_preset["bert"][LIST]
    assert listed.spec == by_preset["bert"]["hamming-few3"].spec
    assert listed.config.selector == "insertion"
    assert listed.dimensions.cycle_terms() == {"score": 32, "select": 128, "sum": 64, "divide": 64}
    assert LIST not in by_preset["deit"]  # of 4 lanes


def test_rows_wait_where_a_list_has_cycles_enough():
    """As many lanes as before, and a row a cycle: what the list takes is not in the way of 64 rows of scores."""
    by_preset = {preset: by_key_of(load_design(preset)) for preset in ("bert", "flagship", "deit")}
    for preset, n_lanes, n_banks, is_bounded in (("bert", 2, 1, False), ("flagship", 16, 4, True)):
        waiting = by_preset[preset][WAITING]
        assert waiting.spec == by_preset[preset]["hamming-few3"].spec
        assert (waiting.config.n_lanes, waiting.config.waiting_rows, waiting.config.value_banks) == (
            n_lanes,
            32,
            n_banks,
        )
        terms = waiting.dimensions.cycle_terms()
        assert (terms["score"], terms["sum"]) == (64, 64)
        assert waiting.dimensions.bounds_levels is is_bounded
    assert WAITING not in by_preset["deit"]  # of 50 rows


def test_a_variant_has_the_table_of_its_own_scale():
    design = load_design("tiny")
    twelve = by_key_of(design)["hamming-12"]
    eight = by_key_of(twelve)["hamming-8"]
    for changed in (twelve, eight):  # as well as the table that they are made from tells it
        assert logit_scale_of(changed.spec.tables[0]) == pytest.approx(0.3, rel=0.005)


def test_there_are_two_baselines():
    with pytest.raises(ValueError, match=r"element must be one of int8, .*sparse_int4, not 'fp8'"):
        compare(load_design("tiny"), library=load_library(), baseline="fp8")


@pytest.mark.parametrize("clock", [0.0, -1.0])
def test_a_clock_is_positive(clock: float):
    with pytest.raises(ValueError, match=f"clock must be positive, in GHz, not {clock}"):
        compare(load_design("tiny"), library=load_library(), clock=clock)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "engine.memory=request",
            "key_memory must be 'internal', so that its words are read and counted, not 'request'",
        ),
        ("engine.value_memory=external", "value_memory must be 'internal'"),
        ("engine.bus=axi", "bus must be 'stream', since the baseline has no other, not 'axi'"),
        ("spec.logit_scale=[0.1, 0.2]", "standard attention has one softmax table"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_work(change, message):
    def work(now):
        raise AssertionError(now)

    with pytest.raises(ValueError, match=message):
        compare(load_design("tiny", [change]), library=load_library("nangate45"), progress=work)
    result = CliRunner().invoke(main, ["compare", "tiny", "--set", change])
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
