"""Engines behind AXI, played by cocotbext-axi: random queries, registers at work, and faults that are planted."""

import functools
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.rtl.design import load_design
from hamming.rtl.manifest import manifest
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.sim import runner
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.regression import regress
from hamming.sim.runner import SimulatorMissing
from hamming.sim.stimulus import random_vectors
from hamming.sim.testbench import Case, Testbench

DESIGNS = {
    "plain": [],
    "everything": ["engine.mask=true", "engine.table=loadable", "engine.n_lanes=4", "spec.n_keys=13"],
    "slow rows": ["engine.n_lanes=16", "engine.n_macs=1"],  # which a query could overtake
    "chain": ["engine.n_engines=3", "engine.n_lanes=2", "spec.n_keys=18", "engine.table=loadable", "engine.range=true"],
    "groups": [
        *("engine.n_queries_a_row=3", "engine.mask=true", "engine.table=loadable", "engine.n_lanes=4"),
        *("spec.n_keys=13", "engine.range=true", "engine.spare_places=true"),
    ],
    "groups in memory": ["engine.n_queries_a_row=2", "engine.memory=request", "engine.selector=insertion"],
    "outside": ["engine.memory=external", "engine.selector=insertion", "engine.expose_index=false"],
}


def design_of(name):
    return load_design("tiny", ["engine.bus=axi", *DESIGNS[name]])


@pytest.mark.parametrize("name", DESIGNS)
def test_random_queries(name):
    outcome = regress(design_of(name), 300, seed=5)
    assert outcome.report.mismatches == []
    assert outcome.report.violations == []
    assert outcome.passed


def test_cycles_are_those_of_the_plain_engine():
    axi, plain = (
        regress(load_design("tiny", [f"engine.bus={bus}"]), 700, seed=3).report.cycles_a_query
        for bus in ("axi", "stream")
    )
    assert axi is not None
    assert axi == pytest.approx(plain, rel=0.02)


@pytest.mark.parametrize(
    ("bench_name", "changes"), [("registers", []), ("groups", ["engine.n_queries_a_row=3"])], ids=["alone", "groups"]
)
def test_registers(bench_name, changes):
    """All that `bench_axi_registers`, or `bench_axi_groups`, asks; a mistake ends it without a result."""
    design = load_design("tiny", ["engine.bus=axi", *changes])
    rng = np.random.default_rng(1)
    vectors = random_vectors(design.spec, rng, n_heads=1, n_queries=12, has_mask=False, all_valid=True)
    expected = attend(design.spec, vectors.q[0], vectors.k[0], vectors.v[0])
    engine = top(design.spec, design.config)
    verilog = emit(engine, design.config.name)
    bench = Testbench(verilog, manifest(engine, verilog), f"bench_axi_{bench_name}")
    arrays = {"q": vectors.q[0], "k": vectors.k[0], "v": vectors.v[0], "out": expected.out}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        [result] = bench.run([Case(fields={}, arrays=arrays)])
    assert result.failures == []


def planted(faults):
    """Return what plants faults, outputs and what becomes of them, of which `+fault=N` chooses the one of its number.

    Expressions are of what the output was, `own`, and of `dice`, which changes each cycle.
    """

    def change(verilog, facts):
        begin = verilog.index(");\n") + 3
        end = verilog.index("\nendmodule\n")
        header, body, rest = verilog[:begin], verilog[begin:end], verilog[end:]
        lines = ["  reg dice = 0;", "  always @(posedge aclk) dice <= ~dice;", "  reg [7:0] fault;"]
        lines += ['  initial if (!$value$plusargs("fault=%d", fault)) fault = 0;']
        for port in dict.fromkeys(port for port, _ in faults.values()):
            bits = next(one["bits"] for one in facts["ports"] if one["name"] == port)
            body = re.sub(rf"(?<![\w$\\]){port}(?![\w$])", f"own_{port}", body)
            body = re.sub(rf"^  output (.*own_{port};)$", "", body, flags=re.MULTILINE)
            chosen = [
                f"fault == {number} ? {expression} : " for number, (of, expression) in faults.items() if of == port
            ]
            lines += [f"  output {f'[{bits - 1}:0] ' if bits > 1 else ''}{port};"]
            lines += [f"  assign {port} = {''.join(chosen)}own;".replace("own", f"own_{port}")]
        return header + "\n".join([*lines, ""]) + body + rest, facts

    return change


#: An output, what becomes of it, and what is said of it.
FAULTS = {
    "valid falls": ("m_axis_out_tvalid", "own & dice", r"^o_out: valid fell before the transfer"),
    "data changes": ("m_axis_out_tdata", "own ^ dice", r"^o_out: the payload changed"),
    "last changes": ("m_axis_selected_tlast", "own ^ dice", r"^o_selected: the payload changed"),
    "last never comes": ("m_axis_out_tlast", "1'b0", r"^o_out: query 0"),
    "last always comes": ("m_axis_selected_tlast", "1'b1", r"^o_selected: query \d+: expected"),
    "kept keys fall": ("m_axis_selected_tvalid", "own & dice", r"^o_selected: valid fell"),
    "a query is lost": ("s_axis_query_tready", "1'b1", r"nothing moved"),
    "a read falls": ("s_axi_rvalid", "own & dice", r"^s_axi_r: valid fell"),
    "no read is answered": ("s_axi_rvalid", "1'b0", r"^register ERROR: no answer"),
    "a read changes": ("s_axi_rdata", "own ^ dice", r"^s_axi_r: the payload changed"),
    "a response falls": ("s_axi_bvalid", "own & dice", r"^s_axi_b: valid fell"),
    "a response changes": ("s_axi_bresp", "{2{dice}}", r"^s_axi_b: the payload changed"),
    "a register is wrong": ("s_axi_rdata", "own ^ 1", r"^table 0: entry 0 reads as 254, not 255"),
    "a write is answered always": ("s_axi_bvalid", "1'b1", r"^s_axi write: valid is 1 in a reset"),
    "a read of memory falls": ("m_axi_key_arvalid", "own & dice", r"^m_axi_key_ar: valid fell"),
    "a write of memory changes": ("m_axi_value_wdata", "own ^ dice", r"^m_axi_value_w: the payload changed"),
}


@functools.cache
def faulty(is_outside):
    """Return an engine with all faults of its ports, beside memories that it asks or without, and numbers of faults."""
    ports = {name: port for name, (port, *_) in FAULTS.items() if port.startswith("m_axi_") == is_outside}
    numbers = {name: number for number, name in enumerate(ports, 1)}
    # A table takes many writes.
    memory = ["engine.memory=request"] if is_outside else []
    design = load_design("tiny", ["engine.bus=axi", "engine.table=loadable", *memory])
    change = planted({numbers[name]: FAULTS[name][:2] for name in ports})
    return EngineTestbench(design, change=change), numbers


def failures(bench, number, monkeypatch):
    vectors = random_vectors(bench.design.spec, np.random.default_rng(2), n_heads=2, n_queries=20, has_mask=False)
    stall = {"o_out": 0.5, "o_selected": 0.5, "s_axi_b": 0.9, "s_axi_r": 0.9, "m_axi_key_ar": 0.9, "m_axi_value_w": 0.9}
    monkeypatch.setattr(runner, "run", functools.partial(runner.run, arguments=[f"+fault={number}"]))
    [result] = bench.run([Traffic(vectors=vectors, stall=stall, seed=4)])
    return result.failures


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(fault, monkeypatch):
    port, _, found = FAULTS[fault]
    bench, numbers = faulty(port.startswith("m_axi_"))
    said = failures(bench, numbers[fault], monkeypatch)
    assert any(re.search(found, failure) for failure in said), said


@pytest.mark.parametrize("is_outside", [False, True])
def test_without_a_planted_fault_nothing_is_found(is_outside, monkeypatch):
    bench, _ = faulty(is_outside)
    assert failures(bench, 0, monkeypatch) == []


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SimulatorMissing, match=r"cocotbext-axi, which is not installed; install it"):
        EngineTestbench(design_of("plain"))
