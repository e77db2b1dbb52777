"""Chains of buffers side by side: the same function, no buffer more or less, and the last load early."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from hamming.synth.energy.kernel import Gates
from hamming.synth.mapping.chains import without_chains
from hamming.synth.netlist.flattening import flatten
from hamming.synth.timing.analysis import Environment, time_design
from tests.synth.netlists import nangate_cells


@pytest.fixture(scope="module")
def cells():
    return nangate_cells()


def chained(n: int, *, branches: int = 1) -> dict:
    """Return a netlist in which an inverter reads behind each buffer of `branches` rows of `n`, at one register."""
    found = {"register": {"type": "DFF_X1", "connections": {"D": [3], "CK": [2], "Q": [4], "QN": []}}}
    y = []
    for branch in range(branches):
        before = 4
        for place in range(n):
            net = 10 + 2 * (branch * n + place)
            found[f"buffer_{branch}_{place}"] = {"type": "BUF_X1", "connections": {"A": [before], "Z": [net]}}
            found[f"load_{branch}_{place}"] = {"type": "INV_X1", "connections": {"A": [net], "ZN": [net + 1]}}
            y.append(net + 1)
            before = net
    ports = {
        "clk": {"direction": "input", "bits": [2]},
        "d": {"direction": "input", "bits": [3]},
        "y": {"direction": "output", "bits": y},
    }
    cells = {name: cell | {"parameters": {}} for name, cell in found.items()}
    return {"creator": "a test", "modules": {"top": {"ports": ports, "cells": cells, "netnames": {}}}}


def inputs(design: dict) -> dict[str, int]:
    cells = design["modules"]["top"]["cells"]
    return {name: cell["connections"]["A"][0] for name, cell in cells.items() if cell["type"] == "BUF_X1"}


def test_a_chain_ends_at_its_source(cells) -> None:
    design = chained(8, branches=2)
    before = copy.deepcopy(design)
    changed = without_chains(design, cells)
    assert design == before
    assert set(inputs(changed).values()) == {4}
    assert len(inputs(changed)) == 16
    slow, fast = (time_design(flatten(one, "top", cells), cells, Environment()).period for one in (design, changed))
    assert fast < 0.7 * slow


def test_a_short_chain_stays(cells) -> None:
    assert without_chains(chained(2, branches=3), cells) == chained(2, branches=3)
    assert without_chains(chained(3), cells) != chained(3)


def test_what_is_read_stays_the_same(cells) -> None:
    for value in (0, ~np.uint64(0)):
        answers = []
        for design in (chained(5), without_chains(chained(5), cells)):
            netlist = flatten(design, "top", cells)
            values = np.zeros((netlist.n_nets, 1), np.uint64)
            values[1] = ~np.uint64(0)
            [register] = list(netlist.of_kind("flip_flop"))
            values[register.net("Q"), 0] = value
            Gates.of(netlist).settle(values)
            answers.append(values[netlist.outputs["y"], 0].tolist())
        assert answers[0] == answers[1] == [int(~np.uint64(value))] * 5
