"""Datasheets: their figures are the manifest's and the measured ones, and their diagrams what the engine does."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from hamming.datasheet import preset_datasheet, wavedrom, waves
from hamming.datasheet.sheet import datasheet
from hamming.rtl.design import load_design, preset_names
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.synth.compare.results import read as read_comparisons
from hamming.synth.studies import areas


def facts_of(name: str, *changes: str) -> dict:
    design = load_design(name, changes)
    return manifest(Engine(design.spec, design.config), "")


def table(text: str, heading: str) -> list[dict[str, str]]:
    """Return the rows of the first table of a section, by column, without code marks and bold."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("*").strip("`") for cell in row] for row in rows]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def integer(cell: str) -> int:
    return int(cell.replace(",", ""))


@pytest.mark.parametrize("name", preset_names())
def test_a_presets_figures_are_those_of_its_manifest(name):
    text, facts = preset_datasheet(name).text, facts_of(name)
    ports = [
        {"name": row["port"], "direction": row["direction"], "bits": integer(row["bits"])}
        for row in table(text, "Ports")
    ]
    assert ports == facts["ports"]
    fields = [(stream, field) for stream, found in facts["streams"].items() for field in found["fields"]]
    for row, (stream, field) in zip(table(text, "Streams"), fields, strict=True):
        high, _, low = row["bits"].rpartition(":")
        length = integer(row["elements"]) if row["elements"] else None
        assert (row["stream"], row["field"], row["type"]) == (
            stream,
            field["name"],
            "signed" if field["signed"] else "unsigned",
        )
        assert (int(low), integer(row["bits each"]), length) == (field["offset"], field["bits"], field["length"])
        assert int(high or low) - int(low) + 1 == field["bits"] * (length or 1)
    assert [row["set since the last reset where"] for row in table(text, "Errors")] == [
        e["meaning"] for e in facts["errors"]
    ]
    for row, memory in zip(table(text, "Memory map"), facts["memories"], strict=True):
        assert [row["memory"], row["where"]] == [memory["name"], memory["location"]]
        sizes = [integer(row[key]) for key in ("words", "bits a word", "bits")]
        assert sizes == [memory["depth"], memory["bits_a_word"], memory["bits"]]
    cycles = {row["term"]: (row["formula"], integer(row["cycles"])) for row in table(text, "Cycles")}
    stated = {key: (term["formula"], term["cycles"]) for key, term in facts["cycles"]["terms"].items()}
    assert stated.items() <= cycles.items()
    assert cycles["a query"][1] == facts["cycles"]["a_query"]
    latency = facts["cycles"]["latency"]
    assert cycles["latency"] == (latency["formula"], latency["cycles"])
    assert f"latency | {latency['cycles']} cycles at most" in text


@pytest.mark.parametrize("name", preset_names())
def test_a_presets_areas_are_those_that_are_kept(name):
    rows = table(preset_datasheet(name).text, "Area and clock")
    kept = [row for row in areas.read() if (row.preset, row.library) == (name, "nangate45")]
    for row, area in zip(rows, kept, strict=True):
        figures = (row["block"], row["area, µm²"], row["cells"], row["shortest period, ns"])
        period = f"{area.period_ns:.3f}" if area.period_ns else ""
        assert figures == (area.block, f"{area.area:,.0f}", f"{area.cells:,}", period)
    assert sum(float(row["share"].rstrip("%")) for row in rows[:-1]) == pytest.approx(100, abs=0.5)


def test_banks_share_the_words():
    rows = [
        row["what is in it"]
        for row in table(preset_datasheet("flagship").text, "Memory map")
        if "bank" in row["memory"]
    ]
    assert [row.partition("; here ")[2] for row in rows][::7] == ["words 0 to 255", "words 1,792 to 2,047"]


def test_energies_are_those_of_the_kept_comparison():
    kept = read_comparisons()["bert"].hamming
    text = preset_datasheet("bert").text
    rows = {row["block"]: integer(row["pJ a query"]) for row in table(text, "Energy")}
    assert rows["logic"] == round(kept.energy)
    assert rows["with memories"] == round(kept.total_energy)
    assert "## Energy" not in preset_datasheet("tiny").text, "no comparison of it is kept"


def test_a_design_of_ones_own_needs_no_measurements():
    text = datasheet(facts_of("tiny", "engine.mask=true", "engine.table=loadable", "engine.memory=external")).text
    assert "## Area and clock" not in text
    assert {row["stream"] for row in table(text, "Streams")} >= {"i_mask", "i_weight"}
    assert {row["where"] for row in table(text, "Memory map")} == {"internal", "external"}


@pytest.mark.parametrize(
    "changes",
    [(), ("engine.n_macs=8",), ("engine.n_macs=1",), ("engine.n_lanes=16", "engine.n_macs=8", "spec.top_k=1")],
)
def test_pictures_are_whole_and_show_the_cycles(changes):
    facts = facts_of("tiny", *changes)
    sheet = datasheet(facts)
    for picture in sheet.pictures.values():
        ET.fromstring(picture)
    assert set(sheet.pictures) == set(re.findall(r"\]\((tiny-\w+\.svg)\)", sheet.text))
    ticks = {draw: draw(facts)["head"]["tick"].split() for draw in (waves.queries, waves.output, waves.loading)}
    fold, latency = facts["dimensions"]["fold"], facts["cycles"]["latency"]["cycles"]
    assert ticks[waves.queries][-1] == str(2 * facts["cycles"]["a_query"] + 1)
    assert ticks[waves.output][-2:] == [str(latency - 1), str(latency)]
    assert ticks[waves.loading][-1] == str(2 * fold)
    for draw in ticks:
        for signal in draw(facts)["signal"]:
            assert len(signal["wave"]) == len(ticks[draw])


def transfers(description: dict, valid: str, ready: str) -> list[str]:
    """Return the labels of the cycles in which both are 1."""
    found = {row["name"]: wavedrom.states(row["wave"]) for row in description["signal"]}
    ticks = description["head"]["tick"].split()
    return [
        tick for tick, a, b in zip(ticks, found[valid], found[ready], strict=True) if a == b == "1" and tick.isdigit()
    ]


def test_diagrams_transfer_when_the_engine_does():
    facts = facts_of("bert")  # 64 cycles a query, 2 for a row, 64 beats, 32 of them of the last slice, until cycle 219
    assert transfers(waves.queries(facts), "i_query__valid", "i_query__ready") == ["0", "64", "128"]
    assert transfers(waves.loading(facts), "i_row__valid", "i_row__ready") == ["1", "3"]
    assert transfers(waves.output(facts), "o_out__valid", "o_out__ready") == ["188", "219"]


def test_waves():
    assert wavedrom.states("p..") == list("ppp")
    assert wavedrom.states("10|=.x") == list("100==x")
    picture = wavedrom.render({"signal": [{"name": "a<b", "wave": "0=|1", "data": ["one"]}, {}]}, "a title")
    texts = [element.text for element in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["a<b", "one"]


@pytest.mark.parametrize(
    ("wave", "message"), [(".1", "begins with '.'"), ("1z", "has 'z' in cycle 1; known are p, 0, 1")]
)
def test_waves_that_are_none(wave, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        wavedrom.render({"signal": [{"name": "a", "wave": wave}]}, "none")
