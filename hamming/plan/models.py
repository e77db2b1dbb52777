"""The plans that docs/plans.md shows: `python -m hamming.plan.models`, and with `--svg FILE` their picture."""

from __future__ import annotations

from pathlib import Path

import click

from hamming.plan.picture import plans_picture
from hamming.plan.plan import Plan, Side, plan
from hamming.plan.question import read_question
from hamming.plan.table import BYTES, shown

__all__ = ["PLANS", "markdown", "plans"]

#: Models and contexts.
PLANS = (
    ("bert_base", 128),
    ("deit_b", 197),
    *((name, context) for name in ("decoder_1b", "decoder_8b") for context in (8192, 32768, 131072)),
)


def plans() -> list[Plan]:
    """Return them all."""
    return [plan(read_question(name, {"context": context})) for name, context in PLANS]


def markdown(found: list[Plan]) -> str:
    """Lay them out: ours, int8's and bfloat16's, side by side."""
    heads = ("model", "tokens", "engine", "engines", "cycles used", "logic, mm²", "all, mm²", "int8", "bfloat16")
    lines = [_row(heads), f"|---|---:|---|{'---:|' * (len(heads) - 3)}"]
    for one in found:
        ours, others = one.ours, one.others
        cells = [one.question.name, f"{one.question.context:,}", ours.engine, f"{ours.n_engines:,}"]
        cells += [
            f"{ours.utilisation:.0%}",
            _number(ours.logic_mm2),
            _number(ours.mm2),
            *(_number(x.mm2) for x in others),
        ]
        lines.append(_row(cells))
    heads = ("model", "tokens", "logic, W", "all, W", "int8", "bfloat16", "held", "read a second", "int8", "bfloat16")
    lines += ["", _row(heads), f"|---|{'---:|' * (len(heads) - 1)}"]
    for one in found:
        cells = [one.question.name, f"{one.question.context:,}", _number(one.ours.logic_w)]
        cells += [_number(side.watts) for side in one.sides]
        cells += [shown(one.ours.held_bytes, BYTES), *(_read(side) for side in one.sides)]
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _read(side: Side) -> str:
    return shown(side.read_bytes, BYTES)


@click.command()
@click.option("--svg", type=click.Path(path_type=Path), help="Draw them into a file.")
def main(svg: Path | None) -> None:
    """Print the plans of docs/plans.md."""
    found = plans()
    if svg is not None:
        svg.write_text(plans_picture([one for one in found if one.question.context <= 8192]), encoding="utf-8")
    click.echo(markdown(found), nl=False)


if __name__ == "__main__":
    main()
