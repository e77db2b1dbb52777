from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest

from hamming.golden.standard import StandardSpec
from hamming.golden.standard.bf16 import Bf16Spec
from hamming.rtl.design import Design
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.engine import StandardEngine
from hamming.rtl.standard.manifest import standard_manifest
from hamming.rtl.standard.verilog import emit_standard, standard_engine
from hamming.synth.energy.gatesim import simulate
from hamming.synth.energy.kernel import Gates, expression
from hamming.synth.energy.lanes import pack_streams, unpack_streams
from hamming.synth.energy.simulator import GateSimulation
from hamming.synth.energy.standard_workload import standard_workload
from hamming.synth.energy.trace import SimulationError, Trace
from hamming.synth.energy.workload import VECTORS, engine_workload, real_vectors
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import Netlist
from tests.synth.netlists import engine, flat, mapped, nangate_cells


@pytest.fixture(scope="module")
def cells() -> CellLibrary:
    return nangate_cells()


@pytest.fixture(scope="module")
def tiny() -> tuple[Design, dict[str, Any], dict[str, Any]]:
    return engine("tiny")


# --- gates


@pytest.mark.parametrize("n_inputs", [0, 1, 2, 3])
def test_expressions_are_their_truth_tables(n_inputs: int):
    for table in range(1 << (1 << n_inputs)):
        text = expression(n_inputs, table).replace("~T{}", "1").replace("T{}", "0")
        for state in range(1 << n_inputs):
            i = [state >> place & 1 for place in range(n_inputs)]
            assert eval(text, {"i": i}) & 1 == table >> state & 1, (text, state)


def test_every_gate_of_the_library_computes_its_function(cells: CellLibrary):
    gates = [cell for cell in cells.cells.values() if cell.kind == "gate" and len(cell.inputs) <= 6]
    inputs = list(range(2, 8))
    parts, net = [], 8
    for cell in gates:
        outs = {pin: net + place for place, pin in enumerate(cell.outputs)}
        net += len(outs)
        parts.append((cell.name, dict(zip(cell.inputs, inputs, strict=False)) | outs))
    netlist = flat(cells, parts, i=("input", inputs))
    values = np.zeros((netlist.n_nets, 1), np.uint64)
    values[1] = ~np.uint64(0)
    states = np.arange(64)
    bits = (states >> np.arange(6)[:, None] & 1).astype(np.uint8)
    values[netlist.inputs["i"]] = pack_streams(bits)
    Gates.of(netlist).settle(values)
    assert len(gates) > 80
    for cell in gates:
        assignment = {pin: bits[place] for place, pin in enumerate(cell.inputs)}
        for pin in cell.outputs:
            got = unpack_streams(values[netlist.groups[cell.name].net(pin)])[0]
            assert np.array_equal(got, np.broadcast_to(cell.functions[pin](assignment), 64)), (cell.name, pin)


def test_values_must_fit_the_netlist(cells: CellLibrary):
    netlist = flat(cells, [("INV_X1", {"A": 2, "ZN": 3})], i=("input", [2]))
    with pytest.raises(ValueError, match="contiguous uint64 of 4 nets"):
        Gates.of(netlist).settle(np.zeros((3, 1), np.uint64))


# --- flip-flops and clock gates

COUNTER = """
module counter(input clk, input rst, input enable, output reg [7:0] count);
  always @(posedge clk) if (rst) count <= 0; else if (enable) count <= count + 1;
endmodule
"""
GATED = """
module gated(input clk, input rst, input enable, input [7:0] data, output reg [7:0] held, output reg [7:0] free);
  always @(posedge clk) begin if (enable) held <= data; free <= data; end
endmodule
"""


@pytest.mark.parametrize("clock_gating", [False, True])
def test_registers_hold_without_their_enable(cells: CellLibrary, clock_gating: bool):
    netlist = mapped(GATED, "gated", cells, clock_gating=clock_gating)
    assert any(group.cell.kind == "clock_gate" for group in netlist.groups.values()) == clock_gating
    run = GateSimulation(netlist, Gates.of(netlist), n_streams=128)
    rng = np.random.default_rng(1)
    held = free = np.zeros((8, 128), np.uint8)
    run.drive("rst", False)
    for _ in range(20):
        enable, data = rng.integers(0, 2, (1, 128), np.uint8), rng.integers(0, 2, (8, 128), np.uint8)
        run.drive("enable", pack_streams(enable))
        run.drive("data", pack_streams(data))
        run.settle()
        assert np.array_equal(unpack_streams(run.values[netlist.outputs["held"]]), held)
        assert np.array_equal(unpack_streams(run.values[netlist.outputs["free"]]), free)
        run.clock()
        held, free = np.where(enable, data, held), data


def test_streams_do_not_see_each_other(cells: CellLibrary):
    netlist = mapped(COUNTER, "counter", cells)
    run = GateSimulation(netlist, Gates.of(netlist))
    rng = np.random.default_rng(2)
    count = np.zeros(64, int)
    run.drive("rst", False)
    for _ in range(30):
        enable = rng.integers(0, 2, (1, 64), np.uint8)
        run.drive("enable", pack_streams(enable))
        run.settle()
        assert np.array_equal(unpack_streams(run.values[netlist.outputs["count"]]).T @ (1 << np.arange(8)), count)
        run.clock()
        count += enable[0]


def test_streams_come_in_words(cells: CellLibrary):
    netlist = mapped(COUNTER, "counter", cells)
    with pytest.raises(ValueError, match="n_streams must be a multiple of 64, not 100"):
        GateSimulation(netlist, Gates.of(netlist), n_streams=100)
    with pytest.raises(SimulationError, match="the netlist has no macro keys"):
        GateSimulation(netlist, Gates.of(netlist), memories={"keys": np.zeros((64, 1, 1), np.uint8)})


# --- an engine

ENGINE_QUERIES = 7


def run_tiny(cells: CellLibrary, tiny, vectors: str, json: dict[str, Any] | None = None, **changes) -> Trace:
    design, manifest, modules = tiny
    netlist = flatten(json or modules, "tiny", cells)
    workload = engine_workload(design, manifest, vectors=vectors, n_queries=ENGINE_QUERIES, seed=3)
    return simulate(netlist, dataclasses.replace(workload, **changes))


@pytest.mark.parametrize("vectors", VECTORS)
def test_the_mapped_engine_gives_the_golden_answers_at_its_rate(cells: CellLibrary, tiny, vectors: str):
    design, manifest, _ = tiny
    trace = run_tiny(cells, tiny, vectors)
    spec, dims = design.spec, design.dimensions
    assert trace.cycles_a_query == manifest["cycles"]["a_query"]
    assert trace.n_queries == 2 * 64
    assert trace.n_cycles == 2 * manifest["cycles"]["a_query"]
    keys, values = (trace.accesses[name] for name in ("key_memory", "value_memory"))
    assert (keys.reads, keys.writes, keys.depth, keys.width) == (dims.n_rows, 0, dims.n_rows, spec.d_head)
    # Queries overlap, so that the window's ends cut some in two, at moments that their keys decide.
    assert values.reads == pytest.approx(spec.top_k * dims.fold, rel=0.05)
    assert values.writes == 0


def test_a_wrong_gate_is_noticed(cells: CellLibrary, tiny):
    json = copy.deepcopy(tiny[2])
    found = [cell for cell in json["modules"]["tiny.weighted_sum"]["cells"].values() if cell["type"] == "XOR2_X1"]
    found[len(found) // 2]["type"] = "XNOR2_X1"
    found[len(found) // 2]["connections"]["ZN"] = found[len(found) // 2]["connections"].pop("Z")
    with pytest.raises(SimulationError, match=r"o_out, stream \d+, cycle \d+: beat \d+ is 0x\w+ where 0x\w+ is right"):
        run_tiny(cells, tiny, "random", json)


def test_a_wrong_answer_in_one_stream_is_noticed(cells: CellLibrary, tiny):
    design, manifest, _ = tiny
    expected = engine_workload(design, manifest, vectors="random", n_queries=ENGINE_QUERIES, seed=3).expected["o_out"]
    wrong = expected.copy()
    wrong[41, -1, 5] ^= 1
    with pytest.raises(SimulationError, match=rf"stream 41, .*beat {expected.shape[1] - 1} is"):
        run_tiny(cells, tiny, "random", expected={"o_out": wrong})


def test_wrong_contents_of_a_memory_are_noticed(cells: CellLibrary, tiny):
    design, manifest, _ = tiny
    memories = engine_workload(design, manifest, vectors="random", n_queries=ENGINE_QUERIES, seed=3).memories
    with pytest.raises(SimulationError, match="o_out, stream"):
        run_tiny(cells, tiny, "random", memories={**memories, "value_memory": 1 - memories["value_memory"]})
    with pytest.raises(SimulationError, match="key_memory has 16 words of 8 bits in 64 streams"):
        run_tiny(cells, tiny, "random", memories={**memories, "key_memory": memories["key_memory"][:, :8]})


def test_a_silent_design_is_given_up(cells: CellLibrary, tiny, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hamming.synth.energy.gatesim._PATIENCE", 200)
    design, manifest, _ = tiny
    workload = engine_workload(design, manifest, vectors="random", n_queries=ENGINE_QUERIES, seed=3)
    expected = np.concatenate([workload.expected["o_out"], workload.expected["o_out"][:, :1]], axis=1)
    with pytest.raises(SimulationError, match="no output for 201 cycles"):
        run_tiny(cells, tiny, "random", expected={"o_out": expected})


def test_too_few_queries_are_refused(cells: CellLibrary, tiny):
    design, manifest, modules = tiny
    workload = engine_workload(design, manifest, n_queries=5)
    with pytest.raises(ValueError, match="the workload must have 6 queries, not 5"):
        simulate(flatten(modules, "tiny", cells), workload)


def test_every_input_is_served(cells: CellLibrary):
    """A table that is loaded, masks, ranges, and several tables: what comes in beside queries."""
    changes = ["engine.table=loadable", "engine.mask=true", "engine.range=true", "engine.n_lanes=2"]
    design, manifest, modules = engine("tiny", [*changes, "spec.logit_scale=[0.3,0.1]", "spec.n_sinks=2"])
    netlist = flatten(modules, "tiny", cells)
    workload = engine_workload(design, manifest, n_queries=ENGINE_QUERIES)
    assert simulate(netlist, workload).cycles_a_query == max(design.dimensions.cycle_terms().values())
    for first_entry in (0, design.spec.d_head + 1):  # of either table: queries take them in turn
        wrong = {name: bits.copy() for name, bits in workload.beforehand.items()}
        wrong["i_weight"][:, first_entry] ^= 1
        with pytest.raises(SimulationError, match="o_out, stream"):
            simulate(netlist, dataclasses.replace(workload, beforehand=wrong))


# --- the baseline


@pytest.fixture(scope="module", params=[8, 4])
def baseline(request, cells: CellLibrary) -> tuple[StandardDesign, dict[str, Any], Netlist]:
    spec = StandardSpec.from_logit_scale(
        d_head=4, d_value=4, n_keys=10, logit_scale=0.08 / request.param**2, element_bits=request.param
    )
    design = StandardDesign(spec=spec, name="baseline", n_lanes=2)
    component = StandardEngine(design)
    verilog = emit_standard(component)
    return design, standard_manifest(component, verilog), mapped(verilog, "baseline", cells, mapping="abc")


@pytest.mark.parametrize("vectors", VECTORS)
def test_the_mapped_baseline_gives_the_golden_answers_at_its_rate(baseline, vectors: str):
    design, manifest, netlist = baseline
    workload = standard_workload(design, manifest, vectors=vectors, n_queries=ENGINE_QUERIES, seed=4)
    trace = simulate(netlist, workload)
    assert trace.cycles_a_query == manifest["cycles"]["a_query"]
    reads = {name: seen.reads for name, seen in trace.accesses.items()}
    assert reads == dict.fromkeys(("key_memory", "value_memory", "score_memory"), design.n_rows)
    wrong = {name: bits.copy() for name, bits in workload.memories.items()}
    wrong["value_memory"][9, 2, design.spec.element_bits - 1] ^= 1
    with pytest.raises(SimulationError, match="o_out, stream 9,"):
        simulate(netlist, dataclasses.replace(workload, memories=wrong))


@pytest.mark.parametrize("bits", [8, 4])
def test_the_mapped_sparse_baseline_gives_the_golden_answers(cells: CellLibrary, bits: int):
    spec = StandardSpec.from_logit_scale(
        d_head=4, d_value=4, n_keys=10, logit_scale=0.08 / bits**2, element_bits=bits, top_k=3
    )
    design = StandardDesign(spec=spec, name="sparse", n_lanes=2, n_macs=2, value_banks=2)
    component = standard_engine(design)
    verilog = emit_standard(component)
    netlist = mapped(verilog, "sparse", cells, mapping="abc")
    manifest = standard_manifest(component, verilog)
    workload = standard_workload(design, manifest, n_queries=ENGINE_QUERIES)
    trace = simulate(netlist, workload)
    assert {name: seen.depth * seen.width for name, seen in trace.accesses.items()} == {
        memory["name"]: memory["bits"] for memory in manifest["memories"]
    }
    wrong = {name: held.copy() for name, held in workload.memories.items()}
    wrong["key_memory"][5] ^= 1
    with pytest.raises(SimulationError, match="o_out, stream 5,"):
        simulate(netlist, dataclasses.replace(workload, memories=wrong))


def test_the_mapped_bfloat16_baseline_gives_the_golden_answers(cells: CellLibrary):
    spec = Bf16Spec.from_logit_scale(d_head=2, d_value=2, n_keys=4, n_lanes=2, n_sums=3, logit_scale=0.5)
    design = StandardDesign(spec=spec, name="wide", n_lanes=2)
    component = StandardEngine(design)
    verilog = emit_standard(component)
    netlist = mapped(verilog, "wide", cells, mapping="abc")
    for vectors in VECTORS:
        workload = standard_workload(
            design, standard_manifest(component, verilog), vectors=vectors, n_queries=ENGINE_QUERIES
        )
        assert simulate(netlist, workload).n_queries == 2 * 64


# --- vectors


@pytest.mark.parametrize(("d_head", "n_keys", "n_heads"), [(8, 16, 24), (32, 128, 24), (64, 128, 12), (64, 1024, 12)])
def test_real_vectors_are_the_transformers_heads(d_head: int, n_keys: int, n_heads: int):
    q, k, v = real_vectors(d_head=d_head, d_value=d_head, n_keys=n_keys, n_queries=3, n_streams=64, value_bits=8)
    assert (q.shape, k.shape, v.shape) == ((64, 3, d_head), (64, n_keys, d_head), (64, n_keys, d_head))
    assert np.array_equal(k[0], k[n_heads])
    assert not np.array_equal(q[0], q[n_heads])
    assert not np.array_equal(k[0], k[1])
    assert set(np.unique(q)) == {0, 1}
    assert np.abs(v).max() == 127
