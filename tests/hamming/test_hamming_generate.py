"""`hamming generate`: Verilog, manifest and memories, the same bytes each time, or nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from hamming.rtl.design import preset_text
from hamming.rtl.memory_wrapper import RAM
from tests.hamming.command_line import assert_mistake, call, files

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


def test_generate_writes_verilog_and_manifest():
    result = call("generate", "tiny", "--set", "spec.top_k=3", "-o", "new/folder")
    assert result.exit_code == 0
    assert files() == {"new", "new/folder", "new/folder/tiny.v", "new/folder/tiny.json"}
    verilog = Path("new/folder/tiny.v").read_bytes()
    facts = json.loads(Path("new/folder/tiny.json").read_text())
    assert b"module tiny(" in verilog
    assert facts["verilog_sha256"] == hashlib.sha256(verilog).hexdigest()
    assert facts["spec"]["top_k"] == 3
    assert f"new/folder/tiny.v: {verilog.count(10)} lines of Verilog" in result.stdout
    for expected in (*facts["streams"], *(memory["name"] for memory in facts["memories"])):
        assert expected in result.stdout


def test_generate_with_memories_outside_writes_what_connects_them():
    arguments = ("generate", "tiny", "--set", "engine.memory=external", "-o", "out")
    result = call(*arguments)
    assert result.exit_code == 0
    assert files() == {"out", *(f"out/{name}" for name in ("tiny.v", "tiny.json", "tiny_memories.v", f"{RAM}.v"))}
    assert "module tiny_memories(" in Path("out/tiny_memories.v").read_text()
    assert f"module {RAM} #(" in Path(f"out/{RAM}.v").read_text()
    assert f"out/{RAM}.v: the memory, a model\n" in result.stdout
    # Macros that have taken the model's place stay.
    Path(f"out/{RAM}.v").write_text("macros")
    Path("out/tiny_memories.v").write_text("old")
    assert f"out/{RAM}.v: left as it was\n" in call(*arguments).stdout
    assert Path(f"out/{RAM}.v").read_text() == "macros"
    assert "module tiny_memories(" in Path("out/tiny_memories.v").read_text()
    # Nor is it taken away by an engine that has no use for it.
    result = call("generate", "tiny", "-o", "out")
    assert "Note: out/tiny_memories.v is of an engine with external memories; this one has none\n" in result.stderr
    assert "module tiny_memories(" in Path("out/tiny_memories.v").read_text()


def test_generate_says_what_is_of_the_engine_before():
    assert call("generate", "tiny", "--core", "-o", "out").exit_code == 0
    assert call("generate", "tiny", "--set", "engine.bus=axi", "-o", "out").stderr.count("Note: ") == 3
    assert call("generate", "tiny", "--set", "engine.bus=axi", "--core", "-o", "out").stderr == (
        "Note: out/tiny_tb.sv, a testbench, is of an engine that was here before\n"
    )
    # The core is of the same engine; its registers are of none.
    Path("out/tiny_tb.sv").unlink()
    assert call("generate", "tiny", "--set", "engine.bus=axi", "-o", "out").stderr == ""
    notes = call("generate", "tiny", "-o", "out").stderr
    assert "Note: out/tiny.rdl, its registers, is of an engine that was here before\n" in notes
    assert files() == {"out", *(f"out/tiny.{kind}" for kind in ("v", "json", "rdl", "core", "vlt"))}


def test_generate_engines_in_a_chain():
    result = call("generate", "tiny", "--set", "engine.n_engines=4", "-o", "out")
    assert result.exit_code == 0
    verilog = Path("out/tiny.v").read_text()
    assert verilog.count("module tiny_engine(") == 1
    assert verilog.count("  tiny_engine engine_") == 4
    facts = json.loads(Path("out/tiny.json").read_text())
    assert facts["engine"]["n_engines"] == 4
    assert result.stdout.count("key_memory") == 1
    result = call("generate", "tiny", "--set", "engine.n_engines=3", "-o", "out")
    changed = "preset tiny, changed by 'engine.n_engines=3'"
    what = "n_engines must divide n_keys = 16, so that each holds as many (one of 1, 2, 4, 8, 16), not 3"
    assert_mistake(result, f"{changed}: {what}")


def test_generate_gives_identical_bytes_for_identical_input():
    call("generate", "tiny", "-o", "a")
    Path("tiny.toml").write_text(preset_text("tiny"))
    call("generate", "tiny.toml", "-o", "b")
    for name in ("tiny.v", "tiny.json"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()


def test_generate_with_a_target_in_the_way_writes_neither_file():
    Path("out/tiny.json").mkdir(parents=True)
    assert_mistake(call("generate", "tiny", "-o", "out"), "cannot write 'out/tiny.json': not a regular file")
    assert files() == {"out", "out/tiny.json"}


def test_generate_into_a_folder_that_cannot_be():
    Path("out").write_text("a file")
    assert_mistake(call("generate", "tiny", "-o", "out"), "cannot write 'out/tiny.v': Not a directory")
    assert Path("out").read_text() == "a file"


def test_a_bug_is_a_traceback_and_leaves_nothing(monkeypatch):
    from hamming.rtl import manifest

    def broken(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(manifest, "manifest", broken)
    with pytest.raises(ValueError, match="a bug"):
        call("generate", "tiny", "-o", "out")
    assert files() == set()
