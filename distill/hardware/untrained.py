"""Perplexities of a pretrained language model whose queries and keys become signs without any training.

    python -m hamming.distill.hardware.untrained FOLDER --context 256 --top-n 64 --json FILE

FOLDER is one that `save_pretrained` of `transformers` wrote.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from hamming.distill.hardware.perplexity import Point, Progress, perplexities, to_json
from hamming.distill.tasks.task import MissingData, TaskConfig
from hamming.distill.training.config import RunConfig, StudentConfig, TrainConfig
from hamming.distill.training.folder import RunFolder
from hamming.distill.training.run import binarized
from hamming.distill.training.runs import Run, find_teacher, versions

__all__ = ["untrained"]


def untrained(
    folder: Path,
    task: TaskConfig,
    *,
    contexts: Sequence[int],
    top_ns: Sequence[int | None],
    n_tables: int = 1,
    calibration_batches: int = 4,
    limit: int | None = None,
    progress: Progress | None = None,
) -> list[Point]:
    """Return the perplexities of a pretrained model, of its best keys, and of its signs.

    Parameters
    ----------
    folder
        The model's.
    task
        Of the kind `language`; signs are calibrated on its training windows, one at a time.
    contexts, top_ns, limit, progress
        As of `perplexity.perplexities`.
    n_tables
        Softmax tables of a head.
    calibration_batches
        Windows that standard deviations are measured on.
    """
    student = StudentConfig(teacher=str(folder), n_tables=n_tables, calibration_batches=calibration_batches)
    train = TrainConfig(sign=1, batch_size=1)
    config = RunConfig(name="untrained", kind="student", task=task, student=student, train=train)
    found = find_teacher(config, folder)
    signs = binarized(found.model, student, found.task, batch_size=1, seed=0)
    run = Run(config, RunFolder(folder / "untrained"), signs, found.task, found.shape)
    kinds = ("teacher", "teacher_top_n", "untrained")
    return perplexities(run, contexts=contexts, top_ns=top_ns, kinds=kinds, limit=limit, progress=progress)


def main() -> None:
    """Measure a pretrained model, and print its perplexities."""
    parser = argparse.ArgumentParser(prog="python -m hamming.distill.hardware.untrained", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="what save_pretrained wrote")
    parser.add_argument("--text", default="novels", help="'novels', a text, or a folder of texts (default: novels)")
    parser.add_argument("--tokenizer", help="'bytes', or a folder with tokenizer.json (default: the model's)")
    parser.add_argument("--context", type=int, nargs="+", default=[256], help="tokens of a window (default: 256)")
    parser.add_argument("--top-n", type=int, nargs="+", default=[64, 0], help="kept keys, 0: all (default: 64 0)")
    parser.add_argument("--tables", type=int, default=1, help="softmax tables of a head (default: 1)")
    parser.add_argument("--limit", type=int, help="windows for each (default: all)")
    parser.add_argument("--json", type=Path, help="write the points here")
    options = parser.parse_args()
    try:
        points = untrained(
            options.folder,
            TaskConfig(
                name="language",
                text=options.text,
                tokenizer=str(options.folder) if options.tokenizer is None else options.tokenizer,
                n_tokens=max(options.context),
            ),
            contexts=options.context,
            top_ns=[top_n or None for top_n in options.top_n],
            n_tables=options.tables,
            limit=options.limit,
            progress=lambda step, done, total: print(f"{done} of {total}: {step}", flush=True),
        )
    except (MissingData, OSError, TypeError, ValueError) as error:
        parser.exit(1, f"Error: {error}\n")
    for point in points:
        kept = "all" if point.top_n is None else point.top_n
        print(f"{point.kind}, context {point.context}, {kept} keys: {point.perplexity:.3f} ± {point.error:.3f}")
    if options.json is not None:
        facts = {"folder": options.folder.name, "n_tables": options.tables, "points": to_json(points)}
        options.json.write_text(
            json.dumps(facts | {"versions": versions("transformers")}, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
