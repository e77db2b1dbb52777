"""Every point of a small engine's Verilog is accounted for, and a point that is not is found out."""

import dataclasses

import numpy as np
import pytest

from hamming.audit import coverage
from hamming.audit.coverage import Explanation, cover
from hamming.audit.designs import DESIGNS
from hamming.audit.points import read_points
from hamming.audit.unreachable import unreachable
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.regression import RegressionReport
from hamming.sim.report import Report
from hamming.sim.stimulus import random_vectors

SMALL = """module small(clk, a, b, y);
  input clk, a;
  input [1:0] b;
  output y;
  reg held = 1'h0;
  wire never;
  assign never = held & ~ held;
  always @(posedge clk) held <= a;
  assign y = never | b[0];
endmodule
"""


def line(kind, number, what, hits):
    place = f"\1f\2small.v\1l\2{number}\1t\2{kind}\1page\2v_{kind}/small\1o\2{what}"
    return f"C '{place}' {hits}\n"


def points(tmp_path, *lines):
    file = tmp_path / "points.dat"
    file.write_text("# SystemC::Coverage-3\n" + "".join(lines))
    return read_points(file, SMALL, "small")


def test_points_are_read(tmp_path):
    met, missed = points(tmp_path, line("toggle", 5, "held:0->1", 7), line("expr", 9, "(b__05B0__05D==1) => 1", 0))
    assert (met.module, met.kind, met.signal, met.hits) == ("engine", "toggle", "held", 7)
    assert met.source == "reg held = 1'h0;"
    assert str(missed) == "engine expr (b[0]==1) => 1"


def test_no_points_are_refused(tmp_path):
    file = tmp_path / "points.dat"
    file.write_text("nonsense\n")
    with pytest.raises(ValueError, match="line 1: no point of coverage: 'nonsense'"):
        read_points(file, SMALL, "small")


def test_what_cannot_be_met_is_proved_and_nothing_else(tmp_path):
    never, also, held, term = points(
        tmp_path,
        line("toggle", 6, "never:0->1", 0),
        line("toggle", 6, "never:1->0", 0),
        line("toggle", 5, "held:1->0", 0),
        line("expr", 9, "(never==0 && b[1]==1) => 1", 0),
    )
    assert unreachable(SMALL, "small", [never, also, held, term]) == {never, also}


@pytest.mark.parametrize("name", [name for name in DESIGNS if name != "wide"])  # which takes a minute
def test_every_point_is_accounted_for(name):
    result = cover(DESIGNS[name], name, 4000, 0)
    assert result.failures == []
    assert [str(point) for point in result.open] == []
    assert result.unused == []
    assert result.passed


def test_a_miss_and_an_idle_explanation_are_found_out(monkeypatch):
    """Of queries that see every key none is empty: flags that say so never rise."""
    idle = Explanation(design="plain", pattern="nothing at all", reason="none")
    monkeypatch.setattr(coverage, "regress", few)
    result = cover(DESIGNS["plain"], "plain", 20, 0, [idle, dataclasses.replace(idle, design="tiny")])
    assert result.unused == [idle]
    assert any("is_empty" in point.what for point in result.open)
    assert not result.passed


def few(design, n_queries, seed, *, points):
    bench = EngineTestbench(design, points=points)
    vectors = random_vectors(
        design.spec, np.random.default_rng(seed), n_heads=1, n_queries=n_queries, has_mask=False, all_valid=True
    )
    bench.run([Traffic(vectors=vectors)])
    return RegressionReport(design=design, report=Report(simulator=bench.version), missing=[])
