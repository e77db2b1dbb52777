"""`python -m hamming.synth.studies.selectors`: what the two selectors cost, by `top_k` and lanes."""

from __future__ import annotations

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import SELECTORS, EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.selector import selector
from hamming.rtl.verilog import emit
from hamming.synth.library.libraries import load_library
from hamming.synth.mapping.area import synthesize

SHAPES = [(1, 128), (16, 1024)]  # lanes, keys
TOP_K = (4, 8, 16, 32, 64)


@click.command()
def main() -> None:
    """Print area without memories, bits of memory, and cycles a query, of each selector for each shape."""
    library = load_library()
    console = Console()
    table = Table(title=f"Selectors, d_head = 64, in {library.name}: area in {library.area_unit}, memories apart")
    for heading in (
        "lanes",
        "keys",
        "top_k",
        *(f"{s}, {what}" for s in SELECTORS for what in ("area", "bits", "cycles")),
    ):
        table.add_column(heading, justify="right")
    cases = [(n_lanes, n_keys, top_k) for n_lanes, n_keys in SHAPES for top_k in TOP_K]
    for n_lanes, n_keys, top_k in track(cases, "selectors", console=console):
        spec = AttentionSpec.from_logit_scale(d_head=64, d_value=64, n_keys=n_keys, top_k=top_k, logit_scale=0.125)
        row = [str(n_lanes), str(n_keys), str(top_k)]
        for name in SELECTORS:
            dims = Dimensions(spec, EngineConfig(selector=name, n_lanes=n_lanes))
            report = synthesize(emit(selector(dims), "selector"), top="selector", library=library, flat=False)
            cycles = max(dims.cycle_terms()["score"], dims.cycle_terms()["select"])
            row += [f"{report.total.area:,.0f}", f"{report.memory_bits:,}", f"{cycles:,}"]
        table.add_row(*row)
    console.print(table)
    console.print(f"{report.yosys_version}; cycles are the worst case; cells of each selector alone, hierarchy kept")


if __name__ == "__main__":
    main()
