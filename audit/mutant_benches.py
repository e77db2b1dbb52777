"""Benches of mutants: a component's own, and the engine's with mutants in it; each case is played on each mutant."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hamming.audit.bench_mutants import PORT
from hamming.audit.mutate import MODULE, Mutants
from hamming.golden.spec import AttentionSpec
from hamming.rtl.design import Design
from hamming.rtl.manifest import ports, streams
from hamming.sim import case, runner
from hamming.sim.component import COMPONENTS, case_of
from hamming.sim.engine_testbench import EngineTestbench
from hamming.sim.regression import traffic_of
from hamming.sim.stimulus import random_vectors
from hamming.sim.testbench import Case, Testbench

__all__ = ["COMPONENT_DESIGNS", "Target", "component_bench", "engine_bench", "found"]

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
    "row_range": Target("row_range", "ranged", "row_range"),
}


def component_bench(design: Design, bench: str, mutants: Mutants, seed: int) -> tuple[Testbench, str, list[Case]]:
    """Return a component's own testbench, with all mutants, its bench's module and cases."""
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
        is_kept = bench == "softmax" or design.spec.n_tables > 1
        spec = design.spec if is_kept else _with_table(design, rng)
        has_mask = design.config.mask or bench not in _SEES_NO_MASK
        vectors = random_vectors(
            spec, rng, n_heads=1, n_queries=_QUERIES, has_mask=has_mask, has_range=design.config.range
        )
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


def engine_bench(design: Design, module: str, mutants: Mutants, seed: int) -> tuple[Testbench, str, list[Case]]:
    """Return the engine's testbench, with the mutants in the place of a module, its bench's module and cases."""

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


def found(testbench: Testbench, bench: str, cases: Sequence[Case], mutants: Sequence[int]) -> dict[int, str]:
    """Play the cases on each of the mutants; return what was found, by mutant."""
    folder = Path(tempfile.mkdtemp(prefix="hamming-"))
    for number, one in enumerate(cases):
        case.save(folder, f"case_{number}", {"streams": testbench.description["streams"], **one.fields}, one.arrays)
    (folder / "mutants.json").write_text(json.dumps({"bench": bench, "mutants": list(mutants)}), encoding="utf-8")
    runner.run(testbench.build, "hamming.audit.bench_mutants", folder)
    told: Mapping[str, str] = case.load(folder, "result_0")[0]["found"]
    shutil.rmtree(folder)
    if "0" in told:
        raise RuntimeError(f"{bench} finds fault with what is not broken: {told['0']}")
    return {int(number): what for number, what in told.items()}
