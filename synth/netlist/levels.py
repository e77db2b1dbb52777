"""Levels of gates: a netlist in, the same with each gate's distance from what feeds all gates out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hamming.synth.netlist.netlist import Netlist, fail

__all__ = ["with_levels"]


def with_levels(netlist: Netlist) -> Netlist:
    """Number the levels of gates (Kahn's algorithm, a level at a time); gates that form a loop are an error."""
    gates = list(netlist.of_kind("gate"))
    sizes = [len(group) for group in gates]
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    n_gates = int(first[-1])
    edge_net = np.concatenate([np.zeros(0, np.int32), *(group.inputs.ravel() for group in gates)])
    edge_gate = np.concatenate(
        [
            np.zeros(0, np.int64),
            *(np.repeat(np.arange(a, a + len(g)), g.n_inputs) for a, g in zip(first, gates, strict=False)),
        ]
    )
    out_net = np.concatenate([np.zeros(0, np.int32), *(group.outputs.ravel() for group in gates)])
    out_gate = np.concatenate(
        [
            np.zeros(0, np.int64),
            *(np.repeat(np.arange(a, a + len(g)), g.outputs.shape[1]) for a, g in zip(first, gates, strict=False)),
        ]
    )
    is_gate_output = np.zeros(netlist.n_nets, bool)
    is_gate_output[out_net] = True
    waiting = np.bincount(edge_gate[is_gate_output[edge_net]], minlength=n_gates)
    order = np.argsort(edge_net, kind="stable")
    sinks, sink_start = edge_gate[order], np.searchsorted(edge_net[order], np.arange(netlist.n_nets + 1))
    by_gate = np.argsort(out_gate, kind="stable")
    outs, out_start = out_net[by_gate], np.searchsorted(out_gate[by_gate], np.arange(n_gates + 1))

    level = np.zeros(n_gates, np.int32)
    ready, number, done = np.nonzero(waiting == 0)[0], 0, 0
    while len(ready):
        number += 1
        level[ready] = number
        done += len(ready)
        nets = outs[_ranges(out_start[ready], out_start[ready + 1])]
        reached = sinks[_ranges(sink_start[nets], sink_start[nets + 1])]
        gates_reached, times = np.unique(reached, return_counts=True)
        waiting[gates_reached] -= times
        ready = gates_reached[waiting[gates_reached] == 0]
    if done < n_gates:
        # Backwards from a gate that waits, along gates that wait, the way ends in a loop.
        driver = dict(zip(out_net.tolist(), out_gate.tolist(), strict=True))
        stuck, passed = int(np.argmax(waiting > 0)), set()
        while stuck not in passed:
            passed.add(stuck)
            before = (driver.get(net, -1) for net in edge_net[edge_gate == stuck].tolist())
            stuck = next(gate for gate in before if gate >= 0 and waiting[gate] > 0)
        place = int(np.searchsorted(first, stuck, side="right")) - 1
        raise fail(f"has a loop of gates through {netlist.instance(gates[place], stuck - int(first[place]))}")
    groups = dict(netlist.groups)
    for group, a in zip(gates, first, strict=False):
        groups[group.cell.name] = replace(group, level=level[a : a + len(group)])
    return replace(netlist, groups=groups)


def _ranges(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Concatenate `arange(start[i], stop[i])` over i."""
    length = stop - start
    total = int(length.sum())
    offset = np.repeat(start - np.concatenate([[0], np.cumsum(length)[:-1]]), length)
    return np.arange(total) + offset
