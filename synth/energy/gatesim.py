"""Zero-delay simulation of a mapped netlist, many streams at once, held against the golden model's answers.

Every net is a word with a bit for each of 64 streams (or several words). Each cycle gates settle, then flip-flops
whose clock is enabled store, and macros read and write. Macros are modelled by their words, and are preloaded.
Flip-flops and read registers power up as 0, and the reset is held for two cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hamming.golden.checks import require_int
from hamming.synth.energy.kernel import Gates
from hamming.synth.energy.workload import Workload
from hamming.synth.netlist.netlist import ONE, Macro, Netlist
from hamming.synth.yosys.process import SynthesisError

__all__ = ["Accesses", "GateSimulation", "SimulationError", "Trace", "simulate"]

Words = NDArray[np.uint64]

RESET_CYCLES = 2

#: Cycles without any output after which a simulation is given up.
_PATIENCE = 20_000


class SimulationError(SynthesisError):
    """The netlist gave a wrong answer, or none."""


@dataclass(frozen=True)
class Accesses:
    """Reads and writes of a macro, of `width` bits each."""

    reads: float
    writes: float
    width: int
    depth: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """What was seen over a window of cycles, enough to find every net's value in each.

    Attributes
    ----------
    sources
        Nets that gates do not drive: outputs of flip-flops and macros, and inputs, `(n_sources,)`.
    values
        Their values in each cycle, from the one before the window on, `(n_cycles + 1, n_sources, n_words)`.
    n_streams
        Lanes of a word that count, over all words.
    n_queries
        Queries that began in the window, over all streams.
    accesses
        Of each macro, a query.
    """

    sources: NDArray[np.int32]
    values: Words
    n_streams: int
    n_queries: int
    accesses: Mapping[str, Accesses]

    @property
    def n_cycles(self) -> int:
        """Cycles of the window."""
        return len(self.values) - 1

    @property
    def cycles_a_query(self) -> float:
        """Cycles from one query to the next."""
        return self.n_cycles * self.n_streams / self.n_queries


def pack_streams(bits: NDArray[np.uint8]) -> Words:
    """Return words `(n, n_words)` of bits `(n, n_streams)`."""
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def unpack_streams(words: Words) -> NDArray[np.uint8]:
    """Invert `pack_streams`."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")


class _Channel:
    """Payloads of a channel, one after the other in each stream; `words` are the current ones, `(bits, n_words)`."""

    def __init__(self, payloads: NDArray[np.uint8]):
        self.payloads = payloads
        self.place = np.zeros(len(payloads), np.intp)
        self._refresh()

    def _refresh(self) -> None:
        n_streams, n, _ = self.payloads.shape
        self.left = self.place < n
        current = self.payloads[np.arange(n_streams), np.minimum(self.place, n - 1)]
        current[~self.left] = 0
        self.words = pack_streams(np.ascontiguousarray(current.T))
        self.left_words = pack_streams(self.left[None].astype(np.uint8))[0]

    def advance(self, taken: Words) -> None:
        """Go on in streams of the word `taken`, `(n_words,)`."""
        if taken.any():
            self.place += unpack_streams(taken[None])[0]
            self._refresh()


class _Memory:
    """Words of a macro in every stream."""

    def __init__(self, macro: Macro, contents: NDArray[np.uint8] | None, n_streams: int):
        self.macro = macro
        self.n_streams = n_streams
        if contents is None:
            contents = np.zeros((n_streams, macro.depth, macro.width), np.uint8)
        if contents.shape != (n_streams, macro.depth, macro.width):
            raise SimulationError(
                f"{macro.name} has {macro.depth} words of {macro.width} bits in {n_streams} streams, "
                f"not contents {contents.shape}"
            )
        self.words = np.packbits(contents, axis=2, bitorder="little")
        self.data = [np.zeros((macro.width, n_streams // 64), np.uint64) for _ in macro.reads]
        self.reads = self.writes = 0

    def _addresses(self, values: Words, nets: NDArray[np.int32]) -> NDArray[np.intp]:
        bits = unpack_streams(values[nets]).astype(np.intp)
        return (bits << np.arange(len(nets))[:, None]).sum(axis=0) % self.macro.depth

    def clock(self, values: Words) -> None:
        """Read, then write, as the settled values say."""
        width = self.macro.width
        for number, port in enumerate(self.macro.reads):
            enabled = values[port.enable]
            if not enabled.any():
                continue
            rows = self.words[np.arange(self.n_streams), self._addresses(values, port.address)]
            read = pack_streams(np.ascontiguousarray(np.unpackbits(rows, axis=1, count=width, bitorder="little").T))
            self.data[number] = (self.data[number] & ~enabled) | (read & enabled)
            self.reads += int(np.bitwise_count(enabled).sum())
        for port in self.macro.writes:
            if not values[port.enable].any():
                continue
            enable = np.packbits(unpack_streams(values[port.enable]).T, axis=1, bitorder="little")
            data = np.packbits(unpack_streams(values[port.data]).T, axis=1, bitorder="little")
            at = np.arange(self.n_streams), self._addresses(values, port.address)
            self.words[at] = (self.words[at] & ~enable) | (data & enable)
            self.writes += int(enable.any(axis=1).sum())


class GateSimulation:
    """A netlist that is clocked cycle by cycle, with `n_streams` copies side by side.

    Attributes
    ----------
    values
        Words of every net, `(n_nets, n_words)`, settled by `settle`.
    sources
        Nets that gates do not drive.
    cycle
        Cycles so far.
    """

    def __init__(
        self,
        netlist: Netlist,
        gates: Gates,
        *,
        n_streams: int = 64,
        memories: Mapping[str, NDArray[np.uint8]] | None = None,
    ):
        if require_int("n_streams", n_streams, 64) % 64:
            raise ValueError(f"n_streams must be a multiple of 64, not {n_streams}")
        memories = memories or {}
        if unknown := set(memories) - {macro.name for macro in netlist.macros}:
            raise SimulationError(f"the netlist has no macro {sorted(unknown)[0]}")
        self.netlist, self.gates = netlist, gates
        self.values = np.zeros((netlist.n_nets, n_streams // 64), np.uint64)
        self.values[ONE] = ~np.uint64(0)
        self.memories = [_Memory(macro, memories.get(macro.name), n_streams) for macro in netlist.macros]
        self.clocks = ClockDomains(netlist)
        stored = [_Stored.of(group) for group in netlist.of_kind("flip_flop")]
        self._data = np.concatenate([np.zeros(0, np.int32), *(flops.data for flops in stored)])
        clock = np.concatenate([np.zeros(0, np.int32), *(flops.clock for flops in stored)])
        self._domain = self.clocks.of_nets(clock)
        first = np.cumsum([0, *(len(flops.data) for flops in stored)])
        self._outputs = [
            (slice(first[n], first[n + 1]), nets, inverted)
            for n, flops in enumerate(stored)
            for nets, inverted in flops.outputs
        ]
        self._state = np.zeros((len(self._data), n_streams // 64), np.uint64)
        ports = [nets for nets in netlist.inputs.values() if not np.isin(nets, self.clocks.roots).any()]
        reads = [port.data for macro in netlist.macros for port in macro.reads]
        self.sources = np.concatenate([np.zeros(0, np.int32), *(o[1] for o in self._outputs), *reads, *ports])
        self.cycle = 0

    def drive(self, port: str, words: Words | bool) -> None:
        """Set an input port's nets, `(bits, n_words)`."""
        self.values[self.netlist.inputs[port]] = (
            words if isinstance(words, np.ndarray) else np.uint64(-int(words) % 2**64)
        )

    def settle(self) -> None:
        """Compute all gates from state and inputs."""
        for rows, nets, inverted in self._outputs:
            self.values[nets] = ~self._state[rows] if inverted else self._state[rows]
        for memory in self.memories:
            for port, data in zip(memory.macro.reads, memory.data, strict=True):
                self.values[port.data] = data
        self.gates.settle(self.values)

    def clock(self) -> None:
        """Store what is settled: a rising edge."""
        enabled = self.clocks.enabled(self.values)[self._domain]
        self._state = (self._state & ~enabled) | (self.values[self._data] & enabled)
        for memory in self.memories:
            memory.clock(self.values)
        self.cycle += 1


class ClockDomains:
    """The clock and what clock gates make of it: domain 0 is the ungated clock."""

    def __init__(self, netlist: Netlist):
        gating = list(netlist.of_kind("clock_gate"))
        pins = [
            (out, parent, [group.net(pin) for pin in (group.cell.next_state or _never()).pins])
            for group in gating
            for out, parent in [(group.net(group.cell.outputs[0]), group.net(group.cell.clock or ""))]
        ]
        outs = np.concatenate([np.zeros(0, np.int32), *(out for out, _, _ in pins)])
        used = [group.net(group.cell.clock) for group in netlist.groups.values() if group.cell.clock is not None]
        used += [np.array([p.clock for p in (*m.reads, *m.writes)], np.int32) for m in netlist.macros]
        self.roots = np.setdiff1d(np.concatenate([np.zeros(0, np.int32), *used]), outs)
        known = np.concatenate([np.zeros(0, np.int32), *netlist.inputs.values()])
        if len(self.roots) > 1 or not np.isin(self.roots, known).all():
            raise SimulationError(
                f"the netlist has {len(self.roots)} clocks that are no gated one; it must be an input"
            )
        self.nets = np.concatenate([self.roots[:1], outs])
        self._number = {int(net): n for n, net in enumerate(self.nets)}
        self._parent = self.of_nets(np.concatenate([np.zeros(0, np.int32), *(parent for _, parent, _ in pins)]))
        self._enables = [list(nets) for _, _, columns in pins for nets in zip(*columns, strict=True)]
        if any(parent > n for n, parent in enumerate(self._parent)):
            raise SimulationError("a clock gate before its parent is not supported")
        macro_clocks = [port.clock for macro in netlist.macros for port in (*macro.reads, *macro.writes)]
        if set(macro_clocks) - set(self.roots.tolist()):
            raise SimulationError("a macro with a gated clock is not supported")

    def of_nets(self, nets: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the domain that each clock net is."""
        return np.array([self._number[net] for net in nets.tolist()], np.intp)

    def enabled(self, values: Words) -> Words:
        """Return, for each domain, the streams in which the next edge comes, `(n_domains, n_words)`."""
        result = np.full((max(1, len(self.nets)), values.shape[1]), ~np.uint64(0))
        for n, (enables, parent) in enumerate(zip(self._enables, self._parent, strict=True), start=1):
            result[n] = np.bitwise_or.reduce(values[enables], axis=0) & result[parent]
        return result


def _never():
    raise SimulationError("a clock gate without an enable is not supported")


@dataclass(frozen=True, eq=False)
class _Stored:
    """Flip-flops of a type: nets of data and clock, and of each output whether it is the complement."""

    data: NDArray[np.int32]
    clock: NDArray[np.int32]
    outputs: list[tuple[NDArray[np.int32], bool]]

    @classmethod
    def of(cls, group) -> _Stored:
        cell = group.cell
        if cell.data is None or cell.next_state.table != 2 or cell.clocked_on.pins != (cell.clock,):
            raise SimulationError(f"flip-flops like {cell.name} are not supported: D and a rising clock alone are")
        if cell.clocked_on.table != 2:
            raise SimulationError(f"flip-flops like {cell.name} are not supported: the clock must rise")
        outputs = []
        for pin in cell.outputs:
            high, low = (int(cell.functions[pin](dict(zip(cell.state, (s, 1 - s), strict=True)))) for s in (1, 0))
            if high == low:
                raise SimulationError(f"flip-flops like {cell.name} are not supported: {pin} is constant")
            outputs.append((group.net(pin), low == 1))
        return cls(group.net(cell.data), group.net(cell.clock), outputs)


def simulate(
    netlist: Netlist,
    workload: Workload,
    *,
    warm_queries: int = 4,
    n_queries: int = 2,
    progress: Callable[[float], None] | None = None,
) -> Trace:
    """Run a workload to its end, check every answer, and record a window of whole queries.

    Parameters
    ----------
    netlist
        The design.
    workload
        At least `warm_queries + n_queries + 1` queries; all their answers are checked.
    warm_queries, n_queries
        The window begins as stream 0 has been rid of the first number of queries, and lasts for the second.

    Raises
    ------
    SimulationError
        An answer is wrong, or does not come.
    """
    if workload.n_queries < warm_queries + n_queries:
        raise ValueError(f"the workload must have {warm_queries + n_queries} queries, not {workload.n_queries}")
    run = GateSimulation(netlist, Gates.of(netlist), n_streams=workload.n_streams, memories=workload.memories)
    inputs = {name: _Channel(bits) for name, bits in workload.inputs.items()}
    expected = {name: _Channel(bits) for name, bits in workload.expected.items()}
    channels = workload.channels
    for channel in channels.values():
        if channel.direction == "output":
            run.drive(channel.ready, True)
    for _ in range(RESET_CYCLES):
        run.drive("rst", True)
        run.settle()
        run.clock()
    run.drive("rst", False)

    query = inputs[workload.query]
    recorded: list[Words] = []
    before = run.values[run.sources]
    n_seen = n_begun = quiet = 0
    counts = None
    while any(channel.left.any() for channel in expected.values()):
        for name, channel in inputs.items():
            run.drive(channels[name].valid, channel.left_words[None])
            run.drive(channels[name].payload, channel.words)
        run.settle()
        begun = query.place[0] - warm_queries
        if 0 <= begun < n_queries:
            if not recorded:
                recorded.append(before)
                counts = [(memory.reads, memory.writes) for memory in run.memories]
                n_begun = int(query.place.sum())
            recorded.append(run.values[run.sources])
        elif begun == n_queries and counts is not None and not n_seen:
            n_seen = int(query.place.sum()) - n_begun
            total = [(m.reads - r, m.writes - w) for m, (r, w) in zip(run.memories, counts, strict=True)]
        before = run.values[run.sources]
        quiet += 1
        for name, channel in expected.items():
            valid = run.values[netlist.outputs[channels[name].valid][0]]
            if valid.any():
                _check(channels[name], channel, run.values[netlist.outputs[channels[name].payload]], valid, run.cycle)
                channel.advance(valid)
                quiet = 0
        for name, channel in inputs.items():
            ready = run.values[netlist.outputs[channels[name].ready][0]]
            channel.advance(ready & channel.left_words)
        if quiet > _PATIENCE:
            raise SimulationError(f"no output for {quiet} cycles, at cycle {run.cycle}")
        run.clock()
        if progress is not None:
            progress(float(np.mean(query.place)) / workload.n_queries)
    accesses = {
        memory.macro.name: Accesses(reads / n_seen, writes / n_seen, memory.macro.width, memory.macro.depth)
        for memory, (reads, writes) in zip(run.memories, total, strict=True)
    }
    return Trace(
        sources=run.sources,
        values=np.stack(recorded),
        n_streams=workload.n_streams,
        n_queries=n_seen,
        accesses=accesses,
    )


def _check(channel, expected: _Channel, payload: Words, valid: Words, cycle: int) -> None:
    """Raise unless the payload is what is expected, in the streams of `valid`."""
    wrong = np.bitwise_or.reduce((payload ^ expected.words) & valid, axis=0) | (valid & ~expected.left_words)
    if not wrong.any():
        return
    stream = int(np.argmax(unpack_streams(wrong[None])[0]))
    number = int(expected.place[stream])
    got, aim = (
        int(np.packbits(unpack_streams(words)[:, stream], bitorder="little").tobytes()[::-1].hex(), 16)
        for words in (payload, expected.words)
    )
    raise SimulationError(
        f"{channel.name}, stream {stream}, cycle {cycle}: beat {number} is {got:#x} where {aim:#x} is right"
    )
