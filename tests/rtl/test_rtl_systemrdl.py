"""SystemRDL of the registers behind AXI, and what PeakRDL, a program of others, makes of it."""
# amaranth: UnusedElaboratable=no

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from hamming.cli import main
from hamming.rtl.axi.engine import AxiEngine
from hamming.rtl.axi.systemrdl import systemrdl
from hamming.rtl.design import load_design
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest


def facts_of(*changes):
    design = load_design("tiny", ["engine.bus=axi", *changes])
    return manifest(AxiEngine(design.spec, design.config), "")


def peakrdl(command, folder: Path, target: str):
    program = Path(sys.executable).with_name("peakrdl")
    subprocess.run([program, command, "tiny.rdl", "-o", target], cwd=folder, check=True, capture_output=True, text=True)
    return folder / target


@pytest.mark.parametrize("changes", [[], ["engine.table=loadable", "engine.mask=true", "engine.range=true"]])
def test_header_has_the_registers_where_they_are(changes, tmp_path):
    facts = facts_of(*changes)
    (tmp_path / "tiny.rdl").write_text(systemrdl(facts))
    peakrdl("c-header", tmp_path, "tiny.h")
    lines = ["#include <stddef.h>", '#include "tiny.h"']
    for one in facts["registers"]["registers"]:
        lines.append(f'_Static_assert(offsetof(tiny_registers_t, {one["name"]}) == {one["offset"]}, "{one["name"]}");')
        for field in one["fields"]:
            macro = f"TINY_REGISTERS__{one['name']}__{field['name'].upper()}"
            lines.append(f'_Static_assert({macro}_bp == {field["lsb"]} && {macro}_bw == {field["bits"]}, "{macro}");')
            if field["access"] == "constant":
                lines.append(f'_Static_assert({macro}_reset == {field["init"]}, "{macro}");')
    if facts["registers"]["table"]:
        lines.append(
            f'_Static_assert(offsetof(tiny_registers_t, TABLE) == {facts["registers"]["table"]["offset"]}, "TABLE");'
        )
    (tmp_path / "check.c").write_text("\n".join(lines) + "\n")
    command = ["cc", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "check.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # The check can fail.
    (tmp_path / "check.c").write_text("\n".join(lines).replace("CONTROL) == 8", "CONTROL) == 12"))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode


def test_page_and_ip_xact(tmp_path):
    facts = facts_of()
    (tmp_path / "tiny.rdl").write_text(systemrdl(facts))
    assert (peakrdl("html", tmp_path, "html") / "index.html").is_file()
    names = [
        node.text
        for node in ElementTree.parse(peakrdl("ip-xact", tmp_path, "tiny.xml")).iter()
        if node.tag.endswith("}name")
    ]
    assert {one["name"] for one in facts["registers"]["registers"]} <= set(names)


def test_plain_streams_have_no_registers():
    design = load_design("tiny")
    with pytest.raises(ValueError, match="tiny has no registers; bus = 'axi' gives it some"):
        systemrdl(manifest(Engine(design.spec, design.config), ""))


def test_generate_writes_it(tmp_path):
    done = CliRunner().invoke(main, ["generate", "tiny", "--set", "engine.bus=axi", "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.json", "tiny.rdl", "tiny.v"]
    assert (tmp_path / "tiny.rdl").read_text().startswith("// Registers of tiny")
