"""A small teacher and its student on a text of words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hamming.distill.training.config import RunConfig

SHAPE = {"n_layers": 2, "d_model": 16, "n_heads": 2, "n_key_heads": 1, "d_head": 8, "d_inner": 16}


def run_of(text: Path, kind: str, **changed: Any) -> RunConfig:
    fields: dict[str, Any] = {
        "name": f"words_{kind}",
        "kind": kind,
        "task": {"name": "language", "text": str(text), "n_tokens": 24, "n_train": 64, "n_test": 12},
        "train": {"batch_size": 8, "learning_rate": 1e-2},
    }
    if kind == "teacher":
        fields["model"], fields["train"]["epochs"] = SHAPE, 25
    else:
        fields["student"] = {"teacher": "words_teacher", "top_n": 6, "n_tables": 2, "calibration_batches": 4}
        fields["train"] |= {"soft": 0.5, "sharp": 0.5, "sign": 0.5, "final": 0.5, "learning_rate": 1e-3}
    return RunConfig.from_dict(fields | changed)
