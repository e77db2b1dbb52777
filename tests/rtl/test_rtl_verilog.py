"""The emitted Verilog and its manifest: what is promised of the text, and that the two agree."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.memory import DualPortMemory, WritePort
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.rtl.waiting_rows import WaitingRows
from tests.rtl.small import dimensions

SPEC = AttentionSpec.from_logit_scale(d_head=8, d_value=4, n_keys=12, top_k=4, logit_scale=0.2)

#: The same with a table that `product = "shift"` takes.
POWERS = AttentionSpec.from_logit_scale(
    d_head=8, d_value=4, n_keys=12, top_k=4, logit_scale=0.2, weight_form="power_of_two"
)

#: Each parameter away from its default, and what it must leave in the text.
VARIANTS = {
    "n_lanes": ({"n_lanes": 4}, r"wire key_3|wire \[7:0\] key_3"),
    "n_macs": ({"n_macs": 2}, r"output \[15:0\] values__data"),
    "selector": ({"selector": "insertion"}, r"is_old_3"),
    "scan_rows": ({"n_lanes": 2, "scan_rows": 4}, r"stored_7"),
    "score_stages": ({"score_stages": 2}, r"takes_part_2"),
    "waiting_rows": ({"selector": "insertion", "waiting_rows": 8}, r"reg \[8:0\] memory \[7:0\]"),
    "spare_places": ({"spare_places": True}, r"spare_row"),
    "n_dividers": ({"n_dividers": 4}, r"quotient_3_15"),
    "product": ({"product": "shift"}, r"coarse_shifted_0"),
    "fabric": ({"fabric": "luts"}, r"pair_0_0_0"),
    "adder_depth": ({"adder_depth": 1}, r"waiting_1\b"),
    "memory": ({"memory": "external"}, r"output key_read__en"),
    "key_memory": ({"key_memory": "request"}, r"output key_request__valid"),
    "value_memory": ({"value_memory": "request"}, r"output value_request__valid"),
    "outstanding": ({"memory": "request", "outstanding": 9}, r"reg \[7:0\] memory \[8:0\]"),
    "read_latency": ({"memory": "external", "read_latency": 3}, r"output \[2:0\] key_read__en"),
    "value_banks": ({"value_banks": 2}, r"shows_bank_1"),
    "table": ({"table": "loadable"}, r"input i_weight__valid"),
    "mask": ({"mask": True}, r"input i_mask__valid"),
    "expose_index": ({"expose_index": False}, None),
    "range": ({"range": True}, r"begin_row"),
    "n_queries_a_row": ({"n_queries_a_row": 2}, r"selector_1"),
    "output": ({"output": "partial"}, r"output o_partial__valid"),
    "n_engines": ({"n_engines": 3}, r"^  hamming_engine_engine engine_2 "),
    "chain": ({"n_engines": 3, "chain": True}, r"input i_counts__valid"),
    "name": ({"name": "core"}, r"^module core\("),
}


def engine_of(**engine) -> Any:
    return top(POWERS if engine.get("product") == "shift" else SPEC, EngineConfig(**engine))


def text_of(**engine) -> str:
    made = engine_of(**engine)
    return emit(made, made.config.name)


@pytest.mark.parametrize(("engine", "held"), [({"n_lanes": 4}, 4), ({"n_lanes": 1}, 0), ({"selector": "histogram"}, 0)])
def test_levels_wait_in_a_register_where_a_list_chooses_among_lanes(engine, held):
    """Of two stages the tree has one, and its counts of 4 bits the other."""
    text = text_of(**({"selector": "insertion", "n_lanes": 4, "score_stages": 2} | engine))
    assert len(re.findall(r"^  reg \[3:0\] held_\d", text, re.MULTILINE)) == held


@pytest.fixture(scope="module")
def default_text() -> str:
    return text_of()


def test_every_parameter_is_a_variant() -> None:
    # What a bus makes is held by test_rtl_axi.py.
    assert {*VARIANTS, "bus", "bus_bits"} == {field.name for field in dataclasses.fields(EngineConfig)}


@pytest.mark.parametrize("parameter", VARIANTS)
def test_parameter_reaches_the_verilog(parameter: str, default_text: str) -> None:
    fields, trace = VARIANTS[parameter]
    text = text_of(**fields)
    assert text != default_text
    if trace is None:
        assert "o_selected" in default_text
        assert "o_selected" not in text
    else:
        assert re.search(trace, text, flags=re.MULTILINE)
        assert not re.search(trace, default_text, flags=re.MULTILINE)


@pytest.mark.parametrize("parameter", [*VARIANTS, None])
def test_manifest_lists_the_ports_of_the_verilog(parameter: str | None) -> None:
    engine = engine_of(**(VARIANTS[parameter][0] if parameter else {}))
    config = engine.config
    text = emit(engine, config.name)
    facts = manifest(engine, text)
    top = re.search(rf"^module {config.name}\((.*?)^endmodule", text, flags=re.MULTILINE | re.DOTALL)
    assert top
    declared = {
        name: (direction, int(high or 0) + 1)
        for direction, high, name in re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", top[1], re.MULTILINE)
    }
    assert {port["name"]: (port["direction"], port["bits"]) for port in facts["ports"]} == declared
    for name, stream in facts["streams"].items():
        assert declared[stream["payload"]] == (stream["direction"], stream["bits"]), name
        widths = [field["bits"] * (field["length"] or 1) for field in stream["fields"]]
        offsets = [field["offset"] for field in stream["fields"]]
        assert offsets == [sum(widths[:n]) for n in range(len(widths))]
        assert sum(widths) == stream["bits"]
    assert facts["verilog_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert json.loads(json.dumps(facts)) == facts


def test_memories_of_the_manifest_are_those_of_the_verilog() -> None:
    engine = Engine(SPEC, EngineConfig(n_lanes=2, n_macs=2))
    text = emit(engine, "engine")
    declared = {
        (int(high) + 1) * (int(last) + 1 if int(first) == 0 else int(first) + 1)
        for high, first, last in re.findall(r"reg \[(\d+):0\] memory \[(\d+):(\d+)\];", text)
    }
    assert declared == {memory["bits"] for memory in manifest(engine, text)["memories"]}


def test_manifest_says_what_a_memory_of_requests_owes() -> None:
    """Of the memory that has them alone; the words that wait are memories inside."""
    facts = manifest(engine_of(n_lanes=4, n_macs=2, value_memory="request", outstanding=9), "")
    [(kind, memory)] = facts["memory_streams"].items()
    assert (kind, memory["depth"], memory["bits_a_word"], memory["write_bits"]) == ("value", 24, 16, 16)
    assert memory["outstanding"] == 9
    assert memory["layout"] == "slice s of key j is word j * 2 + s"
    assert {memory[way] for way in ("request", "response", "write")} <= set(facts["streams"])
    inside = {memory["name"]: memory["bits"] for memory in facts["memories"] if memory["location"] == "internal"}
    assert inside["value_requests.requests.words"] == 9 * 16
    assert [one["location"] for one in facts["memories"][:2]] == ["internal", "request"]
    facts = manifest(engine_of(n_lanes=4, key_memory="request"), "")
    assert facts["memory_streams"]["key"]["write_bits"] == 8
    assert "memory_streams" not in manifest(engine_of(), "")


def test_queues_of_many_queries_are_memories_that_the_manifest_lists() -> None:
    spec = AttentionSpec(d_head=3, d_value=2, n_keys=64, top_k=3, weights=((9, 4, 1, 0),) * 3, n_sinks=2)
    for outstanding, names in ((4, set()), (64, {"locate.places.words", "table_queue.tables.words"})):
        config = EngineConfig(range=True, key_memory="request", outstanding=outstanding)
        engine = Engine(spec, config)
        text = emit(engine, "engine")
        memories = {one["name"]: one for one in manifest(engine, text)["memories"]}
        assert {name for name in memories if name.startswith(("locate", "table"))} == names
        for name in names:
            module = re.search(rf"module \\engine\.{re.escape(name)} .*?endmodule", text, re.DOTALL)
            high, last = memories[name]["bits_a_word"] - 1, memories[name]["depth"] - 1
            assert module
            assert re.search(rf"reg \[{high}:0\] memory \[{last}:0\]|reg \[{high}:0\] memory \[0:{last}\]", module[0])


def test_text_is_plain_verilog_2005(default_text: str) -> None:
    assert str(Path.cwd()) not in default_text
    assert not re.search(r"\b(logic|always_ff|always_comb|typedef|interface)\b(?!\s*\.)", default_text)
    assert "src =" not in default_text
    assert "[-1:0]" not in default_text
    for component in ("loader", "fetch", "score", "selector", "replay", "softmax", "weighted_sum", "normalizer"):
        assert rf"module \hamming_engine.{component} " in default_text


def test_same_bytes_in_every_process(default_text: str) -> None:
    """Whatever the seed of Python's hashes, which orders sets."""
    script = "from tests.rtl.test_rtl_verilog import text_of\nimport sys\nsys.stdout.write(text_of())"
    for seed in ("1", "2"):
        result = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout == default_text


def test_most_lanes_are_emitted() -> None:
    """A chain of 512 operators is deeper than Python's own limit on calls within each other, which stays as it was."""
    spec = AttentionSpec.from_logit_scale(d_head=1, d_value=1, n_keys=512, top_k=1, logit_scale=0.2)
    limit = sys.getrecursionlimit()
    rows = WaitingRows(dimensions(spec, n_lanes=512, selector="insertion", waiting_rows=2))
    assert "i__payload" in emit(rows, "rows")
    assert sys.getrecursionlimit() == limit


def test_lines_hardly_grow_with_lanes() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=32, d_value=8, n_keys=256, top_k=16, logit_scale=0.1)
    few, many = (
        emit(Engine(spec, EngineConfig(n_lanes=n_lanes, selector="insertion")), "engine").count("\n")
        for n_lanes in (2, 32)
    )
    assert many < 1.5 * few


@pytest.mark.parametrize("width", [1, 8, 31, 32, 33, 64])
def test_a_memory_is_zeroed_by_a_loop(width: int):
    """Words of 32 bits too, whose zeros Yosys writes in decimal."""
    text = emit(DualPortMemory(WritePort(depth=6, width=width, granularity=width)), "ram")
    assert f"  initial for (word = 0; word < 6; word = word + 1) memory[word] = {width}'h0;\n" in text
    assert "memory[0]" not in text
