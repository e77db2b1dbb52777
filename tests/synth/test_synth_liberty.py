"""Liberty files: other units, orders and forms, and what is not understood."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from hamming.synth.library import cell_file
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.liberty import load_cells, read_library
from hamming.synth.library.libraries import Library, LibraryError
from tests.synth.liberty_sample import OTHER, at, over


@pytest.fixture(scope="module")
def other() -> CellLibrary:
    return read_library(OTHER, "hash")


def test_units_become_ns_ff_fj_and_nw(other: CellLibrary):
    gate, store = other.cells["GATE"], other.cells["STORE"]
    assert other.voltage == 1.8
    assert (gate.pins["A"].capacitance, gate.pins["B"].rise_capacitance) == (4.0, 4.0)
    assert (store.leakage, gate.leakage) == (2000.0, 500.0)
    power = gate.internal_power[0]
    assert (power.pin, power.related_pin, power.when) == ("Y", "A", None)
    # 1 pF V² is 1000 fJ; 15 ps lie in the middle.
    assert at(power.rise, 0.015, 0.0) == at(power.fall, 0.015, 0.0) == pytest.approx(2000.0)
    assert other.wire_loads["small"].capacitance(np.array([0, 1, 2, 3, 5])) == pytest.approx([0, 4, 7, 10, 22])


def test_rows_are_slews_whichever_axis_the_file_puts_first(other: CellLibrary):
    arcs = {arc.from_pin: arc for arc in other.cells["GATE"].arcs}
    assert set(arcs) == {"A", "B"}
    for arc in arcs.values():
        assert (arc.to_pin, arc.kind, arc.sense) == ("Y", "combinational", "negative_unate")
        assert at(arc.rise, 0.020, 10.0) == pytest.approx(0.002)
        assert at(arc.rise, 0.040, 30.0) == pytest.approx(0.006)
        # An axis of its own stands above the template's.
        assert at(arc.fall, 0.040, 60.0) == pytest.approx(0.006)
        assert at(arc.slew_rise, 0.5, 99.0) == pytest.approx(0.007)
    (setup,) = other.cells["STORE"].arcs
    assert (setup.from_pin, setup.to_pin, setup.kind, setup.fall) == ("C", "D", "setup_falling", None)
    assert at(setup.rise, 0.040, 0.010) == pytest.approx(0.002)
    assert at(setup.rise, 0.030, 0.020) == pytest.approx(0.003)


def test_what_a_cell_stores_is_known(other: CellLibrary):
    store = other.cells["STORE"]
    assert (store.kind, store.clock, store.data, store.state) == ("flip_flop", "C", None, ("IQ", "IQN"))
    assert over(store.clocked_on, "C") == 0b01
    assert over(store.clear, "R") == 0b01
    assert over(store.next_state, ("D", "E", "IQ")) == sum(
        1 << i for i in range(8) if ((i & 1) if (i & 2) else (i >> 2))
    )
    assert (store.inputs, store.outputs) == (("C", "D", "E", "R"), ("Q",))
    assert other.cells["GATE"].functions["Y"].over("AB") == 0b0111


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("library (other)", "module (other)", "^a Liberty file holds a library, not 'module'$"),
        ("library (other) {", "library (other) ", "^no Liberty file: line 43: '}' closes nothing$"),
        ("area : 9;", "area  9;", "^no Liberty file: line 32: 'area  9;' begins no statement; give 'name : value;', "),
        ('"!C"', '"!C', "^no Liberty file: line 34: "),
        ("area : 9;", "area : nine;", r"^line 31: the cell STORE is not understood: ValueError\("),
        ("(A B)'", "(A B", r"is no Boolean function"),
        (
            "variable_1 : input_transition_time",
            "variable_1 : output_voltage",
            "tables by output_voltage are not supported",
        ),
        ('"1ps"', '"1as"', "not understood: KeyError"),
        ("nom_voltage : 1.8;", "slew_derate_from_library : 0.5;", "slew_derate_from_library must be 1, not 0.5"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(before: str, after: str, message: str):
    assert before in OTHER
    with pytest.raises(LibraryError, match=message):
        read_library(OTHER.replace(before, after), "hash")


def test_blanks_comments_and_continued_lines_say_nothing(other: CellLibrary):
    noisy = OTHER.replace(";", " /* ; } \" ' */ ; // { (\n").replace('"1, 2, 3", "4', '"1, \\\n 2, 3", \\\n "4')
    again = read_library(noisy, "hash")
    assert json.dumps(cell_file.to_json(again)) == json.dumps(cell_file.to_json(other))


def test_a_group_that_is_not_closed_is_named_with_its_line():
    with pytest.raises(LibraryError, match=r"^no Liberty file: line 2: the group 'library' is not closed by '}'$"):
        read_library(OTHER.rstrip()[:-1], "hash")


def test_a_file_that_is_gone_is_said_in_one_line(tmp_path: Path, toy: Library):
    library = dataclasses.replace(toy, path=tmp_path / "gone.lib", sha256="2")
    with pytest.raises(LibraryError, match=r"^cannot read '.*gone\.lib': No such file or directory$"):
        load_cells(library)
