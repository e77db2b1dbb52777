"""`Requests` and `Fifo`: each beat meets its word, in order, whatever the memory does."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Signal

from hamming.formal.harness import Harness
from hamming.formal.order import claim_in_order, claim_within, count_inside
from hamming.formal.proof import Proof
from hamming.rtl.fifo import Fifo
from hamming.rtl.memory import ReadPort
from hamming.rtl.requests import Requests

__all__ = ["PROOFS"]


def queue(depth: int) -> Harness:
    """Payloads and stalls at any time."""
    part = Fifo(2, depth=depth)
    h = Harness(part)
    taken, given = h.drive(part.i, "i"), h.drain(part.o, "o")
    inside = claim_in_order(h, comes=taken, expected=part.i.payload, goes=given, found=part.o.payload, most=depth)
    h.claim(f"as long as there are not {depth}, a payload is taken", part.i.ready == (inside != depth))
    claim_within(h, 1, "what is inside is offered", (inside != 0) & ~part.o.valid)
    words, read = h.within("write__en"), h.within("read__en")
    collides = words & read & (h.within("write__addr") == h.within("read__addr"))
    h.reach("a word is read and written beside each other", words & read & ~collides)
    return h


def surrounded(outstanding: int) -> tuple[Harness, Requests, dict[str, Signal]]:
    """Return requests whose memory answers at any time, also what was not asked.

    The lowest bit of a beat says that it needs no word.
    """
    part = Requests(2, ReadPort(depth=4, width=2), outstanding=outstanding, reads=lambda beat: ~beat[0])
    h = Harness(part)
    m = h.m
    moves = {name: Signal(name=f"{name}_moves") for name in ("i", "o", "request", "response", "word")}
    m.d.comb += part.address.eq(h.free("address", 2))
    m.d.comb += [
        moves["i"].eq(h.drive(part.i, "i")),
        moves["response"].eq(h.drive(part.response, "response", holds=False)),
        moves["o"].eq(h.drain(part.o, "o")),
        moves["request"].eq(h.drain(part.request, "request")),
        moves["word"].eq(moves["o"] & ~part.o.payload[0]),
        part.word.en.eq(moves["word"]),
    ]
    waits = h.before(part.i.valid & ~part.i.ready, "address_waits")
    h.assume(~waits | (part.address == h.before(part.address, "address")))
    return h, part, moves


def beats(outstanding: int) -> Harness:
    """Beats go out as they came in, each with a request of its own if it needs a word."""
    h, part, moves = surrounded(outstanding)
    m = h.m
    inside = claim_in_order(
        h, comes=moves["i"], expected=part.i.payload, goes=moves["o"], found=part.o.payload, most=outstanding
    )
    h.claim("a word is asked for with each beat that needs one", moves["request"] == (moves["i"] & ~part.i.payload[0]))
    h.claim("it is the beat's", ~moves["request"] | (part.request.p.address == part.address))
    h.claim("a response is always taken", part.response.ready)
    due = Signal(range(outstanding + 1))
    stores = part.response.valid & (due != 0)
    m.d.sync += due.eq(due + moves["request"] - stores)
    here = count_inside(h, comes=stores, goes=moves["word"], most=outstanding, what="words")
    wrong, stray = Signal(name="wrong_wanted"), Signal(name="stray_wanted")
    m.d.sync += [
        wrong.eq(wrong | (stores & part.response.p.error)),
        stray.eq(stray | (part.response.valid & (due == 0))),
    ]
    h.claim(
        "errors say what was wrong, and what nobody asked for", (part.errors[0] == wrong) & (part.errors[1] == stray)
    )
    room = part.i.valid & part.request.ready & (inside != outstanding)
    claim_within(h, 0, "a beat is taken if there is room and its request is", room & ~part.i.ready)
    claim_within(h, 1, "a beat is offered when its word is here", (inside != 0) & (here != 0) & ~part.o.valid)
    h.reach("there are as many as agreed", due == outstanding)
    return h


def words(outstanding: int) -> Harness:
    """Words are taken as they came, in the cycle after, and hold; what was not asked for is none of them."""
    h, part, moves = surrounded(outstanding)
    due = Signal(range(outstanding + 1))
    stores = part.response.valid & (due != 0)
    h.m.d.sync += due.eq(due + moves["request"] - stores)
    taken = h.before(moves["word"], "word")
    claim_in_order(
        h, comes=stores, expected=part.response.p.data, goes=taken, found=part.word.data, most=outstanding + 1
    )
    has_word = Signal()
    with h.m.If(taken):
        h.m.d.sync += has_word.eq(1)
    held = part.word.data == h.before(part.word.data, "data")
    h.claim("a word holds until the next is taken", ~has_word | taken | held)
    return h


def _proof(name: str, component: str, what: str, outstanding: int, build: Callable[[int], Harness], **how) -> Proof:
    size = f"{'depth' if component == 'Fifo' else 'outstanding'} {outstanding}"
    return Proof(
        name=f"requests.{name}", component=component, what=what, size=size, build=lambda: build(outstanding), **how
    )


_QUEUE = "payloads in order, none lost, as many inside as stated, and no wait of its own"
_BEATS = "beats in order, each with its request; errors are told; no more under way than agreed; no wait of its own"
_WORDS = "each beat's word is the response to its request, whatever else the memory sends; it holds"

PROOFS = (
    _proof("queue", "Fifo", _QUEUE, 2, queue, is_small=True),
    _proof("queue_of_three", "Fifo", _QUEUE, 3, queue),
    _proof("beats", "Requests", _BEATS, 2, beats, is_small=True),
    _proof("beats_of_three", "Requests", _BEATS, 3, beats),
    _proof("words", "Requests", _WORDS, 2, words, is_small=True),
    _proof("words_of_three", "Requests", _WORDS, 3, words, engine="bmc", depth=14),
)
