"""`hamming plan`: engines, area, power and bytes of a whole model, recomputed by hand where a hand can."""

from __future__ import annotations

import dataclasses
import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from hamming.plan.engine import candidates, group_estimate, work
from hamming.plan.plan import plan
from hamming.plan.question import Question, model_names, read_question
from hamming.plan.standard import standard
from hamming.rtl.design import load_design
from hamming.synth.compare.results import read
from hamming.synth.studies.shared_rows import design_of as shared_rows_design
from hamming.synth.studies.shared_rows import read as read_shared_rows
from tests.hamming.command_line import assert_mistake, call, files

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")

MODEL = """
[model]
layers = 2
heads = 4
kv_heads = 2
d_head = 64
causal = true
context = 1024
top_k = 32
[rate]
prefill = 5000
decode = 100
batch = 4
[memory]
place = "dram"
"""


def save(text: str = MODEL) -> str:
    Path("mine.toml").write_text(text, encoding="utf-8")
    return "mine.toml"


def question(**changes: object) -> Question:
    return dataclasses.replace(read_question(save()), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", model_names())
def test_models_in_the_package_are_planned(name):
    found = plan(read_question(name))
    assert found.ours.n_engines >= 1
    assert all(0 < side.utilisation <= 1 for side in found.sides)
    for other in found.others:
        assert found.ours.mm2 < other.mm2
        assert found.ours.read_bytes < other.read_bytes


def test_bytes_are_those_of_a_hand():
    """Keys a bit an element, once for the 2 heads of a group; 32 values of 64 bytes a head; all of int8's twice."""
    found = plan(question())
    heads = 2 * 4
    prefill, decode = 5000 * heads, 100 * heads  # queries a second
    kept = 32 * 64
    mean = (1 + 1024) / 2
    ours = prefill * (mean * 8 / 2 + kept) + decode * (1024 * 8 / 2 + kept)
    int8 = (prefill * mean + decode * 1024) * 128 / 2
    assert found.ours.read_bytes == pytest.approx(ours)
    assert [other.read_bytes for other in found.others] == pytest.approx([int8, 2 * int8])
    held = 4 * 2 * 2 * 1024  # sequences, layers, heads of keys, tokens
    assert found.ours.held_bytes == held * (8 + 64)
    assert [other.held_bytes for other in found.others] == [held * 128, held * 256]
    assert found.ours.dram_w == pytest.approx(ours * 8 * 4.0 / 1e12)


def test_engines_are_as_many_as_their_cycles_need():
    asked = question(place="engines", kv_heads=4, causal=False, prefill=0.0, decode=0.0, sequences=20000.0, n_lanes=16)
    found = plan(asked)
    [engine] = candidates(asked)
    dims = engine.design.dimensions
    assert (dims.n_lanes, found.ours.n_lanes) == (16, 16)
    cycles = max(dims.cycle_terms().values())
    queries = 20000 * 1024 * 2 * 4
    busy = (
        queries * cycles + 20000 * 1024 * 2 * 4 * dims.fold
    )  # and a row of keys and values is loaded in `fold` cycles
    assert found.ours.n_engines > 2
    assert found.ours.n_engines == math.ceil(busy / (engine.clock * 1e9))
    assert found.ours.utilisation == pytest.approx(busy / (found.ours.n_engines * engine.clock * 1e9))
    assert found.ours.logic_mm2 == pytest.approx(found.ours.n_engines * engine.area / 1e6)
    [phase] = asked.phases
    assert found.ours.logic_w == pytest.approx(queries * work(asked, engine, phase).energy / 1e12)


def test_cycles_of_a_prefill_are_the_mean_over_its_prefixes():
    asked = question(n_lanes=4)
    [engine] = candidates(asked)
    terms = [max(engine.design.dimensions.cycle_terms(n).values()) for n in range(1, 1025)]
    prefill, decode = asked.phases
    assert work(asked, engine, prefill).cycles == pytest.approx(sum(terms) / 1024 / 2, rel=0.01)  # 2 queries a row
    assert work(asked, engine, decode).cycles == terms[-1] / 2


def test_decoding_from_engines_needs_one_for_every_head_that_is_held():
    found = plan(question(place="engines", prefill=0.0))
    assert found.ours.n_engines == 4 * 2 * 2
    assert found.ours.read_bytes == 100 * 8 * (1024 * 8 + 32 * 64)  # each query reads its keys itself
    assert found.others[0].read_bytes == 100 * 8 * 1024 * 128
    assert found.ours.dram_w == 0


def test_a_measured_engine_is_used_as_it_was_measured():
    """`bert` is among the kept comparisons: at its shape nothing is estimated."""
    asked = question(
        place="engines",
        kv_heads=4,
        causal=False,
        context=128,
        top_k=30,
        prefill=0.0,
        decode=0.0,
        sequences=1.0,
        n_lanes=2,
    )
    asked = dataclasses.replace(asked, logit_scale=0.125)
    [engine] = candidates(asked)
    ours = read()["bert"].hamming
    assert engine.design.spec == load_design("bert").spec
    assert (engine.source, engine.area, engine.memory_area) == ("measured", ours.area, ours.memory_area)
    [phase] = asked.phases
    assert work(asked, engine, phase).energy == ours.energy


def test_a_group_is_estimated_near_those_that_were_measured():
    """Engines whose queries share rows; the fit has seen none of them."""
    for row in read_shared_rows():
        design = shared_rows_design(row["n_queries_a_row"], row["n_lanes"])
        area, energy = group_estimate(design)
        assert area == pytest.approx(row["area_um2"], rel=0.06)
        assert energy == pytest.approx(row["energy_pj"], rel=0.12)


@pytest.mark.parametrize(("name", "within"), [("bert", 0.08), ("bert256", 0.05), ("flagship", 0.03)])
def test_the_model_of_standard_attention_is_near_what_was_measured(name, within):
    comparison = read()[name]
    shape, theirs = comparison.shape, comparison.standard
    found = standard(
        "int8",
        d_head=shape["d_head"],
        d_value=shape["d_value"],
        n_keys=shape["n_keys"],
        mean_keys=shape["n_keys"],
        n_lanes=shape["n_lanes"],
    )
    assert found.area == pytest.approx(theirs.area, rel=within)
    assert found.energy == pytest.approx(theirs.energy, rel=within)
    assert found.memory_area + found.score_area == pytest.approx(theirs.memory_area, rel=0.02)
    assert found.memory_energy + found.score_energy == pytest.approx(theirs.memory_energy, rel=0.05)


def test_files():
    result = call("plan", save(), "--json", "new/plan.json", "--svg", "new/plan.svg")
    assert result.exit_code == 0, result.output
    facts = json.loads(Path("new/plan.json").read_text())
    assert [side["name"] for side in facts["sides"]] == ["binary, top-k", "standard, int8", "standard, bf16"]
    picture = ElementTree.parse("new/plan.svg").getroot()
    titles = [title.text or "" for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 3 * (2 + 3 + 1)
    assert any(title.startswith("standard, bf16, read: ") for title in titles)
    assert "of engines within the estimate's range" in " ".join(result.stdout.split())


def test_options_change_the_file():
    assert call("plan", save(), "--context", "2048", "--batch", "8", "--json", "plan.json").exit_code == 0
    asked = json.loads(Path("plan.json").read_text())["question"]
    assert (asked["context"], asked["batch"]) == (2048, 8)


def test_a_rate_that_sequences_cannot_reach_is_told():
    result = call("plan", save(), "--decode", "1e9")
    assert "4 sequences give" in result.stdout.replace("\n", " ")


MISTAKES = {
    "unknown section 'modl'; known: model, rate, memory, engine; did you mean 'model'?": MODEL.replace(
        "[model]", "[modl]"
    ),
    "unknown key of [model] 'layer'": MODEL.replace("layers", "layer"),
    "[model] has no layers": MODEL.replace("layers = 2", ""),
    "layers must be from 1 to 10,000, not 0": MODEL.replace("layers = 2", "layers = 0"),
    "layers must be a whole number, not 2.5": MODEL.replace("layers = 2", "layers = 2.5"),
    "causal must be true or false, not 1": MODEL.replace("causal = true", "causal = 1"),
    "kv_heads must divide heads = 4, not 3": MODEL.replace("kv_heads = 2", "kv_heads = 3"),
    "place must be one of engines, dram, not 'disk'": MODEL.replace('"dram"', '"disk"'),
    "prefill and decode are of a causal model": MODEL.replace("causal = true", ""),
    "a rate is of sequences, or of prefill and decode, not of both": MODEL.replace("batch = 4", "sequences = 1"),
    "[rate] asks for nothing": MODEL.replace("prefill = 5000\ndecode = 100", ""),
    "n_lanes must be a power of two, not 3": MODEL + "[engine]\nn_lanes = 3",
    "context must be from 1 to 131,072, not 200,000": MODEL.replace("1024", "200000"),
    "prefill must be a number, not 'fast'": MODEL.replace("5000", '"fast"'),
    "prefill must be a number, not inf": MODEL.replace("5000", "inf"),
    "rate must be a section, [rate], not 3": "rate = 3\n" + MODEL.partition("[rate]")[0],
    "Expected '=' after a key": MODEL + "\nnonsense",
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told_before_anything_is_written(message):
    save(MISTAKES[message])
    before = files()
    result = call("plan", "mine.toml", "--json", "plan.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.startswith("Error: mine.toml: ")
    assert len(result.stderr.splitlines()) == 1
    assert files() == before


def test_other_mistakes():
    assert_mistake(
        call("plan", "bert_bas"),
        f"no model or file 'bert_bas'; models: {', '.join(model_names())}; did you mean 'bert_base'?",
    )
    assert_mistake(call("plan", save(), "--json", "mine.toml"), "cannot write 'mine.toml': it is the input")


@pytest.mark.parametrize("name", model_names())
def test_a_models_file_is_printed_to_be_edited(name):
    result = call("plan", name, "--print")
    assert result.exit_code == 0
    Path("mine.toml").write_text(result.stdout)
    assert dataclasses.replace(read_question("mine.toml"), name=name) == read_question(name)


def test_the_document_shows_the_plans_as_they_are_and_the_picture():
    from hamming.plan.models import markdown, plans
    from hamming.plan.picture import plans_picture

    page = Path(__file__).parents[2] / "docs" / "plans.md"
    found = plans()
    text = page.read_text(encoding="utf-8")
    assert markdown(found) in text
    short = [one for one in found if one.question.context <= 8192]
    assert page.with_suffix(".svg").read_text(encoding="utf-8") == plans_picture(short)


def test_figures_by_hand_are_those_of_the_plans():
    """As docs/plans.md has them."""
    bert, deit = plan(read_question("bert_base")), plan(read_question("deit_b"))
    assert bert.ours.n_lanes == 4
    assert bert.ours.utilisation == pytest.approx(18_432_000 * 33 / 1e9)
    assert deit.ours.read_bytes == 28_368_000 * 3_496
    assert plan(read_question("decoder_1b")).ours.held_bytes == 33_554_432 * 72
    int8 = plan(read_question("decoder_8b", {"context": 131_072})).others[0]
    assert int8.read_bytes == (512_000 * 131_072 + 10_240_000 * 65_536.5) * 64
    assert int8.dram_w == pytest.approx(1512, abs=0.5)
