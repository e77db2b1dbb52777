"""Clock domains of a netlist: its nets in; in which streams the next edge reaches which flip-flops, out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hamming.synth.energy.lanes import Words
from hamming.synth.energy.trace import SimulationError
from hamming.synth.netlist.netlist import Netlist

__all__ = ["ClockDomains"]


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
