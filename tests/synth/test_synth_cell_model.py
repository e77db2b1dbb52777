"""Functions of cells, and tables of their delays and energies."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest

from hamming.synth.library.boolean import parse_function
from hamming.synth.library.cell_model import Table


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
        ones = {pin: True for pin, value in zip("ABC", (a, b, c), strict=True) if value}
        assert function.holds(ones) == bool(meaning(a, b, c)), (a, b, c)  # pins that are not named are 0
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
