"""The scoreboard: what it lets pass, and how it words what it does not."""

import pytest

from hamming.sim.payloads import Field, Stream
from hamming.sim.scoreboard import Runaway, Scoreboard

STREAM = Stream(
    "o_out",
    "output",
    9,
    (Field("value", 0, 4, 2, signed=True), Field("last", 8, 1)),
    "o_out__valid",
    "o_out__ready",
    "o_out__payload",
)


def beats(*values):
    """One packet, two elements a beat."""
    pairs = [values[n : n + 2] for n in range(0, len(values), 2)]
    return STREAM.encode(value=pairs, last=[pair is pairs[-1] for pair in pairs])


def board_after(expected, received, **options):
    board = Scoreboard(STREAM, expected, packet="query", **options)
    for cycle, beat in enumerate(received):
        board.receive(beat, cycle)
    board.finish()
    return board


def test_equal_packets_pass():
    packets = beats(1, 2, 3, 4) + beats(5, 6)
    board = board_after(packets, packets)
    assert board.n_mismatches == 0
    assert board.messages == []
    assert board.payloads == packets
    assert board.n_expected == 2


def test_difference_names_query_element_and_both_values():
    board = board_after(beats(1, 2, 3, 4) + beats(5, 6, 7, -8), beats(1, 2, 3, 4) + beats(5, 6, 7, -7))
    assert board.messages == ["o_out: query 1, value[3]: expected -8, got -7 (cycle 3)"]
    assert board.n_mismatches == 1


def test_every_wrong_packet_counts_but_few_are_worded():
    board = board_after(beats(1, 1) * 50, beats(2, 2) * 50, limit=3)
    assert board.n_mismatches == 50
    assert len(board.messages) == 3


def test_packet_of_another_length():
    board = board_after(beats(1, 2, 3, 4) + beats(5, 6), beats(1, 2) + beats(5, 6))
    assert board.messages == ["o_out: query 0: expected 2 beats, got 1 (cycle 0)"]


def test_missing_packets():
    board = board_after(beats(1, 2) + beats(3, 4) + beats(5, 6), beats(1, 2))
    assert board.messages == ["o_out: query 1 never came, the first of 2 missing"]


def test_unfinished_packet():
    board = board_after(beats(1, 2, 3, 4), beats(1, 2, 3, 4)[:1])
    assert board.messages == [
        "o_out: query 0: ended within the query, after 1 beats",
        "o_out: query 0 never came, the first of 1 missing",
    ]


def test_surplus_beats():
    board = board_after(beats(1, 2), beats(1, 2) + beats(3, 4))
    assert board.messages == [f"o_out: query 1: unexpected beat 0x{beats(3, 4)[0]:x} after the last query (cycle 1)"]


@pytest.mark.parametrize("flood", [beats(1, 2), [0]], ids=["of packets", "within a packet"])
def test_flood_is_stopped(flood):
    with pytest.raises(Runaway, match="more than 1000 beats beyond the expected ones"):
        board_after(beats(1, 2), beats(1, 2) + flood * 2000 if flood == beats(1, 2) else flood * 2000)


def test_what_a_module_may_choose_is_left_open():
    def in_any_order(packet):
        return sorted(beat & 0xFF for beat in packet)

    expected, received = beats(1, 2, 3, 4), beats(3, 4, 1, 2)
    assert board_after(expected, received).n_mismatches == 1
    assert board_after(expected, received, compare_as=in_any_order).n_mismatches == 0
    assert board_after(expected, beats(3, 4, 1, 1), compare_as=in_any_order).n_mismatches == 1


def test_expected_payloads_must_end_a_packet():
    with pytest.raises(ValueError, match="do not end with a packet's last beat"):
        Scoreboard(STREAM, beats(1, 2, 3, 4)[:1])
