"""What components rely on, and do not see to by themselves: under which a mutant may prove to be none.

Each is a statement about a module's wires that holds in every cycle of the engine.
`python -m hamming.audit.assumptions` holds each against a regression, and has ABC prove those that say so.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import UnusedElaboratable
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hamming.audit.designs import DESIGNS
from hamming.audit.unreachable import stay_zero
from hamming.rtl.engine import Engine
from hamming.rtl.verilog import emit
from hamming.sim import runner
from hamming.sim.engine_testbench import EngineTestbench
from hamming.sim.regression import traffic_of

__all__ = ["ASSUMPTIONS", "Assumption", "proved", "simulate"]


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """Something that holds in every cycle.

    Attributes
    ----------
    design, module
        The engine, of `audit.designs.DESIGNS`, and its module.
    holds
        Verilog over the module's wires.
    proved_in
        What ABC proves it of, whatever comes in: the `module` alone, or the whole `engine`; empty where it does not.
    reason
        Why it holds.
    """

    design: str
    module: str
    holds: str
    proved_in: str = ""
    reason: str


#: By the component's name in `audit.mutant_benches.COMPONENT_DESIGNS`.
ASSUMPTIONS: dict[str, tuple[Assumption, ...]] = {
    "histogram": (
        Assumption(
            design="tiny",
            module="selector",
            holds="next_group != 0",
            proved_in="module",
            reason="Group 0 is read with the hand-over; from then on the next is 1 or above.",
        ),
    ),
    "fork": (
        Assumption(
            design="tiny",
            module="fork",
            holds="i_valid || has_taken == 0",
            proved_in="engine",
            reason="An offer holds until both have taken it: the protocol of the selector's stream.",
        ),
    ),
    "replay_list": (
        Assumption(
            design="tiny",
            module="replay",
            holds=r"!(i__valid && write == 3) || \i__payload.last ",
            reason="A selector gives top_k = 4 keys at most: the one for place 3 is the query's last.",
        ),
    ),
    "shift": (
        Assumption(
            design="shift",
            module="weighted_sum",
            holds="acc_10 == 0 && waiting_10 == 0",
            reason="Weights are powers of two: top_k * 16 * 15 = 720 at most, which has no bit 10.",
        ),
    ),
    "normalizer": (
        *(
            Assumption(
                design="tiny",
                module="normalizer",
                holds=f"is_first_{stage} || divisor_{stage} == divisor_{stage - 1}",
                proved_in="module",
                reason="A stage that is not about to take a divisor has the one before it.",
            )
            for stage in range(1, 18)
        ),
        *(
            Assumption(
                design="tiny",
                module="normalizer",
                holds=f"!valid_{step + 4} || remainder_0_{step} < divisor_{step + 3}",
                reason="A remainder is below its divisor: the sum's quotient fits its bits.",
            )
            for step in range(15)
        ),
    ),
}


def proved(assumptions: Sequence[Assumption]) -> set[Assumption]:
    """Return those that ABC proves of what each names in `proved_in`."""
    groups: dict[tuple[str, str, str], list[Assumption]] = {}
    for one in assumptions:
        if one.proved_in:
            groups.setdefault((one.design, one.module, one.proved_in), []).append(one)
    found: set[Assumption] = set()
    for (name, module, where), ours in groups.items():
        design = DESIGNS[name]
        top = design.config.name
        verilog = emit(Engine(design.spec, design.config), top)
        # The top module of what is proved goes by the name `engine`.
        place, within = (top, module) if where == "engine" else (f"{top}.{module}", "engine")
        found |= {ours[n] for n in stay_zero(verilog, place, [(within, f"!({one.holds})") for one in ours])}
    return found


def simulate(assumptions: Sequence[Assumption], n_queries: int, seed: int) -> None:
    """Play a regression's traffic on each engine, and hold the assumptions against every cycle.

    Raises
    ------
    sim.runner.SimulationFailed
        One does not hold; the message names it.
    """
    for name in dict.fromkeys(one.design for one in assumptions):
        design = DESIGNS[name]
        ours = [one for one in assumptions if one.design == name]
        bench = EngineTestbench(
            design, change=lambda verilog, told, ours=ours: (_watched(verilog, ours), told), power_up="zero"
        )
        bench.run(traffic_of(design, list(bench.manifest["streams"]), n_queries, seed))


def _watched(verilog: str, assumptions: Sequence[Assumption]) -> str:
    """Return an engine that ends its simulation where an assumption does not hold."""
    for one in assumptions:
        start = re.search(rf"^module \\\S+\.{one.module} \(", verilog, re.MULTILINE)
        if start is None:
            raise ValueError(f"the engine {one.design!r} has no module {one.module!r}")
        end = verilog.index("endmodule\n", start.start())
        said = f"does not hold: {one.module}: {one.holds}".replace("\\", "")
        check = f'  always @(posedge clk) if (!rst && !({one.holds})) $fatal(1, "{said}");\n'
        verilog = verilog[:end] + check + verilog[end:]
    return verilog


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, 1 if an assumption does not hold, or is not proved as it says."""
    parser = argparse.ArgumentParser(
        prog="python -m hamming.audit.assumptions", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--queries", type=int, default=4000, help="through each engine (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the traffic (default: %(default)s)")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", UnusedElaboratable)  # an engine is made for its ports, too
    everything = [one for ours in ASSUMPTIONS.values() for one in ours]
    try:
        simulate(everything, options.queries, options.seed)
    except runner.SimulationFailed as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    table = Table(title=f"What components rely on: held in {options.queries} queries through each engine")
    for heading in ("engine", "module", "holds", "", "why"):
        table.add_column(heading)
    by_proof = proved(everything)
    for one in everything:
        how = f"proved of the {one.proved_in}" if one in by_proof else "NOT PROVED" if one.proved_in else "argued"
        table.add_row(one.design, one.module, Text(one.holds), how, one.reason)
    Console().print(table)
    return 0 if by_proof == {one for one in everything if one.proved_in} else 1


if __name__ == "__main__":
    sys.exit(main())
