"""Regressions of one design and of many: what they report, and what makes them fail."""

import json

import pytest

from hamming.pool import Pool
from hamming.rtl.design import load_design
from hamming.sim import regression
from hamming.sim.regression import RegressionReport, main, regress
from hamming.sim.report import Report
from hamming.sim.runner import SimulationFailed
from tests.pools import in_this_process

TINY = load_design("tiny")


def test_regression_of_a_design():
    seen = []
    outcome = regress(TINY, 200, seed=3, progress=seen.append)
    assert outcome.passed
    assert outcome.report.queries >= 200
    assert outcome.report.cycles_a_query == pytest.approx(outcome.report.cycles_expected, rel=0.05)
    assert seen == sorted(seen)
    assert seen[-1] <= 200
    told = outcome.to_dict()
    assert told["spec"] == TINY.spec.to_dict()
    assert told["passed"] is True
    assert json.loads(json.dumps(told)) == told


def report(**changes):
    settings = {"simulator": "none", "cycles_a_query": 104.0, "cycles_expected": 100.0, **changes}
    return RegressionReport(design=TINY, report=Report(**settings), missing=[])


def test_too_slow_is_a_failure():
    assert report().passed
    assert not report(cycles_a_query=106.0).is_fast
    assert not report(cycles_a_query=106.0).passed


@pytest.mark.parametrize("wrong", [{"n_mismatches": 1}, {"violations": ["o_out: ..."]}])
def test_wrong_bits_and_handshakes_are_failures(wrong):
    assert not report(**wrong).passed


def test_command_line_runs_random_designs(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    file = tmp_path / "new" / "regression.json"
    assert main(["--queries", "160", "--configurations", "2", "--seed", "3", "--output", str(file)]) == 0
    told = json.loads(file.read_text())
    assert told["passed"] is True
    assert told["mismatches"] == told["violations"] == 0
    assert told["queries"] >= 160
    assert len(told["designs"]) == told["configurations"] == 2
    assert told["designs"][0]["spec"] != told["designs"][1]["spec"]
    printed = capsys.readouterr().out
    assert "0 mismatches, 0 protocol violations; passed" in printed


def test_command_line_fails_where_a_design_fails(tmp_path, capsys, monkeypatch):
    def run_random(number, *_):
        if number == 1:
            raise SimulationFailed("verilator cannot build it")
        return report(n_mismatches=1, mismatches=["o_out: query 0"])

    monkeypatch.setattr(regression, "run_random", run_random)
    monkeypatch.setattr(Pool, "results", in_this_process)
    file = tmp_path / "regression.json"
    assert main(["--queries", "10", "--configurations", "2", "--output", str(file)]) == 1
    told = json.loads(file.read_text())
    assert told["passed"] is False
    assert told["designs"][1]["failure"] == "verilator cannot build it"
    printed = capsys.readouterr().out
    assert "#0: o_out: query 0" in printed
    assert "#1: verilator cannot build it" in printed
    assert "FAILED" in printed


def test_command_line_refuses_no_queries(capsys):
    with pytest.raises(SystemExit):
        main(["--queries", "0"])
    assert "--queries must be 1 or more, not 0" in capsys.readouterr().err
