"""`python -m hamming.audit.mutation`: random mutants of every component, each found by a bench or proved to be none.

A build carries all mutants of a component (`audit.mutate`). Each is at work in turn, on the component's own bench and
then on the engine's, until a case finds it. What no case finds is given to a proof (`audit.equivalence`): under any
inputs, and then under what the component relies on (`audit.assumptions`). What is left is alive: a hole in the benches.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from amaranth.hdl import UnusedElaboratable
from rich.console import Console
from rich.table import Table

from hamming import pool
from hamming.audit.assumptions import ASSUMPTIONS
from hamming.audit.designs import MUTATED
from hamming.audit.equivalence import is_equivalent
from hamming.audit.mutant_benches import COMPONENT_DESIGNS, component_bench, engine_bench, found
from hamming.audit.mutate import mutate
from hamming.rtl.verilog import emit
from hamming.sim.component import COMPONENTS, module_name

__all__ = ["Outcome", "audit", "markdown"]


#: Columns of the table.
_HEADINGS = (
    "component",
    "tried",
    "its bench",
    "the engine's",
    "of these by cycles",
    "equivalent",
    "as assumed",
    "explained",
    "alive",
    "s",
)


@dataclass(kw_only=True)
class Outcome:
    """What became of a component's mutants, by number.

    Attributes
    ----------
    commands
        Yosys' description of each.
    own, engine
        What the component's own bench, and the engine's, found, in words. One that changes nothing but cycles has words
        that begin with `cycles`.
    equivalent, assumed, explained, alive
        What neither found: proved to be no mutants, proved so under what the component relies on (`audit.assumptions`),
        explained (`explained.toml`), and the others.
    """

    commands: list[str]
    own: dict[int, str] = field(default_factory=dict)
    engine: dict[int, str] = field(default_factory=dict)
    equivalent: list[int] = field(default_factory=list)
    assumed: list[int] = field(default_factory=list)
    explained: list[int] = field(default_factory=list)
    alive: list[int] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return counts, and the mutants that are alive, as JSON's types."""
        return {
            "tried": len(self.commands),
            "killed_by_its_bench": len(self.own),
            "killed_by_the_engine": len(self.engine),
            "of_these_by_cycles_alone": sum("cycles: " in what for what in (*self.own.values(), *self.engine.values())),
            "equivalent": len(self.equivalent),
            "equivalent_as_assumed": len(self.assumed),
            "explained": len(self.explained),
            "alive": {number: _short(self.commands[number - 1]) for number in self.alive},
        }


def audit(name: str, n_mutants: int, seed: int) -> Outcome:
    """Make mutants of a component and see what becomes of them.

    Parameters
    ----------
    name
        One of `COMPONENT_DESIGNS`.
    n_mutants, seed
        How many mutants, and the seed by which they and the cases are drawn.

    Raises
    ------
    RuntimeError
        A bench finds something wrong where no mutant is at work.
    """
    target = COMPONENT_DESIGNS[name]
    design = MUTATED[target.design]
    module = module_name(target.bench)
    verilog = emit(COMPONENTS[target.bench](design.dimensions), module)
    mutants = mutate(verilog, module, n_mutants, seed)
    outcome = Outcome(commands=mutants.commands)
    left = list(range(1, len(mutants.commands) + 1))
    outcome.own = found(*component_bench(design, target.bench, mutants, seed), left)
    left = [number for number in left if number not in outcome.own]
    if left:
        outcome.engine = found(*engine_bench(design, target.module, mutants, seed), left)
        left = [number for number in left if number not in outcome.engine]
    holds = [one.holds for one in ASSUMPTIONS.get(name, ())]
    for number in left:
        if is_equivalent(verilog, module, mutants, number):
            outcome.equivalent.append(number)
        elif holds and is_equivalent(verilog, module, mutants, number, holds):
            outcome.assumed.append(number)
        elif any(re.fullmatch(pattern, _short(mutants.commands[number - 1])) for pattern in _explained(name)):
            outcome.explained.append(number)
        else:
            outcome.alive.append(number)
    return outcome


def _explained(name: str) -> list[str]:
    """Return the patterns of a component's mutants that are explained."""
    text = (resources.files("hamming.audit") / "explained.toml").read_text(encoding="utf-8")
    return [entry["pattern"] for entry in tomllib.loads(text)["mutant"] if entry["component"] == name]


def _short(command: str) -> str:
    """Return what a mutant does, without the places in a file that is not kept."""
    return re.sub(r" -src \S+| -module \S+|^mutate ", "", command)


def audit_timed(name: str, n_mutants: int, seed: int) -> tuple[dict[str, Any], float]:
    """Audit a component, and return what is told of it and the seconds it took: a job of `main`."""
    warnings.simplefilter("ignore", UnusedElaboratable)  # a component is made for its ports, too
    began = time.monotonic()
    return audit(name, n_mutants, seed).to_dict(), time.monotonic() - began


def markdown(components: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of docs/coverage.md, of what `Outcome.to_dict` returned by component."""
    headings = [name for name in _HEADINGS if name != "s"]
    lines = [f"| {' | '.join(headings)} |\n", f"|---|{'--:|' * (len(headings) - 1)}\n"]
    for name, told in components.items():
        lines.append(f"| `{name}` | {' | '.join(_counts(told))} |\n")
    return "".join(lines)


def _counts(told: Mapping[str, Any]) -> list[str]:
    return [str(len(value)) if isinstance(value, dict) else str(value) for value in told.values()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, 1 if a mutant is alive."""
    parser = argparse.ArgumentParser(
        prog="python -m hamming.audit.mutation", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("components", nargs="*", metavar="COMPONENT", help="(default: all)")
    parser.add_argument("--mutants", type=int, default=200, help="of each component (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of mutants and cases (default: %(default)s)")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="where to write everything, as JSON")
    pool.add_options(parser)
    parser.add_argument("--markdown", action="store_true", help="the table of audit/results/mutation.json, and no work")
    options = parser.parse_args(arguments)
    if options.markdown:
        text = (resources.files("hamming.audit") / "results" / "mutation.json").read_text(encoding="utf-8")
        print(markdown(json.loads(text)["components"]), end="")
        return 0
    if unknown := [name for name in options.components if name not in COMPONENT_DESIGNS]:
        parser.error(f"no component {unknown[0]!r}; there are {', '.join(COMPONENT_DESIGNS)}")
    table = Table(title=f"Mutants, seed {options.seed}")
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading == "component" else "right")
    workers = pool.pool_of(parser, options)
    jobs = {name: (name, options.mutants, options.seed) for name in options.components or COMPONENT_DESIGNS}
    told: dict[str, dict[str, Any]] = {}
    rows: dict[str, list[str]] = {}
    status = 0
    try:
        with workers.results(audit_timed, jobs, "components") as results:
            for name, (one, seconds) in results:
                told[name] = one
                rows[name] = [name, *_counts(one), f"{seconds:.0f}"]
                if options.output is not None:
                    options.output.parent.mkdir(parents=True, exist_ok=True)
                    done = {name: told[name] for name in jobs if name in told}
                    everything = {"mutants": options.mutants, "seed": options.seed, "components": done}
                    options.output.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    except (pool.Failed, pool.NoCluster) as error:
        print(f"Error: {error}", file=sys.stderr)
        status = 1
    for name in jobs:
        if name in rows:
            table.add_row(*rows[name])
    Console().print(table)
    return status or int(any(one["alive"] for one in told.values()))


if __name__ == "__main__":
    from hamming.audit import mutation  # by its name, by which workers find it

    sys.exit(mutation.main())
