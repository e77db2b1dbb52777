"""Anything on every port: what an engine owes then, and that the look at its log finds what is wrong."""

import dataclasses

import numpy as np
import pytest

from hamming.rtl.design import load_design
from hamming.sim.fuzz import fuzz, play
from hamming.sim.fuzz.check import check
from hamming.sim.fuzz.command import main
from hamming.sim.stimulus import random_design

N_CYCLES = 20_000
TINY = load_design("tiny", ["engine.mask=true", "engine.table=loadable", "engine.n_lanes=4", "spec.n_keys=13"])


@pytest.fixture(scope="module")
def played():
    return play(TINY, N_CYCLES, 5)


def look(played, changed=None):
    """Check a log in which the offers of some streams are others."""
    described, log = played
    kept = log.offers
    try:
        log.offers = kept | (changed or {})
        return check(TINY, described, log)
    finally:
        log.offers = kept


def test_nothing_is_wrong_and_everything_was_looked_at(played):
    found = look(played)
    assert found.messages == []
    names = "queries", "resets", "lone queries", "selections compared", "outputs compared"
    errors = "error n_valid", "error row_index", "error weight_index", "error weight_table"
    assert [name for name in (*names, *errors) if not found.counts.get(name)] == []


@pytest.mark.parametrize("n_sinks", [0, 3])
def test_ranges_and_tables(n_sinks):
    design = load_design(
        "tiny",
        [
            "engine.range=true",
            "engine.mask=true",
            "engine.table=loadable",
            "engine.n_lanes=4",
            "spec.n_keys=21",
            f"spec.n_sinks={n_sinks}",
            "spec.logit_scale=[0.1, 0.5, 0.0]",
        ],
    )
    report = fuzz(design, 2 * N_CYCLES, 3)
    assert report.messages == []
    names = "queries", "resets", "lone queries", "selections compared", "outputs compared"
    errors = "n_valid", "first", "table", "row_index", "weight_index", "weight_table", *(["base"] if n_sinks else [])
    assert [name for name in (*names, *(f"error {name}" for name in errors)) if not report.counts.get(name)] == []


@pytest.mark.parametrize("more", ["engine.output=partial", "engine.memory=request"])
def test_engines_in_a_chain(more):
    options = ["engine.mask=true", "engine.range=true", "engine.n_lanes=2", "engine.n_engines=3", "spec.n_keys=21"]
    report = fuzz(load_design("tiny", [*options, more]), 2 * N_CYCLES, 4)
    assert report.messages == []
    names = "queries", "resets", "lone queries", "selections compared", "outputs compared"
    errors = "n_valid", "first", "row_index"
    assert [name for name in (*names, *(f"error {name}" for name in errors)) if not report.counts.get(name)] == []


@pytest.mark.parametrize("number", [0, 2, 5])
def test_random_engine(number):
    report = fuzz(random_design(np.random.default_rng([0, number])), N_CYCLES, number)
    assert report.messages == []
    assert report.passed
    assert report.counts["outputs compared"] > 10


def tampered(records, at, **changes):
    """Return records of which one is another."""
    arrays = {name: array.copy() for name, array in vars(records).items()}
    for name, value in changes.items():
        arrays[name][at] = value
    return type(records)(**arrays)


def transfers(played, name):
    """Return a stream's offers, and the places of those that were taken."""
    records = played[1].offers[name]
    return records, np.flatnonzero(records.kind == 1)


def test_wrong_bits_of_outputs_are_found(played):
    records, taken = transfers(played, "o_out")
    bits = records.bits.copy()
    bits[taken, 0] ^= 1
    found = look(played, {"o_out": dataclasses.replace(records, bits=bits)})
    assert found.counts["wrong answers"] == found.counts["outputs compared"] > 0
    assert ", o_out value: expected [" in found.messages[0]


def test_beat_that_is_lost_is_found(played):
    records, taken = transfers(played, "o_out")
    chosen = np.ones(len(records), bool)
    chosen[taken[len(taken) // 2]] = False
    found = look(played, {"o_out": records.where(chosen)})
    assert any("beats in the packet" in message for message in found.messages)


def test_beat_that_does_not_hold_is_found(played):
    records, taken = transfers(played, "o_out")
    found = look(played, {"o_out": tampered(records, taken[3], kind=2)})
    assert "did not hold until it was taken" in found.messages[0]


def test_row_that_waits_is_found(played):
    records, taken = transfers(played, "i_row")
    at = taken[100]
    found = look(played, {"i_row": tampered(records, at, start=records.start[at] - 40)})
    assert any("longer than" in message for message in found.messages)


def test_query_without_an_answer_is_found(played):
    """All answers of the longest time between two resets are gone."""
    _, log = played
    ends = log.resets[-len(log.begins) :]
    longest = int(np.argmax(ends - log.begins))
    begin, end = log.begins[longest], ends[longest]
    streams = ("o_out", "o_selected")
    silent = {
        name: log.offers[name].where((log.offers[name].end < begin) | (log.offers[name].end >= end)) for name in streams
    }
    assert any("a hang" in message for message in look(played, silent).messages)


def test_error_that_does_not_rise_is_found(played):
    _, log = played
    kept = log.errors
    log.errors = [(cycle, value & ~1) for cycle, value in kept]
    try:
        found = look(played)
    finally:
        log.errors = kept
    assert any(message.startswith("error n_valid rises in cycle None") for message in found.messages)


def test_command_line(tmp_path, capsys):
    file = tmp_path / "fuzz.json"
    assert main(["--cycles", "3000", "--configurations", "1", "--workers", "1", "--output", str(file)]) == 0
    assert "3,000 cycles on 1 engines" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--cycles", "0"])
    assert "--cycles must be 1 or more, not 0" in capsys.readouterr().err


def test_another_bus_is_refused():
    with pytest.raises(ValueError, match="anything is sent to engines of bus 'stream', not 'axi'"):
        fuzz(load_design("tiny", ["engine.bus=axi"]), 100)
