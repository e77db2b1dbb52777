"""Energy of a query: a mapped netlist and a workload in, a report by block out.

Energies are in fJ for cells and nets, and in pJ a query in reports. docs/energy.md says what is in them and what is
not.
"""

from __future__ import annotations

from collections.abc import Callable

from hamming.synth.energy.activity import Activity
from hamming.synth.energy.block_energy import energy
from hamming.synth.energy.gatesim import simulate
from hamming.synth.energy.glitches import glitches
from hamming.synth.energy.report import KINDS, BlockEnergy, EnergyReport
from hamming.synth.energy.trace import Trace
from hamming.synth.energy.workload import Workload
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.timing.analysis import Timing

__all__ = ["measure", "report"]


def measure(
    netlist: Netlist,
    cells: CellLibrary,
    timing: Timing,
    workload: Workload,
    *,
    clock_ns: float = 1.0,
    n_queries: int = 2,
    warm_queries: int = 4,
    max_samples: int = 1 << 13,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> EnergyReport:
    """Simulate a workload, check its answers, and return the energy of a query.

    Parameters
    ----------
    netlist, cells, timing
        The design, its library, and its slews, loads and delays.
    workload
        What it computes.
    clock_ns
        Clock period.
    n_queries, warm_queries
        As in `gatesim.simulate`.
    max_samples, threads
        As in `glitches.glitches`.
    progress
        Called with the share that is done, 0 to 1.

    Raises
    ------
    SimulationError
        The netlist gives a wrong answer or does not settle.
    """
    tell = progress or (lambda share: None)
    trace = simulate(
        netlist, workload, n_queries=n_queries, warm_queries=warm_queries, progress=lambda share: tell(share / 3)
    )
    activity = glitches(
        netlist,
        timing,
        trace,
        max_samples=max_samples,
        threads=threads,
        progress=lambda share: tell((1 + 2 * share) / 3),
    )
    return report(netlist, cells, timing, activity, trace, clock_ns=clock_ns, vectors=workload.description)


def report(
    netlist: Netlist,
    cells: CellLibrary,
    timing: Timing,
    activity: Activity,
    trace: Trace,
    *,
    clock_ns: float,
    vectors: str,
) -> EnergyReport:
    """Return the report of `measure`."""
    found = energy(netlist, cells, timing, activity, clock_ns=clock_ns)
    a_query = trace.cycles_a_query / 1000  # from fJ a cycle to pJ a query
    blocks = {
        name: BlockEnergy(**{kind: float(found[kind][number] * a_query) for kind in (*KINDS, "settled")})
        for number, name in enumerate(netlist.blocks)
    }
    blocks = {name: block for name, block in blocks.items() if block.total}
    return EnergyReport(
        top=netlist.top,
        library={"name": cells.name, "sha256": cells.sha256},
        blocks=dict(sorted(blocks.items(), key=lambda item: -item[1].total)),
        cycles_a_query=trace.cycles_a_query,
        clock_ns=clock_ns,
        settling_ns=activity.settling,
        accesses=trace.accesses,
        n_cycles=trace.n_cycles,
        n_streams=trace.n_streams,
        n_queries=trace.n_queries,
        n_samples=activity.n_samples,
        vectors=vectors,
    )
