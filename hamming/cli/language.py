"""The command that lets a distilled language model write through the engine's arithmetic: generate-text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from hamming.cli.common import Mistake, file_option, mistakes, outputs, progress_bar
from hamming.cli.models import load_student, takes_widths

__all__ = ["generate_text", "shortened"]


@click.command("generate-text")
@takes_widths
@click.option("--prompt", required=True, metavar="TEXT", help="What is continued.")
@click.option("--tokens", "n_tokens", type=click.IntRange(1), default=100, show_default=True, help="Tokens to make.")
@click.option("--keys", "n_keys", type=click.IntRange(1), default=1024, show_default=True, help="Rows of an engine.")
@click.option("--verilog", "layer", type=click.IntRange(0), help="Send this layer's heads through the Verilog, too.")
@file_option("--json", "json_file", metavar="FILE", help="Write texts and figures as JSON.")
def generate_text(
    run_folder: Path,
    prompt: str,
    n_tokens: int,
    n_keys: int,
    layer: int | None,
    json_file: Path | None,
    **widths: Any,
) -> None:
    """Continue a text with a distilled language model, every attention computed as the hardware computes it.

    RUN is the folder of a student of the task `language` that `hamming distill` left. The most probable token is taken
    each time, by the teacher, if its run lies beside it; by the student in floating point; and by the student with
    every attention through the golden model, one engine for all heads, whose rows are appended token by token.

    With --verilog LAYER the rows and queries of that layer's heads go through the engine's Verilog, and the text is
    made again with its outputs.

    \b
    Example:
      hamming generate-text runs/language-0 --prompt "It was " --tokens 200 --verilog 0
    """
    with outputs(json_file) as files:
        run = load_student(run_folder)

        from hamming.distill.hardware.writing import write_text
        from hamming.distill.method.quantize import Widths
        from hamming.distill.training.runs import versions
        from hamming.sim.runner import SimulationFailed, SimulatorMissing

        with progress_bar("measuring values") as update, mistakes(ValueError, SimulationFailed, SimulatorMissing):
            found = write_text(
                run,
                prompt,
                n_tokens,
                n_keys=n_keys,
                widths=Widths(**widths),
                layer=layer,
                progress=lambda step, done, total: update(done / total, f"{step}: {done} of {total} tokens"),
            )
        if json_file is not None:
            files.save_json(json_file, {"run": run.config.to_dict()} | found | {"versions": versions("transformers")})
    console = Console()
    for name, text in found["texts"].items():
        console.print(f"[bold]{name}[/]: {escape(prompt)}[bold]{escape(shortened(text))}[/]\n")
    for pair, place in found["part"].items():
        click.echo(f"{pair}: {'the same' if place is None else f'part at token {place}'}")
    if layer is not None:
        facts = found["verilog"]
        click.echo(
            f"Verilog of {facts['layer']}: {facts['heads']} heads, {facts['queries']} queries and {facts['rows']} rows "
            f"each, {facts['mismatches']} mismatches; {facts['same_tokens']} of {facts['tokens']} tokens the same"
        )
        if facts["mismatches"] or facts["violations"] or facts["same_tokens"] < facts["tokens"]:
            raise Mistake(json.dumps(facts))


def shortened(text: str) -> str:
    """Return `text` with the number of its line ends where there are many at once, as a poor model writes."""
    return re.sub(r"\n{4,}", lambda found: f"\n({len(found[0])} line ends)\n", text)
