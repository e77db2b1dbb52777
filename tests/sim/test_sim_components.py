"""Every component's emitted Verilog on its bench: against golden's steps, with stalls, in the cycles it states."""

import dataclasses
import shutil

import numpy as np
import pytest

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.short_queue import MOST_IN_REGISTERS
from hamming.sim.component import COMPONENTS, case_of, component_testbench
from hamming.sim.stimulus import Vectors, random_vectors

# Sizes that fit nothing, every option away from its default.
ODD = Design(
    AttentionSpec(
        d_head=7,
        d_value=6,
        n_keys=13,
        top_k=5,
        weights=(60, 41, 41, 9, 3, 1, 0, 0),
        value_bits=5,
        weight_bits=6,
        out_frac_bits=3,
    ),
    EngineConfig(
        n_lanes=4,
        n_macs=2,
        scan_rows=2,
        score_stages=2,
        n_dividers=1,
        mask=True,
        table="loadable",
        selector="histogram",
    ),
)
# A lane, no fold, a flat table (halves are frequent), everything kept; memories of three cycles.
PLAIN = Design(
    AttentionSpec(
        d_head=8, d_value=3, n_keys=6, top_k=6, weights=(1,) * 9, value_bits=4, weight_bits=1, out_frac_bits=0
    ),
    EngineConfig(selector="insertion", memory="external", read_latency=3),
)
# Ranges with sinks, of several rows and of one; several tables, of numbers that fill no power of two.
TABLES = ((60, 41, 41, 9, 3, 1, 0, 0), (63, 2, 2, 2, 1, 1, 1, 1), (5, 5, 5, 5, 5, 5, 5, 0))
SINKS = Design(
    AttentionSpec(
        d_head=7, d_value=6, n_keys=29, top_k=5, weights=TABLES, value_bits=5, weight_bits=6, out_frac_bits=3, n_sinks=7
    ),
    EngineConfig(n_lanes=4, n_macs=2, scan_rows=2, mask=True, table="loadable", range=True),
)
RANGES = Design(
    AttentionSpec(d_head=7, d_value=2, n_keys=16, top_k=3, weights=TABLES[:2], value_bits=5, weight_bits=6),
    EngineConfig(n_lanes=2, selector="insertion", range=True, memory="external", read_latency=2),
)
ONE_SINK = Design(
    AttentionSpec(d_head=3, d_value=2, n_keys=11, top_k=3, weights=(9, 4, 1, 0), n_sinks=1),
    EngineConfig(range=True, expose_index=False),
)
ONE_ROW = Design(
    AttentionSpec(d_head=3, d_value=2, n_keys=8, top_k=3, weights=(9, 4, 1, 0), n_sinks=2),
    EngineConfig(range=True, n_lanes=8),
)
# So many queries on their way that they wait in memories.
DEEP = Design(SINKS.spec, dataclasses.replace(SINKS.config, key_memory="request"))
# Queries that share rows, with all that each may bring, and with nothing.
GROUPS = Design(
    dataclasses.replace(SINKS.spec, n_sinks=0), dataclasses.replace(SINKS.config, n_queries_a_row=3, spare_places=True)
)
PAIRS = Design(
    PLAIN.spec, EngineConfig(n_lanes=2, selector="insertion", memory="external", read_latency=2, n_queries_a_row=2)
)
# Rows that wait for a sorted list: many lanes, of which more bring a key than there are places.
WAITING = Design(
    dataclasses.replace(ODD.spec, n_keys=60, top_k=5), EngineConfig(n_lanes=8, selector="insertion", waiting_rows=2)
)
DESIGNS = {"odd": ODD, "plain": PLAIN, "sinks": SINKS, "ranges": RANGES, "one sink": ONE_SINK, "one row": ONE_ROW}
DESIGNS |= {"groups": GROUPS, "pairs": PAIRS}

#: Components that are not in every engine, and what a design needs to have them.
NEEDS = {
    "table_queue": lambda design: design.spec.n_tables > 1,
    "row_range": lambda design: design.dimensions.has_row_range,
    "shared_rows": lambda design: design.config.n_queries_a_row > 1,
    "locate": lambda design: design.config.range,
}
#: Components that know nothing of ranges and tables.
SAME = {"loader", "turns", "fork", "score", "replay", "weighted_sum", "normalizer"}
#: Those of one query, and what stands in their place where queries share rows.
NOT_OF_GROUPS = {"score", "selector", "replay", "softmax", "weighted_sum", "normalizer"}
CASES = [
    pytest.param(bench, design, id=f"{bench}-{name}")
    for bench in COMPONENTS
    for name, design in DESIGNS.items()
    if NEEDS.get(bench, lambda _: True)(design)
    and (name in ("odd", "plain") or bench not in SAME)
    and (design.config.n_queries_a_row == 1 or bench not in NOT_OF_GROUPS)
] + [pytest.param(bench, DEEP, id=f"{bench}-deep") for bench in ("table_queue", "locate")]
CASES += [pytest.param("selector", WAITING, id="selector-waiting")]


def directed(design):
    """Queries that meet what random ones might not: no key, one, all; equal keys; the largest deficit; extremes."""
    spec = design.spec
    low, high = -(1 << (spec.value_bits - 1)), (1 << (spec.value_bits - 1)) - 1
    k = np.ones((spec.n_keys, spec.d_head), np.uint8)
    k[1] = 0
    v = np.full((spec.n_keys, spec.d_value), low)
    v[1::2] = high
    n_valid = np.array([0, 1, 2, spec.top_k, spec.n_keys, 0, spec.n_keys, 0, 0, 0, 1, *[spec.n_keys] * 7])
    q = np.ones((len(n_valid), spec.d_head), np.uint8)
    q[3] = 0
    named = {}
    if design.config.range:
        named["first"] = np.array([0, 0, 5, 1, spec.n_keys - 1, 3, 0, 0, 0, 2, *[spec.n_keys] * 8])[None]
        if spec.n_sinks:
            named["base"] = np.array([0, 1, 0, 0, 1, 0, 2, 0, 0, 0, 1, *[0] * 7])[None]
    if spec.n_tables > 1:
        named["table"] = np.arange(len(n_valid))[None] % spec.n_tables
    return Vectors(q=q[None], k=k[None], v=v[None], n_valid=n_valid[None], **named)


def cases(design, rng):
    yield case_of(design, directed(design), seed=1)
    for number, stall in enumerate([0.0, 0.5, 0.9, {"i": 0.8}, {"o": 0.8}]):
        config = design.config
        vectors = random_vectors(
            design.spec, rng, n_heads=1, n_queries=42, has_mask=config.mask, has_range=config.range
        )
        yield case_of(design, vectors, stall=stall, seed=number)


@pytest.mark.parametrize(("bench", "design"), CASES)
def test_component(bench, design, rng):
    played = list(cases(design, rng))
    testbench = component_testbench(bench, design)
    results = testbench.run(played)
    assert [result.failures for result in results] == [[]] * len(played)

    # Stalls did happen, wherever they can.
    counts = results[2].coverage
    never = {"stalled_i_weight"}
    outputs = {f"{point}_o" for point in ("stalled", "starved")} if bench != "loader" else set()
    if bench == "weighted_sum":
        outputs -= {"stalled_o"}  # its sink must be ready
    if not testbench.description["streams"]:
        return
    assert [name for name in {"stalled_i", *outputs} - never if not counts[name]] == []

    # At full rate, the cycles that its docstring states.
    full_rate = results[1].arrays
    if bench in TIMING:
        TIMING[bench](testbench.component, full_rate)


def loader_timing(component, cycles):
    assert np.all(np.diff(cycles["cycles_i"]) == component.dims.fold)


def fetch_timing(component, cycles):
    assert np.all(np.diff(cycles["cycles_o"]) == 1)
    # A query is transferred with the read of its first row, or its last one, whose request follows when the memory has
    # answered.
    latency = component.dims.config.read_latency
    assert np.all(np.isin(cycles["cycles_i"] + latency, cycles["cycles_o"]))


def row_range_timing(component, cycles):
    assert np.all(cycles["cycles_o"] - cycles["cycles_i"] == 1)
    assert np.all(np.diff(cycles["cycles_o"]) == 1)


def locate_timing(component, cycles):
    assert np.all(cycles["cycles_o"] == cycles["cycles_i"])


def table_queue_timing(component, cycles):
    assert np.all(cycles["cycles_o"] == cycles["cycles_i"])
    if component.dims.n_queries_a_row > 1:  # a table a cycle
        assert np.all(np.diff(cycles["cycles_o_table"]) == 1)
        return
    latency = 2 if component.dims.queries_in_flight <= MOST_IN_REGISTERS else 3
    assert np.all(cycles["cycles_o_table"] - cycles["cycles_i"] == latency)


def score_timing(component, cycles):
    assert component.latency == component.dims.config.score_stages
    assert np.all(cycles["cycles_o"] - cycles["cycles_i"] == component.latency)


def replay_timing(component, cycles):
    assert cycles["cycles_o"][0] - cycles["cycles_i"][0] == 1
    assert np.all(np.diff(cycles["cycles_o"]) == 1)


def softmax_timing(component, cycles):
    assert np.all(cycles["cycles_o"] - cycles["cycles_i"] == 1)


def weighted_sum_timing(component, cycles):
    # A slice leaves `latency` cycles after the last key of its pass.
    assert np.all(np.isin(cycles["cycles_o"] - component.latency, cycles["cycles_i"]))


def normalizer_timing(component, cycles):
    assert cycles["cycles_o"][0] - cycles["cycles_i"][0] == component.dims.division_latency
    assert np.all(np.diff(cycles["cycles_o"]) == 1)


TIMING = {
    "loader": loader_timing,
    "fetch": fetch_timing,
    "row_range": row_range_timing,
    "locate": locate_timing,
    "table_queue": table_queue_timing,
    "score": score_timing,
    "replay": replay_timing,
    "softmax": softmax_timing,
    "weighted_sum": weighted_sum_timing,
    "normalizer": normalizer_timing,
}


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("bench", COMPONENTS)
def test_icarus_sees_the_same_cycle_by_cycle(bench, rng):
    design = GROUPS if bench == "shared_rows" else SINKS if bench in NEEDS else ODD
    played = list(cases(design, rng))[:3]
    verilator, icarus = (
        component_testbench(bench, design, simulator=name).run(played) for name in ("verilator", "icarus")
    )
    for one, other in zip(verilator, icarus, strict=True):
        assert other.failures == []
        assert one.coverage == other.coverage
        assert all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
