"""`python -m hamming.audit.coverage`: what of the emitted Verilog a regression meets, and why it misses the rest.

Each point is met; or explained, by an entry of `explained.toml`; or proved unreachable (`audit.unreachable`); or open.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hamming import pool
from hamming.audit.designs import DESIGNS
from hamming.audit.points import KINDS, Point, read_points
from hamming.audit.unreachable import unreachable
from hamming.rtl.design import Design
from hamming.rtl.engine import Engine
from hamming.rtl.verilog import emit
from hamming.sim import runner
from hamming.sim.regression import regress

__all__ = ["Coverage", "Explanation", "cover", "explanations"]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why points that match are not met: an entry of `explained.toml`.

    Attributes
    ----------
    design
        Of `audit.designs.DESIGNS`.
    pattern
        Regular expression that the whole of a point's text (`MODULE KIND WHAT`) matches.
    reason
        In words.
    """

    design: str
    pattern: str
    reason: str


@dataclass(kw_only=True)
class Coverage:
    """What became of each point.

    Attributes
    ----------
    points
        All of them.
    unreachable
        Not met, and proved that they cannot be.
    explained
        Not met, and explained.
    unused
        Explanations that explain nothing.
    failures
        What the regression found wrong.
    """

    points: list[Point]
    unreachable: set[Point] = field(default_factory=set)
    explained: dict[Point, str] = field(default_factory=dict)
    unused: list[Explanation] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def open(self) -> list[Point]:
        """Points that nothing has met, and nothing accounts for."""
        return [p for p in self.points if not p.hits and p not in self.unreachable and p not in self.explained]

    @property
    def passed(self) -> bool:
        """True if every point is accounted for, and every explanation is of use."""
        return not (self.open or self.unused or self.failures)

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Count, by module and kind, the points that are `met`, `unreachable`, `explained` and `open`."""
        table: dict[str, dict[str, Counter[str]]] = {}
        is_open = set(self.open)
        for point in self.points:
            state = "unreachable" if point in self.unreachable else "explained" if point in self.explained else "met"
            state = "open" if point in is_open else state
            table.setdefault(point.module, {}).setdefault(point.kind, Counter())[state] += 1
        return {module: {kind: dict(counts) for kind, counts in kinds.items()} for module, kinds in table.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the points that were met, as JSON's types."""
        misses = [
            {
                "module": point.module,
                "kind": point.kind,
                "line": point.line,
                "what": point.what,
                "source": point.source,
                "because": self.explained.get(point, "unreachable" if point in self.unreachable else None),
            }
            for point in self.points
            if not point.hits
        ]
        return {
            "passed": self.passed,
            "counts": self.counts(),
            "misses": misses,
            "unused": [vars(one) for one in self.unused],
            "failures": self.failures,
        }


def explanations() -> list[Explanation]:
    """Return the entries of `explained.toml`."""
    text = (resources.files("hamming.audit") / "explained.toml").read_text(encoding="utf-8")
    return [Explanation(**entry) for entry in tomllib.loads(text)["explained"]]


def cover(design: Design, name: str, n_queries: int, seed: int, known: Sequence[Explanation] | None = None) -> Coverage:
    """Run a regression, and account for each point of the engine's Verilog.

    Parameters
    ----------
    design
        Spec and configuration.
    name
        By which explanations know it.
    n_queries, seed
        Of the regression (`sim.regression.regress`).
    known
        Explanations (None: those of `explained.toml`).
    """
    verilog = emit(Engine(design.spec, design.config), design.config.name)
    with tempfile.TemporaryDirectory(prefix="hamming-") as folder:
        file = Path(folder) / "points.dat"
        outcome = regress(design, n_queries, seed, points=file)
        points = read_points(file, verilog, design.config.name)
    missed = [point for point in points if not point.hits]
    result = Coverage(points=points, failures=[*outcome.report.violations, *outcome.report.mismatches])
    for one in explanations() if known is None else known:
        if one.design != name:
            continue
        matching = [point for point in missed if re.fullmatch(one.pattern, str(point))]
        result.explained |= dict.fromkeys(matching, one.reason)
        if not matching:
            result.unused.append(one)
    rest = [point for point in missed if point not in result.explained]
    result.unreachable = unreachable(verilog, design.config.name, rest)
    return result


def cover_known(name: str, n_queries: int, seed: int) -> Coverage:
    """Cover a design of `audit.designs`: a job of `main`."""
    return cover(DESIGNS[name], name, n_queries, seed)


def _table(name: str, result: Coverage) -> Table:
    table = Table(title=f"{name}: points met, of those that can be (+ proved unreachable, + explained)")
    table.add_column("module")
    for kind in KINDS:
        table.add_column(kind, justify="right")
    for module, kinds in sorted(result.counts().items()):
        cells = []
        for kind in KINDS:
            counts = kinds.get(kind, {})
            met, open_ = counts.get("met", 0), counts.get("open", 0)
            extra = "".join(f" + {counts[state]}" for state in ("unreachable", "explained") if counts.get(state))
            cells.append(f"{met} / {met + open_}{extra}" if counts else "")
        table.add_row(module, *cells)
    return table


def _tell(name: str, result: Coverage, console: Console) -> None:
    console.print(_table(name, result))
    lines = [f"open: line {point.line}: {point}: {point.source}" for point in result.open]
    lines += [f"explains nothing: {one.pattern}" for one in result.unused]
    for line in [*lines, *result.failures]:
        console.print(f"{name}: {line}", style="red", markup=False, highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, 1 if a point is open or an explanation of no use."""
    parser = argparse.ArgumentParser(
        prog="python -m hamming.audit.coverage", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("designs", nargs="*", metavar="DESIGN", help=f"of {', '.join(DESIGNS)} (default: all)")
    parser.add_argument("--queries", type=int, default=4000, help="through each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the regression (default: %(default)s)")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="where to write everything, as JSON")
    pool.add_options(parser)
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.designs if name not in DESIGNS]:
        parser.error(f"no design {unknown[0]!r}; there are {', '.join(DESIGNS)}")
    workers = pool.pool_of(parser, options)
    try:
        runner.simulator_version("verilator")
    except runner.SimulatorMissing as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    console = Console()
    jobs = {name: (name, options.queries, options.seed) for name in options.designs or DESIGNS}
    results: dict[str, Coverage] = {}
    status = 0
    try:
        with workers.results(cover_known, jobs, "designs") as done:
            for name, result in done:
                results[name] = result
                _tell(name, result, console)
    except (pool.Failed, pool.NoCluster) as error:
        print(f"Error: {error}", file=sys.stderr)
        status = 1
    results = {name: results[name] for name in jobs if name in results}
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        told = {name: result.to_dict() for name, result in results.items()}
        options.output.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return status or int(not all(result.passed for result in results.values()))


if __name__ == "__main__":
    from hamming.audit import coverage  # by its name, by which workers find it

    sys.exit(coverage.main())
