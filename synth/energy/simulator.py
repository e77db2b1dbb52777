"""A netlist clocked cycle by cycle: values of its inputs in, values of every net out, many streams at once.

Every net is a word with a bit for each of 64 streams (or several words). Each cycle gates settle, then flip-flops
whose clock is enabled store, and macros read and write. Macros are modelled by their words, and are preloaded.
Flip-flops and read registers power up as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hamming.golden.checks import require_int
from hamming.synth.energy.clock_domains import ClockDomains
from hamming.synth.energy.kernel import Gates
from hamming.synth.energy.lanes import Words, pack_streams, unpack_streams
from hamming.synth.energy.trace import SimulationError
from hamming.synth.netlist.netlist import ONE, Macro, Netlist

__all__ = ["GateSimulation"]


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
            high, low = (
                int(cell.functions[pin].holds(dict(zip(cell.state, (s, not s), strict=True)))) for s in (True, False)
            )
            if high == low:
                raise SimulationError(f"flip-flops like {cell.name} are not supported: {pin} is constant")
            outputs.append((group.net(pin), low == 1))
        return cls(group.net(cell.data), group.net(cell.clock), outputs)
