"""A workload through a mapped netlist without delays: every answer held against the golden model, a window recorded.

The reset is held for two cycles; then each stream of `GateSimulation` sends its queries and takes its answers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hamming.synth.energy.kernel import Gates
from hamming.synth.energy.lanes import Words, pack_streams, unpack_streams
from hamming.synth.energy.simulator import GateSimulation
from hamming.synth.energy.trace import Accesses, SimulationError, Trace
from hamming.synth.energy.workload import Workload, to_bits
from hamming.synth.netlist.netlist import Netlist

__all__ = ["simulate"]

RESET_CYCLES = 2

#: Cycles without any output after which a simulation is given up.
_PATIENCE = 20_000


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
        At least `warm_queries + n_queries + 1` queries, or groups of them; all their answers are checked.
    warm_queries, n_queries
        The window begins as stream 0 has been rid of the first number of queries (or groups), and lasts for the second.

    Raises
    ------
    SimulationError
        An answer is wrong, or does not come.
    """
    if workload.n_transfers < warm_queries + n_queries:
        raise ValueError(f"the workload must have {warm_queries + n_queries} queries, not {workload.n_transfers}")
    run = GateSimulation(netlist, Gates.of(netlist), n_streams=workload.n_streams, memories=workload.memories)
    inputs = {name: _Channel(bits) for name, bits in workload.inputs.items()}
    beforehand = {name: _Channel(bits) for name, bits in workload.beforehand.items()}
    expected = {name: _Channel(bits) for name, bits in workload.expected.items()}
    channels = workload.channels
    for channel in channels.values():
        if channel.direction == "output":
            run.drive(channel.ready, True)
    for port, value in workload.constants.items():
        bits = to_bits([value], len(netlist.inputs[port]))
        run.drive(port, pack_streams(np.repeat(bits.T, workload.n_streams, axis=1)))
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
        offered = beforehand if any(channel.left.any() for channel in beforehand.values()) else inputs
        for name, channel in (beforehand | inputs).items():
            run.drive(channels[name].valid, channel.left_words[None] if name in offered else False)
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
        for name, channel in offered.items():
            ready = run.values[netlist.outputs[channels[name].ready][0]]
            channel.advance(ready & channel.left_words)
        if quiet > _PATIENCE:
            raise SimulationError(f"no output for {quiet} cycles, at cycle {run.cycle}")
        run.clock()
        if progress is not None:
            progress(float(np.mean(query.place)) / workload.n_transfers)
    n_seen *= workload.queries_a_transfer
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
