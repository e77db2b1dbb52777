"""FuseSoC: an engine's own targets, and another project's core that has one generated. Tests are counted."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hamming.fusesoc import generator, library
from tests.hamming.command_line import assert_mistake, call, files
from tests.programs import add_programs
from tests.test_docs import ROOT

pytest.importorskip("fusesoc", reason="pip install '.[fusesoc]'")
pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")

Run = subprocess.CompletedProcess[str]

PASS = re.compile(r"^PASS: (\w+), (\d+) queries, (\d+) beats compared, 0 differ$", re.MULTILINE)


@pytest.fixture
def fusesoc(tmp_path_factory: pytest.TempPathFactory):
    """Run FuseSoC with these programs, and a home in which it keeps nothing of other runs."""
    programs, home = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("home")
    add_programs(programs)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    variables |= {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> Run:
        command = ["fusesoc", "--verbose", *arguments]
        return subprocess.run(
            command,
            env=variables,
            executable=programs / "fusesoc",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    return run


def passed(done: Run) -> list[tuple[str, int, int]]:
    """Return the tests that a run made: name, queries, and beats that were compared."""
    return [(name, int(queries), int(beats)) for name, queries, beats in PASS.findall(done.stdout)]


def beats_of(folder: str, name: str, n_queries: int = 16) -> int:
    facts = json.loads((Path(folder) / f"{name}.json").read_text())
    return n_queries * facts["spec"]["d_value"] // facts["dimensions"]["n_dividers"]


def test_lint_and_simulation_of_an_engine(fusesoc) -> None:
    assert call("generate", "tiny", "--core", "-o", "out").exit_code == 0
    assert files() == {"out", *(f"out/tiny{suffix}" for suffix in (".v", ".json", ".core", ".vlt", "_tb.sv"))}
    lint = fusesoc("--cores-root", "out", "run", "--target", "lint", "hamming:attention:tiny")
    assert lint.returncode == 0, lint.stdout
    assert "verilator -f" in lint.stdout
    assert "Warning-" not in lint.stdout
    sim = fusesoc("--cores-root", "out", "run", "--target", "sim", "hamming:attention:tiny")
    assert sim.returncode == 0, sim.stdout
    assert passed(sim) == [("tiny", 16, beats_of("out", "tiny"))]


def test_guide_says_where_verilator_is(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "guide" / "fusesoc.md").read_text()
    [line] = re.findall(r"^export PATH=.*$", guide, re.MULTILINE)
    (tmp_path / "python").symlink_to(sys.executable)
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run(
        ["bash", "-c", f"{line}; command -v verilator"], env=variables, capture_output=True, text=True, check=True
    )
    assert found.stdout.rstrip().endswith("/verilator/bin/verilator")


def test_library_in_a_folder_with_a_space_is_added_by_what_is_printed() -> None:
    assert "fusesoc library add hamming 'a library'" in call("fusesoc", "-o", "a library").output


def test_lint_needs_its_waivers(fusesoc) -> None:
    call("generate", "tiny", "--core", "-o", "out")
    Path("out/tiny.vlt").write_text("`verilator_config\n")
    lint = fusesoc("--cores-root", "out", "run", "--target", "lint", "hamming:attention:tiny")
    assert lint.returncode != 0
    assert "Warning-PROCASSINIT" in lint.stdout


VARIANTS = {
    "loadable tables, ranges, sinks, masks": [
        "engine.selector=insertion",
        "engine.range=true",
        "spec.n_sinks=2",
        "engine.mask=true",
        "engine.table=loadable",
        "spec.logit_scale=[0.25, 0.5]",
    ],
    "memories outside": ["engine.memory=external", "engine.read_latency=3", "engine.n_lanes=4"],
    "without indices": ["engine.expose_index=false", "engine.n_macs=2", "spec.top_k=1"],
}


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="apt install iverilog")
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_simulation_by_icarus(fusesoc, changes: list[str]) -> None:
    settings = [word for change in changes for word in ("--set", change)]
    assert call("generate", "tiny", *settings, "--core", "-o", "out").exit_code == 0
    sim = fusesoc("--cores-root", "out", "run", "--target", "sim", "hamming:attention:tiny", "--tool", "icarus")
    assert sim.returncode == 0, sim.stdout
    assert passed(sim) == [("tiny", 16, beats_of("out", "tiny"))]


#: What is broken in the files, and what the simulation then says.
BREAKS = {
    "an output": ("_tb.sv", r"expected\[5\] = 18'h\w+", "expected[5] = 18'h0", "1 of 128 beats differ"),
    "a table": (".v", r"weight = 8'hff;", "weight = 8'h7f;", "beats differ"),
    "a handshake": ("_tb.sv", r"o_out__ready <= .*;", "o_out__ready <= 0;", "hangs after 0 of 128 beats"),
}


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="apt install iverilog")
@pytest.mark.parametrize(("suffix", "pattern", "by", "message"), BREAKS.values(), ids=BREAKS)
def test_what_is_broken_fails(fusesoc, suffix: str, pattern: str, by: str, message: str) -> None:
    call("generate", "tiny", "--core", "-o", "out")
    file = Path(f"out/tiny{suffix}")
    text, count = re.subn(pattern, by, file.read_text())
    assert count == 1
    file.write_text(text)
    sim = fusesoc("--cores-root", "out", "run", "--target", "sim", "hamming:attention:tiny", "--tool", "icarus")
    assert sim.returncode != 0
    assert passed(sim) == []
    assert message in sim.stdout


@pytest.mark.skipif(
    shutil.which("yosys") is None, reason="apt install yosys; that of PyPI has no Tcl, which Edalize uses"
)
def test_synthesis_of_an_engine(fusesoc) -> None:
    call("generate", "tiny", "--core", "-o", "out")
    synth = fusesoc("--cores-root", "out", "run", "--target", "synth", "hamming:attention:tiny")
    assert synth.returncode == 0, synth.stdout
    [netlist] = Path("build").glob("*/synth/*.json")
    cells = json.loads(netlist.read_text())["modules"]["tiny"]["cells"].values()
    assert sum(cell["type"] == "TRELLIS_FF" for cell in cells) > 500


@pytest.mark.parametrize(
    "change",
    [
        "engine.bus=axi",
        "engine.memory=request",
        "engine.n_queries_a_row=2",
        "engine.n_engines=2",
        "engine.output=partial",
    ],
)
def test_an_engine_without_testbench_has_no_target_for_it(fusesoc, change: str) -> None:
    result = call("generate", "tiny", "--set", change, "--core", "-o", "out")
    assert "with targets lint and synth" in result.stdout
    assert "out/tiny_tb.sv" not in files()
    assert "sim:" not in Path("out/tiny.core").read_text()
    lint = fusesoc("--cores-root", "out", "run", "--target", "lint", "hamming:attention:tiny")
    assert lint.returncode == 0, lint.stdout


SOC = """CAPI=2:

name: me:soc:top:1.0

filesets:
  rtl:
    files: [soc.v]
    file_type: verilogSource
    depend: [hamming:attention:generator]

generate:
  engine:
    generator: hamming
    parameters:
      {source}
      set:
        spec.top_k: 3
        engine.mask: true
        engine.name: soc_engine

targets:
  default: &default
    filesets: [rtl]
    generate: [engine]
    toplevel: soc
  lint:
    <<: *default
    flow: lint
    flow_options:
      tool: verilator
"""

SOC_VERILOG = """module soc(input clk, input [75:0] row, input row_valid, output row_ready);
  /* verilator lint_off PINMISSING */
  soc_engine engine(.clk(clk), .rst(1'b0), .i_row__payload(row), .i_row__valid(row_valid), .i_row__ready(row_ready),
    .i_mask__valid(1'b0), .i_mask__payload(1'b0), .i_query__valid(1'b0), .i_query__payload(13'b0),
    .o_out__ready(1'b1), .o_selected__ready(1'b1));
endmodule
"""


def soc(source: str = "preset: tiny") -> None:
    Path("soc").mkdir(exist_ok=True)
    Path("soc/soc.core").write_text(SOC.format(source=source))
    Path("soc/soc.v").write_text(SOC_VERILOG)


def test_another_core_has_an_engine_generated(fusesoc) -> None:
    """Once, until a setting or the generator's version changes."""
    assert call("fusesoc", "-o", "library").exit_code == 0
    soc()
    roots = ("--cores-root", "library", "--cores-root", "soc")
    first = fusesoc(*roots, "run", "--target", "lint", "me:soc:top")
    assert first.returncode == 0, first.stdout
    assert "Generating me:soc:top-engine" in first.stdout
    [verilog] = Path("build").glob("*/lint/src/*/soc_engine.v")
    assert "i_mask__payload" in verilog.read_text()
    again = fusesoc(*roots, "run", "--target", "lint", "me:soc:top")
    assert "Found cached output" in again.stdout
    script = Path("library/hamming_generator.py")
    script.write_text(script.read_text().replace('FINGERPRINT = "', 'FINGERPRINT = "older '))
    other = fusesoc(*roots, "run", "--target", "lint", "me:soc:top")
    assert other.returncode != 0
    assert "run `hamming fusesoc` again" in other.stdout
    call("fusesoc", "-o", "library")
    soc("preset: minilm")
    assert "Generating me:soc:top-engine" in fusesoc(*roots, "run", "--setup", "--target", "lint", "me:soc:top").stdout


def test_a_file_beside_the_core_is_read_and_watched(fusesoc) -> None:
    call("fusesoc", "-o", "library")
    soc("file: mine.toml")
    mine = Path("soc/mine.toml")
    mine.write_text(call("presets", "tiny").stdout)
    roots = ("--cores-root", "library", "--cores-root", "soc")
    setup = (*roots, "run", "--setup", "--target", "lint", "me:soc:top")
    assert "Generating" in fusesoc(*setup).stdout
    assert "Found cached output" in fusesoc(*setup).stdout
    mine.write_text(mine.read_text() + "# changed\n")
    assert "Generating" in fusesoc(*setup).stdout


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"preset": "tiny", "sett": {}}, "unknown parameter 'sett'; known: preset, file, set"),
        ({}, "parameters must have one of preset, as minilm, and file, the path of a TOML file"),
        ({"preset": "tiny", "file": "x"}, "parameters must have one of preset, as minilm, and file"),
        ({"preset": "tiny", "set": ["a"]}, "set must have keys and values, as spec.top_k: 16, not ['a']"),
        ({"preset": "tiny", "set": {"spec.top_k": 99}}, "top_k must be 1 to 16 (n_keys), not 99"),
        ({"preset": "tinny"}, "no preset or file 'tinny'"),
    ],
)
def test_a_wrong_parameter_is_one_line(parameters: dict[str, object], message: str) -> None:
    Path("in.yml").write_text(json.dumps({"files_root": ".", "vlnv": "a:b:c:1", "parameters": parameters}))
    with pytest.raises(SystemExit) as ended:
        generator.main("in.yml", library.fingerprint())
    assert str(ended.value).startswith("hamming: ")
    assert message in str(ended.value)
    assert files() == {"in.yml"}


def test_what_is_in_the_way_is_not_overwritten() -> None:
    Path("out/tiny.core").mkdir(parents=True)
    assert_mistake(call("generate", "tiny", "--core", "-o", "out"), "cannot write 'out/tiny.core': not a regular file")
    assert files() == {"out", "out/tiny.core"}
