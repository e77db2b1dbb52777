"""The engine behind AXI: ports keep the protocol whatever comes, resets by register too; managers' bursts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Cat, DomainRenamer, Mux, Signal, Value
from amaranth.lib import wiring

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_in_order, claim_within
from hamming.formal.proof import Proof
from hamming.rtl.axi.buffer import Buffer
from hamming.rtl.axi.engine import AxiEngine
from hamming.rtl.axi.gather import Gather
from hamming.rtl.axi.read_master import PAGE_BITS, ReadMaster
from hamming.rtl.axi.write_master import WriteMaster
from hamming.rtl.bus_word import PAGE_BYTES, BusWord
from hamming.rtl.dimensions import Dimensions

__all__ = ["PROOFS"]

#: Cycles in which a read, and a write, is answered if nobody is in its way.
_READ_CYCLES, _WRITE_CYCLES = 2, 3


class _Channel:
    """Valid, ready and payload of a channel, by the names of AXI."""

    def __init__(self, owner: Any, prefix: str, names: list[str]):
        self.valid, self.ready = getattr(owner, f"{prefix}valid"), getattr(owner, f"{prefix}ready")
        self.payload = Cat(getattr(owner, f"{name}") for name in names)

    @property
    def moves(self) -> Value:
        return self.valid & self.ready


def _drive_all(h: Harness, component: wiring.Component, *, but: tuple[str, ...] = ()) -> None:
    """Give every input of a component any value at any time, whether or not a protocol allows it."""
    for path, member, signal in component.signature.flatten(component):
        name = "__".join(map(str, path))
        if member.flow == wiring.In and name not in but:
            h.m.d.comb += Value.cast(signal).eq(h.free(name, len(Value.cast(signal))))


def _claim_holds(h: Harness, channels: dict[str, _Channel]) -> None:
    for name, channel in channels.items():
        h.show(f"{name}.valid", channel.valid)
        h.show(f"{name}.ready", channel.ready)
        h.claim(f"{name} holds until it is taken", h._holds(channel, name))


def ports(dims: Dimensions) -> Harness:
    """Anything comes at any time on every port; registers may do whatever they can."""
    engine = AxiEngine(dims.spec, dims.config)
    h = Harness(DomainRenamer("engine")(engine))  # its own domain, beside the one of what is claimed
    h.m.d.comb += [engine.aclk.eq(h.clk), engine.aresetn.eq(~h.reset)]
    _drive_all(h, engine, but=("aclk", "aresetn"))
    channels = {
        name: _Channel(engine, f"m_axis_{name}_t", [f"m_axis_{name}_tdata", f"m_axis_{name}_tlast"])
        for name in ("out", "selected")
    }
    channels |= {
        "b": _Channel(engine, "s_axi_b", ["s_axi_bresp"]),
        "r": _Channel(engine, "s_axi_r", ["s_axi_rdata", "s_axi_rresp"]),
    }
    for kind in dims.bus_words:
        for channel, names in {
            "ar": ("araddr", "arlen", "arsize", "arburst"),
            "aw": ("awaddr", "awlen", "awsize", "awburst"),
        }.items():
            prefix = f"m_axi_{kind}"
            channels[f"{kind}_{channel}"] = _Channel(
                engine, f"{prefix}_{channel}", [f"{prefix}_{name}" for name in names]
            )
    _claim_holds(h, channels)
    for name, channel in channels.items():
        h.claim(f"{name} offers nothing after a reset", ~h.before_always(h.reset, f"reset_{name}") | ~channel.valid)
    h.reach("an answer waits", channels["out"].valid & ~channels["out"].ready)
    return h


def registers(dims: Dimensions) -> Harness:
    """Anything comes at any time on every port."""
    engine = AxiEngine(dims.spec, dims.config)
    h = Harness(DomainRenamer("engine")(engine))  # its own domain, beside the one of what is claimed
    h.m.d.comb += [engine.aclk.eq(h.clk), engine.aresetn.eq(~h.reset)]
    _drive_all(h, engine, but=("aclk", "aresetn"))
    moves = {
        name: getattr(engine, f"s_axi_{name}valid") & getattr(engine, f"s_axi_{name}ready")
        for name in ("aw", "w", "b", "ar", "r")
    }
    due = {name: Signal(3, name=f"due_{name}") for name in ("aw", "w", "ar")}
    for name, answer in (("aw", "b"), ("w", "b"), ("ar", "r")):
        h.m.d.sync += due[name].eq(due[name] + moves[name] - moves[answer])
        h.claim(
            f"no {answer} without an {name} of its own", ~getattr(engine, f"s_axi_{answer}valid") | (due[name] != 0)
        )
        h.claim(f"at most 2 {name} are not answered", due[name] <= 2)
    # The check of a loadable table keeps a read of it waiting.
    cycles = _READ_CYCLES + (dims.spec.d_head + 2 if dims.config.table == "loadable" else 0)
    claim_within(h, cycles, "a read is answered", (due["ar"] != 0) & ~engine.s_axi_rvalid)
    waits = (due["aw"] != 0) & (due["w"] != 0) & ~engine.s_axi_bvalid
    # A reset of the engine holds entries of the table.
    claim_within(h, _WRITE_CYCLES, "a write is answered", waits)
    h.reach("two reads wait for their answers", due["ar"] == 2)
    return h


def bursts(word: BusWord, address_bits: int) -> Harness:
    """Words are asked for at any time."""
    part = ReadMaster(word, address_bits=address_bits, outstanding=3)
    h = Harness(part)
    m = h.m
    page = h.constant("page", 4)
    m.d.comb += part.page.eq(page)
    asks = h.drive(part.request, "request")
    m.d.comb += [
        part.arready.eq(h.free("arready")),
        part.rvalid.eq(h.free("rvalid")),
        part.rresp.eq(h.free("rresp", 2)),
    ]
    ar = _Channel(part, "ar", ["araddr", "arlen"])
    _claim_holds(h, {"ar": ar})
    n_beats = part.arlen + 1
    n_words = Signal(9)
    m.d.comb += n_words.eq(n_beats >> (word.beats - 1).bit_length())
    low = part.araddr[:PAGE_BITS]
    h.claim("a burst stays in its page", ~ar.valid | (low + n_beats * (word.data_bits // 8) <= PAGE_BYTES))
    h.claim("a burst is whole words", ~ar.valid | (n_beats == n_words * word.beats))
    h.claim("a word is aligned", ~ar.valid | (low & (word.word_bytes - 1) == 0))

    # Of all words one is watched: those before it are counted, and its place in the burst that asks for it is its own.
    pending = Signal(6)  # words asked of the master and not yet of memory
    moved = Signal(9)
    m.d.comb += moved.eq(Value.cast(ar.moves).replicate(9) & n_words)
    m.d.sync += pending.eq(pending + asks - moved)
    h.claim("no more is asked of memory than was asked for", ~ar.moves | (n_words <= pending))
    h.claim("what is pending is bounded", pending <= 4 * part.most_words)
    watched, came, ahead = Signal(), Signal(), Signal(6)
    wanted = Signal(address_bits)
    starts = h.free("watch") & asks & ~came
    with m.If(starts):
        m.d.sync += [came.eq(1), watched.eq(1), wanted.eq(part.request.payload), ahead.eq(pending - moved)]
    with m.Elif(watched & ar.moves):
        m.d.sync += [ahead.eq(ahead - n_words), watched.eq(ahead >= n_words)]
    is_now = watched & ar.moves & (ahead < n_words)
    number = (part.araddr >> (word.word_bytes - 1).bit_length()) + ahead
    base = page << (PAGE_BITS - (word.word_bytes - 1).bit_length())
    h.claim("each word is asked for once, in order, at its place", ~is_now | (number == base + wanted))
    if part.most_words > 1:
        h.reach("a word is asked for behind another in one burst", is_now & (ahead != 0))
    else:
        h.reach("a word is asked for", is_now)
    claim_within(h, part.most_words + 2, "what is pending is offered", (pending != 0) & ~ar.valid)
    due, is_answered = Signal(range(4)), part.response.valid
    h.assume(due + asks - (is_answered & (due != 0)) <= 3)
    m.d.sync += due.eq(due + asks - (is_answered & (due != 0)))
    h.claim("it is idle when nothing is asked for, or due", part.is_idle == ((pending == 0) & (due == 0)))
    return h


def writes(n_bytes: int, data_bits: int) -> Harness:
    """Writes come at any time; memory answers at any time, whether or not it owes one."""
    part = WriteMaster(n_bytes, address_bits=PAGE_BITS - n_bytes.bit_length() + 2, data_bits=data_bits)
    h = Harness(part)
    m = h.m
    page = h.constant("page", 4)
    m.d.comb += part.page.eq(page)
    moves = h.drive(part.i, "i")
    for name in ("awready", "wready", "bvalid"):
        m.d.comb += getattr(part, name).eq(h.free(name))
    m.d.comb += part.bresp.eq(h.free("bresp", 2))
    aw = _Channel(part, "aw", ["awaddr", "awlen"])
    w = _Channel(part, "w", ["wdata", "wstrb", "wlast"])
    _claim_holds(h, {"aw": aw, "w": w})
    has_address, is_sent = Signal(), Signal()
    beat = Signal(9)
    answered = part.bvalid & part.bready
    with m.If(aw.moves):
        m.d.sync += has_address.eq(1)
    with m.If(w.moves):
        m.d.sync += [beat.eq(beat + 1), is_sent.eq(part.wlast)]
    with m.If(answered):
        m.d.sync += [has_address.eq(0), is_sent.eq(0), beat.eq(0)]
    h.claim("one address a write", ~aw.valid | ~has_address)
    h.claim("no data behind the last", ~w.valid | ~is_sent)
    h.claim("the last beat is the burst's", ~w.valid | (part.wlast == (beat == part.awlen)))
    bytes_a_beat = data_bits // 8
    low = part.awaddr[:PAGE_BITS]
    h.claim("a burst stays in its page", ~aw.valid | (low + (part.awlen + 1) * bytes_a_beat <= PAGE_BYTES))
    first = (page << PAGE_BITS) + part.i.p.address * n_bytes
    h.claim("it is at its place", ~aw.valid | (part.awaddr == first - (first & (bytes_a_beat - 1))))
    for byte in range(bytes_a_beat):
        place = (part.awaddr[:8] + beat * bytes_a_beat + byte - first)[
            :8
        ]  # in what is written, if it is less than its size
        is_written = part.wstrb[byte]
        h.claim(f"byte {byte} is written if it is the write's", ~w.valid | (is_written == (place < n_bytes)))
        wanted = part.i.p.data.word_select(place[: (n_bytes - 1).bit_length()], 8)
        h.claim(f"byte {byte} is the write's", ~(w.valid & is_written) | (part.wdata.word_select(byte, 8) == wanted))
    h.claim("a write is transferred when memory has answered", ~moves | h.before(answered, "answered"))
    claim_within(
        h, 1, "a write is offered", part.i.valid & ~aw.valid & ~has_address & ~h.before(answered, "answered_then")
    )
    h.reach("a write is done", moves)
    return h


def buffer(depth: int) -> Harness:
    """Beats and stalls at any time, and leave or not."""
    part = Buffer(2, depth=depth)
    h = Harness(part)
    h.m.d.comb += part.accepts.eq(h.free("accepts"))
    taken, given = h.drive(part.i, "i"), h.drain(part.o, "o")
    claim_in_order(h, comes=taken, expected=part.i.payload, goes=given, found=part.o.payload, most=depth)
    h.claim("nothing is taken without leave", ~taken | part.accepts)
    return h


def groups(dims: Dimensions) -> Harness:
    """Queries and stalls at any time; what came is remembered."""
    part, n = Gather(dims), dims.n_queries_a_row
    h = Harness(part)
    taken, given = h.drive(part.i, "i"), h.drain(part.o, "o")
    came = [Signal.like(Value.cast(part.i.payload), name=f"came_{place}") for place in range(n - 1)]  # the latest last
    n_came = Signal(range(n))
    with h.m.If(taken):
        h.m.d.sync += [n_came.eq(Mux(n_came == n - 1, 0, n_came + 1)), Cat(came).eq(Cat(*came[1:], part.i.payload))]
    h.claim("a group goes with its last query, and no sooner", given == (taken & (n_came == n - 1)))
    h.claim("queries before it wait for it alone", part.i.ready | (n_came == n - 1))
    h.claim("what is held is said", part.n_held == n_came)
    expected = [*came, Value.cast(part.i.payload)]
    for place, one in enumerate(expected):
        found = Cat(part.o.payload[name][place] for name, _ in part.i.signature.members["payload"].shape)
        h.claim(f"query {place} is the one that came", ~part.o.valid | (found == one))
    h.reach("a group goes", given)
    return h


def _engine(name: str, what: str, build: Callable[[Dimensions], Harness], **how: Any) -> Proof:
    is_small = how.pop("is_small", False)
    dims = small(bus="axi", **how)
    size = size_of(dims, "d_head", "n_keys", "n_lanes", "fold", "table", *(["memory"] if "memory" in how else []))
    return _part(name, "AxiEngine", what, size, lambda: build(dims), is_small=is_small)


def _part(
    name: str, component: str, what: str, size: str, build: Callable[[], Harness], *, is_small: bool = True
) -> Proof:
    return Proof(name=f"axi.{name}", component=component, what=what, size=size, build=build, is_small=is_small)


def _word(word_bytes: int, data_bits: int) -> BusWord:
    return BusWord("key", 1, 8, word_bytes, word_bytes, data_bits)


_PORTS = "offers of all channels hold until they are taken, whatever comes, resets by register too"
_REGISTERS = "each access to registers or table has one answer, after it, within a stated time"
_BURSTS = "each word is asked for once, in order, at its place; no burst crosses 4 kB; no wait of its own"
_WRITES = "one burst a write, at its place, its bytes alone; it is transferred when memory has answered"
_REQUEST = {"memory": "request", "outstanding": 4, "bus_bits": 32}

_GROUPS = "each group is the queries that came, in order, none lost; no wait of its own"

_BEATS = "beats in order, none lost, none taken without leave"

PROOFS = (
    _part("buffer_of_one", "Buffer", _BEATS, "depth 1", lambda: buffer(1)),
    _part("buffer_of_two", "Buffer", _BEATS, "depth 2", lambda: buffer(2)),
    _part("groups", "Gather", _GROUPS, "n_queries_a_row 3", lambda: groups(small(bus="axi", n_queries_a_row=3))),
    _part(
        "bursts",
        "ReadMaster",
        _BURSTS,
        "4 words a page, 2 a burst",
        lambda: bursts(_word(1024, 1024), 3),
        is_small=False,
    ),
    _part(
        "bursts_of_one", "ReadMaster", _BURSTS, "2 words a page", lambda: bursts(_word(2048, 1024), 3), is_small=False
    ),
    _part("writes", "WriteMaster", _WRITES, "2 bytes, of 4", lambda: writes(2, 32)),
    _part("writes_of_beats", "WriteMaster", _WRITES, "8 bytes, in 2 beats", lambda: writes(8, 32)),
    _engine("ports", _PORTS, ports, is_small=True),
    _engine("ports_masters", _PORTS, ports, is_small=True, **_REQUEST),
    _engine("registers", _REGISTERS, registers, is_small=True),
    _engine("registers_table", _REGISTERS, registers, table="loadable"),
)
