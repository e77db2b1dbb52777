"""The memory model: its fit to CACTI, the published points, its shape where no point is, and its document."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from hamming.synth.memory import cacti, sram
from hamming.synth.memory.sram import OUTSIDE, PORTS, SramModel, errors, markdown, points

PAGE = Path(__file__).parents[2] / "docs" / "memories.md"

#: Words, and bits a word, of the memories of the presets and of their baselines.
MEMORIES = [(64, 7), (64, 28), (16, 64), (64, 128), (256, 256), (64, 1024), (2048, 256), (64, 8192), (64, 16384)]


# --- the fit


def terms(name: str, d: np.ndarray, w: np.ndarray) -> list[np.ndarray]:
    """The formulas of the document, term by term."""
    one = np.ones_like(d)
    return {
        "_AREA": [one, w, d, w * d],
        "_READ": [w, d**0.65, w * d**0.65],
        "_WRITE": [w, w * d**0.45],
        "_LEAKAGE": [one, (w * d) ** 0.85],
        "_ACCESS": [one, (w * d) ** 0.4],
    }[name]


@pytest.mark.parametrize("ports", PORTS)
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("_AREA", "area_um2"),
        ("_READ", "read_pj"),
        ("_WRITE", "write_pj"),
        ("_LEAKAGE", "leakage_mw"),
        ("_ACCESS", "access_ns"),
    ],
)
def test_the_coefficients_are_the_least_squares_of_the_points(ports, name, column):
    found = points(ports)
    d = np.array([point.depth for point in found], float)
    w = np.array([point.width for point in found], float)
    y = np.array([getattr(point, column) for point in found])
    matrix = np.stack(terms(name, d, w), axis=1) / y[:, None]
    best, *_ = np.linalg.lstsq(matrix, np.ones_like(y), rcond=None)
    np.testing.assert_allclose(getattr(sram, name)[ports], best, rtol=1e-3)


@pytest.mark.parametrize("ports", PORTS)
def test_every_point_is_met_within_what_the_document_says(ports):
    limits = {"area": 0.2, "read_energy": 0.4, "write_energy": 0.3, "leakage": 0.6, "access_time": 0.25}
    for name, found in errors(ports).items():
        assert len(found) == len(cacti.GRID)
        assert np.abs(found).max() < limits[name] + 0.01, name
        assert abs(np.mean(found)) < 0.1, name  # no bias to speak of


def test_the_points_are_cactis_for_a_macro_that_was_read_by_hand():
    # CACTI's own output: 8192 bytes, 64 bits, one read and one write port.
    (point,) = (point for point in points("1r1w") if (point.depth, point.width) == (1024, 64))
    assert point[3:] == (53378.9, 6.81684, 9.07222, 1.28742, 0.520421)


@pytest.mark.parametrize("point", OUTSIDE, ids=lambda point: f"{point.quantity}-{point.depth}x{point.width}")
def test_published_figures_are_near(point):
    found = getattr(SramModel(ports=point.ports), point.quantity)(point.depth, point.width)
    low, high = {"area": (0.65, 1.1), "access_time": (0.9, 1.3), "read_energy": (0.45, 0.7)}[point.quantity]
    assert low < found / point.value < high


def test_the_document_has_the_tables_that_the_model_prints():
    text = PAGE.read_text(encoding="utf-8")
    for table in markdown().split("\n\n"):
        assert table in text


def test_the_document_has_the_coefficients():
    rows = re.findall(r"^\| (\w+), \S+ \| `.*` \| (.*) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    stated = {
        (name, ports): tuple(map(float, cell.split(", ")))
        for name, *cells in rows
        for ports, cell in zip(PORTS, cells, strict=True)
    }
    names = ("area", "read", "write", "leakage", "access")
    assert stated == {(name, ports): getattr(sram, f"_{name.upper()}")[ports] for name in names for ports in PORTS}


# --- the shape


@pytest.mark.parametrize("ports", PORTS)
@pytest.mark.parametrize("name", ["area", "read_energy", "write_energy", "leakage", "access_time"])
def test_a_larger_memory_never_costs_less(ports, name):
    cost = getattr(SramModel(ports=ports), name)
    sizes = [1, 2, 7, 16, 28, 63, 64]
    for width, (less, more) in itertools.product(sizes, itertools.pairwise([1, 16, 64, 1000, 4096, 32768])):
        assert 0 < cost(less, width) <= cost(more, width)
    for depth, (less, more) in itertools.product([1, 64, 2048], itertools.pairwise(sizes)):
        assert cost(depth, less) <= cost(depth, more)


def test_a_wide_word_is_macros_side_by_side():
    model = SramModel()
    assert model.macros(64, 1024) == (64, 64.0, 16)
    assert model.macros(64, 96) == (64, 48.0, 2)
    for cost in (model.area, model.read_energy, model.write_energy, model.leakage):
        assert cost(64, 1024) == pytest.approx(16 * cost(64, 64))
    assert model.access_time(64, 1024) == model.access_time(64, 64)


@pytest.mark.parametrize(("depth", "width"), MEMORIES)
def test_a_memory_is_smaller_than_flip_flops_and_larger_than_its_cells(depth, width):
    flip_flop, cell = 4.522, 146 * 0.045**2  # µm²: NanGate's DFF_X1, CACTI's cell of one port
    assert cell * depth * width < SramModel(ports="1rw").area(depth, width) < SramModel().area(depth, width)
    assert SramModel().area(depth, width) < flip_flop * depth * width


def test_a_second_port_costs():
    one, two = SramModel(ports="1rw"), SramModel()
    for depth, width in MEMORIES:
        assert 1.9 < two.area(depth, width) / one.area(depth, width) < 2.2
        assert 1.0 < two.read_energy(depth, width) / one.read_energy(depth, width) < 1.4


def test_lane_enables_let_macros_rest():
    model = SramModel()
    whole, read = model.write_energy(64, 64), model.read_energy(64, 64)
    assert model.write_energy(64, 1024, fraction=1 / 16) == pytest.approx(whole)
    assert model.write_energy(64, 1024, fraction=3 / 16) == pytest.approx(3 * whole)
    # Half of the only macro: the other half of its bits are read.
    assert model.write_energy(64, 64, fraction=0.5) == pytest.approx((whole + read) / 2)
    assert model.write_energy(64, 64, fraction=1.0) == whole


# --- what is refused, what is stated


@pytest.mark.parametrize("fraction", [0, -0.5, 1.5, float("nan")])
def test_a_fraction_is_above_0_and_at_most_1(fraction):
    with pytest.raises(ValueError, match=f"fraction must be above 0 and at most 1, not {fraction}"):
        SramModel().write_energy(64, 64, fraction=fraction)


def test_sizes_and_ports_are_checked():
    with pytest.raises(ValueError, match="ports must be one of 1r1w, 1rw, not '2rw'"):
        SramModel(ports="2rw")
    with pytest.raises(ValueError, match="depth must be 1 or more, not 0"):
        SramModel().area(0, 8)
    with pytest.raises(TypeError, match=r"width must be an integer, not 8\.0"):
        SramModel().read_energy(8, 8.0)  # pyright: ignore[reportArgumentType]


def test_a_report_can_state_the_model():
    stated = SramModel(ports="1rw").to_dict()
    assert stated["ports"] == "1rw"
    assert stated["coefficients"]["area"] == [69.98, 5.495, 0.08876, 0.3998]
    assert "CACTI 7.0" in stated["source"]


# --- CACTI's files


def test_cacti_is_asked_for_the_macro():
    lines = cacti.configuration("1r1w", 1024, 64).splitlines()
    for line in (
        "-size (bytes) 8192",
        "-block size (bytes) 8",
        "-output/input bus width 64",
        "-read-write port 0",
        "-exclusive read port 1",
        "-exclusive write port 1",
        "-technology (u) 0.045",
    ):
        assert lines.count(line) == 1


def test_cactis_answer_is_read():
    names = ["Tech node (nm)", " Access time (ns)", " Dynamic read energy (nJ)", " Dynamic write energy (nJ)"]
    names += [" Standby leakage per bank(mW)", " Area (mm2)"]
    text = f"{','.join(names)},\n45, 0.5, 0.001, 0.002, 1.5, 0.25,\n"
    assert cacti.parse(text) == {
        "area_um2": 250000.0,
        "read_pj": 1.0,
        "write_pj": 2.0,
        "leakage_mw": 1.5,
        "access_ns": 0.5,
    }
