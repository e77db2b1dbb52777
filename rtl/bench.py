"""`python -m hamming.rtl.bench`: how long the engine's Verilog takes to emit, by the number of lanes.

Each emission runs in a process of its own, as `hamming generate` does; its start is not counted. Seconds are of
the machine at hand; on a busy one, those of its processor say more than those of the clock.
"""

from __future__ import annotations

import platform
import subprocess
import sys

from rich.console import Console
from rich.table import Table

LANES = (8, 16, 64)

_MEASURE = """
import os, sys, time
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine
from hamming.rtl.verilog import emit
spec = AttentionSpec.from_logit_scale(d_head=64, d_value=64, n_keys=1024, top_k=32, logit_scale=0.125)
config = EngineConfig(n_lanes=int(sys.argv[1]), n_macs=32, selector=sys.argv[2])
before, start = os.times(), time.perf_counter()
text = emit(Engine(spec, config), "engine")
used = os.times()
print(time.perf_counter() - start, sum(used[:4]) - sum(before[:4]), text.count("\\n"), len(text))
"""


def main() -> None:
    """Print the table."""
    table = Table(title="Emission of the engine: d_head = d_value = 64, n_keys = 1024, top_k = 32, n_macs = 32")
    for heading in ("selector", "lanes", "seconds", "CPU seconds", "lines", "kB"):
        table.add_column(heading, justify="left" if heading == "selector" else "right")
    for selector in ("histogram", "insertion"):
        for n_lanes in LANES:
            command = [sys.executable, "-c", _MEASURE, str(n_lanes), selector]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, cpu_seconds, lines, size = output.split()
            table.add_row(
                selector,
                str(n_lanes),
                f"{float(seconds):.1f}",
                f"{float(cpu_seconds):.1f}",
                lines,
                f"{int(size) / 1000:.0f}",
            )
    console = Console()
    console.print(table)
    console.print(f"Python {platform.python_version()} on {platform.machine()}; one process at a time")


if __name__ == "__main__":
    main()
