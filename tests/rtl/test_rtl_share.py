"""What an engine of a chain takes of rows, queries and kept keys that all are told of."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from hamming.rtl.kept_keys import KeptKeys
from hamming.rtl.row_range import RowRange
from hamming.rtl.share import QueryShare, RowShare
from tests.rtl.chains import dimensions
from tests.rtl.harness import RHYTHMS, run


class Shares(wiring.Component):
    """A share whose `start` is a constant."""

    def __init__(self, share: RowShare | QueryShare | KeptKeys, start: int):
        self.share = share
        self.start_at = start
        super().__init__({name: flow for name, flow in share.signature.members.items() if name != "start"})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.share = self.share
        m.d.comb += self.share.start.eq(self.start_at)
        for name, member in self.signature.members.items():
            inner, outer = getattr(self.share, name), getattr(self, name)
            if member.is_signature:
                wiring.connect(m, wiring.flipped(outer), inner)
            else:
                m.d.comb += outer.eq(inner)
        return m


@pytest.mark.parametrize("engine", [0, 1, 2])
def test_an_engine_takes_its_own_rows(engine: int, rng: np.random.Generator) -> None:
    dims = dimensions(3, n_keys=27)
    index = rng.permutation(np.arange(32))
    rows = [{"index": int(j), "key": int(j), "value": [int(j) - 16] * 4} for j in index]
    own = [j for j in index if 9 * engine <= j < 9 * engine + 9]
    beats = run(Shares(RowShare(dims), 9 * engine), {"i": rows}, {"o": 9}, stall=0.8)
    assert [(beat.index, beat.key, beat.value[3]) for beat in beats.payloads["o"]] == [
        (j - 9 * engine, j, j - 16) for j in own
    ]
    # Another's goes by at once.
    waited = np.diff([-1, *beats.cycles["i"]])
    assert all(cycles == 1 for j, cycles in zip(index.tolist(), waited.tolist(), strict=False) if j not in own)
    assert max(waited) > 1


@pytest.mark.parametrize("engine", [0, 1, 2])
def test_an_engine_sees_its_own_keys(engine: int, rng: np.random.Generator) -> None:
    dims = dimensions(3, {"range": True}, n_keys=27, logit_scale=[0.1, 0.2, 0.3])
    n_valid, first, table = rng.integers(0, 32, 60), rng.integers(0, 32, 60), rng.integers(0, 3, 60)
    queries = [
        {"query": n % 32, "n_valid": int(v), "first": int(f), "table": int(t)}
        for n, (v, f, t) in enumerate(zip(n_valid, first, table, strict=True))
    ]
    beats = run(Shares(QueryShare(dims), 9 * engine), {"i": queries}, {"o": 60}, stall=0.3).payloads["o"]
    own = [np.clip(bound - 9 * engine, 0, 9).tolist() for bound in (n_valid, first)]
    assert [[beat.n_valid for beat in beats], [beat.first for beat in beats]] == own
    assert [beat.query for beat in beats] == [n % 32 for n in range(60)]
    assert [beat.table for beat in beats] == table.tolist()


@pytest.mark.parametrize("engine", [0, 1, 2])
def test_an_engine_has_its_own_sinks(engine: int) -> None:
    """Four sinks from any key on: in one engine, in two, in none of it; from 27 on there are none."""
    dims = dimensions(3, {"range": True}, n_keys=27, n_sinks=4)
    queries = [{"query": 0, "n_valid": 27, "first": 27, "base": base} for base in range(32)]
    beats = run(Shares(QueryShare(dims), 9 * engine), {"i": queries}, {"o": 32}).payloads["o"]
    for base, beat in enumerate(beats):
        sinks = [j for j in range(base, base + 4) if 9 * engine <= j < 9 * engine + 9]
        assert list(range(beat.base, beat.sink_end)) == [j - 9 * engine for j in sinks]


def test_rows_are_read_for_own_sinks_alone() -> None:
    """Two keys a row: a window of keys 6 to 8, and none, all, or the rest of four sinks."""
    dims = dimensions(3, {"range": True, "n_lanes": 2}, n_keys=27, n_sinks=4).part
    sinks = [(0, 0), (0, 4), (0, 1), (9, 9)]
    queries = [{"query": 0, "n_valid": 9, "first": 6, "base": base, "sink_end": end} for base, end in sinks]
    beats = run(RowRange(dims), {"i": queries}, {"o": len(sinks)}).payloads["o"]
    assert [(beat.begin_row, beat.last_row, beat.jumps) for beat in beats] == [
        (3, 4, 0),
        (0, 4, 1),
        (0, 4, 1),
        (3, 4, 0),
    ]
    assert [beat.sink_end for beat in beats] == [0, 4, 1, 0]
    assert [(beat.sink_row, beat.n_before) for beat in beats[1:3]] == [(1, 2), (0, 1)]


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
def test_kept_keys_follow_those_before(pause: float, stall: float, rng: np.random.Generator) -> None:
    dims = dimensions(3, n_keys=27)
    inputs: dict[str, list[dict[str, int]]] = {"i_before": [], "i": []}
    expected = []
    for _ in range(40):
        n_before, n_own = rng.integers(0, 3, 2).tolist()
        keys = {
            "i_before": [(j, int(rng.integers(0, 6))) for j in range(n_before)],
            "i": [(j, int(rng.integers(0, 6))) for j in range(n_own)],
        }
        for name, some in keys.items():
            beats = [{"index": j, "deficit": d, "is_empty": 0, "last": 0} for j, d in some]
            beats = beats or [{"index": 0, "deficit": 0, "is_empty": 1, "last": 0}]
            beats[-1]["last"] = 1
            inputs[name] += beats
        whole = [(j, d, 0) for j, d in keys["i_before"]] + [(j + 18, d, 0) for j, d in keys["i"]]
        whole = whole or [(0, 0, 1)]
        expected += [(*key, int(n == len(whole) - 1)) for n, key in enumerate(whole)]
    beats = run(Shares(KeptKeys(dims), 18), inputs, {"o": len(expected)}, pause=pause, stall=stall)
    assert [(beat.index, beat.deficit, beat.is_empty, beat.last) for beat in beats.payloads["o"]] == expected
