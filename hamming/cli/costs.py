"""Commands that say what an engine costs: synthesize, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from hamming.cli.common import (
    Gigahertz,
    Mistake,
    design_facts,
    file_option,
    mistakes,
    outputs,
    print_wide,
    progress_bar,
    read_design,
    read_files,
    takes_design,
)

# Hardware and synthesis are imported where they are used: --help answers at once.

__all__ = ["compare", "synthesize"]


@click.command()
@takes_design
@click.option("--library", default="nangate45", show_default=True, help="nangate45, osu018, or a Liberty file's path.")
@click.option(
    "--mapping",
    type=click.Choice(["auto", "abc", "adders", "ripple"]),
    default="auto",
    show_default=True,
    help="How adders are made: by ABC, of adder cells, as ripple chains of these; auto: what is smallest.",
)
@click.option("--clock", type=Gigahertz(), help="GHz to size gates for; the smallest without.")
@click.option("--prove", "is_proved", is_flag=True, help="Prove the netlist equal to the Verilog, block by block.")
@file_option("--json", "json_file", metavar="FILE", help="Write the report as JSON.")
def synthesize(
    config: str,
    overrides: tuple[str, ...],
    library: str,
    mapping: str,
    clock: float | None,
    is_proved: bool,
    json_file: Path | None,
) -> None:
    """Print an engine's area, block by block.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. It is synthesized to the cells of a
    library; memories are counted apart, in bits.

    With --prove the netlist that was measured is proved equal to the Verilog. Where it is not, the exit status is 1,
    and the message a case in which they differ.

    \b
    Examples:
      hamming synthesize tiny
      hamming synthesize tiny --clock 1 --prove
      hamming synthesize bert --set engine.selector=insertion --json bert.json
      hamming synthesize tiny --clock 0.5
      hamming synthesize tiny --library my_cells.lib
    """
    design = read_design(config, overrides)
    with outputs(json_file, inputs=read_files(config, library)) as files:
        from hamming.rtl.top import top
        from hamming.rtl.verilog import emit
        from hamming.synth.equivalence.proof import prove
        from hamming.synth.equivalence.table import equivalence_table, refutation
        from hamming.synth.library.libraries import load_library
        from hamming.synth.mapping.area import SynthesisError, map_design
        from hamming.synth.mapping.area import synthesize as synthesize_verilog
        from hamming.synth.mapping.table import area_table

        with mistakes(ValueError):
            cells = load_library(library)
        name = design.config.name
        with progress_bar(f"emitting {name}") as update, mistakes(SynthesisError, ValueError):
            verilog = emit(top(design.spec, design.config), name)
            options: dict[str, Any] = {
                "top": name,
                "library": cells,
                "mapping": mapping,
                "clock_ns": None if clock is None else 1 / clock,
                "progress": lambda now: update(now.done, now.step),
            }
            proof = None
            if is_proved:
                # The proof is of the netlist whose cells the report counts, not of another one.
                mapped = map_design(verilog, flat=True, **options)
                report = mapped.report
                proof = prove(verilog, mapped, library=cells, progress=options["progress"])
            else:
                report = synthesize_verilog(verilog, **options)
        if json_file is not None:
            proved = {} if proof is None else {"equivalence": proof.to_dict()}
            files.save_json(json_file, design_facts(design) | {"area": report.to_dict()} | proved)
    console = Console()
    console.print(area_table(report))
    if proof is not None:
        console.print(equivalence_table(proof))
        if not proof.equal:
            raise Mistake(refutation(proof))


@click.command()
@takes_design
@click.option(
    "--clock",
    type=Gigahertz(),
    default=1.0,
    show_default=True,
    metavar="GHZ",
    help="Clock at which power is stated; of the energy only leakage depends on it.",
)
@click.option(
    "--vectors",
    type=click.Choice(["real", "random"]),
    default="real",
    show_default=True,
    help="Queries behind the energy: a transformer's, or random bits.",
)
@click.option(
    "--baseline",
    type=click.Choice(["int8", "int4", "bf16", "sparse_int8", "sparse_int4"]),
    default="int8",
    show_default=True,
    help="Elements of the standard attention: integers of 8 or 4 bits, or floating point. Sparse: top_k keys weighed.",
)
@click.option("--library", default="nangate45", show_default=True, help="nangate45, or a Liberty file's path.")
@file_option("--json", "json_file", metavar="FILE", help="Write everything as JSON.")
@file_option("--html", "html_file", metavar="FILE", help="Write a page with pictures, which needs no other file.")
def compare(
    config: str,
    overrides: tuple[str, ...],
    clock: float,
    vectors: str,
    baseline: str,
    library: str,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Set an engine beside standard attention of the same throughput.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. Both designs, with the same keys a
    cycle, are synthesized, timed and simulated at the gates; area, energy and time are shown by block, memories apart,
    beside what others publish. A large engine takes minutes.

    \b
    Examples:
      hamming compare tiny
      hamming compare bert --html bert.html --json bert.json
      hamming compare bert --set spec.n_keys=256 --vectors random
    """
    design = read_design(config, overrides)
    with outputs(json_file, html_file, inputs=read_files(config, library)) as files:
        from hamming.synth.compare.experiment import compare as compare_designs
        from hamming.synth.compare.page import comparison_page
        from hamming.synth.compare.table import comparison_tables
        from hamming.synth.library.libraries import load_library
        from hamming.synth.mapping.area import SynthesisError

        with mistakes(ValueError):
            cells = load_library(library)
        with progress_bar(f"emitting {design.config.name}") as update, mistakes(ValueError, SynthesisError):
            found = compare_designs(
                design,
                library=cells,
                clock=clock,
                vectors=vectors,
                baseline=baseline,
                progress=lambda now: update(now.done, now.step),
            )
        if json_file is not None:
            files.save_json(json_file, found.to_dict())
        if html_file is not None:
            files.save_text(html_file, comparison_page(found))
    print_wide(comparison_tables(found))
