"""What asks memories of any latency: queues, requests for keys and for values, rows that are sent."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

QUEUE = "tests/rtl/test_rtl_requests.py::test_a_queue_gives_what_it_takes"
QUEUE_SIZE = "tests/rtl/test_rtl_requests.py::test_a_queue_holds_as_many_as_it_says"
WORDS = "tests/rtl/test_rtl_requests.py::test_each_beat_meets_its_word"
UNASKED = "tests/rtl/test_rtl_requests.py::test_a_response_that_nobody_asked_for_is_dropped"
WRONG_UNASKED = "tests/rtl/test_rtl_requests.py::test_an_error_bit_of_a_dropped_response_is_not_one_of_an_answer"
SENT = "tests/rtl/test_rtl_sender.py::test_a_row_is_transferred_with_its_last_write"
GIVEN_UP = "tests/rtl/test_rtl_sender.py::test_a_row_given_up_harms_no_other"
LATE = "tests/rtl/test_rtl_request_engine.py::test_answers_of_before_a_reset_are_dropped"
QUIET = "tests/rtl/test_rtl_request_engine.py::test_nothing_moves_in_reset"
KEY_WORDS = "tests/rtl/test_rtl_request_engine.py::test_keys_come_with_their_request"
VALUE_WORDS = "tests/rtl/test_rtl_request_engine.py::test_values_are_asked_for_where_they_lie_and_where_they_count"

MUTANTS = [
    Mutant("a queue moves on while its payload waits", "fifo.py", "reads.eq(moves & (n_", "reads.eq((n_", QUEUE),
    Mutant("a queue offers what is not there", "fifo.py", "self.o.valid.eq(reads)", "self.o.valid.eq(1)", QUEUE),
    Mutant("a queue has places beyond its memory", "fifo.py", "place == depth - 1", "place == depth", QUEUE),
    Mutant(
        "a queue does not count what it offers",
        "fifo.py",
        "n_inside != self.depth",
        "n_stored != self.depth",
        QUEUE_SIZE,
    ),
    Mutant("more is asked for than agreed", "requests.py", " & needs & beats.i.ready & ~", " & needs & ~", WORDS),
    Mutant(
        "a beat goes ahead of its request", "requests.py", "waits.eq(needs & ~self.request.ready)", "waits.eq(0)", WORDS
    ),
    Mutant("every beat waits for a word", "requests.py", "lacks.eq(self.reads(beats.o.p))", "lacks.eq(1)", WORDS),
    Mutant("a beat goes without its word", "requests.py", "is_here.eq(~lacks | (n_here != 0))", "is_here.eq(1)", WORDS),
    Mutant("a word is given twice", "requests.py", "n_here + stores - takes", "n_here + stores", WORDS),
    Mutant("what nobody asked for is stored", "requests.py", "comes & (n_asked != 0)", "comes", UNASKED),
    Mutant("what nobody asked for is not told", "requests.py", "m.If(comes & ~stores)", "m.If(0)", UNASKED),
    Mutant("a wrong response is not told", "requests.py", "m.If(stores & self.response.p.error)", "m.If(0)", UNASKED),
    Mutant(
        "a dropped response is told for a wrong one",
        "requests.py",
        "m.If(stores & self.response.p.error)",
        "m.If(comes & self.response.p.error)",
        WRONG_UNASKED,
    ),
    Mutant("a word is asked for in reset", "requests.py", "beats.i.ready & ~ResetSignal()", "beats.i.ready", QUIET),
    Mutant(
        "a response is taken in reset",
        "requests.py",
        "self.response.ready.eq(~ResetSignal())",
        "self.response.ready.eq(1)",
        QUIET,
    ),
    Mutant(
        "words that are due outlive a reset",
        "requests.py",
        "n_asked = Signal(range(depth + 1))",
        "n_asked = Signal(range(depth + 1), reset_less=True)",
        LATE,
    ),
    Mutant(
        "a row is asked for where the next one is",
        "key_requests.py",
        "with m.If(self.read.en):",
        "with m.If(1):",
        KEY_WORDS,
    ),
    Mutant(
        "keys move on while their request waits",
        "key_requests.py",
        "taken.eq(requests.o.valid & moves)",
        "taken.eq(requests.o.valid)",
        KEY_WORDS,
    ),
    Mutant("values are asked for in vain", "value_requests.py", "key.weight != 0", "1", VALUE_WORDS),
    Mutant(
        "the first slice alone is asked for",
        "value_requests.py",
        "key.index * dims.fold + key.slice",
        "key.index * dims.fold",
        VALUE_WORDS,
    ),
    Mutant("a row is taken before its key is written", "sender.py", "(is_key & is_done)", "is_key", SENT),
    Mutant(
        "a row's last slice is its key's turn",
        "sender.py",
        "is_key.eq(piece == dims.fold)",
        "is_key.eq(piece == dims.fold - 1)",
        SENT,
    ),
    Mutant(
        "a row outside is sent",
        "sender.py",
        "writes_values.eq(is_offered & is_inside & ~is_key)",
        "writes_values.eq(is_offered & ~is_key)",
        SENT,
    ),
    Mutant("a row outside is not told", "sender.py", "m.If(is_offered & ~is_inside)", "m.If(0)", SENT),
    Mutant("an offer to a memory changes", "sender.py", "m.If(wanted & ~is_here)", "m.If(wanted)", GIVEN_UP),
    Mutant("another row's write counts", "sender.py", "m.If(~wanted | moves)", "m.If(moves)", GIVEN_UP),
    Mutant("a write is offered in reset", "sender.py", "is_here & ~ResetSignal()", "is_here", QUIET),
]
