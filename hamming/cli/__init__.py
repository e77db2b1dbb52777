"""The command line: every part of the project, on one preset or TOML file."""

from __future__ import annotations

import click

from hamming.cli.costs import compare, synthesize
from hamming.cli.ending import Commands
from hamming.cli.engines import generate, presets, run, simulate
from hamming.cli.models import distill, evaluate, export

__all__ = ["main"]


@click.group(
    "hamming", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
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

    \b
    An engine of your own:
      hamming presets bert > mine.toml   a preset as the start
      hamming generate mine.toml --set spec.top_k=16 -o build
    """


for command in (presets, generate, run, simulate, synthesize, compare, distill, evaluate, export):
    main.add_command(command)
