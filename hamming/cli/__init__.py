"""The command line: every part of the project, on one preset or TOML file."""

from __future__ import annotations

import click

from hamming.cli.ending import Commands

__all__ = ["main"]

_HOMES = {
    "compare": "hamming.cli.costs",
    "distill": "hamming.cli.models",
    "doctor": "hamming.cli.doctor",
    "estimate": "hamming.cli.estimates",
    "evaluate": "hamming.cli.models",
    "explore": "hamming.cli.explorations",
    "export": "hamming.cli.models",
    "fpga": "hamming.cli.fpga",
    "fusesoc": "hamming.cli.engines",
    "generate": "hamming.cli.engines",
    "generate-text": "hamming.cli.language",
    "plan": "hamming.cli.plans",
    "presets": "hamming.cli.engines",
    "run": "hamming.cli.engines",
    "sample-vectors": "hamming.cli.vectors",
    "simulate": "hamming.cli.engines",
    "synthesize": "hamming.cli.costs",
}


@click.group(
    "hamming",
    cls=Commands,
    homes=_HOMES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="hamming-attention")
def main() -> None:
    """Generate, check and measure hardware for attention with binary queries and keys.

    \b
    A first round, on the smallest preset:
      hamming presets                    what there is
      hamming generate tiny -o build     Verilog and manifest
      hamming simulate tiny              the Verilog against the golden model
      hamming synthesize tiny            its area, block by block
      hamming compare tiny               and against standard attention
      hamming fpga tiny --device ecp5-25k   or on an FPGA: what it takes, how fast it is

    \b
    An engine of your own:
      hamming presets bert > mine.toml   a preset as the start
      hamming generate mine.toml --set spec.top_k=16 -o build
      hamming estimate mine.toml         what it costs, at once
      hamming explore --example > study.toml   the smallest of many
      hamming plan bert_base             what a whole model needs

    \b
    If something does not run:
      hamming doctor                     what is missing, and what mends it
    """
