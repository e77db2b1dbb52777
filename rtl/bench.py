"""`python -m hamming.rtl.bench`: how long Verilog takes to emit, by the number of lanes, and of engines in a chain.

Each emission runs in a process of its own, as `hamming generate` does; its start is not counted. Seconds are of
the machine at hand; on a busy one, those of its processor say more than those of the clock. Of each module the text
must hold one, however often it is instantiated.
"""

from __future__ import annotations

import platform
import subprocess
import sys

import click
from rich.console import Console
from rich.table import Table

#: What is emitted: changes of the flagship.
DESIGNS = {
    "8 lanes": ("engine.n_lanes=8",),
    "16 lanes": (),
    "64 lanes": ("engine.n_lanes=64",),
    "8 lanes, insertion": ("engine.n_lanes=8", "engine.selector=insertion"),
    "64 lanes, insertion": ("engine.n_lanes=64", "engine.selector=insertion"),
    "32 engines, 131,072 keys": ("engine.n_engines=32", "spec.n_keys=131072", "spec.top_k=64", "engine.value_banks=1"),
}

_MEASURE = """
import os, re, sys, time
from hamming.rtl.design import load_design
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
design = load_design("flagship", sys.argv[1:])
before, start = os.times(), time.perf_counter()
text = emit(top(design.spec, design.config), design.config.name)
used = os.times()
modules = re.findall(r"^module (\\S+) ?\\(", text, re.MULTILINE)
assert len(modules) == len(set(modules)), "a module is written twice"
print(time.perf_counter() - start, sum(used[:4]) - sum(before[:4]), len(modules), text.count("\\n"), len(text))
"""


@click.command()
def main() -> None:
    """Emit the flagship with more lanes, another selector and more engines; print seconds, modules and lines."""
    table = Table(title="Emission of the flagship, changed")
    for heading in ("design", "seconds", "CPU seconds", "modules", "lines", "kB"):
        table.add_column(heading, justify="left" if heading == "design" else "right")
    for name, changes in DESIGNS.items():
        command = [sys.executable, "-c", _MEASURE, *changes]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, cpu_seconds, n_modules, lines, size = output.split()
        figures = (f"{float(seconds):.1f}", f"{float(cpu_seconds):.1f}", n_modules, lines, f"{int(size) / 1000:.0f}")
        table.add_row(name, *figures)
    console = Console()
    console.print(table)
    console.print(f"Python {platform.python_version()} on {platform.machine()}; one process at a time")


if __name__ == "__main__":
    main()
