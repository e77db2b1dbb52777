"""The scoreboard: beats of a stream held, in order, against what the golden model says they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hamming.sim.payloads import Stream

__all__ = ["Runaway", "Scoreboard"]

#: Beats beyond the expected ones after which a stream is taken to go on for ever.
MAX_SURPLUS = 1000


class Runaway(Exception):
    """A stream goes on and on after its last expected beat."""


class Scoreboard:
    """Compares beats with expected payloads, in order, and words each difference.

    Parameters
    ----------
    stream
        Layout of the beats.
    expected
        Payloads. A packet ends with a beat whose field `last` is 1 (every beat, where there is no such field).
    packet
        What a packet is, for messages.
    compare_as
        Maps a packet's payloads, expected and received ones, to what is compared: to leave open what the module
        may choose. None: compare in order.
    limit
        Differences that are worded; all are counted.

    Attributes
    ----------
    payloads
        What was received, in order.
    n_mismatches
        Packets with a difference (each surplus beat counts as one).
    messages
        Differences in words.
    """

    def __init__(
        self,
        stream: Stream,
        expected: Sequence[int],
        *,
        packet: str = "packet",
        compare_as: Callable[[list[int]], list[int]] | None = None,
        limit: int = 20,
    ) -> None:
        self.stream = stream
        self.payloads: list[int] = []
        self.n_mismatches = 0
        self.messages: list[str] = []
        self._packet = packet
        self._compare_as = compare_as
        self._limit = limit
        last = [field.offset for field in stream.fields if field.name == "last"]
        self._last = 1 << last[0] if last else 0
        self._expected = self._split(expected)
        self._beats: list[int] = []
        self._number = 0
        self._n_surplus = 0

    @property
    def n_expected(self) -> int:
        """Expected packets."""
        return len(self._expected)

    def receive(self, payload: int, cycle: int) -> None:
        """Take a beat; compare when it ends a packet.

        Raises
        ------
        Runaway
            Far more beats than expected.
        """
        self.payloads.append(payload)
        if self._number == len(self._expected):
            self._note(f"{self._where}: unexpected beat 0x{payload:x} after the last {self._packet} (cycle {cycle})")
            self._n_surplus += 1
            if self._n_surplus > MAX_SURPLUS:
                raise Runaway(f"{self.stream.name}: more than {MAX_SURPLUS} beats beyond the expected ones")
            return
        self._beats.append(payload)
        if self._last and not payload & self._last:
            if len(self._beats) > len(self._expected[self._number]) + MAX_SURPLUS:
                raise Runaway(f"{self._where}: more than {MAX_SURPLUS} beats beyond the expected ones")
            return
        self._compare(self._expected[self._number], self._beats, cycle)
        self._beats = []
        self._number += 1

    def finish(self) -> None:
        """Note what is still missing."""
        if self._beats:
            self._note(f"{self._where}: ended within the {self._packet}, after {len(self._beats)} beats")
        missing = len(self._expected) - self._number
        if missing:
            self._note(f"{self._where} never came, the first of {missing} missing")

    def _split(self, payloads: Sequence[int]) -> list[list[int]]:
        """Cut payloads into packets."""
        packets: list[list[int]] = [[]]
        for payload in payloads:
            packets[-1].append(payload)
            if not self._last or payload & self._last:
                packets.append([])
        if packets.pop():
            raise ValueError(f"{self.stream.name}: the expected payloads do not end with a packet's last beat")
        return packets

    def _compare(self, expected: list[int], got: list[int], cycle: int) -> None:
        if expected == got:
            return
        if self._compare_as is not None:
            expected, got = self._compare_as(expected), self._compare_as(got)
            if expected == got:
                return
        if len(expected) != len(got):
            self._note(f"{self._where}: expected {len(expected)} beats, got {len(got)} (cycle {cycle})")
            return
        for beat, pair in enumerate(zip(expected, got, strict=True)):
            if pair[0] != pair[1]:
                self._note(f"{self._where}, {self._difference(beat, *pair)} (cycle {cycle})")
                return

    def _difference(self, beat: int, expected: int, got: int) -> str:
        """Name the first field and element that differ; elements count through the packet."""
        want, have = self.stream.decode([expected]), self.stream.decode([got])
        which = f"beat {beat}, " if beat else ""
        for field in self.stream.fields:
            a, b = want[field.name][0], have[field.name][0]
            if np.array_equal(a, b):
                continue
            if field.is_bits:
                return f"{which}{field.name}: expected 0x{expected:x}, got 0x{got:x} (whole payloads)"
            if field.length is None:
                return f"{which}{field.name}: expected {a}, got {b}"
            element = int(np.flatnonzero(a != b)[0])
            return f"{field.name}[{beat * field.length + element}]: expected {a[element]}, got {b[element]}"
        return f"{which}payload: expected 0x{expected:x}, got 0x{got:x}"

    @property
    def _where(self) -> str:
        return f"{self.stream.name}: {self._packet} {self._number}"

    def _note(self, message: str) -> None:
        self.n_mismatches += 1
        if len(self.messages) < self._limit:
            self.messages.append(message)
