"""One engine of a chain at its gates: what it hands to its neighbours is golden's, in its place in the chain."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hamming.rtl.design import load_design
from hamming.synth.energy.chain_workload import chain_workload
from hamming.synth.energy.gatesim import simulate
from hamming.synth.energy.trace import SimulationError
from hamming.synth.netlist.flattening import flatten
from tests.synth.netlists import engine, nangate_cells

N_ENGINES, N_QUERIES = 3, 8
CHANGES = (
    "spec.n_keys=54",
    "spec.top_k=6",
    f"engine.n_engines={N_ENGINES}",
    "engine.chain=true",
    "engine.output=partial",
)


@pytest.fixture(scope="module")
def member():
    design, manifest, modules = engine("tiny", [*CHANGES, "engine.expose_index=false", "engine.value_banks=2"])
    return design, manifest, flatten(modules, "tiny", nangate_cells())


def test_each_place_in_the_chain(member):
    design, manifest, netlist = member
    read = []
    for number in range(N_ENGINES):
        workload = chain_workload(design, manifest, number=number, n_queries=N_QUERIES, seed=number)
        trace = simulate(netlist, workload)
        assert trace.cycles_a_query == pytest.approx(max(design.dimensions.cycle_terms().values()), rel=0.05)
        reads = {name: seen.reads for name, seen in trace.accesses.items()}
        assert reads["key_memory"] == pytest.approx(18, rel=0.05)
        read.append(reads["value_memory.bank_0"] + reads["value_memory.bank_1"])
    # All kept keys are in one of them; those at the cut, many of nine levels, go to the lower ones first.
    assert sum(read) == pytest.approx(design.spec.top_k * design.dimensions.fold, rel=0.1)
    assert read == sorted(read, reverse=True)


@pytest.mark.parametrize("channel", ["o_counts", "o_totals", "o_partial"])
def test_a_wrong_beat_is_noticed(member, channel: str):
    design, manifest, netlist = member
    workload = chain_workload(design, manifest, number=1, n_queries=N_QUERIES)
    wrong = workload.expected[channel].copy()
    wrong[11, -1, 0] ^= 1
    with pytest.raises(SimulationError, match=rf"{channel}, stream 11, "):
        simulate(netlist, dataclasses.replace(workload, expected={**workload.expected, channel: wrong}))


def test_an_engine_that_takes_itself_for_another_is_noticed(member):
    design, manifest, netlist = member
    workload = chain_workload(design, manifest, number=1, n_queries=N_QUERIES)
    assert workload.constants == {"start": 18}
    with pytest.raises(SimulationError, match="is right"):
        # Its first key would be the last of all: of its own it sees one.
        simulate(netlist, dataclasses.replace(workload, constants={"start": 53}))


def test_beats_say_what_all_engines_know(member):
    design, manifest, _ = member
    workload = chain_workload(design, manifest, number=1, n_queries=N_QUERIES)
    channels = workload.channels

    def field(bits: np.ndarray, channel: str, name: str) -> np.ndarray:
        payloads = [int("".join(map(str, row[::-1])), 2) for row in bits[0]]
        return channels[channel].decode(payloads)[name]

    totals = field(workload.inputs["i_totals"], "i_totals", "total").reshape(N_QUERIES, -1)
    assert (np.diff(totals) >= 0).all()
    assert (totals[:, -1] == design.spec.top_k).all()
    assert (field(workload.inputs["i_counts"], "i_counts", "count") <= totals.ravel()).all()


def test_other_engines_are_refused():
    design, manifest, _ = engine("tiny")
    with pytest.raises(ValueError, match="chain = true"):
        chain_workload(design, manifest, number=0)
    design = load_design("tiny", [*CHANGES, "engine.expose_index=true"])
    with pytest.raises(ValueError, match="no mask, range, kept keys put out"):
        chain_workload(design, {}, number=0)
