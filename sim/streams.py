"""Ends of valid/ready streams in a bench: a source that drives payloads in, a sink that takes them out; both pause.

`exchange` steps each at every rising edge.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hamming.sim.payloads import Stream

__all__ = ["Counted", "Gate", "Sink", "Source", "pauses"]


def pauses(probability: float, rng: random.Random, *, burst: float = 3.0) -> Iterator[bool]:
    """Yield for each cycle whether to pause: a share `probability` of all cycles, in bursts of mean length `burst`.

    Lengths of pauses and of runs are geometric, so single cycles and long bursts both occur.
    """
    if not 0 <= probability < 1:
        raise ValueError(f"a pause's probability must be 0 or more and below 1, not {probability}")
    # Runs are `(1 - p) / p` times as long as pauses; neither is shorter than a cycle on average.
    burst = max(burst, probability / (1 - probability), 1.0)
    end_pause = 1 / burst
    begin_pause = min(1.0, end_pause * probability / (1 - probability))
    paused = rng.random() < probability
    while True:
        yield paused
        paused = rng.random() >= end_pause if paused else rng.random() < begin_pause


class Counted(Protocol):
    """Something whose progress a gate can wait for."""

    @property
    def count(self) -> int:
        """Beats that a source has sent, or packets that a sink has received."""
        ...


@dataclass
class Gate:
    """Beat `i` of a source is offered only when `count` of `of` has reached `needs[i]`."""

    of: Counted
    needs: Sequence[int]


class Source:
    """Drives a stream into the module: `payloads` in order, pausing now and then.

    While nothing is offered the payload is the complement of the last one, so that a module that looks at it
    without `valid` is found out.

    Parameters
    ----------
    dut
        Handle of the harness.
    stream
        Its layout.
    payloads
        Beats.
    pause
        For each cycle in which a new beat could be offered, whether not to.
    gates
        Conditions on single beats.
    beside
        Values of further ports, by name: driven with each payload.

    Attributes
    ----------
    offered_at, transferred_at
        Cycle in which each beat was first offered, and transferred.
    """

    def __init__(
        self,
        dut: Any,
        stream: Stream,
        payloads: Sequence[int],
        *,
        pause: Iterator[bool],
        gates: Sequence[Gate] = (),
        beside: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.stream = stream
        self.payloads = payloads
        self.offered_at: list[int] = []
        self.transferred_at: list[int] = []
        self._valid = getattr(dut, stream.valid)
        self._ready = getattr(dut, stream.ready)
        self._payload = getattr(dut, stream.payload)
        self._pause = pause
        self._gates = gates
        self._beside = [(getattr(dut, port), values) for port, values in (beside or {}).items()]
        self._all_ones = (1 << stream.bits) - 1
        self._is_offering = False
        self._valid.value = 0
        self._payload.value = self._all_ones

    def insist(self) -> None:
        """Offer the complement of the first beat: a reset must not care."""
        self._valid.value = 1
        self._payload.value = (self.payloads[0] if self.payloads else 0) ^ self._all_ones

    def rest(self) -> None:
        """Undo `insist`."""
        self._valid.value = 0

    @property
    def count(self) -> int:
        """Beats transferred."""
        return len(self.transferred_at)

    @property
    def is_done(self) -> bool:
        """True once every beat was transferred."""
        return len(self.transferred_at) == len(self.payloads)

    def step(self, cycle: int) -> bool:
        """Take note of the edge that ends `cycle`, and offer the next beat after it; True if a beat was transferred."""
        is_transfer = self._is_offering and bool(self._ready.value)
        if is_transfer:
            self.transferred_at.append(cycle)
        elif self._is_offering:
            return False
        number = len(self.transferred_at)
        may_offer = (
            number < len(self.payloads)
            and not next(self._pause)
            and all(gate.of.count >= gate.needs[number] for gate in self._gates)
        )
        if may_offer:
            self.offered_at.append(cycle + 1)
            self._payload.value = self.payloads[number]
            for port, values in self._beside:
                port.value = values[number]
            if not self._is_offering:
                self._valid.value = 1
        elif self._is_offering:
            self._valid.value = 0
            self._payload.value = self.payloads[number - 1] ^ self._all_ones
            for port, values in self._beside:
                port.value = ~values[number - 1] & ((1 << len(port)) - 1)
        self._is_offering = may_offer
        return is_transfer

    def state(self) -> str:
        """Describe the progress, for the watchdog's message."""
        return f"{self.stream.name} {self.count} of {len(self.payloads)} beats sent" + (
            ", offering" if self._is_offering else ""
        )


class Sink:
    """Takes a stream from the module, pausing now and then, and hands every beat to `receive`.

    Parameters
    ----------
    dut
        Handle of the harness.
    stream
        Its layout.
    n_packets
        Packets (beats up to one with `last`) to wait for.
    pause
        For each cycle, whether `ready` is 0.
    receive
        Called with each payload and its cycle.
    on_packet
        Called after each packet's last beat.

    Attributes
    ----------
    beat_at, packet_at
        Cycle of each beat, and of each packet's last beat.
    """

    def __init__(
        self,
        dut: Any,
        stream: Stream,
        n_packets: int,
        *,
        pause: Iterator[bool],
        receive: Callable[[int, int], None],
        on_packet: Callable[[], None] | None = None,
    ) -> None:
        self.stream = stream
        self.n_packets = n_packets
        self.beat_at: list[int] = []
        self.packet_at: list[int] = []
        self._valid = getattr(dut, stream.valid)
        self._ready = getattr(dut, stream.ready)
        self._payload = getattr(dut, stream.payload)
        self._pause = pause
        self._receive = receive
        self._on_packet = on_packet
        last = [f.offset for f in stream.fields if f.name == "last"]
        self._last = 1 << last[0] if last else 0
        self._is_ready = False
        self._ready.value = 0

    @property
    def count(self) -> int:
        """Packets received."""
        return len(self.packet_at)

    @property
    def is_done(self) -> bool:
        """True once all expected packets are here."""
        return len(self.packet_at) >= self.n_packets

    def step(self, cycle: int) -> bool:
        """Take note of the edge that ends `cycle`, and set `ready` after it; True if a beat was transferred."""
        is_transfer = self._is_ready and bool(self._valid.value)
        if is_transfer:
            payload = int(self._payload.value)
            self.beat_at.append(cycle)
            self._receive(payload, cycle)
            if not self._last or payload & self._last:
                self.packet_at.append(cycle)
                if self._on_packet is not None:
                    self._on_packet()
        is_ready = not next(self._pause)
        if is_ready is not self._is_ready:
            self._ready.value = int(is_ready)
            self._is_ready = is_ready
        return is_transfer

    def state(self) -> str:
        """Describe the progress, for the watchdog's message."""
        return f"{self.stream.name} {self.count} of {self.n_packets} packets received" + (
            ", ready" if self._is_ready else ""
        )
