"""The harness finds what is wrong: a register for streams, and the same with each of its defects."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest

from hamming.sim.streams import pauses
from hamming.sim.testbench import Case, Testbench

N_BEATS = 200
WATCHDOG = 100

# What the register does wrong, once 100 beats have left it.
NOTHING, WITHDRAWS, CHANGES, HANGS, FLIPS_A_BIT, REPEATS, RUNS_AWAY = range(7)

REGISTER = f"""
module register(
  input clk, input rst, input [2:0] defect,
  input i__valid, output i__ready, input [69:0] i__payload,
  output reg o__valid, input o__ready, output reg [69:0] o__payload
);
  reg [15:0] n_beats;
  wire [2:0] now = n_beats >= 100 ? defect : {NOTHING};
  assign i__ready = (!o__valid || o__ready) && now != {HANGS} && now != {RUNS_AWAY};

  always @(posedge clk)
    if (rst) begin
      o__valid <= 0;
      n_beats <= 0;
    end else begin
      n_beats <= n_beats + (o__valid && o__ready);
      if (i__ready) begin
        o__valid <= i__valid;
        o__payload <= now == {FLIPS_A_BIT} && n_beats == 100 ? i__payload ^ (70'h1 << 69) : i__payload;
      end
      if (now == {WITHDRAWS} && o__valid && !o__ready) o__valid <= 0;
      if (now == {CHANGES} && o__valid && !o__ready) o__payload <= o__payload ^ 1;
      if (now == {HANGS}) o__valid <= 0;
      if (now == {REPEATS} && o__valid && o__ready && n_beats == {N_BEATS - 1}) o__valid <= 1;
      if (now == {RUNS_AWAY}) o__valid <= 1;
    end
endmodule
"""


def stream(name, direction):
    parts = {part: f"{name}__{part}" for part in ("valid", "ready", "payload")}
    fields = [{"name": "payload", "offset": 0, "bits": 70, "length": None, "signed": False}]
    return {"direction": direction, "bits": 70, "fields": fields, **parts}


DESCRIPTION = {
    "name": "register",
    "ports": [
        {"name": name, "direction": direction, "bits": bits}
        for direction, bits, names in [
            ("input", 1, "clk rst i__valid o__ready"),
            ("output", 1, "i__ready o__valid"),
            ("input", 3, "defect"),
            ("input", 70, "i__payload"),
            ("output", 70, "o__payload"),
        ]
        for name in names.split()
    ],
    "streams": {"i": stream("i", "input"), "o": stream("o", "output")},
}


@pytest.fixture(scope="module")
def testbench():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        yield Testbench(REGISTER, DESCRIPTION, "bench_register")  # beside this file


def case(*, defect=NOTHING, stall: float | dict[str, float] = 0.0, expected=None):
    payloads = np.random.default_rng(5).integers(0, 2**63, N_BEATS)
    arrays = {"payloads": payloads, "expected": payloads if expected is None else expected(payloads)}
    return Case(fields={"defect": defect, "stall": stall, "seed": 1, "watchdog": WATCHDOG}, arrays=arrays)


def test_full_rate_moves_a_beat_a_cycle(testbench):
    [result] = testbench.run([case()])
    assert result.failures == []
    assert np.all(np.diff(result.arrays["cycles_o"]) == 1)
    assert np.all(result.arrays["cycles_o"] - result.arrays["cycles_i"] == 1)
    assert result.coverage == {"stalled_i": 0, "starved_i": 17, "stalled_o": 0, "starved_o": 16}


@pytest.mark.parametrize("stall", [0.1, 0.5, 0.9])
def test_stalls_at_both_ends_do_no_harm(testbench, stall):
    [result] = testbench.run([case(stall=stall)])
    assert result.failures == []
    assert all(count > 0 for count in result.coverage.values())
    # Each end alone lets a share of 1 - stall through.
    assert result.cycles > N_BEATS / (1 - stall)


def test_stalls_can_differ_by_stream(testbench):
    slow_source, slow_sink = testbench.run([case(stall={"i": 0.5}), case(stall={"o": 0.5})])
    assert slow_source.failures == slow_sink.failures == []
    assert slow_source.coverage["stalled_o"] == 0 < slow_source.coverage["starved_o"]
    assert slow_sink.coverage["stalled_o"] > 0 < slow_sink.coverage["stalled_i"]


def test_same_seed_same_cycles(testbench):
    first, second = testbench.run([case(stall=0.5), case(stall=0.5)])
    assert np.array_equal(first.arrays["cycles_o"], second.arrays["cycles_o"])


def test_withdrawn_valid_breaks_the_protocol(testbench):
    [result] = testbench.run([case(defect=WITHDRAWS, stall=0.5)])
    assert [text.partition(" (")[0] for text in result.violations] == ["o: valid fell before the transfer"]


def test_changed_payload_breaks_the_protocol(testbench):
    [result] = testbench.run([case(defect=CHANGES, stall=0.5)])
    assert [text.partition(" (")[0] for text in result.violations] == ["o: the payload changed before the transfer"]


def test_hang_trips_the_watchdog(testbench):
    [result] = testbench.run([case(defect=HANGS)])
    [hang, missing] = result.mismatches
    assert hang == (
        "nothing moved for 100 cycles, up to cycle 203: i 101 of 200 beats sent, offering; "
        "o 101 of 200 packets received, ready"
    )
    assert missing == "o: beat 101 never came, the first of 99 missing"


def test_wrong_bit_is_found(testbench):
    [result] = testbench.run([case(defect=FLIPS_A_BIT)])
    assert result.n_mismatches == 1
    assert result.mismatches[0].startswith("o: beat 101, payload: expected 0x")
    assert result.mismatches[0].endswith("(cycle 104)")


def test_wrong_expectation_is_found(testbench):
    def one_more(payloads):
        payloads = payloads.copy()
        payloads[42] += 1
        return payloads

    [result] = testbench.run([case(expected=one_more)])
    assert result.n_mismatches == 1
    assert result.mismatches[0].startswith("o: beat 42, payload: expected 0x")


def test_surplus_beat_is_found(testbench):
    [result] = testbench.run([case(defect=REPEATS)])
    assert result.n_mismatches == 1
    assert "unexpected beat" in result.mismatches[0]


def test_stream_without_end_is_stopped(testbench):
    [result] = testbench.run([case(defect=RUNS_AWAY)])
    assert "o: more than 1000 beats beyond the expected ones" in result.mismatches


def test_one_case_does_not_disturb_the_next(testbench):
    results = testbench.run([case(defect=HANGS, stall=0.5), case(stall=0.5), case(defect=CHANGES, stall=0.5), case()])
    assert [bool(result.failures) for result in results] == [True, False, True, False]


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_pauses_take_their_share_of_cycles(probability):
    taken = list(itertools.islice(pauses(probability, random.Random(3)), 200_000))
    assert np.mean(taken) == pytest.approx(probability, abs=0.02)


def test_pauses_come_in_bursts_and_alone():
    taken = "".join("p" if pause else "r" for pause in itertools.islice(pauses(0.5, random.Random(3)), 10_000))
    lengths = {len(burst) for burst in taken.split("r") if burst}
    assert {1, 2, 3, 8} <= lengths


@pytest.mark.parametrize("probability", [-0.1, 1.0])
def test_impossible_share_of_pauses_is_refused(probability):
    with pytest.raises(ValueError, match=f"0 or more and below 1, not {probability}"):
        next(pauses(probability, random.Random(0)))
