"""What every bench has: a clock, a reset, the case's streams, and a report of what happened."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cocotb.clock import Clock
from numpy.typing import NDArray

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.sim import case
from hamming.sim.coverage import of_streams
from hamming.sim.exchange import End, Hang, Stepped, exchange
from hamming.sim.harness import MEMORY_CONTROLS, monitor
from hamming.sim.memory_ports import Permission
from hamming.sim.payloads import Stream, read_streams
from hamming.sim.runner import PROGRESS_FILE
from hamming.sim.scoreboard import Runaway, Scoreboard
from hamming.sim.steps import Steps
from hamming.sim.stimulus import Vectors
from hamming.sim.streams import Gate, Sink, Source, pauses

__all__ = ["RESET_CYCLES", "Bench", "play_cases"]

#: Codes of `sim/verilog/hamming_stream_monitor.v`.
_VIOLATIONS = {
    1: "valid fell before the transfer",
    2: "the payload changed before the transfer",
    3: "valid, ready or a valid payload is X",
}

RESET_CYCLES = 2
_DRAIN_CYCLES = 16


class Bench:
    """One case of a bench: first say what is driven and expected, then `run` it all at once.

    Parameters
    ----------
    dut
        Handle of the harness.
    fields, arrays
        The case. Used here: `streams`, a manifest's; `seed`; `stall`, the share of cycles in which a source or a
        sink pauses (0: full rate), for all streams or by name; `watchdog`, in cycles; `drain`, cycles to look for
        surplus beats at the end (absent: 16); `reset_cycles` (absent: 2); `last_cycle`, where to break the case off
        (absent: run to the end); `memory_streams`, a manifest's, and `memory`, those of `MEMORY_CONTROLS` that
        are not 0 (`latency_least`: 1).
    count
        Called for each packet that counts as progress.

    Attributes
    ----------
    streams, channels
        Layouts by name; channels are those of registers.
    coverage
        Counts of situations, for the report.
    quiet_in_reset
        Streams of which the module has promised that it gives no `ready`, or no `valid`, while it is reset.
    dut, fields, arrays
        As given.
    """

    quiet_in_reset: Collection[str] = ()

    def __init__(self, dut: Any, fields: dict[str, Any], arrays: dict[str, NDArray], count: Callable[[], None]) -> None:
        self.dut = dut
        self._count = count
        self.fields = fields
        self.arrays = arrays
        self.streams: dict[str, Stream] = read_streams(fields["streams"])
        self.channels: dict[str, Stream] = read_streams(fields.get("registers", {}).get("channels", {}))
        self._watched = (*self.streams, *self.channels)
        self.coverage: dict[str, int] = {}
        self._sources: list[Source] = []
        self._sinks: list[Sink] = []
        self._boards: list[Scoreboard] = []
        self._failures: list[str] = []
        self._n_failures = 0
        self._n_cycles = 0

    def steps(self) -> Steps:
        """Return what components hand each other for the case's vectors (fields `spec`, `engine`; one head)."""
        design = Design(AttentionSpec.from_dict(self.fields["spec"]), EngineConfig.from_dict(self.fields["engine"]))
        return Steps(design, Vectors(**self.arrays), np.random.default_rng(self.fields["seed"]))

    def encode(self, name: str, beats: Mapping[str, NDArray]) -> list[int]:
        """Pack beats of a stream."""
        return self.streams[name].encode(**beats)

    def source(
        self,
        name: str,
        payloads: Sequence[int],
        gates: Sequence[Gate] = (),
        beside: Mapping[str, Sequence[int]] | None = None,
    ) -> Source:
        """Drive a stream; arguments as of `Source`."""
        source = Source(self.dut, self.streams[name], payloads, pause=self._pause(name), gates=gates, beside=beside)
        self._sources.append(source)
        return source

    def sink(
        self,
        name: str,
        expected: Sequence[int],
        *,
        packet: str = "packet",
        compare_as: Callable[[list[int]], list[int]] | None = None,
        on_beat: Callable[[int], None] | None = None,
        counts: bool = False,
    ) -> tuple[Sink, Scoreboard]:
        """Take a stream and hold it against `expected`; arguments as of `Sink` and `Scoreboard`.

        `on_beat` is called with the number of each beat, in the cycle of its transfer. The run's progress is the number
        of packets of the sink that `counts`.
        """
        board = Scoreboard(self.streams[name], expected, packet=packet, compare_as=compare_as)

        def receive(payload: int, cycle: int) -> None:
            if on_beat is not None:
                on_beat(len(board.payloads))
            board.receive(payload, cycle)

        self._boards.append(board)
        return self._sink(name, board.n_expected, receive, self._count if counts else None), board

    def _sink(
        self, name: str, n_packets: int, receive: Callable[[int, int], None], on_packet: Callable[[], None] | None
    ) -> Sink:
        """Take packets of a stream; arguments as of `Sink`."""
        stream, pause = self.streams[name], self._pause(name)
        sink = Sink(self.dut, stream, n_packets, pause=pause, receive=receive, on_packet=on_packet)
        self._sinks.append(sink)
        return sink

    def timing(self) -> dict[str, NDArray]:
        """Return the cycle of each transfer, an array `cycles_STREAM` a stream."""
        times = {source.stream.name: source.transferred_at for source in self._sources}
        times |= {sink.stream.name: sink.beat_at for sink in self._sinks}
        return {f"cycles_{name}": np.asarray(cycles, np.int64) for name, cycles in times.items()}

    def permission(self, name: str, port: str, **options: Any) -> Permission:
        """Return what gives the component leave for `port` by its input `name`, pausing like a stream."""
        return Permission(self.dut, name, port, pause=self._pause(name), complain=self.fail, **options)

    def error(self) -> int:
        """Return the bits of the engine's `error`."""
        return int(self.dut.error.value)

    def fail(self, message: str) -> None:
        """Note what is wrong beside the streams."""
        self._n_failures += 1
        if len(self._failures) < 20:
            self._failures.append(message)

    async def reset(self, others: Sequence[Stepped] = ()) -> None:
        """Reset, while every source offers something; what looks at the reset, too, is given cycles up to 0."""
        edge = self.dut.clk.rising_edge
        self.dut.rst.value = 1
        if self.fields.get("memory_streams"):
            chosen = {"latency_least": 1} | self.fields.get("memory", {})
            for name in MEMORY_CONTROLS:
                getattr(self.dut, f"memory_{name}").value = chosen.get(name, 0)
        for source in self._sources:
            source.insist()
        for cycle in range(1 - self.fields.get("reset_cycles", RESET_CYCLES), 1):
            await edge
            self._fail_unless_quiet(self.quiet_in_reset)
            for part in others:
                part.step(cycle)
        for source in self._sources:
            source.rest()
        self.dut.rst.value = 0

    async def run(self, others: Sequence[Stepped] = (), always: Sequence[Stepped] = ()) -> None:
        """Reset, and run all streams to the end, and `others`; what goes wrong is noted, not raised.

        Those of `always` look at the reset, too.
        """
        await self.reset(always)
        try:
            await self._play([*others, *always])
        except (Hang, Runaway) as error:
            self.fail(str(error))
        except ValueError as error:  # cocotb's, where a number is asked of X
            self.fail(f"a value is not known: {error}")
        if self.fields.get("last_cycle") is None:
            for board in self._boards:
                board.finish()

    async def _play(self, others: Sequence[Stepped]) -> None:
        """Run all streams, and `others`, to the end."""
        self._n_cycles = await exchange(
            self.dut,
            self._ends(),
            others,
            watchdog=self.fields["watchdog"],
            drain=self.fields.get("drain", _DRAIN_CYCLES),
            last_cycle=self.fields.get("last_cycle"),
        )

    def _ends(self) -> Sequence[End]:
        return [*self._sources, *self._sinks]

    def _fail_unless_quiet(self, names: Collection[str]) -> None:
        """Note streams of these that would transfer something in a reset."""
        for name, stream in self.streams.items():
            what = "ready" if stream.direction == "input" else "valid"
            if name in names and int(getattr(self.dut, getattr(stream, what)).value):
                self.fail(f"{name}: {what} is 1 in a reset")

    def report(self) -> dict[str, Any]:
        """Return what happened: failures in words, and for each stream what its monitor saw."""
        streams: dict[str, dict[str, int]] = {}
        violations: list[str] = []
        for name in self._watched:
            seen = getattr(self.dut, monitor(name))
            streams[name] = {key: int(getattr(seen, f"n_{key}").value) for key in ("transfers", "stalled", "starved")}
            if violation := int(seen.violation.value):
                # The monitor numbers cycles from 0.
                cycle = int(seen.violation_cycle.value) + 1
                violations.append(f"{name}: {_VIOLATIONS[violation]} (cycle {cycle})")
        return {
            "n_mismatches": sum(board.n_mismatches for board in self._boards) + self._n_failures,
            "mismatches": [*self._failures, *(message for board in self._boards for message in board.messages)],
            "violations": violations,
            "coverage": self.coverage
            | of_streams({name: streams[name] for name in self._watched if name in self.streams}),
            "cycles": self._n_cycles,
        }

    def _pause(self, name: str):
        stall = self.fields.get("stall", 0.0)
        probability = stall.get(name, 0.0) if isinstance(stall, dict) else stall
        return pauses(probability, random.Random(f"{self.fields.get('seed', 0)} {name}"))


async def play_cases(
    dut: Any, play: Callable[[Bench], Awaitable[dict[str, NDArray]]], make: Callable[..., Bench] = Bench
) -> None:
    """Play every case of this run, `case_N` of its folder, and write what came of it to `result_N`.

    Parameters
    ----------
    dut
        Handle of the harness.
    play
        Sets a bench up, runs it and returns arrays for the result.
    make
        Makes the bench; arguments as of `Bench`.

    Raises
    ------
    AssertionError
        A case found something wrong.
    """
    folder = Path(os.environ["HAMMING_CASE"])
    Clock(dut.clk, 2, unit="step").start(start_high=False)
    count = _counter(folder / PROGRESS_FILE)
    failed: list[str] = []
    for number in range(len(list(folder.glob("case_*.json")))):
        bench = make(dut, *case.load(folder, f"case_{number}"), count)
        arrays = await play(bench)
        report = bench.report()
        case.save(folder, f"result_{number}", report, arrays)
        failed += [f"case {number}: {message}" for message in (*report["violations"], *report["mismatches"])]
    assert not failed, "\n".join(failed)


def _counter(file: Path) -> Callable[[], None]:
    """Return a function that counts its calls in `file`, brought up to date now and then."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if done % 32 == 0:
            file.write_text(str(done))

    return count
