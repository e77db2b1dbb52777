"""The register file against the one that PeakRDL makes of the same SystemRDL, side by side in Verilator."""
# amaranth: UnusedElaboratable=no

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from hamming.rtl.axi.register_file import RegisterFile, member_name
from hamming.rtl.axi.registers import registers, table
from hamming.rtl.axi.systemrdl import systemrdl
from hamming.rtl.design import load_design
from hamming.rtl.manifest import manifest, ports
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.sim import case, runner
from hamming.sim.harness import TOP

CHANNELS = {
    "input": [
        "awaddr",
        "awprot",
        "awvalid",
        "wdata",
        "wstrb",
        "wvalid",
        "bready",
        "araddr",
        "arprot",
        "arvalid",
        "rready",
    ],
    "output": ["awready", "wready", "bvalid", "bresp", "arready", "rvalid", "rdata", "rresp"],
}


def span(bits):
    return f"[{bits - 1}:0] " if bits > 1 else ""


def side_by_side(described, window, name, folder):
    """Return Verilog with both, and what the bench drives and looks at."""
    file = RegisterFile(described, window)
    bits = {port["name"]: port["bits"] for port in ports(file)}
    shell, inner, ours, theirs = [], [], {"clk": "clk", "rst": "rst"}, {"clk": "clk", "rst": "rst"}
    for direction, names in CHANNELS.items():
        for channel in names:
            shell += [f"{direction} {span(bits[channel])}{side}_{channel}" for side in ("ours", "theirs")]
            ours[channel], theirs[f"s_axil_{channel}"] = f"ours_{channel}", f"theirs_{channel}"
    offsets = [one.offset for one in described] + [window.offset + 4 * n for n in range(window.n_words)]
    facts = {"status": [], "sets": [], "outputs": [], "offsets": offsets}
    for register in described:
        for field in register.fields:
            member, place = member_name(register, field.name), f"{register.name}.{field.name}"
            if field.access in ("status", "sticky"):
                driven = member if field.access == "status" else f"{member}_set"
                facts["status" if field.access == "status" else "sets"].append(driven)
                shell.append(f"input {span(field.bits)}{driven}")
                ours[driven] = driven
                inner.append(f"assign hwif_in.{place}.next = {driven};")
            if field.access == "sticky":
                ours[member] = ""  # it is seen by reads
            if field.access in ("control", "command"):
                shell += [f"output {span(field.bits)}ours_{member}", f"output {span(field.bits)}theirs_{member}"]
                facts["outputs"].append(member)
                ours[member] = f"{'own_' if field.access == 'command' else 'ours_'}{member}"
                value = f"hwif_out.{place}.value"
                if field.access == "command":  # counted, since it is 1 for a cycle
                    inner.append(f"wire own_{member};")
                    for side, source in (("ours", f"own_{member}"), ("theirs", value)):
                        inner += [
                            f"reg n_{side}_{member} = 0;",
                            f"always @(posedge clk) n_{side}_{member} <= !rst & (n_{side}_{member} ^ {source});",
                            f"assign {side}_{member} = n_{side}_{member};",
                        ]
                else:
                    inner.append(f"assign theirs_{member} = {value};")
    weight, index = window.weight_bits, bits["table_index"]
    inner += [
        f"reg [{weight - 1}:0] words [0:{window.n_words - 1}];",
        f"wire [{index + weight - 1}:0] entry;",
        f"wire is_entry; wire [{index - 1}:0] place;",
        "always @(posedge clk) if (is_entry && !rst)",
        f"  words[entry[{index - 1}:0]] <= entry[{index + weight - 1}:{index}];",
    ]
    ours |= {"o_table__valid": "is_entry", "o_table__ready": "1'b1", "o_table__payload": "entry"}
    ours |= {"table_index": "place", "table_weight": "words[place]", "table_is_free": "1'b1"}
    facts |= {"table": vars(window), "n_words": 1 << file.addr_bits - 2}
    package, block = ((folder / f"{name}_registers{end}.sv").read_text() for end in ("_pkg", ""))

    def connected(module, instance, wires):
        return f"{module} {instance} ({', '.join(f'.{port}({wire})' for port, wire in wires.items())});"

    theirs |= {"hwif_in": "hwif_in", "hwif_out": "hwif_out"}
    lines = [
        "/* verilator lint_off MULTIDRIVEN */",  # variables that each of its blocks has for itself
        package,
        block,
        "module side_by_side (input clk, input rst,",
        ",\n".join(f"  {port}" for port in shell) + ");",
        f"  {name}_registers_pkg::{name}_registers__in_t hwif_in;",
        f"  {name}_registers_pkg::{name}_registers__out_t hwif_out;",
        *inner,
        connected("ours", "ours", ours),
        connected(f"{name}_registers", "theirs", theirs),
        "endmodule",
    ]
    outside = [port.split()[-1] for port in shell]
    lines += [f"module {TOP} (input clk, input rst,", ",\n".join(f"  {port}" for port in shell) + ");"]
    lines += [connected("side_by_side", "both", {port: port for port in ("clk", "rst", *outside)}), "endmodule", ""]
    return {"ours.v": emit(file, "ours"), f"{TOP}.v": "\n".join(lines)}, facts


@pytest.fixture(scope="module")
def design():
    return load_design("tiny", ["engine.bus=axi", "engine.table=loadable", "engine.memory=request"])


@pytest.fixture(scope="module")
def block(design, tmp_path_factory):
    """The folder of PeakRDL's register block."""
    folder = tmp_path_factory.mktemp("block")
    (folder / "tiny.rdl").write_text(systemrdl(manifest(top(design.spec, design.config), "")))
    command = [Path(sys.executable).with_name("peakrdl"), "regblock", "tiny.rdl", "-o", "."]
    command += ["--cpuif", "axi4-lite-flat", "--err-if-bad-addr", "--err-if-bad-rw"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return folder


def played(described, window, block, folder, n_accesses):
    sources, facts = side_by_side(described, window, "tiny", block)
    case.save(folder, "case_0", facts | {"n_accesses": n_accesses, "seed": 6}, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        runner.run(runner.build(sources, TOP), "bench_register_block", folder)
    return case.load(folder, "result_0")[0]


def test_accesses_are_answered_alike(design, block, tmp_path):
    """All strobes set: ours refuses writes of less than a word, theirs takes them."""
    dims = design.dimensions
    found = played(registers(dims), table(dims), block, tmp_path, 2000)
    assert found["different"] == []
    assert min(found["seen"].values()) > 200


def test_a_difference_is_found(design, block, tmp_path):
    described = registers(design.dimensions)
    described[0] = dataclasses.replace(described[0], fields=(dataclasses.replace(described[0].fields[0], init=1),))
    assert "to 0x0: " in played(described, table(design.dimensions), block, tmp_path, 300)["different"][0]
