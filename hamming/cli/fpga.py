"""The command that says what an engine takes of an FPGA, and how fast it is there: fpga."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from hamming.cli.common import (
    Frequency,
    Mistake,
    design_facts,
    file_option,
    mistakes,
    outputs,
    progress_bar,
    read_design,
    read_files,
    takes_design,
)
from hamming.pool import Pool, takes_pool

# Hardware and synthesis are imported where they are used: --help answers at once.

__all__ = ["fpga"]

DEVICES = ("ecp5-25k", "ecp5-45k", "ecp5-85k", "gowin-gw2a-18", "ice40-hx8k", "ice40-up5k", "xc7", "xcup")


@click.command()
@takes_design
@click.option("--device", type=click.Choice(DEVICES), required=True, help="What to map it onto.")
@click.option(
    "--clock",
    "mhz",
    type=Frequency("MHz", 1, 1000),
    default=150.0,
    show_default=True,
    metavar="MHZ",
    help="Clock that placement aims at; what is reached is found out.",
)
@click.option(
    "--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="Placements, each of its seed."
)
@click.option("--dsp", is_flag=True, help="Let products become the device's multipliers.")
@click.option(
    "--lut-ram",
    "lut_ram_words",
    type=click.IntRange(0, 4096),
    default=0,
    metavar="WORDS",
    help="Put memories of at most so many words into LUT RAM, which is faster than block RAM.",
)
@click.option(
    "--baseline", type=click.Choice(["int8"]), help="Set standard attention, of as many keys a cycle, beside it."
)
@takes_pool
@file_option("--json", "json_file", metavar="FILE", help="Write the report as JSON.")
def fpga(
    config: str,
    overrides: tuple[str, ...],
    device: str,
    mhz: float,
    seeds: int,
    dsp: bool,
    lut_ram_words: int,
    baseline: str | None,
    pool: Pool,
    json_file: Path | None,
) -> None:
    """Map an engine onto an FPGA: utilisation by block, clock, critical path.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. Yosys synthesizes it, nextpnr places
    and routes it, and its timing says the highest clock. The placer works by chance, so that the clock differs by some
    percent from seed to seed; placements run side by side (--workers). Of xc7 (7-series) and xcup (UltraScale+), for
    which no free tool places, utilisation alone is told.

    The engine has more pins than a package: a shift register drives its inputs and takes its outputs, and is counted
    in what is placed, not in the blocks. If the engine does not fit, the tables say by how much, and the exit status
    is 1.

    nextpnr comes with the extra: pip install 'hamming-attention[fpga]'.

    \b
    Examples:
      hamming fpga tiny --device ice40-up5k
      hamming fpga minilm --device ecp5-85k --seeds 4 --lut-ram 64 --json minilm.json
      hamming fpga minilm --device ecp5-85k --baseline int8
      hamming fpga bert --device xc7 --dsp
    """
    design = read_design(config, overrides)
    with outputs(json_file, inputs=read_files(config)) as files:
        from hamming.rtl.standard.design import StandardDesign
        from hamming.synth.fpga.measure import implement
        from hamming.synth.fpga.table import implementation_tables
        from hamming.synth.yosys.process import SynthesisError

        designs: list[Any] = [design]
        if baseline is not None:
            with mistakes(ValueError):
                designs.append(StandardDesign.like(design, element=baseline))
        with progress_bar(f"emitting {design.config.name}") as update, mistakes(SynthesisError, ValueError):
            found = implement(
                designs,
                device,
                seeds=range(1, seeds + 1),
                mhz=mhz,
                dsp=dsp,
                lut_ram_words=lut_ram_words,
                pool=pool,
                progress=update,
            )
        if json_file is not None:
            ours, *others = [one.to_dict() for one in found]
            beside = {"baseline": others[0]} if others else {}
            files.save_json(json_file, design_facts(design) | {"fpga": ours} | beside)
    Console().print(implementation_tables(found))
    if too_large := [one.design for one in found if one.fits is False]:
        raise Mistake(f"{' and '.join(too_large)} does not fit {device}; the table has what is used and what there is")
