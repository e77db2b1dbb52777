"""The cells of NanGate 45 nm: what its file says, kinds, functions, leakage and wires."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hamming.synth.library.cell_model import CellLibrary
from tests.synth.liberty_sample import at, over
from tests.synth.netlists import nangate_cells


@pytest.fixture(scope="session")
def nangate() -> CellLibrary:
    return nangate_cells()


def test_nangate_is_read_as_its_file_says(nangate: CellLibrary):
    # Numbers as they stand in the file.
    assert (nangate.voltage, nangate.slew_thresholds) == (1.1, (0.3, 0.7))
    flop = nangate.cells["DFF_X1"]
    assert (flop.area, flop.leakage, flop.clock, flop.data) == (4.522, 79.112308, "CK", "D")
    assert flop.capacitance == {"D": 1.14029, "CK": 0.949653}
    assert flop.pins["D"].fall_capacitance == 1.062342
    assert flop.pins["Q"].max_capacitance == 60.73
    (to_q,) = [arc for arc in flop.arcs if arc.to_pin == "Q"]
    assert (to_q.from_pin, to_q.kind) == ("CK", "rising_edge")
    assert at(to_q.rise, 0.00117378, 0.365616) == pytest.approx(0.0828120)
    assert at(to_q.fall, 0.198535, 60.73) == pytest.approx(0.176647)
    assert at(to_q.slew_rise, 0.0171859, 3.79562) == pytest.approx(0.0123317)
    (setup,) = [arc for arc in flop.arcs if arc.kind == "setup_rising"]
    assert at(setup.fall, 0.0449324, 0.00117378) == pytest.approx(0.054595)
    assert at(setup.rise, 0.00117378, 0.198535) == pytest.approx(0.037712)
    clock_powers = {power.when.text: power for power in flop.internal_power if power.pin == "CK" and power.when}
    assert set(clock_powers) == {"!D & !Q & QN", "!D & Q & !QN", "D & !Q & QN", "D & Q & !QN"}
    assert at(clock_powers["!D & !Q & QN"].fall, 0.0171859, 0) == pytest.approx(4.474442)
    assert at(clock_powers["D & !Q & QN"].rise, 0.0171859, 0) == 0
    leakage = {when.text: value for when, value in nangate.cells["FA_X1"].leakage_by_state}
    assert leakage["A & B & CI"] == 102.55861


def test_a_clock_gate_of_nangate(nangate: CellLibrary):
    gate = nangate.cells["CLKGATE_X1"]
    assert (gate.kind, gate.clock, gate.enable) == ("clock_gate", "CK", "E")
    assert gate.functions["GCK"].over(("CK", "IQ")) == 0b1000
    assert over(gate.next_state, "E") == 0b10
    assert over(gate.clocked_on, ("CK",)) == 0b01
    tested = nangate.cells["CLKGATETST_X1"]
    assert over(tested.next_state, ("E", "SE")) == 0b1110


def test_kinds_of_nangate(nangate: CellLibrary):
    kinds = {
        kind: {name for name, cell in nangate.cells.items() if cell.kind == kind} for kind in ("flip_flop", "latch")
    }
    assert {re.sub(r"_X\d+$", "", name) for name in kinds["flip_flop"]} == {
        *("DFF", "DFFR", "DFFS", "DFFRS", "SDFF", "SDFFR", "SDFFS", "SDFFRS")
    }
    assert {re.sub(r"_X\d+$", "", name) for name in kinds["latch"]} == {"DLH", "DLL"}
    assert {nangate.cells[name].kind for name in ("TBUF_X1", "FILLCELL_X1", "TLAT_X1")} == {"other"}
    assert len(nangate.cells) == 135


def test_every_plain_gate_of_nangate_computes_what_its_name_says(nangate: CellLibrary):
    whole = {"AND": all, "OR": any, "XOR": lambda v: sum(v) % 2, "BUF": all, "INV": lambda v: not v[0]}
    checked = 0
    for name, cell in nangate.cells.items():
        found = re.fullmatch(r"(?:CLK)?(N?)(AND|OR|XOR|BUF|INV)\d?_X\d+|(X)(NOR)2_X\d+", name)
        if found is None:
            continue
        inverted, kind = (found[1], found[2]) if found[2] else ("N", "XOR")
        n = len(cell.inputs)
        (output,) = cell.outputs
        table = cell.functions[output].over(cell.inputs)
        for i in range(1 << n):
            bits = [i >> j & 1 for j in range(n)]
            assert table >> i & 1 == bool(whole[kind](bits)) ^ bool(inverted), (name, bits)
        checked += 1
    assert checked >= 50


def test_states_of_leakage_cover_every_input_once(nangate: CellLibrary):
    for name, cell in nangate.cells.items():
        if cell.kind != "gate" or not cell.leakage_by_state or not cell.inputs:
            continue
        tables = [when.over((*cell.inputs, *cell.outputs)) for when, _ in cell.leakage_by_state]
        n = len(cell.inputs)
        for i in range(1 << n):
            # States may name outputs too; they are then what the inputs make them.
            state = i
            for j, output in enumerate(cell.outputs):
                state |= (cell.functions[output].over(cell.inputs) >> i & 1) << (n + j)
            assert sum(table >> state & 1 for table in tables) == 1, (name, i)


def test_the_default_wire_load_of_nangate(nangate: CellLibrary):
    model = nangate.wire_load("default")
    assert model is not None
    assert model.name == "5K_hvratio_1_1"
    length = [0, 1.7460, 6.4626, (25.4842 + 27.0320) / 2, 27.0320 + 5 * 9]
    assert model.capacitance(np.array([0, 1, 3, 10, 20])) == pytest.approx(0.1774 * np.array(length))
    assert nangate.wire_load(None) is None
    with pytest.raises(ValueError, match=r"^wire_load must be default, .*5K_hvratio_1_1.* or None, not '9K'$"):
        nangate.wire_load("9K")
