from __future__ import annotations

import dataclasses
import gzip
import json
import pickle
import re
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hamming.synth.library import cell_file, liberty
from hamming.synth.library.boolean import Function, parse_function
from hamming.synth.library.cell_model import CellLibrary, Table
from hamming.synth.library.liberty import load_cells, read_library
from hamming.synth.library.libraries import Library, LibraryError, load_library

# Everything that differs from NanGate's file: units, order of axes, forms of functions.
OTHER = """
library (other) {
  time_unit : "1ps"; voltage_unit : "1V"; leakage_power_unit : "1uW"; capacitive_load_unit (1, pf);
  nom_voltage : 1.8;
  default_cell_leakage_power : 0.5;
  lu_table_template (delay) {
    variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;
    index_1 ("0.01, 0.03"); index_2 ("10, 20, 40");
  }
  lu_table_template (late) {
    variable_1 : related_pin_transition; variable_2 : constrained_pin_transition;
    index_1 ("10, 20"); index_2 ("30, 40");
  }
  power_lut_template (spent) { variable_1 : input_transition_time; index_1 ("10, 20"); }
  wire_load ("small") { capacitance : 0.002; slope : 3; fanout_length (1, 2); fanout_length (3, 5); }
  cell (GATE) {
    area : 3;
    pin (A, B) { direction : input; capacitance : 0.004; }
    pin (Y) {
      direction : output; function : "(A B)'";
      timing () {
        related_pin : "A B"; timing_sense : negative_unate;
        cell_rise (delay) { values ("1, 2, 3", "4, 5, 6"); }
        cell_fall (delay) { index_1 ("0.02, 0.06"); values ("1, 2, 3", "4, 5, 6"); }
        rise_transition (scalar) { values ("7"); }
        fall_transition (scalar) { values ("8"); }
      }
      internal_power () { related_pin : "A"; power (spent) { values ("1, 3"); } }
    }
  }
  cell (STORE) {
    area : 9;
    cell_leakage_power : 2;
    ff (IQ, IQN) { next_state : "(D E) + (IQ !E)"; clocked_on : "!C"; clear : "R'"; }
    pin (C) { direction : input; clock : true; capacitance : 0.001; }
    pin (D) {
      direction : input; capacitance : 0.002;
      timing () { related_pin : "C"; timing_type : setup_falling; rise_constraint (late) { values ("1, 2", "3, 4"); } }
    }
    pin (E, R) { direction : input; capacitance : 0.003; }
    pin (Q) { direction : output; function : "IQ"; }
  }
}
"""


def at(table: Table | None, row: float, column: float) -> float:
    assert table is not None
    return float(table(row, column))


def over(function: Function | None, pins: Sequence[str]) -> int:
    assert function is not None
    return function.over(pins)


@pytest.fixture(scope="session")
def nangate() -> CellLibrary:
    return load_cells(load_library(), cache=False)


@pytest.fixture(scope="module")
def other() -> CellLibrary:
    return read_library(OTHER, "hash")


# --- functions


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("A", lambda a, b, c: a),
        ("!A", lambda a, b, c: not a),
        ("A'", lambda a, b, c: not a),
        ("A''", lambda a, b, c: a),
        ("!(A B)'", lambda a, b, c: a and b),
        ("A & B | C", lambda a, b, c: (a and b) or c),
        ("A | B & C", lambda a, b, c: a or (b and c)),
        ("A + B C'", lambda a, b, c: a or (b and not c)),
        ("A ^ B & C", lambda a, b, c: a != (b and c)),
        ("A | B ^ C", lambda a, b, c: a or (b != c)),
        ("(A | B) * !C", lambda a, b, c: (a or b) and not c),
        ("((A & B) | (C & (A | B)))", lambda a, b, c: a + b + c >= 2),
        ("A & 1 | 0", lambda a, b, c: a),
        ("1", lambda a, b, c: True),
    ],
)
def test_a_function_means_what_it_says(text: str, meaning):
    function = parse_function(text)
    table = function.over("ABC")
    cases = list(product((False, True), repeat=3))
    for c, b, a in cases:
        assert table >> (a + 2 * b + 4 * c) & 1 == meaning(a, b, c), (a, b, c)
    values = {pin: np.array([case[2 - i] for case in cases]) for i, pin in enumerate("ABC")}
    np.testing.assert_array_equal(np.broadcast_to(function(values), 8), [bool(meaning(*case[::-1])) for case in cases])


@pytest.mark.parametrize(
    ("text", "at"), [("A &", "its end"), ("(A", "its end"), ("A)", "\\)"), ("", "its end"), ("A ? B", "\\?")]
)
def test_what_is_no_function_is_refused(text: str, at: str):
    with pytest.raises(ValueError, match=rf"^'{re.escape(text)}' is no Boolean function: not understood at '{at}'$"):
        parse_function(text)


def test_a_function_is_not_given_over_pins_that_leave_one_of_its_own_out():
    with pytest.raises(ValueError, match=r"^'A & B' depends on 'B', which is not among A, C$"):
        parse_function("A & B").over(("A", "C"))


# --- tables


def test_a_table_is_bilinear_inside_and_goes_on_linearly_outside():
    # Two cells of different slope along the rows: 10 a ns, then 40 a ns; 2 a fF along the columns.
    table = Table(np.array([0.0, 0.1, 0.2]), np.array([1.0, 3.0]), np.array([[0.0, 4.0], [1.0, 5.0], [5.0, 9.0]]))
    assert table(0.05, 1.0) == pytest.approx(0.5)
    assert table(0.15, 2.0) == pytest.approx(1 + 2 + 2)
    assert table(0.1, 3.0) == pytest.approx(5.0)
    assert table(0.3, 1.0) == pytest.approx(1 + 40 * 0.2)
    assert table(-0.1, 1.0) == pytest.approx(-1.0)
    assert table(0.0, 6.0) == pytest.approx(10.0)
    assert table(0.0, 0.0) == pytest.approx(-2.0)


def test_many_look_ups_are_as_each_alone():
    rng = np.random.default_rng(0)
    axes = np.sort(rng.uniform(size=5)), np.sort(rng.uniform(size=4))
    table = Table(*axes, rng.normal(size=(5, 4)))
    rows, columns = rng.uniform(-0.5, 1.5, size=(2, 50))
    each = [float(table(row, column)) for row, column in zip(rows, columns, strict=True)]
    np.testing.assert_allclose(table(rows, columns), each)
    # On the grid it gives back what it holds.
    grid = np.meshgrid(*axes, indexing="ij")
    np.testing.assert_allclose(table(*grid), table.values)


def test_an_axis_of_length_one_does_not_matter():
    by_row = Table(np.array([0.0, 1.0]), np.zeros(1), np.array([[2.0], [4.0]]))
    np.testing.assert_allclose(by_row(np.array([0.5, 2.0]), np.array([3.0, 99.0])), [3.0, 6.0])
    by_column = Table(np.zeros(1), np.array([0.0, 1.0]), np.array([[2.0, 4.0]]))
    np.testing.assert_allclose(by_column(np.array([7.0, 99.0]), np.array([0.5, 2.0])), [3.0, 6.0])
    constant = Table(np.zeros(1), np.zeros(1), np.array([[5.0]]))
    np.testing.assert_allclose(constant(np.array([1.0, 2.0]), 3.0), [5.0, 5.0])


# --- a file in other units


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


# --- NanGate's file


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


# --- mistakes, cache


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


def test_a_library_is_read_once(tmp_path: Path, toy: Library, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "other.lib"
    path.write_text(OTHER)
    library = dataclasses.replace(toy, path=path, sha256="1")
    first = load_cells(library)
    assert first.cells["GATE"].area == 3
    monkeypatch.setattr(liberty, "read_library", lambda text, sha256: pytest.fail("was read again"))
    again = load_cells(library)
    assert again.cells.keys() == first.cells.keys()
    assert at(again.cells["GATE"].arcs[0].rise, 0.02, 10.0) == pytest.approx(0.002)
    with pytest.raises(pytest.fail.Exception, match="was read again"):
        load_cells(library, cache=False)


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept[:100],
        lambda kept: kept[:-20] + bytes(20),
        lambda kept: kept[:40] + bytes([kept[40] ^ 255]) + kept[41:],
        lambda _: pickle.dumps("a pickle"),
        lambda _: gzip.compress(b"[]"),
        lambda _: gzip.compress(b"[" * 10**5),
        lambda _: gzip.compress(b'{"library": {}, "tables": [], "axes": []}'),
        lambda kept: gzip.compress(gzip.decompress(kept).replace(b'"area": 3.0', b'"area": "3"')),
        lambda kept: gzip.compress(gzip.decompress(kept).replace(b'"tables": [[', b'"tables": [[9')),
    ],
)
def test_a_broken_cache_is_read_over(tmp_path: Path, toy: Library, damage: Callable[[bytes], bytes]):
    path = tmp_path / "other.lib"
    path.write_text(OTHER)
    library = dataclasses.replace(toy, path=path, sha256="1")
    load_cells(library)
    (kept,) = (tmp_path / "cache" / "synth").glob("cells-*")
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert kept.read_bytes() != whole
    assert load_cells(library).cells["GATE"].area == 3
    assert kept.read_bytes() == whole


def test_a_cache_runs_nothing():
    """Nothing in the package reads pickles, by which a file in a shared folder could run code."""
    for path in Path(liberty.__file__).parents[1].glob("*/**/*.py"):
        if "tests" not in path.parts and ".venv" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"^\s*(import|from) (pickle|shelve|marshal|dill|joblib)\b", text, re.MULTILINE), path
            assert "allow_pickle=True" not in text, path
            assert text.count("torch.load(") == text.count("weights_only=True"), path


def test_models_from_the_cache_are_those_that_were_read(nangate: CellLibrary):
    cells = nangate
    again = cell_file.from_json(json.loads(json.dumps(cell_file.to_json(cells))))

    def compare(one: Any, other: Any) -> None:
        assert type(one) is type(other)
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
        elif dataclasses.is_dataclass(one):
            for field in dataclasses.fields(one):
                compare(getattr(one, field.name), getattr(other, field.name))
        elif isinstance(one, dict):
            assert list(one) == list(other)
            for key in one:
                compare(one[key], other[key])
        elif isinstance(one, tuple):
            assert len(one) == len(other)
            for pair in zip(one, other, strict=True):
                compare(*pair)
        else:
            assert one == other

    compare(cells, again)
    arcs = [
        (arc.rise, other.rise)
        for name in cells.cells
        for arc, other in zip(cells.cells[name].arcs, again.cells[name].arcs, strict=True)
    ]
    assert len({id(one) for one, _ in arcs}) == len({id(other) for _, other in arcs})


def test_a_file_that_is_gone_is_said_in_one_line(tmp_path: Path, toy: Library):
    library = dataclasses.replace(toy, path=tmp_path / "gone.lib", sha256="2")
    with pytest.raises(LibraryError, match=r"^cannot read '.*gone\.lib': No such file or directory$"):
        load_cells(library)
