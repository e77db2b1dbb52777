"""Bench of `SoftmaxTable`: deficits in, weights out, tables loaded one after the other where they can be."""

from __future__ import annotations

import itertools

import cocotb
import numpy as np
from numpy.typing import NDArray

from hamming.golden.spec import AttentionSpec
from hamming.sim.bench import Bench, play_cases
from hamming.sim.exchange import exchange
from hamming.sim.payloads import Stream
from hamming.sim.random_table import random_table
from hamming.sim.several_tables import play_several
from hamming.sim.steps import Beats
from hamming.sim.streams import Gate, Source

#: Tables of a case.
_TABLES = 8


class Tables:
    """Random tables, each for some keys: all are softmax tables but, perhaps, the last one.

    Parameters
    ----------
    stream
        `i_weight`.
    spec, product
        What a table is.
    n_keys
        Beats of the stream of keys.
    seed
        If odd, the last table is 0 first or rises somewhere, and entries beyond the table come beside it and after it.

    Attributes
    ----------
    beats
        Of each table: some entries, then all, in any order; and what comes after the last.
    first
        First key of each table.
    table_of
        Table of each key.
    is_right
        Whether the last one is a softmax table.
    """

    def __init__(self, stream: Stream, spec: AttentionSpec, product: str, n_keys: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._spec, self._product, self._rng = spec, product, rng
        n_tables = min(_TABLES, n_keys)
        self.is_right = not seed % 2
        self.first = np.sort(np.append(0, rng.choice(np.arange(1, n_keys), n_tables - 1, replace=False)))
        self.table_of = np.searchsorted(self.first, np.arange(n_keys), side="right") - 1
        places = [None] * (n_tables - 1) + [None if self.is_right else seed // 2 % (spec.d_head + 1)]
        self._tables = np.array([random_table(spec, product, rng, place) for place in places])
        self.beats = [self._beats(stream, table, beyond=False) for table in self._tables]
        most = (1 << stream.field("index").bits) - 1
        after: list[int] = []
        if not self.is_right and most > spec.d_head:
            self.beats[-1] = self._beats(stream, self._tables[-1], beyond=True)
            index = rng.integers(spec.d_head + 1, most + 1, 4)
            after = stream.encode(index=index, weight=self._words(len(index)))
        self.beats.append(after)

    def weights(self, keys: Beats) -> NDArray[np.int64]:
        """Return the weight of each key."""
        found = self._tables[self.table_of, keys["deficit"]]
        return np.where(keys["is_empty"], 0, found)

    def _words(self, n: int) -> NDArray[np.int64]:
        """Return words that a table may hold."""
        if self._product == "shift":
            return 1 << self._rng.integers(0, self._spec.weight_bits, n)
        return self._rng.integers(0, 1 << self._spec.weight_bits, n)

    def _beats(self, stream: Stream, table: NDArray[np.int64], *, beyond: bool) -> list[int]:
        """Return entries that are written over, and those of the table; of what is beyond it, some."""
        rng, n = self._rng, len(table)
        index = np.append(rng.integers(0, n, n // 2), rng.permutation(n))
        weight = np.append(self._words(n // 2), table[index[n // 2 :]])
        if beyond:
            places = rng.integers(0, len(index) + 1, 2)
            most = (1 << stream.field("index").bits) - 1
            index = np.insert(index, places, rng.integers(n, most + 1, len(places)))
            weight = np.insert(weight, places, self._words(len(places)))
        return stream.encode(index=index, weight=weight)


class Errors:
    """Holds `errors` against what has been loaded and used, in every cycle."""

    def __init__(self, bench: Bench, spec: AttentionSpec, tables: Tables, entries: Source, keys: Source) -> None:
        self._bench, self._entries, self._keys = bench, entries, keys
        self._longest = spec.d_head + 2
        self._first = tables.first[-1]
        self._is_right = tables.is_right
        index = entries.stream.decode(entries.payloads)["index"] if entries.payloads else np.zeros(0, int)
        self._beyond = np.flatnonzero(index > spec.d_head)[:1].tolist()

    def step(self, cycle: int) -> bool:
        """Look at the cycle that ends."""
        got = int(self._bench.dut.errors.value)
        beyond = any(n < self._entries.count and self._entries.transferred_at[n] < cycle for n in self._beyond)
        if got & 1 != beyond:
            self._bench.fail(f"cycle {cycle}: errors[0] is {got & 1}, expected {int(beyond)}")
        # Cycles since the first key that uses the last table.
        since = cycle - self._keys.transferred_at[self._first] if self._first < self._keys.count else 0
        may, must = since > 1 and not self._is_right, since >= self._longest and not self._is_right
        if not must <= got >> 1 <= may:
            self._bench.fail(f"cycle {cycle}: errors[1] is {got >> 1}, {since} cycles after the last table's first key")
        return False


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`).

    A loadable table is loaded before a reset, which leaves it, and is followed by others while keys go through
    (`Tables`).
    """
    if "i_table" in bench.streams:
        return await play_several(bench)
    steps = bench.steps()
    keys, weighted = steps.replayed(), steps.weighted()
    if "i_weight" not in bench.streams:
        bench.source("i", bench.encode("i", keys))
        bench.sink("o", bench.encode("o", weighted), packet="pass", counts=True)
        await bench.run()
        return bench.timing()

    stream = bench.streams["i_weight"]
    tables = Tables(stream, steps.spec, steps.design.config.product, len(keys["deficit"]), bench.fields["seed"])
    await _load(bench, stream, tables.beats[0])

    # A table waits for the keys of those before, a key for its table; what comes last waits for the last table's use.
    later = tables.beats[1:]
    n_loaded = np.cumsum([0, *(len(beats) for beats in later)])
    n_used = np.append(tables.first[1:], tables.first[-1] + 1)
    waits: list[Gate] = []
    entries = bench.source("i_weight", [beat for beats in later for beat in beats], waits)
    uses = bench.source("i", bench.encode("i", keys), [Gate(entries, n_loaded[tables.table_of].tolist())])
    waits.append(Gate(uses, np.repeat(n_used, np.diff(n_loaded)).tolist()))
    bench.sink("o", bench.encode("o", weighted | {"weight": tables.weights(keys)}), packet="pass", counts=True)
    bench.fields["drain"] = 2 * (steps.spec.d_head + 8)  # the last table is gone through beside the keys
    bench.quiet_in_reset = {"i_weight"}
    await bench.run([Errors(bench, steps.spec, tables, entries, uses)])
    return bench.timing()


async def _load(bench: Bench, stream: Stream, beats: list[int]) -> None:
    """Load a table, and nothing else."""
    await bench.reset()
    entries = Source(bench.dut, stream, beats, pause=itertools.repeat(False))
    await exchange(bench.dut, [entries], watchdog=bench.fields["watchdog"], drain=0)


@cocotb.test()
async def softmax(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
