"""Estimates: what they count is in the netlists, and how far off they are of engines that the fit has not seen."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design, load_design, preset_names
from hamming.rtl.engine import Engine
from hamming.rtl.verilog import emit
from hamming.synth.compare.gates_at_work import Window
from hamming.synth.compare.results import read as read_comparisons
from hamming.synth.energy.workload import real_vectors
from hamming.synth.estimate import estimate, points
from hamming.synth.estimate.activity import activity, insertions
from hamming.synth.estimate.model import model
from hamming.synth.estimate.structure import blocks
from hamming.synth.estimate.terms import arrays
from hamming.synth.estimate.ways import way_of, ways
from hamming.synth.library.libraries import load_library

POINTS = {row["number"]: row for row in points.read()}

#: What one flip-flop of NanGate 45 nm takes, µm², DFF_X1.
FLIP_FLOP = 4.522


def design_of(row: dict) -> Design:
    return Design(AttentionSpec.from_dict(row["spec"]), EngineConfig.from_dict(row["engine"]))


# --- points


def test_points_are_those_of_their_numbers():
    for number, row in POINTS.items():
        assert points.draw(number) == design_of(row)
        assert row["library_sha256"] == load_library().sha256


@pytest.mark.parametrize("number", sorted(POINTS)[::20])
def test_points_are_of_the_hardware_as_it_is(number):
    """As it is emitted now; the others were measured with the same."""
    from hashlib import sha256

    design = points.draw(number)
    verilog = emit(Engine(design.spec, design.config), design.config.name)
    assert sha256(verilog.encode()).hexdigest() == POINTS[number]["verilog_sha256"]


def test_a_window_is_long_enough_for_bursts_and_no_longer_than_it_must():
    assert Window.of(load_design("bert"))[:3] == (7, 24, 32)  # 64 cycles a query: 448 of them
    assert Window.of(load_design("bert", ["engine.n_lanes=1", "spec.n_keys=2048", "spec.top_k=2"])).n_queries == 2
    assert Window.of(load_design("tiny", ["spec.top_k=1", "engine.n_macs=8"])).n_queries == 16


def test_points_go_on_where_they_were_broken_off(tmp_path):
    path = tmp_path / "points.json"
    assert points.read(path) == []
    rows = [{"number": 2, "a": 1}, {"number": 1, "b": [2]}]
    points.write(rows, path)
    assert points.read(path) == rows[::-1]
    assert [file.name for file in tmp_path.iterdir()] == ["points.json"]


# --- what is counted


def exact_cycles(design: Design) -> int | None:
    """Cycles a query by the formula; None where selection limits them, of which the formula has the most."""
    terms = design.dimensions.cycle_terms()
    select, others = terms.pop("select"), max(terms.values())
    return others if others >= select else None


def test_memories_are_those_that_gates_used():
    """Words, bits, and reads of keys; of values as often as weights are not 0."""
    for row in POINTS.values():
        dims = design_of(row).dimensions
        found, seen = arrays(dims), row["memories"]
        assert {name: (a.depth, a.width) for name, a in found.items()} == {
            name: (memory["depth"], memory["width"]) for name, memory in seen.items()
        }
        cycles = exact_cycles(design_of(row))
        for kind in ("key_memory", "value_memory"):
            reads = sum(array.reads for name, array in found.items() if name.startswith(kind))
            were = sum(memory["reads"] for name, memory in seen.items() if name.startswith(kind))
            if cycles is not None:  # the window is no whole number of the bursts that queries come in
                assert reads == pytest.approx(were * cycles / row["cycles"], rel=0.12)


def test_blocks_are_those_of_netlists():
    for row in POINTS.values():
        counted = {name for name, terms in blocks(design_of(row).dimensions).items() if terms}
        there = {name for name, block in row["blocks"].items() if block["area_um2"] > 20}
        assert there - {"(top)"} <= counted
        for start, end, _ in row["paths"]:
            assert ">" in way_of(start, end, row["engine"]["selector"])


def test_registers_of_the_scores_are_those_of_netlists():
    """Flip-flops of the tree and of lanes that take part, counted from `rtl.popcount`'s own tree; and a few flags."""
    for row in POINTS.values():
        terms = blocks(design_of(row).dimensions)["score"]
        n = terms["flip-flops"].amount if "flip-flops" in terms else 0
        there = row["blocks"]["score"]["flip_flops_um2"] / FLIP_FLOP
        assert n <= there <= 1.05 * n + 4 * row["engine"]["score_stages"]


def test_insertions_are_those_of_a_sorted_list():
    spec = AttentionSpec.from_logit_scale(d_head=16, d_value=4, n_keys=40, top_k=3, logit_scale=0.2)
    q, k, _ = real_vectors(d_head=16, d_value=1, n_keys=40, n_queries=32, n_streams=16, value_bits=8)
    keys, cycles = [], []
    for stream in range(16):
        for query in q[stream, ::8]:
            best: list[int] = []
            rows = [0] * 10
            for index, key in enumerate(k[stream]):
                matches = int((query == key).sum())
                if len(best) < 3 or matches > best[-1]:
                    best = sorted([*best, matches], reverse=True)[:3]
                    rows[index // 4] += 1
            keys.append(sum(rows))
            cycles.append(sum(max(1, n) for n in rows))
    assert insertions(spec, 4) == pytest.approx((np.mean(keys), np.mean(cycles)))


def test_activity_counts_weights_that_are_not_0_and_their_digits():
    """With every key kept and one weight, 7 = 2 * 4 - 1: two digits each."""
    spec = AttentionSpec(d_head=4, d_value=4, n_keys=8, top_k=8, weights=(7,) * 5, weight_bits=3)
    assert activity(spec) == (8.0, 16.0)
    none = dataclasses.replace(spec, weights=(7, 0, 0, 0, 0))
    assert activity(none).weighted == activity(none).digits / 2 < 8


# --- how far off


@pytest.fixture(scope="module")
def held_out():
    unseen = (*range(12, 40), *range(56, 68))
    return [(design_of(row), row) for number, row in POINTS.items() if number in unseen]


def test_errors_are_as_stated_of_engines_that_the_fit_has_not_seen(held_out):
    """The means and the worst that every estimate states, from the estimates themselves."""
    off = {"area": [], "energy": [], "period": []}
    for design, row in held_out:
        found = estimate(design)
        area = sum(block["area_um2"] for block in row["blocks"].values())
        share = (exact_cycles(design) or row["cycles"]) / row["cycles"]
        kinds = ("switching", "internal", "clock", "leakage")
        energy = share * sum(block["energy_pj"].get(kind, 0) for block in row["blocks"].values() for kind in kinds)
        period = max(time for _, _, time in row["paths"])
        off["area"].append(abs(found.area / area - 1))
        off["energy"].append(abs(found.energy / energy - 1))
        off["period"].append(abs(found.period / period - 1))
    for name, values in off.items():
        stated = model().errors[name]
        assert (stated["mean"], stated["worst"]) == pytest.approx((np.mean(values), max(values)))
        assert stated["of"] == len(held_out)
    assert model().made_of["held out"] == len(held_out)


@pytest.mark.parametrize(
    ("name", "mean", "worst"), [("area", 0.04, 0.12), ("energy", 0.08, 0.25), ("period", 0.08, 0.2)]
)
def test_errors_are_small(name, mean, worst):
    assert model().errors[name]["mean"] <= mean
    assert model().errors[name]["worst"] <= worst


def test_presets_are_estimated_as_they_were_compared():
    """The fit has seen these, so that nothing but a mistake would be far off."""
    for name in ("bert", "flagship"):
        measured, found = read_comparisons()[name].hamming, estimate(load_design(name))
        assert found.area == pytest.approx(measured.area, rel=0.03)
        assert found.energy == pytest.approx(measured.energy, rel=0.08)
        assert found.cycles == pytest.approx(measured.cycles, rel=0.02)
        assert found.memory_area == pytest.approx(measured.memory_area, rel=1e-6)
        assert found.memory_energy == pytest.approx(measured.memory_energy, rel=0.05)


def test_coefficients_are_those_of_the_points():
    pytest.importorskip("scipy", reason="pip install '.[fit]'")
    from hamming.synth.estimate.fit import make

    made, kept = dataclasses.asdict(make()), dataclasses.asdict(model())
    assert made["made_of"] == kept["made_of"]
    for name in ("area", "energy", "errors"):
        for block, values in kept[name].items():
            assert made[name][block] == pytest.approx(values, rel=1e-3, abs=1e-9)


def test_the_document_states_the_errors():
    pytest.importorskip("scipy", reason="pip install '.[fit]'")
    from hamming.synth.estimate.fit import markdown

    page = Path(__file__).parents[2] / "docs" / "estimates.md"
    assert markdown(model()) in page.read_text(encoding="utf-8")


def test_a_fit_finds_what_points_were_made_of():
    """Areas that are twice the registers and three times the adders, exactly."""
    pytest.importorskip("scipy", reason="pip install '.[fit]'")
    from hamming.synth.estimate.fit import coefficients

    rng = np.random.default_rng(3)
    amounts = rng.integers(1, 100, (12, 3))
    rows = [({"registers": a, "adders": b, "unused": c}, 2.0 * a + 3.0 * b) for a, b, c in amounts.tolist()]
    found = coefficients(rows, [value for _, value in rows])
    assert found == pytest.approx({"registers": 2.0, "adders": 3.0} | {name: 0.0 for name in found if name == "unused"})


# --- what it says


@pytest.mark.parametrize("name", preset_names())
def test_presets_have_estimates(name):
    found = estimate(load_design(name))
    assert found.area == pytest.approx(sum(block.area for block in found.blocks))
    assert 0.8 < found.period < 1.3
    assert json.loads(json.dumps(found.to_dict()))["area"] == found.area


def test_what_is_beyond_the_points_is_said_block_by_block():
    inside, beyond = (estimate(load_design("bert", [f"spec.n_keys={n}"])) for n in (128, 65536))
    assert not inside.notes
    [note] = beyond.notes
    assert note.startswith("n_keys 65,536 is outside of ")
    assert {block.name for block in beyond.blocks if block.is_beyond} == {
        "fetch",
        "selector",
        "replay",
        "loader",
        "value_memory",
    }
    assert not any(block.is_beyond for block in inside.blocks)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("engine.range=true", "there is no estimate for engine.range = True, only for False; synthesize measures it"),
        ("engine.n_queries_a_row=2", "engine.n_queries_a_row = 2, only for 1"),
        ("engine.n_engines=2", "engine.n_engines = 2, only for 1"),
        ("engine.output=partial", "engine.output = 'partial', only for 'quotient'"),
        ("engine.bus=axi", "engine.bus = 'axi', only for 'stream'"),
    ],
)
def test_options_without_a_formula_are_refused(override, message):
    with pytest.raises(ValueError, match="there is no estimate for") as raised:
        estimate(load_design("tiny", [override]))
    assert message in str(raised.value)


def test_memories_of_any_latency_are_their_buffers():
    found = estimate(load_design("bert", ["engine.memory=request", "engine.outstanding=128"]))
    assert {(one.depth, one.width) for one in found.memories if one.role != "selection"} == {(128, 128), (128, 256)}
    assert "what asks for words of a 'request' memory, and takes them, is not counted" in found.notes


def test_a_larger_one_is_larger_and_slower_ways_are_slower():
    small, large = load_design("bert"), load_design("bert", ["engine.n_lanes=8"])
    assert estimate(small).area < estimate(large).area
    deep, flat = (ways(load_design("bert", [f"engine.score_stages={n}"]).dimensions) for n in (1, 3))
    assert deep["keys > score"]["full adders"] > flat["keys > score"]["full adders"]
    assert estimate(load_design("bert", ["engine.score_stages=0"])).period > estimate(small).period
