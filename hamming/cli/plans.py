"""The command that says what a whole model needs: plan."""

from __future__ import annotations

from pathlib import Path

import click

from hamming.cli.common import file_option, mistakes, outputs, print_wide

# Models are imported where they are used: --help answers at once.

__all__ = ["plan"]


@click.command()
@click.argument("model")
@click.option("--context", type=int, metavar="TOKENS", help="Tokens of a sequence, in place of the file's.")
@click.option("--batch", type=int, metavar="SEQUENCES", help="Sequences held at a time, in place of the file's.")
@click.option("--sequences", type=float, metavar="PER_S", help="Rate of a model that is not causal.")
@click.option("--prefill", type=float, metavar="TOKENS_PER_S", help="Rate of prompts, all sequences together.")
@click.option("--decode", type=float, metavar="TOKENS_PER_S", help="Rate of tokens, all sequences together.")
@click.option("--print", "is_printed", is_flag=True, help="Print the model's file, to be edited, and plan nothing.")
@file_option("--json", "json_file", metavar="FILE", help="Write everything as JSON.")
@file_option("--svg", "svg_file", metavar="FILE", help="Draw area, power and bytes beside standard attention.")
def plan(
    model: str,
    context: int | None,
    batch: int | None,
    sequences: float | None,
    prefill: float | None,
    decode: float | None,
    is_printed: bool,
    json_file: Path | None,
    svg_file: Path | None,
) -> None:
    """Say what a whole model's attention needs at a rate: engines, area, power, memory, bandwidth.

    MODEL is bert_base, deit_b, decoder_1b, decoder_8b, or a TOML file. Beside engines of this project stand those of
    int8 and of bfloat16 at the same rate, each with the number of keys a cycle that takes least area. Every row says
    where it comes from: exact, measured, estimated (`hamming estimate`, with its error), a model, or assumed.

    \b
    Examples:
      hamming plan bert_base
      hamming plan decoder_8b --context 131072 --svg plan.svg
      hamming plan decoder_1b --print > mine.toml    a model of your own: layers, heads, rates
      hamming plan mine.toml --json plan.json
    """
    from hamming.plan.picture import plan_picture
    from hamming.plan.plan import plan as plan_model
    from hamming.plan.question import model_names, model_text, read_question
    from hamming.plan.table import plan_tables

    changes = {"context": context, "batch": batch, "sequences": sequences, "prefill": prefill, "decode": decode}
    with mistakes(ValueError):
        question = read_question(model, changes)
        if is_printed:
            click.echo(model_text(model), nl=False)
            return
    inputs = [] if model in model_names() else [Path(model)]
    with outputs(json_file, svg_file, inputs=inputs) as files:
        with mistakes(ValueError):
            found = plan_model(question)
        if json_file is not None:
            files.save_json(json_file, found.to_dict())
        if svg_file is not None:
            files.save_text(svg_file, plan_picture(found))
    print_wide(plan_tables(found))
