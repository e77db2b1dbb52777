"""The same prompt continued by the teacher, by the student, and by the student through the integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from hamming.distill.hardware.evaluate import calibrated_values
from hamming.distill.hardware.generate import Engines, generate
from hamming.distill.hardware.generated import simulate_generated
from hamming.distill.hardware.integer import value_scales
from hamming.distill.method.quantize import Widths
from hamming.distill.models.language import LanguageModel
from hamming.distill.tasks.language import Language, text_of, tokens_of
from hamming.distill.training.runs import Run, find_teacher

__all__ = ["write_text"]


def write_text(
    run: Run,
    prompt: str,
    n_tokens: int,
    *,
    n_keys: int,
    widths: Widths | None = None,
    layer: int | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> dict[str, Any]:
    """Continue `prompt` greedily.

    Parameters
    ----------
    run
        A student's, of the task `language`.
    prompt
        A text of one token or more.
    n_tokens
        Tokens to be made.
    n_keys
        Rows that an engine has: the prompt and all but the last of the tokens must fit.
    widths
        Of the integers; None: the defaults.
    layer
        Number of the layer whose heads go through the Verilog, too; None: none.
    progress
        Gets a step in words, tokens done, and tokens to be made.

    Returns
    -------
    JSON's types: `prompt`; `texts` and `tokens` by `teacher` (if its run lies beside it), `student` and `integer`;
    `part`, the first token at which two of them differ, or None; `engine`; and `verilog`, what
    `generated.simulate_generated` says.

    Raises
    ------
    ValueError
        The run is of another task, the prompt is empty, or the text does not fit the engine; or as of `Engines`.
    SimulatorMissing, SimulationFailed
        As of `sim.simulate.simulate`.
    """
    task, model = run.task, run.model
    if not isinstance(task, Language) or not isinstance(model, LanguageModel):
        raise ValueError(f"{run.folder.path} is of the task {run.config.task.name}; language models generate text")
    given = tokens_of(prompt, task.tokenizer)
    if not len(given):
        raise ValueError("prompt must have one token at least")
    if len(given) + n_tokens - 1 > n_keys:
        raise ValueError(f"{len(given)} + {n_tokens} - 1 tokens are more rows than the engine's n_keys = {n_keys}")
    widths = Widths() if widths is None else widths
    engines = Engines(model, value_scales(calibrated_values(model, task), widths.value_bits), widths, n_keys=n_keys)
    if layer is not None and layer >= len(engines.layers):
        raise ValueError(f"layer must be 0 to {len(engines.layers) - 1}, not {layer}")
    made: dict[str, Tensor] = {}

    def told(name: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(name, done, total)

    try:
        teacher = find_teacher(run.config, run.folder.path.parent).model
        assert isinstance(teacher, LanguageModel)
        made["teacher"], _ = generate(teacher, given, n_tokens, progress=told("teacher"))
    except ValueError:
        pass
    made["student"], _ = generate(model, given, n_tokens, progress=told("student"))
    with engines.attached():
        made["integer"], _ = generate(model, given, n_tokens, progress=told("integer"))
    found: dict[str, Any] = {
        "prompt": prompt,
        "texts": {name: text_of(tokens, task.tokenizer) for name, tokens in made.items()},
        "tokens": {name: tokens.tolist() for name, tokens in made.items()},
        "part": {
            f"{other} and student": _parting(made[other], made["student"]) for other in made if other != "student"
        },
        "engine": engines.settings | {"n_keys": n_keys},
    }
    if layer is not None:
        name = list(engines.layers)[layer]
        found["verilog"] = simulate_generated(engines, name, given, made["integer"])
    return found


def _parting(a: Tensor, b: Tensor) -> int | None:
    differs = (a != b).nonzero()
    return int(differs[0]) if len(differs) else None
