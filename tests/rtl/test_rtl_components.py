"""Each component of the data path against its golden function, under stalls, many vectors through one simulator."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from hamming.golden.score import matches
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.fetch import KeyFetch
from hamming.rtl.fork import Fork
from hamming.rtl.loader import RowLoader
from hamming.rtl.memory import BankedMemory, WritePort
from hamming.rtl.query_stage import QueryStage
from hamming.rtl.replay import Replay
from hamming.rtl.score import ScoreArray
from hamming.rtl.short_queue import ShortQueue
from hamming.rtl.softmax import SoftmaxTable
from hamming.rtl.spare import Spare
from hamming.rtl.stage import Stage
from hamming.rtl.weighted_sum import WeightedSum
from tests.rtl.harness import RHYTHMS, pack, run, whole_sums


def dimensions(*, engine: dict | None = None, **spec) -> Dimensions:
    fields = {"d_head": 5, "d_value": 4, "n_keys": 11, "top_k": 4, "logit_scale": 0.2} | spec
    return Dimensions(AttentionSpec.from_logit_scale(**fields), EngineConfig(**(engine or {})))


def sign_extend(value: int, bits: int) -> int:
    return value - (value >> (bits - 1) << bits)


# --- loading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_macs", [1, 2, 4])
@pytest.mark.parametrize("n_lanes", [1, 4])
def test_loader_puts_key_and_values_where_they_belong(n_lanes: int, n_macs: int, rng: np.random.Generator) -> None:
    dims = dimensions(engine={"n_lanes": n_lanes, "n_macs": n_macs}, value_bits=3)
    spec = dims.spec
    dut: Any = RowLoader(dims)
    keys = rng.integers(0, 2**spec.d_head, spec.n_keys)
    values = rng.integers(-4, 4, (spec.n_keys, spec.d_value))
    values[0], values[1] = -4, 3
    order = rng.permutation(spec.n_keys)
    rows = [{"index": int(j), "key": int(keys[j]), "value": values[j].tolist()} for j in order]

    key_memory: dict[tuple[int, int], int] = {}
    value_memory: dict[int, int] = {}

    async def testbench(ctx):
        for row in rows:
            ctx.set(dut.i.payload, row)
            ctx.set(dut.i.valid, 1)
            transferred = False
            while not transferred:
                *_, transferred, enables, address, data, v_enable, v_address, v_data = await ctx.tick().sample(
                    dut.i.ready, dut.keys.en, dut.keys.addr, dut.keys.data,
                    dut.values.en, dut.values.addr, dut.values.data,
                )  # fmt: skip
                for lane in range(n_lanes):
                    if enables >> lane & 1:
                        key_memory[address, lane] = data >> lane * spec.d_head & (2**spec.d_head - 1)
                if v_enable:
                    value_memory[v_address] = v_data
            ctx.set(dut.i.valid, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

    assert key_memory == {(j // n_lanes, j % n_lanes): keys[j] for j in range(spec.n_keys)}
    for j in range(spec.n_keys):
        words = [value_memory[j * dims.fold + s] for s in range(dims.fold)]
        elements = [word >> 3 * n & 7 for word in words for n in range(n_macs)]
        assert elements == (values[j] + 4).tolist()  # offset by 2**(value_bits - 1)
    assert len(value_memory) == spec.n_keys * dims.fold


@pytest.mark.parametrize("depths", [(1, 1), (4, 4, 3), (8, 1)])
def test_banks_are_one_memory(depths: tuple[int, ...], rng: np.random.Generator) -> None:
    """Each word is where it was written; a word that was read stays until the next is."""
    depth = sum(depths)
    dut: Any = BankedMemory(WritePort(depth=depth, width=6, granularity=3), depths)
    written = [0] * depth

    async def testbench(ctx):
        expected = None
        for _ in range(400):
            read, write, is_read, lanes, data = (int(rng.integers(n)) for n in (depth, depth, 2, 4, 64))
            lanes = 0 if is_read and read == write else lanes
            ctx.set(dut.read.addr, read)
            ctx.set(dut.read.en, is_read)
            ctx.set(dut.write.addr, write)
            ctx.set(dut.write.en, lanes)
            ctx.set(dut.write.data, data)
            await ctx.tick()
            mask = sum(7 << 3 * lane for lane in range(2) if lanes >> lane & 1)
            written[write] = written[write] & ~mask | data & mask
            expected = written[read] if is_read else expected
            if expected is not None:
                assert ctx.get(dut.read.data) == expected

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


# --- fetching ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize("n_lanes", [1, 2, 8])
def test_fetch_walks_the_rows(n_lanes: int, pause: float, stall: float, rng: np.random.Generator) -> None:
    dims = dimensions(engine={"n_lanes": n_lanes, "mask": True})
    spec = dims.spec
    n_valid = [0, 1, spec.n_keys, *rng.integers(0, spec.n_keys + 1, 20).tolist()]
    queries = [{"query": int(rng.integers(0, 32)), "n_valid": n} for n in n_valid]
    masks, expected = [], []
    for query in queries:
        n_rows = max(1, -(-query["n_valid"] // n_lanes))
        for row in range(n_rows):
            mask = int(rng.integers(0, 2**n_lanes))
            masks.append(mask)
            seen = pack([row * n_lanes + lane < query["n_valid"] for lane in range(n_lanes)])
            expected.append((query["query"], seen & ~mask, row == n_rows - 1))
    beats = run(
        KeyFetch(dims),
        {"i": queries, "i_mask": masks},
        {"o": len(expected)},
        pause=pause,
        stall=stall,
        memories={"keys": lambda address: address},
    )
    assert [(beat.query, beat.takes_part, beat.last) for beat in beats.payloads["o"]] == expected
    if not (pause or stall):
        assert np.ptp(beats.cycles["o"]) == len(expected) - 1, "a bubble between rows"


# --- scoring ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize("selector", ["histogram", "insertion"])
@pytest.mark.parametrize(("n_lanes", "d_head", "stages"), [(1, 1, 0), (4, 5, 1), (2, 64, 2), (8, 13, 3)])
def test_score_counts_matches_of_keys_that_take_part(
    n_lanes: int, d_head: int, stages: int, selector: str, pause: float, stall: float, rng: np.random.Generator
) -> None:
    dims = dimensions(d_head=d_head, engine={"n_lanes": n_lanes, "score_stages": stages, "selector": selector})
    dut = ScoreArray(dims)
    n_rows = 40
    queries = rng.integers(0, 2, (n_rows, d_head))
    keys = rng.integers(0, 2, (n_rows, n_lanes, d_head))
    keys[0], keys[1] = queries[0], 1 - queries[1]
    takes_part = rng.integers(0, 2, (n_rows, n_lanes))
    takes_part[:2] = 1
    last = rng.integers(0, 2, n_rows)
    beats = run(
        dut,
        {
            "i": [
                {"query": pack(q), "takes_part": pack(t), "last": int(e)}
                for q, t, e in zip(queries, takes_part, last, strict=True)
            ]
        },
        {"o": n_rows},
        pause=pause,
        stall=stall,
        beside={"i": [{"keys": pack(row.reshape(-1))} for row in keys]},
    )
    levels = np.array([[beat.level[lane] for lane in range(n_lanes)] for beat in beats.payloads["o"]])
    expected = matches(queries[:, None, :], keys)[:, 0, :].astype(int) + 1
    assert levels.tolist() == (expected * takes_part).tolist()
    assert [beat.last for beat in beats.payloads["o"]] == last.tolist()
    if not (pause or stall):
        assert {o - i for i, o in zip(beats.cycles["i"], beats.cycles["o"], strict=True)} == {dut.latency}


# --- queries that wait ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize(("n_keys", "n_lanes"), [(11, 1), (11, 4), (8, 8)])
def test_a_query_that_waits_knows_its_rows(n_keys: int, n_lanes: int, pause: float, stall: float) -> None:
    """Whatever `n_valid` is: bounded, and whether one row holds the keys below it."""
    dut = QueryStage(dimensions(n_keys=n_keys, engine={"n_lanes": n_lanes, "fabric": "luts"}))
    sent = [{"query": n % 32, "n_valid": n} for n in range(2**dut.dims.spec.n_valid_bits)]
    beats = run(dut, {"i": sent}, {"o": len(sent)}, pause=pause, stall=stall)
    found = [(beat.query, beat.n_valid, beat.is_single) for beat in beats.payloads["o"]]
    assert found == [(n % 32, min(n, n_keys), int(min(n, n_keys) <= n_lanes)) for n in range(len(sent))]
    if not (pause or stall):
        assert {o - i for i, o in zip(beats.cycles["i"], beats.cycles["o"], strict=True)} == {1}


# --- replaying --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize(("n_macs", "top_k"), [(4, 4), (2, 4), (1, 3), (2, 1)])
@pytest.mark.parametrize("fabric", ["cells", "luts"])
def test_replay_repeats_each_query(
    fabric: str, n_macs: int, top_k: int, pause: float, stall: float, rng: np.random.Generator
) -> None:
    dims = dimensions(top_k=top_k, engine={"n_macs": n_macs, "fabric": fabric})
    sent, expected = [], []
    for _ in range(30):
        n_kept = int(rng.integers(0, top_k + 1))
        query = [
            {
                "index": int(rng.integers(0, 11)),
                "deficit": int(rng.integers(0, 6)),
                "is_empty": int(n_kept == 0),
                "last": int(n == max(1, n_kept) - 1),
            }
            for n in range(max(1, n_kept))
        ]
        sent += query
        expected += [key | {"slice": s} for s in range(dims.fold) for key in query]
    beats = run(Replay(dims), {"i": sent}, {"o": len(expected)}, pause=pause, stall=stall)
    fields = ("index", "deficit", "is_empty", "last", *(["slice"] if dims.fold > 1 else []))
    assert [[beat[f] for f in fields] for beat in beats.payloads["o"]] == [[key[f] for f in fields] for key in expected]
    if not (pause or stall):
        # Passes follow each other without a gap once the first query's keys are in.
        assert np.ptp(beats.cycles["o"]) <= len(expected) + len(sent)


# --- weights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize("table", ["rom", "loadable"])
def test_softmax_looks_up(table: str, pause: float, stall: float, rng: np.random.Generator) -> None:
    dims = dimensions(engine={"table": table}, logit_scale=0.1)
    weights = dims.spec.weights
    keys = [
        {"index": n % 11, "deficit": n % 6, "is_empty": int(n % 7 == 3), "last": int(n % 3 == 0)} for n in range(60)
    ]
    entries = [{"index": int(t), "weight": weights[t]} for t in rng.permutation(len(weights))]
    inputs = {"i": keys} | ({"i_weight": entries} if table == "loadable" else {})
    after = {"i": "i_weight"} if table == "loadable" else {}
    beats = run(SoftmaxTable(dims), inputs, {"o": len(keys)}, pause=pause, stall=stall, after=after)
    assert [(beat.index, beat.weight, beat.is_empty, beat.last) for beat in beats.payloads["o"]] == [
        (key["index"], 0 if key["is_empty"] else weights[key["deficit"]], key["is_empty"], key["last"]) for key in keys
    ]


# --- sums and quotients -----------------------------------------------------------------------------------------------


def passes(dims: Dimensions, rng: np.random.Generator, n_queries: int) -> list[list[tuple[int, int]]]:
    """Kept keys of each query as (index, weight), some at the extremes, some empty."""
    spec = dims.spec
    queries = []
    for n in range(n_queries):
        n_kept = [0, 1, spec.top_k][n] if n < 3 else int(rng.integers(0, spec.top_k + 1))
        weights = rng.integers(0, 2**spec.weight_bits, n_kept)
        weights[:1] = 2**spec.weight_bits - 1
        queries.append([(int(rng.integers(0, spec.n_keys)), int(w)) for w in weights])
    return queries


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize(("n_macs", "weight_bits"), [(1, 12), (4, 12), (2, 1), (2, 2), (2, 7), (1, 32)])
@pytest.mark.parametrize("ways", [{}, {"fabric": "luts"}, {"fabric": "luts", "product": "dsp"}], ids=str)
def test_weighted_sum(
    ways: dict, n_macs: int, weight_bits: int, pause: float, stall: float, rng: np.random.Generator
) -> None:
    dims = dimensions(value_bits=6, weight_bits=weight_bits, engine={"n_macs": n_macs} | ways)
    spec = dims.spec
    values = rng.integers(-32, 32, (spec.n_keys, spec.d_value))
    values[:4] = [[-32] * 4, [31] * 4, [0] * 4, [-1] * 4]
    queries = passes(dims, rng, 25)
    sent, expected = [], []
    for kept in queries:
        beats_of_query = kept or [(0, 0)]
        for s in range(dims.fold):
            for n, (index, weight) in enumerate(beats_of_query):
                sent.append(
                    {
                        "index": index,
                        "weight": weight,
                        "slice": s,
                        "is_empty": int(not kept),
                        "last": int(n == len(beats_of_query) - 1),
                    }
                )
                if dims.fold == 1:
                    del sent[-1]["slice"]
            part = slice(s * n_macs, (s + 1) * n_macs)
            weight_sum = sum(weight for _, weight in kept)
            acc = sum((weight * (values[index, part] + 32) for index, weight in kept), np.zeros(n_macs, int))
            if not kept:
                weight_sum, acc = 1, np.zeros(n_macs, int)
            expected.append((acc.tolist(), weight_sum, not kept, s == dims.fold - 1))

    def read(address: int) -> int:
        elements = values[address // dims.fold].reshape(dims.fold, n_macs)[address % dims.fold] + 32
        return sum(int(element) << 6 * n for n, element in enumerate(elements))

    beats = run(
        WeightedSum(dims), {"i": sent}, {"o": len(expected)}, pause=pause, stall=stall, memories={"values": read}
    )
    got = [(*whole_sums(dims, beat), beat.is_empty, beat.last) for beat in beats.payloads["o"]]
    assert got == expected


# --- queues -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [2, 3, 8])
def test_fifo_keeps_the_order_and_holds_as_many_as_it_says(depth) -> None:
    words = list(range(1, 60))
    for pause, stall in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.8), (0.5, 0.5)):
        beats = run(ShortQueue(7, depth=depth), {"i": words}, {"o": len(words)}, pause=pause, stall=stall)
        assert [int(word) for word in beats.payloads["o"]] == words
        # Words in it as each one leaves, that one too: behind a stalled end it fills up.
        held = [sum(t < cycle for t in beats.cycles["i"]) - n for n, cycle in enumerate(beats.cycles["o"])]
        assert max(held) == depth if stall and not pause else max(held) <= depth
        if not pause and not stall:
            assert beats.cycles["o"] == [cycle + 1 for cycle in beats.cycles["i"]] == list(range(1, len(words) + 1))


@pytest.mark.parametrize(("pause", "stall"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.8), (0.5, 0.5)])
def test_a_stage_is_a_cycle_and_holds_one_word(pause, stall) -> None:
    words = list(range(1, 60))
    beats = run(Stage(7), {"i": words}, {"o": len(words)}, pause=pause, stall=stall)
    assert [int(word) for word in beats.payloads["o"]] == words
    waited = [out - came for came, out in zip(beats.cycles["i"], beats.cycles["o"], strict=True)]
    assert min(waited) == 1
    assert max(waited) == 1 or stall
    # The next comes as the one before leaves, at the earliest.
    assert all(later >= gone for gone, later in zip(beats.cycles["o"], beats.cycles["i"][1:], strict=False))
    assert pause or stall or beats.cycles["i"] == list(range(len(words)))


@pytest.mark.parametrize(("pause", "stall"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.8), (0.5, 0.5)])
def test_a_spare_place_keeps_the_order_and_one_word(pause, stall) -> None:
    words = list(range(1, 60))
    beats = run(Spare(7), {"i": words}, {"o": len(words)}, pause=pause, stall=stall)
    assert [int(word) for word in beats.payloads["o"]] == words
    waited = [out - came for came, out in zip(beats.cycles["i"], beats.cycles["o"], strict=True)]
    if stall:
        assert max(waited) > 0
        # While one waits no other comes, and the next comes a cycle after it has left.
        pairs = zip(beats.cycles["o"], beats.cycles["i"][1:], waited, strict=False)
        assert all(later > gone for gone, later, wait in pairs if wait)
    else:
        assert max(waited) == 0
        assert pause or beats.cycles["i"] == list(range(len(words)))


# --- forking ----------------------------------------------------------------------------------------------------------


def test_fork_hands_each_branch_every_payload_once() -> None:
    dut = Fork()
    rng = np.random.default_rng(1)
    taken: tuple[list[int], list[int]] = ([], [])

    async def testbench(ctx):
        payload, n_cycles = 0, 0
        while payload < 50:
            ctx.set(dut.i_valid, 1)
            ready = int(rng.integers(0, 4))
            ctx.set(dut.o_ready, ready)
            *_, valid, consumed = await ctx.tick().sample(dut.o_valid, dut.i_ready)
            for branch in range(2):
                if valid >> branch & ready >> branch & 1:
                    taken[branch].append(payload)
            payload += consumed
            n_cycles += 1
            assert n_cycles < 1000

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    assert taken[0] == taken[1] == list(range(50))
