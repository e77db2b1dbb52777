"""A design's gates at work: synthesized, timed, and simulated with queries; what its figures are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hamming.rtl.design import Design
from hamming.synth.energy.power import measure
from hamming.synth.energy.report import EnergyReport
from hamming.synth.energy.workload import Workload
from hamming.synth.library.liberty import load_cells
from hamming.synth.library.libraries import Library
from hamming.synth.mapping.area import Mapped, map_design
from hamming.synth.memory.sram import memory_delays
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.timing.analysis import Timing
from hamming.synth.timing.report import Environment, TimingReport

__all__ = ["DEFAULT_WINDOW", "GatesAtWork", "Tell", "Window", "at_work"]

#: Cells beyond which fewer cycles are simulated with delays, so that cells times cycles stay the same.
_MOST_CELLS = 1 << 17

#: Cycles over which energy is counted, and queries that go before, for any design (`Window.of`).
_LEAST_CYCLES = 400
_MOST_ON_THEIR_WAY = 24
_SAMPLES_OF_BURSTS = 1 << 13

#: Called with the share that is done, and the step.
Tell = Callable[[float, str], None]


class Window(NamedTuple):
    """Queries of each stream whose energy is counted, those before them, and all of them; cycles that are looked at.

    `max_samples` are cycles of streams that are simulated with delays, at most; a larger netlist has fewer.
    """

    n_queries: int = 2
    warm_queries: int = 4
    n_all: int = 8
    max_samples: int = 1 << 11

    @classmethod
    def of(cls, design: Design) -> Window:
        """Return the window for any design: of queries of few keys many are on their way at a time, and in bursts.

        Of blocks that work in few cycles enough are looked at only if many cycles are.
        """
        cycles = max(design.dimensions.cycle_terms().values())
        n_queries = min(16, max(2, -(-_LEAST_CYCLES // cycles)))
        return cls(n_queries, _MOST_ON_THEIR_WAY, _MOST_ON_THEIR_WAY + n_queries + 1, _SAMPLES_OF_BURSTS)


#: For queries of many rows of keys.
DEFAULT_WINDOW = Window()


class GatesAtWork(NamedTuple):
    """A netlist, timed and simulated: what figures are made of.

    Attributes
    ----------
    mapped, netlist, timing, report
        What was synthesized, its gates, and their timing.
    energies
        Of each workload.
    n_checked
        Queries whose answers were compared with the golden model's.
    """

    mapped: Mapped
    netlist: Netlist
    timing: Timing
    report: TimingReport
    energies: tuple[EnergyReport, ...]
    n_checked: int


def at_work(
    verilog: str,
    top: str,
    workloads: Mapping[str, Callable[[], Workload]],
    *,
    library: Library,
    clock: float,
    window: Window = DEFAULT_WINDOW,
    title: str = "",
    tell: Tell = lambda share, step: None,
) -> GatesAtWork:
    """Synthesize a design for a clock (GHz), time it, and simulate its gates with each workload, in their order.

    Workloads have the queries of `window`.
    """
    mapped = map_design(
        verilog,
        top=top,
        library=library,
        clock_ns=1 / clock,
        progress=lambda now: tell(now.done / 2, f"{title}: {now.step}"),
    )
    cells = load_cells(library)
    netlist = flatten(mapped.netlist, top, cells)
    timing = Timing(netlist, cells, Environment(memory_delays=memory_delays(netlist)))
    energies = []
    n_checked = 0
    for number, (kind, workload_of) in enumerate(workloads.items()):

        def told(share: float, number: int = number, kind: str = kind) -> None:
            tell((1 + (number + share) / len(workloads)) / 2, f"{title}: gates at work, {kind} vectors")

        workload = workload_of()
        samples = max(256, min(window.max_samples, window.max_samples * _MOST_CELLS // len(netlist)))
        energies.append(
            measure(
                netlist,
                cells,
                timing,
                workload,
                clock_ns=1 / clock,
                n_queries=window.n_queries,
                warm_queries=window.warm_queries,
                max_samples=samples,
                progress=told,
            )
        )
        n_checked += workload.n_streams * workload.n_queries
    return GatesAtWork(mapped, netlist, timing, timing.report(), tuple(energies), n_checked)
