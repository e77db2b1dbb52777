"""What a fuzzed engine's harness wrote down: arrays of transfers, of resets and of errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamming.sim.fuzz.harness import EVENTS, own_streams
from hamming.sim.payloads import Stream

__all__ = ["CHANGED", "CUT_OFF", "TRANSFERRED", "Log", "Records"]

#: How an offer ended: withdrawn or cut off by a reset; transferred; changed where it stood.
CUT_OFF, TRANSFERRED, CHANGED = range(3)

_DIGITS = np.zeros(256, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


@dataclass(frozen=True, eq=False)
class Records:
    """Offers on a stream, in order.

    Attributes
    ----------
    kind
        `CUT_OFF`, `TRANSFERRED` or `CHANGED`.
    end, start
        Last and first cycle.
    bits
        Payload, `(n, bits)`, lowest first.
    """

    kind: NDArray[np.int64]
    end: NDArray[np.int64]
    start: NDArray[np.int64]
    bits: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.kind)

    def where(self, chosen: NDArray[np.bool_] | slice) -> Records:
        """Return some of them."""
        return Records(self.kind[chosen], self.end[chosen], self.start[chosen], self.bits[chosen])

    def field(self, stream: Stream, name: str, default: int = 0) -> NDArray:
        """Return a field's values; a field of no bits is `default`."""
        found = [field for field in stream.fields if field.name == name]
        if not found:
            return np.full(len(self), default, np.int64)
        return found[0].from_bits(self.bits[:, found[0].span])


def _read(path: Path, n_bits: int) -> Records:
    """Read lines of a digit, two cycles and a payload, all of one length."""
    n_digits = -(-n_bits // 4)
    width = 21 + n_digits
    text = np.frombuffer(path.read_bytes(), np.uint8)
    if len(text) % width:
        raise ValueError(f"{path.name} is cut off")
    digits = _DIGITS[text.reshape(-1, width)]
    numbers = np.concatenate([digits[:, :1], digits[:, 2:10], digits[:, 11:19], digits[:, 20:-1]], axis=1)
    places = 16 ** np.arange(7, -1, -1, dtype=np.int64)
    nibbles = numbers[:, 17:][:, ::-1]
    bits = (nibbles[:, :, None] >> np.arange(4, dtype=np.uint8) & 1).reshape(len(numbers), 4 * n_digits)[:, :n_bits]
    end, start = (numbers[:, a : a + 8] @ places for a in (1, 9))
    return Records(numbers[:, 0].astype(np.int64), end, start, bits.astype(np.uint8))


class Log:
    """Everything that a run left in its folder.

    Attributes
    ----------
    streams
        Layouts by name, but for those of memories.
    out
        The stream of answers: `o_out`, or `o_partial`.
    offers
        `Records` by stream.
    resets
        First cycles of resets; a run begins with one and ends with one.
    begins
        First cycle after each, but for the last.
    errors
        `(cycle, value)` of each change of `error`.
    moves_in_reset
        Cycles of reset in which a `ready` of an input or a `valid` of an output was not 0.
    slow
        `(cycle, 0 or 1)` of each change: whether a memory of requests is slow.
    wrongs
        Cycles of wrong responses, by name of their bit of `error`.
    broken
        Cycles in which a stream of a memory broke the protocol.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.streams = own_streams(manifest)
        self.out = "o_out" if "o_out" in self.streams else "o_partial"
        self.offers = {name: _read(folder / f"{name}.log", stream.bits) for name, stream in self.streams.items()}
        events = _read(folder / EVENTS, 32)
        value = events.bits @ (1 << np.arange(32, dtype=np.int64))
        self.resets, self.begins, self.moves_in_reset = (events.end[events.kind == kind] for kind in (1, 2, 4))
        self.broken = events.end[events.kind == 7]
        self.errors, self.slow = (
            list(zip(events.end[events.kind == kind].tolist(), value[events.kind == kind].tolist(), strict=True))
            for kind in (3, 5)
        )
        # Of a chain each engine has a memory of a kind, and one bit is of all.
        kinds = [name.partition("_")[0] for name in manifest.get("memory_streams", {})]
        names = np.array([f"{kind}_{what}" for kind in kinds for what in ("response", "unasked")])
        is_wrong = events.kind == 6
        of_event = names[value[is_wrong]]
        self.wrongs = {name: events.end[is_wrong][of_event == name] for name in dict.fromkeys(names.tolist())}

    def taken(self, name: str) -> Records:
        """Return the transfers of a stream."""
        offers = self.offers[name]
        return offers.where(offers.kind == TRANSFERRED)
