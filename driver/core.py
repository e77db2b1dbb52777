"""The driver in Python, of the same shape as `hamming.h`: over any bus that reads, writes, sends and receives."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["OFFSETS", "Bus", "BusError", "Core", "NotFound", "Unsupported"]

_IDENTIFICATION = 0x48414D4D
_MAJOR = 1
_RESET_POLLS = 1_000_000

#: Offsets of registers, the same for every engine (`rtl.axi.registers`).
OFFSETS = {
    **{name: 4 * place for place, name in enumerate(("ID", "VERSION", "CONTROL", "STATUS", "ERROR"))},
    **{
        name: 0x40 + 4 * place
        for place, name in enumerate(
            ("D_HEAD", "D_VALUE", "N_KEYS", "TOP_K", "VALUE_BITS", "WEIGHT_BITS", "OUT_FRAC_BITS", "OUT_BITS")
        )
    },
    "N_TABLES": 0x64,
    "N_LANES": 0x80,
    "FEATURES": 0x9C,
    "KEY_BASE": 0xA0,
    "VALUE_BASE": 0xA8,
    "N_QUERIES_A_ROW": 0xB0,
    **{name: 0xC0 + 4 * n for n, name in enumerate(("ROW_BYTES", "ROW_KEY", "ROW_VALUE", "QUERY_BYTES"))},
    "QUERY_N_VALID": 0xD0,
    "MASK_BYTES": 0xE0,
    "OUT_BYTES": 0xE4,
    "OUT_BEATS": 0xE8,
    "SELECTED_BYTES": 0xEC,
    "TABLE_OFFSET": 0xF0,
    "KEY_BYTES": 0xF8,
    "VALUE_BYTES": 0xFC,
}

_ENABLE, _RESET, _DRAIN = 1, 2, 4
_RESETTING = 2
_IN_FLIGHT = 16  # where the number of queries begins in STATUS
_LOADABLE, _MASK, _SELECTED, _KEYS, _VALUES, _GROUPS = 1, 2, 4, 0x100, 0x200, 0x400
_PAGE = 4096


class NotFound(RuntimeError):
    """No engine answers, or one of another major version."""


class Unsupported(RuntimeError):
    """An option that this engine does not have."""


class BusError(RuntimeError):
    """A packet had another length, an answer before it did not come or may still come, or a reset did not end."""


class Bus(Protocol):
    """What the driver stands on; streams are `row`, `query`, `mask`, `out` and `selected`."""

    def read(self, offset: int) -> int:
        """Read a register."""
        ...

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        ...

    def send(self, stream: str, data: bytes) -> None:
        """Send beats."""
        ...

    def receive(self, stream: str, n_bytes: int) -> bytes:
        """Receive one packet, of `n_bytes` at most."""
        ...


@dataclass(frozen=True, eq=False)
class Answer:
    """What an engine answers a query: `out`, `(d_value,)`, and whether no key took part."""

    out: NDArray[np.int64]
    is_empty: bool


class Core:
    """An engine behind AXI, which is asked what it is.

    Parameters
    ----------
    bus
        As `Bus` says.

    Raises
    ------
    NotFound
        No engine of this major version answers.
    BusError
        Queries are in flight, which another program has sent: their answers would be taken for those of the next ones.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._is_lost = False
        found = {name.lower(): bus.read(offset) for name, offset in list(OFFSETS.items())[:2]}
        if found["id"] != _IDENTIFICATION or found["version"] >> 16 != _MAJOR:
            raise NotFound(f"no engine of version {_MAJOR}: ID {found['id']:#x}, VERSION {found['version']:#x}")
        if bus.read(OFFSETS["STATUS"]) >> _IN_FLIGHT:
            raise BusError("queries of another program are in flight: reset engine and DMAs first")
        skipped = ("ID", "VERSION", "CONTROL", "STATUS", "ERROR", "KEY_BASE", "VALUE_BASE", "N_QUERIES_A_ROW")
        self._facts = {name.lower(): bus.read(at) for name, at in OFFSETS.items() if name not in skipped}
        has_groups = self._facts["features"] & _GROUPS
        self._facts["n_queries_a_row"] = bus.read(OFFSETS["N_QUERIES_A_ROW"]) if has_groups else 1

    def __getattr__(self, name: str) -> int:
        try:
            return self.__dict__["_facts"][name]
        except KeyError:
            raise AttributeError(name) from None

    def enable(self, is_enabled: bool = True) -> None:
        """Take rows and queries, or not."""
        self._bus.write(OFFSETS["CONTROL"], _ENABLE * is_enabled)

    def reset(self, *, drain: bool) -> None:
        """Set the engine back: once all queries are answered, or at once. Memories stay."""
        enable = self._bus.read(OFFSETS["CONTROL"]) & _ENABLE
        self._bus.write(OFFSETS["CONTROL"], enable | _RESET | _DRAIN * drain)
        for _ in range(_RESET_POLLS):
            if not self._bus.read(OFFSETS["STATUS"]) & _RESETTING:
                return
        raise BusError("the reset does not end")

    def errors(self) -> int:
        """Return the bits of ERROR since they were cleared, and clear them."""
        found = self._bus.read(OFFSETS["ERROR"])
        self._bus.write(OFFSETS["ERROR"], found)
        return found

    def load_table(self, weights: ArrayLike, table: SupportsIndex = 0) -> None:
        """Write a softmax table of `d_head + 1` weights, before the first query that uses it."""
        first = self._first_entry(table)
        entries = _integers("weights", weights, (self.d_head + 1,), 0, (1 << self.weight_bits) - 1)
        for place, weight in enumerate(entries.tolist()):
            self._bus.write(self.table_offset + 4 * (first + place), weight)

    def read_table(self, table: SupportsIndex = 0) -> NDArray[np.int64]:
        """Read a softmax table back."""
        first = self._first_entry(table)
        return np.array([self._bus.read(self.table_offset + 4 * (first + n)) for n in range(self.d_head + 1)])

    def _first_entry(self, table: SupportsIndex) -> int:
        if not self.features & _LOADABLE:
            raise Unsupported("the softmax table is fixed")
        return _require("table", table, self.n_tables) << int(self.d_head).bit_length()

    def place(self, *, keys: int | None = None, values: int | None = None) -> None:
        """Say where in memory keys and values lie, at multiples of 4,096, while nothing is in flight."""
        found = {}
        for name, address, bit in (("KEY_BASE", keys, _KEYS), ("VALUE_BASE", values, _VALUES)):
            if address is None:
                continue
            if not self.features & bit:
                raise Unsupported(f"no {name}: that memory is not behind a master")
            if address % _PAGE or not 0 <= address < 1 << 64:
                raise ValueError(f"{name} must be a multiple of {_PAGE} of 64 bits, not {address:#x}")
            found[OFFSETS[name]] = operator.index(address)
        for offset, address in found.items():
            self._bus.write(offset, address & 0xFFFFFFFF)
            self._bus.write(offset + 4, address >> 32)

    def write_row(self, index: SupportsIndex, key: ArrayLike, values: ArrayLike) -> None:
        """Write a key, bits `(d_head,)`, and its values `(d_value,)` at an index."""
        index = _require("index", index, self.n_keys)
        half = 1 << (self.value_bits - 1)
        numbers = _integers("values", values, (self.d_value,), -half, half - 1)
        row = bytearray(self.row_bytes)
        row[: self.row_key] = index.to_bytes(self.row_key, "little")
        row[self.row_key : self.row_value] = self._bits("key", key, self.d_head)
        row[self.row_value :] = numbers.astype(f"<i{_width(self.value_bits)}").tobytes()
        with self._in_step():
            self._bus.send("row", bytes(row))

    def attend(self, query: ArrayLike, n_valid: SupportsIndex, mask: ArrayLike | None = None) -> Answer:
        """Attention of a query, bits `(d_head,)`, to keys 0 to `n_valid - 1`.

        Parameters
        ----------
        query
            Bits.
        n_valid
            Keys that it sees.
        mask
            Bits `(n_keys,)`, 1 for a key to leave out. None: none.

        Raises
        ------
        ValueError
            Something is out of range, or has another shape; nothing was sent.
        Unsupported
            A mask for an engine that takes none.
        BusError
            The answer has another length; or a row or an answer before it did not go through, for whatever reason, so
            that it may still come: engine and DMAs are to be reset by their wires, and a `Core` to be made anew.
        """
        return self.attend_group([query], [n_valid], None if mask is None else [mask])[0]

    def attend_group(
        self, queries: Sequence[ArrayLike], n_valid: Sequence[SupportsIndex], masks: Sequence[ArrayLike] | None = None
    ) -> list[Answer]:
        """Attention of 1 to `n_queries_a_row` queries, for which keys are read once; each has its own of what one has.

        Of fewer the engine answers as many in as long. Raises what `attend` does.
        """
        n_group = self.n_queries_a_row
        if not 1 <= len(queries) <= n_group:
            raise ValueError(f"queries must be 1 to {n_group}, not {len(queries)}")
        if len(n_valid) != len(queries) or (masks is not None and len(masks) != len(queries)):
            raise ValueError(f"n_valid and masks must be those of {len(queries)} queries")
        ends = [_require("n_valid", n, self.n_keys + 1) for n in n_valid]
        if masks is not None and not self.features & _MASK:
            raise Unsupported("this engine takes no masks")
        packets = [self._query(query, end) for query, end in zip(queries, ends, strict=True)]
        packets += [bytes(self.query_bytes)] * (n_group - len(packets))
        beats = self._masks(max(ends), masks) if self.features & _MASK else []
        answers = []
        with self._in_step():
            for packet in packets:
                self._bus.send("query", packet)
            for one in beats:
                self._bus.send("mask", one)
            for _ in packets:
                if self.features & _SELECTED:
                    self._bus.receive("selected", self.selected_bytes * self.top_k)
                answers.append(self._answer(self._bus.receive("out", self.out_bytes * self.out_beats)))
        return answers[: len(queries)]

    def decode_step(self, index: SupportsIndex, key: ArrayLike, values: ArrayLike, query: ArrayLike) -> Answer:
        """Append a row at an index, and attend to it and all before it."""
        self.write_row(index, key, values)
        return self.attend(query, operator.index(index) + 1)

    @contextlib.contextmanager
    def _in_step(self) -> Iterator[None]:
        """Send and receive; what ends it early, an interrupt too, leaves an answer that would be taken for the next."""
        if self._is_lost:
            raise BusError("what went before did not end, and may still: reset engine and DMAs, and make a Core anew")
        self._is_lost = True
        yield
        self._is_lost = False

    def _query(self, query: ArrayLike, n_valid: int) -> bytes:
        packet = bytearray(self.query_bytes)
        packet[: self.query_n_valid] = self._bits("query", query, self.d_head)
        n_bytes = _width(int(self.n_keys).bit_length())
        packet[self.query_n_valid : self.query_n_valid + n_bytes] = n_valid.to_bytes(n_bytes, "little")
        return bytes(packet)

    def _masks(self, end: int, masks: Sequence[ArrayLike] | None) -> list[bytes]:
        """Return a beat for each row of keys that is read: `n_lanes` bits of each query of the group."""
        n_rows = max(1, -(-end // self.n_lanes))
        bits = np.zeros((self.n_queries_a_row, -(-self.n_keys // self.n_lanes) * self.n_lanes), np.uint8)
        for row, mask in zip(bits, () if masks is None else masks, strict=False):
            row[: self.n_keys] = _integers("mask", mask, (self.n_keys,), 0, 1)
        of_rows = bits.reshape(self.n_queries_a_row, -1, self.n_lanes).swapaxes(0, 1)[:n_rows]
        return [np.packbits(row, bitorder="little").tobytes() for row in of_rows]

    def _answer(self, packet: bytes) -> Answer:
        if len(packet) != self.out_bytes * self.out_beats:
            raise BusError(f"an answer has {len(packet)} bytes, not {self.out_bytes * self.out_beats}")
        beats = np.frombuffer(packet, np.uint8).reshape(self.out_beats, self.out_bytes)
        numbers = np.ascontiguousarray(beats[:, :-1]).view(f"<i{_width(self.out_bits)}")
        return Answer(numbers.ravel().astype(np.int64), bool(beats[0, -1]))

    @staticmethod
    def _bits(name: str, bits: ArrayLike, n_bits: int) -> bytes:
        return np.packbits(_integers(name, bits, (n_bits,), 0, 1).astype(np.uint8), bitorder="little").tobytes()


def _width(bits: int) -> int:
    """Return the bytes of a number: 1, 2, 4 or 8."""
    return 1 << (-(-bits // 8) - 1).bit_length()


def _require(name: str, value: SupportsIndex, end: int) -> int:
    """Return an integer, checked, of whatever kind it is."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if not 0 <= number < end:
        raise ValueError(f"{name} must be 0 to {end - 1}, not {number}")
    return number


def _integers(name: str, values: ArrayLike, shape: tuple[int, ...], low: int, high: int) -> NDArray[Any]:
    """Return an array of integers, checked."""
    array = np.asarray(values)
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, not {array.shape}")
    if array.dtype != bool and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    if array.size and (array.min() < low or array.max() > high):
        raise ValueError(f"{name} must be {low} to {high}, not {array.min()} to {array.max()}")
    return array.astype(np.int64)
