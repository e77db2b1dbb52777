"""What each width of the integers costs a distilled model: accuracy, and cosines to floating point.

    python -m hamming.distill.hardware.widths RUN --json FILE

One width moves at a time, the others stay at the defaults; then some that move together.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hamming.distill.hardware.evaluate import COMPARED_ITEMS, accuracy_of, calibrated_values, logits
from hamming.distill.hardware.integer import integer_attention, value_scales
from hamming.distill.hardware.likeness import attention_cosine, cosine
from hamming.distill.method.convert import hamming_layers
from hamming.distill.method.quantize import Widths
from hamming.distill.tasks.task import MissingData
from hamming.distill.training.runs import Run, load_run, versions

__all__ = ["points", "sweep"]

SWEEPS = {"weight_bits": range(2, 13), "value_bits": (*range(2, 9), 10, 12), "out_frac_bits": range(9)}

#: What a small engine would take, and tables of powers of two, which a table of few bits holds as well.
TOGETHER = (
    Widths(weight_bits=8, value_bits=8, out_frac_bits=4),
    Widths(weight_bits=8, value_bits=6, out_frac_bits=4),
    Widths(weight_bits=6, value_bits=6, out_frac_bits=2),
    Widths(weight_bits=4, value_bits=4, out_frac_bits=2),
    Widths(weight_bits=4, value_bits=4, out_frac_bits=0),
    Widths(weight_form="power_of_two"),
    Widths(weight_form="power_of_two", weight_bits=8),
    Widths(weight_form="power_of_two", weight_bits=4),
)


def points() -> Iterator[Widths]:
    """Give each point once, the defaults first."""
    yield Widths()
    for name, values in SWEEPS.items():
        for value in values:
            if value != getattr(Widths(), name):
                yield replace(Widths(), **{name: value})
    yield from TOGETHER


def sweep(run: Run, *, limit: int | None = None, progress: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Evaluate a student at every point.

    Parameters
    ----------
    run
        A student's.
    limit
        Test items, from the first on; None: all.
    progress
        Is told each point's result in words.

    Returns
    -------
    JSON's types: `run`, `seed`, `task`, `items`, `top_n`, `float` (accuracy in floating point), `points`, `versions`. A
    point has its widths, `accuracy`, `agreement` (share of items classified as in floating point), and `attention` and
    `logits`, cosines as of `evaluate.Evaluation`.
    """
    model, task = run.model, run.task
    values = calibrated_values(model, task)
    exact, labels, _ = logits(model, task, limit=limit)
    found = []
    for widths in points():
        scales = value_scales(values, widths.value_bits)
        with integer_attention(model, scales, widths):
            rounded = logits(model, task, limit=limit)[0]
        attention = attention_cosine(model, task, scales, widths, limit=min(limit or COMPARED_ITEMS, COMPARED_ITEMS))
        found.append(
            asdict(widths)
            | {
                "accuracy": accuracy_of(rounded, labels),
                "agreement": accuracy_of(rounded, exact.argmax(1)),
                "attention": asdict(attention),
                "logits": asdict(cosine(exact, rounded)),
            }
        )
        if progress is not None:
            progress(f"{_changed(widths)}: accuracy {found[-1]['accuracy']:.4f}, cosine {attention.mean:.5f}")
    return {
        "run": run.config.name,
        "seed": run.config.seed,
        "task": run.config.task.name,
        "items": len(labels),
        "top_n": next(iter(hamming_layers(model).values())).top_n,
        "float": accuracy_of(exact, labels),
        "points": found,
        "versions": versions(),
    }


def _changed(widths: Widths) -> str:
    defaults = asdict(Widths())
    changed = [f"{name} {value}" for name, value in asdict(widths).items() if value != defaults[name]]
    return ", ".join(changed) or "defaults"


def main() -> None:
    """Sweep the widths of a finished student."""
    parser = argparse.ArgumentParser(prog="python -m hamming.distill.hardware.widths", description=main.__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished student's run")
    parser.add_argument("--limit", type=int, help="test items (default: all)")
    parser.add_argument("--json", type=Path, help="write the points here; without, they are printed")
    options = parser.parse_args()
    try:
        found = sweep(load_run(options.run), limit=options.limit, progress=lambda text: print(text, flush=True))
        text = json.dumps(found, indent=2) + "\n"
        if options.json is None:
            print(text, end="")
        else:
            options.json.write_text(text, encoding="utf-8")
    except (MissingData, OSError, ValueError) as error:
        parser.exit(1, f"Error: {error}\n")


if __name__ == "__main__":
    main()
