"""Commands that answer without synthesis: estimate."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from hamming.cli.common import design_facts, file_option, mistakes, outputs, read_design, read_files, takes_design

# Models are imported where they are used: --help answers at once.

__all__ = ["estimate"]


@click.command()
@takes_design
@file_option("--json", "json_file", metavar="FILE", help="Write everything as JSON.")
def estimate(config: str, overrides: tuple[str, ...], json_file: Path | None) -> None:
    """Estimate an engine's area, clock and energy, at once.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. Logic is estimated block by block, in
    NanGate 45 nm with gates sized for 1 GHz, from formulas that were fitted to synthesized engines; each figure has the
    mean error that they had on engines they were not fitted to. Memories are modelled; cycles are the most that a query
    takes. What is beyond the engines that the formulas know is said. `hamming synthesize` and `hamming compare`
    measure.

    \b
    Examples:
      hamming estimate bert
      hamming estimate bert --set spec.top_k=8 --set spec.value_bits=4
    """
    design = read_design(config, overrides)
    with outputs(json_file, inputs=read_files(config)) as files:
        from hamming.synth.estimate import estimate as estimate_design
        from hamming.synth.estimate.table import estimate_tables

        with mistakes(ValueError):
            found = estimate_design(design)
        if json_file is not None:
            files.save_json(json_file, design_facts(design) | {"estimate": found.to_dict()})
    Console().print(estimate_tables(design.config.name, found))
