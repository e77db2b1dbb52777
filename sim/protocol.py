"""`python -m hamming.sim.protocol`: engines behind AXI until so many transfers are through, every port watched."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hamming.rtl.design import Design, load_design
from hamming.sim import runner
from hamming.sim.regression import regress

__all__ = ["DESIGNS", "Watched", "watch"]

#: Presets, and what changes them: everything inside; keys and values behind masters of many beats; values alone.
DESIGNS = {
    "bert": ("bert", ["engine.mask=true", "engine.table=loadable"]),
    "minilm_masters": ("minilm", ["engine.memory=request", "engine.bus_bits=64"]),
    "tiny_values": ("tiny", ["engine.value_memory=request", "engine.range=true", "spec.n_sinks=2"]),
}

#: Queries of a round.
_QUERIES = 2000


@dataclasses.dataclass(kw_only=True)
class Watched:
    """What the monitors of one design's ports saw.

    Attributes
    ----------
    transfers, queries
        How many.
    messages
        Breaches of protocol, and mismatches, in words.
    seconds
        Wall time.
    """

    transfers: int = 0
    queries: int = 0
    messages: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


def watch(design: Design, n_transfers: int, seed: int = 0, *, n_queries: int = _QUERIES) -> Watched:
    """Send random queries, mostly with pauses (`sim.regression`), until there are `n_transfers` on all ports.

    Streams, and the channels of AXI4-Lite and of masters, are watched one by one, and ports as a whole: bursts, 4 kB,
    an answer for each request, the place of the last beat.

    Raises
    ------
    SimulatorMissing, SimulationFailed
        As of `sim.regression.regress`.
    """
    found, began = Watched(), time.monotonic()
    while found.transfers < n_transfers and not found.messages:
        report = regress(design, n_queries, seed).report
        found.transfers += report.coverage["axi_transfers"]
        found.queries += report.queries
        found.messages += report.violations + report.mismatches
        seed += 1
    found.seconds = time.monotonic() - began
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m hamming.sim.protocol", description=__doc__)
    parser.add_argument("--transfers", type=int, default=1_000_000, help="in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="report as JSON")
    options = parser.parse_args(arguments)
    table = Table("design", "queries", "transfers", "s", "wrong")
    told: dict[str, Any] = {}
    try:
        for name, (preset, changes) in DESIGNS.items():
            design = load_design(preset, ["engine.bus=axi", *changes])
            found = watch(design, -(-options.transfers // len(DESIGNS)), options.seed)
            told[name] = dataclasses.asdict(found)
            table.add_row(
                name, f"{found.queries:,}", f"{found.transfers:,}", f"{found.seconds:.0f}", str(len(found.messages))
            )
    except (runner.SimulatorMissing, runner.SimulationFailed) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    console = Console()
    console.print(table)
    for name, one in told.items():
        for message in one["messages"]:
            console.print(f"{name}: {message}", markup=False)
    console.print(f"{sum(one['transfers'] for one in told.values()):,} transfers")
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return int(any(one["messages"] for one in told.values()))


if __name__ == "__main__":
    sys.exit(main())
