"""`hamming synthesize`: areas by block."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path

import click
import pytest

from hamming.synth.mapping import area
from hamming.synth.studies import proofs
from tests.hamming.command_line import TINY, call, files, loaded

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


def test_synthesize_prints_and_saves_areas():
    result = call("synthesize", "tiny", "--json", "new/area.json")
    assert result.exit_code == 0, result.output
    facts = json.loads(Path("new/area.json").read_text())
    assert (facts["spec"], facts["engine"]) == (TINY.spec.to_dict(), TINY.config.to_dict())
    blocks = {block["name"] for block in facts["area"]["blocks"]}
    assert {"selector", "softmax", "weighted_sum", "normalizer"} <= blocks
    assert all(block in result.stdout for block in blocks)


def test_mappings_are_those_that_there_are():
    from hamming.synth.mapping.area import MAPPINGS

    [option] = [option for option in loaded("synthesize").params if option.name == "mapping"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == MAPPINGS


def test_unknown_library_is_one_line():
    result = call("synthesize", "tiny", "--library", "sky130", "--json", "new/area.json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert "sky130" in result.stderr
    assert "nangate45" in result.stderr
    assert result.stderr.count("\n") == 1
    assert files() == set()


def test_a_netlist_is_proved_equal_and_a_table_made_of_it(capsys):
    result = call("synthesize", "tiny", "--prove", "--json", "proof.json")
    assert result.exit_code == 0, result.output
    assert "netlist against Verilog" in result.stdout
    facts = json.loads(Path("proof.json").read_text())
    proof = facts["equivalence"]
    assert proof["equal"] is True
    assert proof["verilog_sha256"] == facts["area"]["verilog_sha256"]
    assert all(module["equal"] and module["difference"] is None for module in proof["modules"])
    assert proofs.main(["proof.json"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[:2] == ["| block | tiny: registers | by name | others | nets | s |", "|---|---:|---:|---:|---:|---:|"]
    registers = sum(module["registers"] for module in proof["modules"])
    assert table[-1].startswith(f"| **total** | {registers:,} | ")
    assert [row.split(" | ")[0][2:] for row in table[2:-1]] == sorted({m["blocks"][0] for m in proof["modules"]})


def test_a_netlist_that_differs_is_told_by_status_and_json(monkeypatch, capsys):
    """Two flip-flops of the selector have changed places: as many cells of each kind as the report counts."""
    unbroken = area.map_design

    def broken(*arguments, **options):
        mapped = unbroken(*arguments, **options)
        netlist = copy.deepcopy(mapped.netlist)
        flip_flops = [cell for cell in netlist["modules"]["tiny.selector"]["cells"].values() if "DFF" in cell["type"]]
        one, other = flip_flops[0]["connections"], flip_flops[-1]["connections"]
        assert one["D"] != other["D"]
        one["D"], other["D"] = other["D"], one["D"]
        return dataclasses.replace(mapped, netlist=netlist)

    monkeypatch.setattr(area, "map_design", broken)
    result = call("synthesize", "tiny", "--prove", "--json", "proof.json")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the netlist of tiny.selector is not equal to the Verilog: ")
    proof = json.loads(Path("proof.json").read_text())["equivalence"]
    assert proof["equal"] is False
    assert [module["module"] for module in proof["modules"] if not module["equal"]] == ["tiny.selector"]
    assert proofs.main(["proof.json"]) == 1
    assert capsys.readouterr().err == "Error: proof.json has no proof of equality; make it with --prove\n"
