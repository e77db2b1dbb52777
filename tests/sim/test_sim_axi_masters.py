"""Engines whose keys or values lie in memory behind AXI masters, played by RAMs of cocotbext-axi."""

from pathlib import Path

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.rtl.bus_word import BusWord
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import load_design
from hamming.rtl.manifest import manifest
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.sim.regression import regress
from hamming.sim.stimulus import random_vectors
from hamming.sim.testbench import Case, Testbench

DESIGNS = {
    "both": ["engine.memory=request", "engine.n_lanes=2"],
    "bursts": [
        "engine.memory=request",
        "engine.bus_bits=32",
        "engine.n_lanes=4",
        "spec.d_head=40",
        "spec.logit_scale=0.05",
    ],
    "values": ["engine.value_memory=request", "spec.d_value=6", "engine.n_macs=3", "spec.value_bits=11"],
    "keys": ["engine.key_memory=request", "engine.selector=insertion"],
}
#: What random queries, and arrays by hand, have beside.
RANDOM = {"bursts": ["engine.mask=true"], "values": ["engine.table=loadable"]}
BY_HAND = {"keys": ["engine.outstanding=4"]}


def design_of(name, *others):
    return load_design("tiny", ["engine.bus=axi", *DESIGNS[name], *others])


@pytest.mark.parametrize("name", DESIGNS)
def test_random_queries(name):
    outcome = regress(design_of(name, *RANDOM.get(name, [])), 300, seed=5)
    assert outcome.report.mismatches == []
    assert outcome.report.violations == []
    assert outcome.passed


@pytest.mark.parametrize("name", ["both", "bursts", "values", "keys"])
def test_memory_by_hand(name):
    """All that `bench_axi_masters` asks, of arrays longer than a page; a mistake ends it without a result."""
    design = design_of(name, "spec.n_keys=700", *BY_HAND.get(name, []))
    spec, rng = design.spec, np.random.default_rng(1)
    vectors = random_vectors(spec, rng, n_heads=1, n_queries=3, has_mask=False, all_valid=True)
    q, k, v = vectors.q[0], vectors.k[0], vectors.v[0]
    expected = attend(spec, q, k, v)
    arrays = {"q": q, "k": k, "v": v, "out": expected.out}
    engine = top(spec, design.config)
    verilog = emit(engine, design.config.name)
    facts = manifest(engine, verilog)
    dims = design.dimensions
    # A word as zeros: the first query's best key with those beside it, or the second slice of its value vector.
    best = int(expected.index[0, 0])
    wrong = {"key": best // dims.n_lanes, "value": best * dims.fold + 1}
    no_keys = k.copy()
    no_keys[wrong["key"] * dims.n_lanes : (wrong["key"] + 1) * dims.n_lanes] = 0
    no_values = v.copy().reshape(-1, dims.n_macs)
    no_values[wrong["value"]] = 0
    arrays["out_wrong_key"] = attend(spec, q, no_keys, v).out
    arrays["out_wrong_value"] = attend(spec, q, k, no_values.reshape(v.shape)).out
    bench = Testbench(verilog, facts, "bench_axi_masters")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        [result] = bench.run(
            [Case(fields={"errors": facts["errors"], "outstanding": dims.outstanding, "wrong": wrong}, arrays=arrays)]
        )
    assert result.failures == []


def test_words_by_hand():
    """Powers of two: 3 bytes of a key take 4; three values of 11 bits are 6 bytes and take 8; a byte is filled up."""
    key = BusWord.of("key", n_elements=2, element_bits=20, is_array=True)
    assert (key.element_bytes, key.word_bytes, key.data_bits, key.beats) == (4, 8, 64, 1)
    values = BusWord.of("value", n_elements=3, element_bits=11, is_array=False, bus_bits=32)
    assert (values.element_bytes, values.word_bytes, values.data_bits, values.beats) == (2, 8, 32, 2)
    assert (values.most_words, values.latency) == (8, 2 + 7 + 1)
    assert BusWord.of("key", n_elements=2, element_bits=8, is_array=True).element_bytes == 2
    assert BusWord.of("value", n_elements=1, element_bits=8, is_array=False).word_bytes == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["engine.bus_bits=48"], "bus_bits must be a power of two, not 48"),
        (["engine.bus_bits=16"], "bus_bits must be .*32.*1024.*16"),
        (["engine.n_lanes=512", "spec.n_keys=512", "spec.d_head=100"], "key words of at most 4096 bytes, not 8192"),
        (["engine.n_lanes=256", "spec.n_keys=512", "spec.d_head=64", "engine.bus_bits=32"], "at most 256 beats"),
    ],
)
def test_what_masters_cannot_do_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        load_design("tiny", ["engine.bus=axi", "engine.memory=request", *changes])


def test_bus_bits_belong_to_masters():
    with pytest.raises(ValueError, match="bus_bits belongs to bus = 'axi' with memory = 'request'"):
        EngineConfig(bus_bits=64)
