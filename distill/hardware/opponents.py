"""Accuracies of a comparison's designs on one task: a teacher through each baseline, its student through the engine.

    python -m hamming.distill.hardware.opponents sample_student --task fashion_mnist --json FILE

Both runs may be those of the package. Each design's attention is its own golden model; all else is in float32. With
`--tune N` models are fine-tuned over N steps for designs of fewer bits, or fewer keys, than they were trained for.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from hamming.distill.hardware.evaluate import (
    CALIBRATION_TOKENS,
    accuracy_of,
    calibrated_values,
    calibration_batches,
    logits,
)
from hamming.distill.hardware.integer import integer_attention, value_scales
from hamming.distill.hardware.likeness import cosine
from hamming.distill.hardware.standard import collect_heads, head_scales, standard_attention
from hamming.distill.hardware.tuning import tuned, tuned_student
from hamming.distill.method.convert import configure, hamming_layers
from hamming.distill.method.quantize import Widths
from hamming.distill.tasks import Task, load_task
from hamming.distill.tasks.task import MissingData
from hamming.distill.training.runs import DATA, Run, find_teacher, load_run, versions

__all__ = ["STUDENTS", "TUNED", "opponents"]

#: The engine and its variants, by their keys in `synth.compare`: widths, and kept keys where not those of the student.
STUDENTS: dict[str, tuple[Widths, int | None]] = {
    "hamming": (Widths(weight_bits=8), None),
    "hamming-12": (Widths(weight_bits=12), None),
    "hamming-10": (Widths(weight_bits=10), None),
    "hamming-6": (Widths(weight_bits=6, value_bits=6, out_frac_bits=2), None),
    "hamming-4": (Widths(weight_bits=4, value_bits=4, out_frac_bits=2), None),
    "hamming-shift": (Widths(weight_bits=8, weight_form="power_of_two"), None),
    "hamming-shift4": (Widths(weight_bits=4, weight_form="power_of_two"), None),
    "hamming-few": (Widths(weight_bits=3, value_bits=3, out_frac_bits=1, weight_form="power_of_two"), 8),
    "hamming-few3": (Widths(weight_bits=3, value_bits=3, out_frac_bits=1), 8),
}

#: What a design's key has behind it where the model was fine-tuned for it.
TUNED = ", tuned"


def opponents(
    student: Run,
    teacher: nn.Module,
    task: Task,
    *,
    limit: int | None = None,
    bf16_limit: int | None = None,
    n_steps: int = 0,
    known: Mapping[str, Any] | None = None,
    keep: Callable[[dict[str, Any]], None] = lambda found: None,
) -> dict[str, Any]:
    """Classify a task's test items by every design.

    Parameters
    ----------
    student
        Its attention in mode `sign`; the sparse baselines keep as many keys as it does.
    teacher
        In mode `float`.
    task
        Whose training items scales are chosen on.
    limit, bf16_limit
        Test items, from the first on, and of those that bfloat16 has, whose golden model is slow; None: all.
    n_steps
        Of the teacher's fine-tuning for int4, and where few keys are weighed, and of the student's where it is to keep
        fewer than it was distilled for (`tuning`); 0: none.
    known
        What an earlier call found; its designs are not measured again if all but they is the same.
    keep
        Called with all that is found, after each design.

    Returns
    -------
    JSON's types: `task`, `n_train`, `items`, `top_n`, `tuning_steps`, `teacher` and `student` (accuracies in floating
    point, over all keys and over the best), `versions`, and `designs`: for each by its key `items`, `accuracy`,
    `agreement` (share of items classified as by the same model in floating point) and `logits`, cosines to those. A
    design for which a model was fine-tuned is there twice, the second time with `TUNED` behind its key.
    """
    top_n = next(iter(hamming_layers(student.model).values())).top_n
    exact, labels, _ = logits(teacher, task, limit=limit)
    exact_student = logits(student.model, task, limit=limit)[0]
    facts = {
        "task": student.config.task.name,
        "n_train": task.n_train,
        "items": len(labels),
        "top_n": top_n,
        "tuning_steps": n_steps,
        "teacher": accuracy_of(exact, labels),
        "student": accuracy_of(exact_student, labels),
        "versions": versions(),
    }
    is_alike = known is not None and {name: value for name, value in known.items() if name != "designs"} == facts
    designs: dict[str, Any] = dict(known["designs"]) if known is not None and is_alike else {}

    def classify(key: str, model: nn.Module, reference: Any, items: int | None) -> None:
        scores, own, _ = logits(model, task, limit=items)
        same = reference[: len(own)]
        designs[key] = {
            "items": len(own),
            "accuracy": accuracy_of(scores, own),
            "agreement": accuracy_of(scores, same.argmax(1)),
            "logits": dataclasses.asdict(cosine(same, scores)),
        }
        keep(facts | {"designs": designs})

    values = calibrated_values(student.model, task)
    for key, (widths, n_kept) in STUDENTS.items():
        scales = value_scales(values, widths.value_bits)
        model = copy.deepcopy(student.model)
        configure(model, mode="sign", top_n=n_kept or top_n)
        if key not in designs:
            with integer_attention(model, scales, widths):
                classify(key, model, exact_student, limit)
        if n_steps and n_kept is not None and key + TUNED not in designs:
            bits = widths.value_bits
            if widths.weight_form is not None:
                configure(model, weight_form=widths.weight_form)
            model = tuned_student(model, teacher, task, scales, value_bits=bits, n_steps=n_steps)
            with integer_attention(model, scales, widths):
                classify(key + TUNED, model, exact_student, limit)
    teacher.eval()
    seen = collect_heads(
        teacher, lambda inputs: task.forward(teacher, inputs), calibration_batches(task), enough=CALIBRATION_TOKENS
    )
    for bits in (8, 4):
        scales = head_scales(seen, bits)
        for key, top_k in ((f"standard-int{bits}", None), (f"standard-sparse_int{bits}", top_n)):
            if key not in designs:
                with standard_attention(teacher, scales, element_bits=bits, top_k=top_k):
                    classify(key, teacher, exact, limit)
            if n_steps and (bits, top_k) != (8, None) and key + TUNED not in designs:
                model = tuned(teacher, task, scales, element_bits=bits, top_k=top_k, n_steps=n_steps)
                with standard_attention(model, scales, element_bits=bits, top_k=top_k):
                    classify(key + TUNED, model, exact, limit)
    if "standard-bf16" not in designs:
        with standard_attention(teacher, None):
            n_items = bf16_limit if limit is None else min(limit, bf16_limit or limit)
            classify("standard-bf16", teacher, exact, n_items)
    return facts | {"designs": designs}


def main() -> None:
    """Measure a finished student, and its teacher through every baseline."""
    parser = argparse.ArgumentParser(prog="python -m hamming.distill.hardware.opponents", description=main.__doc__)
    parser.add_argument("run", help="a finished student's folder, or sample_student, which is in the package")
    parser.add_argument("--task", help="name of another task of the same kind, with more items (default: the run's)")
    parser.add_argument("--limit", type=int, help="test items (default: all)")
    parser.add_argument("--bf16-limit", type=int, default=1000, help="of these, for bfloat16 (default: 1,000)")
    parser.add_argument("--tune", type=int, default=0, metavar="N", help="steps of fine-tuning (default: none)")
    parser.add_argument("--json", type=Path, help="write the figures here, and go on with what it has")
    options = parser.parse_args()
    kept = options.json

    def keep(found: dict[str, Any]) -> None:
        key, last = list(found["designs"].items())[-1]
        print(f"{key}: {last['accuracy']:.4f} of {last['items']}", flush=True)
        if kept is not None:
            kept.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

    try:
        folder = DATA / options.run if (DATA / options.run).is_dir() else Path(options.run)
        student = load_run(folder)
        teacher = find_teacher(student.config, folder.parent).model
        task = student.task
        if options.task is not None:
            wanted = dataclasses.replace(student.config.task, name=options.task)
            student = dataclasses.replace(student, config=dataclasses.replace(student.config, task=wanted))
            task = load_task(wanted)
        found = opponents(
            student,
            teacher,
            task,
            limit=options.limit,
            bf16_limit=options.bf16_limit,
            n_steps=options.tune,
            known=json.loads(kept.read_text(encoding="utf-8")) if kept is not None and kept.exists() else None,
            keep=keep,
        )
    except (MissingData, OSError, ValueError) as error:
        parser.exit(1, f"Error: {error}\n")
    print(f"teacher {found['teacher']:.4f}, student {found['student']:.4f}")


if __name__ == "__main__":
    main()
