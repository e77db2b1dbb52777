"""`python -m hamming.audit.mutation`: random mutants of every component, each found by a bench or proved to be none.

A build carries all mutants of a component (`audit.mutate`). Each is at work in turn, on the component's own bench and
then on the engine's, until a case finds it. What no case finds is given to a proof (`audit.equivalence`): under any
inputs, and then under what the component relies on (`audit.assumptions`). What is left is alive: a hole in the benches.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import shutil
import sys
import tempfile
import time
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from amaranth.hdl import UnusedElaboratable
from rich.console import Console
from rich.table import Table

from hamming import pool
from hamming.audit.assumptions import ASSUMPTIONS
from hamming.audit.bench_mutants import PORT
from hamming.audit.designs import DESIGNS
from hamming.audit.equivalence import is_equivalent
from hamming.audit.mutate import MODULE, Mutants, mutate
from hamming.golden.spec import AttentionSpec
from hamming.rtl.design import Design
from hamming.rtl.manifest import ports, streams
from hamming.rtl.verilog import emit
from hamming.sim import case, runner
from hamming.sim.component import COMPONENTS, case_of, module_name
from hamming.sim.regression import traffic_of
from hamming.sim.simulate import EngineTestbench
from hamming.sim.stimulus import random_vectors
from hamming.sim.testbench import Case, Testbench

__all__ = ["COMPONENT_DESIGNS", "Outcome", "audit", "markdown"]


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

#: A port in a module that was emitted.
_PORT = r"^  (input|output) (\[\d+:0\] )?(\S+) ?;"

#: Ports of components that go, in an engine, by the name of what they are equal to.
_ALIASES = [
    ("moves|go", "i__ready"),
    (r"must_give|valid_\d+", "o__valid"),
    ("row", "keys__addr"),
    ("reads", "keys__en"),
]


#: Queries of each case of a component's bench, and how often each kind of stall comes.
_QUERIES = 150
_ROUNDS = 4

#: Components that get no mask from the one before, or get it from outside.
_SEES_NO_MASK = ("loader", "fetch")

#: Cases that a reset breaks off, after each of the others.
_BROKEN_OFF = 2


class Target(NamedTuple):
    """A component to mutate: its module in the engine, a design that has it, and its own bench."""

    module: str
    design: str
    bench: str


#: By name.
COMPONENT_DESIGNS: dict[str, Target] = {
    "loader": Target("loader", "tiny", "loader"),
    "fetch": Target("fetch", "tiny", "fetch"),
    "turns": Target("turns", "insertion", "turns"),
    "score": Target("score", "insertion", "score"),
    "histogram": Target("selector", "tiny", "selector"),
    "insertion": Target("selector", "insertion", "selector"),
    "replay_list": Target("replay", "tiny", "replay"),
    "replay_register": Target("replay", "plain", "replay"),
    "softmax_rom": Target("softmax", "tiny", "softmax"),
    "softmax_loadable": Target("softmax", "insertion", "softmax"),
    "multiply": Target("weighted_sum", "tiny", "weighted_sum"),
    "shift": Target("weighted_sum", "shift", "weighted_sum"),
    "normalizer": Target("normalizer", "tiny", "normalizer"),
    "fork": Target("fork", "tiny", "fork"),
}


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
    design = DESIGNS[target.design]
    module = module_name(target.bench)
    verilog = emit(COMPONENTS[target.bench](design.dimensions), module)
    mutants = mutate(verilog, module, n_mutants, seed)
    outcome = Outcome(commands=mutants.commands)
    left = list(range(1, len(mutants.commands) + 1))
    outcome.own = _found(*_component(design, target.bench, mutants, seed), left)
    left = [number for number in left if number not in outcome.own]
    if left:
        outcome.engine = _found(*_engine(design, target.module, mutants, seed), left)
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


def _component(design: Design, bench: str, mutants: Mutants, seed: int) -> tuple[Testbench, str, list[Case]]:
    component = COMPONENTS[bench](design.dimensions)
    description = {
        "name": MODULE,
        "ports": [*ports(component), {"name": PORT, "direction": "input", "bits": mutants.bits}],
        "streams": streams(component),
    }
    rng = np.random.default_rng(seed)
    cases = []
    for number, stall in enumerate(_ROUNDS * [0.0, 0.5, 0.9, {"i": 0.8}, {"o": 0.8}, {"o": 0.95}]):
        # What a component is told of masks and of a table comes with its inputs, whatever the engine around it is.
        spec = design.spec if bench == "softmax" else _with_table(design, rng)
        has_mask = design.config.mask or bench not in _SEES_NO_MASK
        vectors = random_vectors(spec, rng, n_heads=1, n_queries=_QUERIES, has_mask=has_mask)
        one = case_of(Design(spec, design.config), vectors, stall=stall, seed=number)
        cases.append(dataclasses.replace(one, fields={**one.fields, "reset_cycles": 1 + number % 2}))
        # A case that a reset breaks off shows, too, what the last reset left behind.
        for last_cycle in rng.integers(1, 100, _BROKEN_OFF):
            broken = case_of(Design(spec, design.config), vectors, stall=0.5, seed=number + 1)
            fields = {"last_cycle": int(last_cycle), "reset_cycles": 1 + int(last_cycle) % 2}
            cases.append(dataclasses.replace(broken, fields={**broken.fields, **fields}))
    module = f"hamming.sim.bench_{bench}"
    return Testbench(mutants.verilog, description, module), module, cases


def _with_table(design: Design, rng: np.random.Generator) -> AttentionSpec:
    """Return the design's spec with a random table, of small entries as often as of large ones."""
    spec = design.spec
    n, most = spec.d_head + 1, rng.integers(1, spec.weight_bits + 1)
    table = 1 << rng.integers(0, most, n)
    if design.config.product != "shift":
        table = np.where(rng.integers(0, 2, n), table, rng.integers(0, 1 << most, n))
    table = np.where(rng.random(n) < 0.9, table, 0)
    table[0] = max(table[0], 1)
    return dataclasses.replace(spec, weights=tuple(sorted(table.tolist(), reverse=True)))


def _engine(design: Design, module: str, mutants: Mutants, seed: int) -> tuple[Testbench, str, list[Case]]:

    def change(verilog: str, description: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        port = {"name": PORT, "direction": "input", "bits": mutants.bits}
        changed = _with_mutants(verilog, design.config.name, module, mutants)
        return changed, description | {"ports": [*description["ports"], port]}

    bench = EngineTestbench(design, change=change)
    traffic = traffic_of(design, list(bench.manifest["streams"]), 300, seed)
    rng = np.random.default_rng(seed)
    broken_off = [
        dataclasses.replace(traffic[0], last_cycle=int(last_cycle), seed=int(last_cycle))
        for last_cycle in rng.integers(1, 600, 20)
    ]
    return bench.testbench, "hamming.sim.bench_engine", bench.cases([*traffic, *broken_off, traffic[-1]])


def _with_mutants(verilog: str, top: str, module: str, mutants: Mutants) -> str:
    """Return the engine with the mutated module in the place of its own, and the port that names the mutant."""
    name = rf"\{top}.{module} "
    start = verilog.index(f"module {name}(")
    end = verilog.index("endmodule\n", start) + len("endmodule\n")
    ports_there = re.findall(_PORT, verilog[start:end], re.MULTILINE)
    ports_here = {port for _, _, port in re.findall(_PORT, mutants.verilog, re.MULTILINE)}
    links = {
        port: next((own for alias, own in _ALIASES if re.fullmatch(alias, port)), port) for *_, port in ports_there
    }
    links = {port: port if port in ports_here else own for port, own in links.items()} | {PORT: PORT}
    lines = [f"module {name}({', '.join(links)});", f"  input [{mutants.bits - 1}:0] {PORT};"]
    lines += [f"  {direction} {bits}{port};" for direction, bits, port in ports_there]
    lines += [f"  {MODULE} mutated ({', '.join(f'.{own}({port})' for port, own in links.items())});", "endmodule", ""]
    verilog = verilog[:start] + "\n".join(lines) + verilog[end:] + mutants.verilog
    # The instance, in the top module or, for parts of the memory, below it.
    verilog, n_instances = re.subn(
        rf"^(  {re.escape(name)} \S+ +\()", rf"\1.{PORT}({PORT}), ", verilog, flags=re.MULTILINE
    )
    verilog, n_modules = re.subn(
        rf"^module {top}\(([^;]*)\);$",
        rf"module {top}({PORT}, \1);\n  input [{mutants.bits - 1}:0] {PORT};",
        verilog,
        flags=re.MULTILINE,
    )
    assert n_instances == n_modules == 1, (n_instances, n_modules)
    # An engine leaves out the ports that it does not need.
    return f"/* verilator lint_off PINMISSING */\n{verilog}"


def _found(testbench: Testbench, bench: str, cases: Sequence[Case], mutants: Sequence[int]) -> dict[int, str]:
    """Play the cases on each of the mutants; return what was found, by mutant."""
    folder = Path(tempfile.mkdtemp(prefix="hamming-"))
    for number, one in enumerate(cases):
        case.save(folder, f"case_{number}", {"streams": testbench.description["streams"], **one.fields}, one.arrays)
    (folder / "mutants.json").write_text(json.dumps({"bench": bench, "mutants": list(mutants)}), encoding="utf-8")
    runner.run(testbench.build, "hamming.audit.bench_mutants", folder)
    found: Mapping[str, str] = case.load(folder, "result_0")[0]["found"]
    shutil.rmtree(folder)
    if "0" in found:
        raise RuntimeError(f"{bench} finds fault with what is not broken: {found['0']}")
    return {int(number): what for number, what in found.items()}


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
