"""`hamming explore`: a study's candidates, its front, and that nothing is measured twice."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from hamming.explore.candidates import find
from hamming.explore.front import dominates, front_of, ranks, signed, spread
from hamming.explore.kept import FILE, Kept
from hamming.explore.quantities import QUANTITIES, cosine_to_all_keys
from hamming.explore.study import read_study
from hamming.golden.accuracy import cosine
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import load_design
from hamming.rtl.dimensions import Dimensions
from hamming.synth.energy.workload import real_vectors
from tests.hamming.command_line import assert_mistake, call, files

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")

#: 12 combinations, of which 3 have scan_rows with a selector that has none.
STUDY = """
design = "tiny"
measured = 0
objectives = ["area", "energy"]
[constraints]
cycles = { most = 16 }
[free.spec]
top_k = [2, 4]
[free.engine]
n_macs = [1, 2, 4]
selector = ["histogram", "insertion"]
"""


def save(text: str = STUDY, name: str = "small.toml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


# --- fronts


def by_definition(points: np.ndarray) -> list[int]:
    """Points that no other one is as good as everywhere and better than somewhere."""
    return [
        n
        for n, a in enumerate(points.tolist())
        if not any(all(x <= y for x, y in zip(b, a, strict=True)) and b != a for b in points.tolist())
    ]


def test_ranks_are_fronts_of_what_fronts_leave():
    points = np.random.default_rng(1).integers(0, 6, (40, 3)).astype(float)
    left, found = list(range(40)), ranks(points)
    for rank in range(int(found.max()) + 1):
        front = [left[n] for n in by_definition(points[left])]
        assert sorted(front) == np.flatnonzero(found == rank).tolist()
        left = [n for n in left if n not in front]
    assert not left


def test_a_front_has_of_equals_the_first_and_knows_the_better_side():
    figures = [{"area": 2.0, "clock": 1.0}, {"area": 1.0, "clock": 0.5}, {"area": 2.0, "clock": 1.0}]
    figures += [{"area": 3.0, "clock": 0.9}]
    assert front_of(figures, ["area", "clock"]) == [0, 1]
    assert signed(figures[0], ["area", "clock"]) == [2.0, -1.0]
    assert dominates(figures[0], figures[3], ["area", "clock"])
    assert not dominates(figures[0], figures[1], ["area", "clock"])
    assert not dominates(figures[0], figures[2], ["area", "clock"])


def test_what_is_measured_is_the_front_first_and_of_a_large_one_its_ends():
    line = np.array([[n, 10.0 - n] for n in range(11)])  # a front of 11
    behind = line + 20
    chosen = spread(np.concatenate([behind, line]), 3)
    assert sorted(chosen) == [11, 16, 21]  # both ends, and the one in the middle
    assert sorted(spread(np.concatenate([behind, line]), 13))[:2] == [0, 10]
    assert spread(line, 100) == list(range(11))


# --- quantities


def test_a_cosine_is_to_attention_over_all_keys():
    """By the definition, in plain floating point."""
    spec = AttentionSpec.from_logit_scale(d_head=8, d_value=4, n_keys=16, top_k=3, logit_scale=0.3)
    q, k, v = real_vectors(d_head=8, d_value=4, n_keys=16, n_queries=4, n_streams=32, value_bits=16)
    dots = (2.0 * q - 1) @ (2.0 * k - 1).swapaxes(1, 2)
    weights = np.exp(0.3 * dots)
    ideal = weights @ v / weights.sum(axis=2, keepdims=True)
    best = np.take_along_axis(weights, np.argsort(-dots, axis=2, kind="stable")[..., :3], axis=2)
    rows = np.take_along_axis(v[:, None], np.argsort(-dots, axis=2, kind="stable")[..., :3, None], axis=2)
    kept = (best[..., None] * rows).sum(axis=2) / best.sum(axis=2, keepdims=True)
    assert cosine_to_all_keys(spec, 0.3) == pytest.approx(cosine(kept, ideal).mean(), abs=2e-3)
    every = AttentionSpec.from_logit_scale(d_head=8, d_value=4, n_keys=16, top_k=16, logit_scale=0.3)
    assert cosine_to_all_keys(every, 0.3) > 0.999


# --- candidates


def test_all_combinations_of_a_small_study_are_looked_at():
    found = find(read_study(save()))
    study = read_study("small.toml")
    assert study.size == found.n_looked_at == 12
    assert all(one.figures["cycles"] <= 16 for one in found.possible)
    assert all(one.figures["cycles"] > 16 for one in found.missing)
    keys = {(c.design.spec.top_k, c.design.config.n_macs, c.design.config.selector) for c in found.possible}
    keys |= {(c.design.spec.top_k, c.design.config.n_macs, c.design.config.selector) for c in found.missing}
    assert keys == set(itertools.product([2, 4], [1, 2, 4], ["histogram", "insertion"]))


def test_what_is_no_design_is_refused_with_its_reason():
    text = STUDY.replace("n_macs = [1, 2, 4]", "n_macs = [1, 3]")
    found = find(read_study(save(text)))
    assert len(found.refused) == 4
    assert all(choice["engine.n_macs"] == 1 and "n_macs must divide" in reason for choice, reason in found.refused)


def test_auto_leaves_a_key_out_and_keys_change_together():
    text = (
        STUDY.replace('selector = ["histogram", "insertion"]', 'scan_rows = ["auto", 2]')
        + """
[[free.form]]
spec.weight_form = "exponential"
engine.product = "multiply"
[[free.form]]
spec.weight_form = "power_of_two"
engine.product = "shift"
"""
    )
    study = read_study(save(text))
    choice = {"spec.top_k": 0, "engine.n_macs": 0, "engine.scan_rows": 0, "form": 1}
    design = study.design_of(choice)
    assert (design.config.scan_rows, design.config.product) == (None, "shift")
    assert study.design_of(choice | {"engine.scan_rows": 1, "form": 0}).config.scan_rows == 2


def test_an_estimate_misses_a_bound_only_beyond_its_error():
    study = read_study(save(STUDY.replace("cycles = { most = 16 }", "area = { most = 100 }\nclock = { least = 1.0 }")))
    assert study.missed({"area": 104.0, "clock": 0.95}, {"area": 0.05, "clock": 0.1}) == {}
    missed = study.missed({"area": 120.0, "clock": 0.8}, {"area": 0.05, "clock": 0.1})
    assert missed == pytest.approx({"area": (120 * 0.95 - 100) / 120, "clock": (1 - 0.8 * 1.1) / 0.8})
    assert set(study.missed({"area": 104.0, "clock": 0.95})) == {"area", "clock"}  # what was measured has none


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_a_sampler_looks_at_as_many_as_are_asked_for_and_the_same_again(sampler):
    pytest.importorskip("optuna", reason="pip install '.[explore]'")
    text = STUDY.replace("top_k = [2, 4]", "top_k = [1, 2, 3, 4, 5, 6, 7, 8]").replace(
        "measured = 0", f'measured = 0\ncandidates = 20\nsampler = "{sampler}"'
    )
    study = read_study(save(text))
    found, again = find(study), find(study)
    assert found.n_looked_at == 20 < study.size
    assert [one.choice for one in found.possible] == [one.choice for one in again.possible]


def test_a_sampler_finds_what_all_combinations_have():
    """The least area of 48 combinations, by looking at half of them, as random choice would in one of two runs."""
    pytest.importorskip("optuna", reason="pip install '.[explore]'")
    text = STUDY.replace("top_k = [2, 4]", "top_k = [1, 2, 3, 4, 5, 6, 7, 8]").replace("16 }", "64 }")
    every = find(read_study(save(text)))
    some = find(read_study(save(text.replace("measured = 0", "measured = 0\ncandidates = 24"), "some.toml")))
    least = min(one.figures["area"] for one in every.possible)
    assert min(one.figures["area"] for one in some.possible) == pytest.approx(least, rel=0.05)


# --- the command


def test_estimates_alone():
    result = call("explore", save(), "-o", "out", "--no-page")
    assert result.exit_code == 0, result.output
    facts = json.loads(Path("out/front.json").read_text())
    assert set(facts["presets"]) == {"tiny"}
    figures = [point["figures"] for point in facts["points"].values()]
    best = {name for name, point in facts["points"].items() if name in facts["front"]}
    assert best == {list(facts["points"])[n] for n in front_of(figures, ["area", "energy"])}
    for name in best - {"tiny"}:
        text = Path(f"out/front/{name}.toml").read_text()
        assert text.startswith("# An engine on the front of the study small, estimated: area ")
        design = load_design(f"out/front/{name}.toml")
        assert design.spec.to_dict() == facts["points"][name]["spec"]
        assert design.config.to_dict() == facts["points"][name]["engine"]
    assert "12 candidates of 12 combinations" in result.stdout


def test_an_engine_is_there_once_however_it_is_written():
    """Eight elements in 16 cycles are for one divider, so that "auto" is 1, with 2 multipliers and with 4."""
    text = """
design = "tiny"
measured = 0
objectives = ["area"]
[free.engine]
n_macs = [2, 4]
n_dividers = ["auto", 1, 2]
"""
    result = call("explore", save(text), "-o", "out", "--no-page")
    assert result.exit_code == 0, result.output
    assert "6 candidates of 6 combinations" in result.stdout
    points = json.loads(Path("out/front.json").read_text())["points"]
    sections = [(one["spec"], one["engine"]) for name, one in points.items() if name != "tiny"]
    sizes = [Dimensions(AttentionSpec.from_dict(spec), EngineConfig.from_dict(engine)) for spec, engine in sections]
    assert sorted((dims.n_macs, dims.n_dividers) for dims in sizes) == [(2, 1), (2, 2), (4, 2)]  # (4, 1) is tiny


def test_files_of_an_earlier_front_go_and_others_stay():
    call("explore", save(), "-o", "out", "--no-page")
    Path("out/front/mine.toml").write_text("mine = 1\n")
    Path("out/front/old_7.toml").write_text("# An engine on the front of the study old, estimated.\n")
    assert call("explore", "small.toml", "-o", "out", "--no-page").exit_code == 0
    assert {"out/front/mine.toml"} <= files()
    assert "out/front/old_7.toml" not in files()


def test_a_page_has_every_design_and_its_facts():
    pytest.importorskip("plotly", reason="pip install '.[explore]'")
    result = call("explore", save(), "-o", "out")
    assert result.exit_code == 0, result.output
    page = Path("out/front.html").read_text()
    _, _, rest = page.partition('<script type="application/json" id="exploration">')
    front = json.loads(Path("out/front.json").read_text())["front"]
    assert json.loads(rest.partition("</script>")[0])["front"] == front
    assert "http-equiv" not in page
    assert 'src="http' not in page


def test_what_was_measured_is_kept_and_not_measured_again(tmp_path_factory, monkeypatch):
    """A study of one engine, which is the preset: it is measured once, under the preset's name."""
    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path_factory.mktemp("cache")))
    text = """
design = "tiny"
measured = 3
[free.spec]
top_k = [4]
"""
    command = ("explore", save(text), "-o", "out", "--no-page", "--workers", "1")
    result = call(*command)
    assert result.exit_code == 0, result.output
    assert "1 designs measured, 1 of them now, 0 before" in result.stdout
    assert "preset tiny: on the front" in result.stdout
    [[name, point]] = json.loads(Path("out/front.json").read_text())["points"].items()
    assert (name, point["is_measured"], point["was_kept"]) == ("tiny", True, False)
    kept = Path("out", FILE).read_bytes()
    again = call(*command)
    assert again.exit_code == 0, again.output
    assert "1 designs measured, 0 of them now, 1 before" in again.stdout
    assert Path("out", FILE).read_bytes() == kept
    assert json.loads(Path("out/front.json").read_text())["points"] == {"tiny": point | {"was_kept": True}}
    # A figure that was measured is the one that is shown, whatever was estimated.
    design = load_design("tiny")
    found = Kept(Path("out", FILE)).get(design)
    assert found is not None
    assert point["figures"]["area"] == found.area != point["estimate"]["area"]
    # With other tools it does not count.
    monkeypatch.setattr("hamming.explore.kept.made_with", lambda: {"pyosys": "0"})
    assert Kept(Path("out", FILE)).get(design) is None


# --- mistakes


MISTAKES = {
    "unknown key 'objectve'; known: design, candidates, measured, sampler, seed, objectives, constraints, free; did "
    "you mean 'objectives'?": STUDY.replace("objectives", "objectve"),
    "unknown objective 'areas'": STUDY.replace('"area"', '"areas"'),
    "unknown constraint 'cycle'": STUDY.replace("cycles", "cycle"),
    "constraints.cycles must be bounds, as in { most = 64 } or { least = 1.0 }": STUDY.replace("{ most = 16 }", "16"),
    "constraints.cycles has a least above its most": STUDY.replace("most = 16", "most = 16, least = 17"),
    "[free] must say what may change": STUDY.partition("[free.spec]")[0],
    "free.engine.n_macs must be a list of what it may be, as in [1, 2, 4], not 4": STUDY.replace("[1, 2, 4]", "4"),
    "free.engine.n_macs has 4 twice": STUDY.replace("[1, 2, 4]", "[4, 4]"),
    "unknown key 'n_mac' in [engine]": STUDY.replace("n_macs", "n_mac"),
    "spec.n_keys is of what is asked for, and not free": STUDY.replace("top_k = [2, 4]", "n_keys = [8, 16]"),
    "engine.name is what a study calls its engines": STUDY.replace("n_macs = [1, 2, 4]", 'name = ["a", "b"]'),
    "measured must be a whole number, 0 to 1,000, not -1": STUDY.replace("measured = 0", "measured = -1"),
    "sampler must be one of nsga2, tpe, random, all, not 'best'": 'sampler = "best"\n' + STUDY,
    "design must be a preset (": STUDY.replace('design = "tiny"', ""),
    "no preset or file 'nothing.toml'": STUDY.replace('"tiny"', '"nothing.toml"'),
    "Expected '=' after a key": STUDY + "\nnonsense",
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_in_a_study_is_told_before_anything_is_written(message):
    save(MISTAKES[message])
    before = files()
    result = call("explore", "small.toml", "-o", "out", "--no-page")
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.startswith("Error: small.toml: ")
    assert len(result.stderr.splitlines()) == 1
    assert files() == before


def test_other_mistakes():
    assert_mistake(
        call("explore", "no.toml", "-o", "out"), "no study 'no.toml'; it is a TOML file (docs/guide/explore.md)"
    )
    Path("out").write_text("")
    assert_mistake(call("explore", save(), "-o", "out"), "cannot write into 'out': it is no folder")
    assert_mistake(
        call("explore", "small.toml", "-o", "small.toml/out"),
        "cannot write 'small.toml/out/front.json': Not a directory",
    )
    Path("out").unlink()
    Path("out").mkdir()
    Path("out", FILE).write_text("[]")
    assert_mistake(
        call("explore", save(), "-o", "out", "--no-page"),
        "'out/measured.json' holds no measured designs; move it away to measure them again",
    )


def test_constraints_that_nothing_meets_are_told():
    text = STUDY.replace("most = 16", "most = 3")
    result = call("explore", save(text), "-o", "out", "--no-page")
    assert result.exit_code == 0, result.output  # the preset is shown, and what it misses
    assert "preset tiny: misses cycles" in result.stdout


def test_without_the_extra_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    for name in ("plotly", "plotly.graph_objects", "optuna"):
        monkeypatch.setitem(sys.modules, name, None)
    assert_mistake(
        call("explore", save(), "-o", "out"),
        "Plotly, which draws the page, is not installed: pip install 'hamming-attention[explore]'; or leave the page "
        "out: --no-page",
    )
    save(STUDY.replace("measured = 0", "measured = 0\ncandidates = 5"))
    assert_mistake(
        call("explore", "small.toml", "-o", "out", "--no-page"),
        "12 combinations are more than candidates = 5, and what chooses among them, Optuna, is not installed: pip "
        "install 'hamming-attention[explore]'",
    )
    assert not Path("out").exists()


def test_quantities_have_meanings():
    assert all(quantity.meaning for quantity in QUANTITIES.values())


def test_the_example_is_a_study():
    result = call("explore", "--example")
    assert result.exit_code == 0
    study = read_study(save(result.stdout, "example.toml"))
    assert (study.design, study.candidates) == ("bert", 500)
    assert study.size > study.candidates
    assert read_study("example.toml", 3).measured == 3
    for name in QUANTITIES:
        assert name in result.stdout
