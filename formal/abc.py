"""ABC, which comes with pyosys, asked whether an output of a circuit can ever be 1."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import NamedTuple

from hamming.synth.yosys import abc

__all__ = ["ENGINES", "Answer", "ask"]

#: How a question is answered. `pdr` (property-directed reachability) is about any number of cycles, `bmc` about those
#: up to a depth, `cec` (by simulation and SAT) and `bdd` (by a decision diagram) about circuits without state.
ENGINES = {
    "pdr": "pdr -T {timeout}",
    "bmc": "bmc3 -F {depth} -T {timeout}",
    "cec": "&get; &cec -m -T {timeout}",
    "bdd": "collapse -B 100000000; strash; iprove",
}

#: What `pdr` says of an output that is 0 for reasons that it need not search for; `int` (interpolation) proves those.
_IS_CONSTANT = "All outputs solved or timed out in frame 1."


class Answer(NamedTuple):
    """Whether the output is never 1 (None: not known in time), the time that took, and inputs that make it 1."""

    holds: bool | None
    seconds: float
    inputs: list[list[int]] | None


def ask(path: Path, output: int, *, engine: str, depth: int, timeout: float) -> Answer:
    """Ask whether output number `output` of the AIGER file at `path` can be 1 in any cycle.

    Parameters
    ----------
    path
        The circuit; latches start at 0.
    output
        Its place among the outputs.
    engine
        One of `ENGINES`.
    depth
        Cycles that `bmc` looks at.
    timeout
        Seconds after which there is no answer.

    Raises
    ------
    RuntimeError
        ABC said something else.
    """
    answer, text = _ask(
        path, output, ENGINES[engine].format(depth=depth, timeout=max(1, round(timeout))), depth, timeout
    )
    if answer.holds is None and _IS_CONSTANT in text:
        answer, text = _ask(path, output, f"int -T {max(1, round(timeout))}", depth, timeout)
    return answer


def _ask(path: Path, output: int, solve: str, depth: int, timeout: float) -> tuple[Answer, str]:
    """Ask ABC once; return the answer, and what it said."""
    witness = path.with_name(f"witness_{output}.aiw")
    witness.unlink(missing_ok=True)
    script = f"read_aiger {path.name}; cone -O {output}; {solve}; write_cex -a {witness.name}"
    start = time.monotonic()
    try:
        text = abc(script, path.parent, seconds=timeout + 20)
    except TimeoutError:
        return Answer(None, time.monotonic() - start, None), ""
    seconds = time.monotonic() - start
    if re.search(r"was asserted in frame|are NOT EQUIVALENT|^SATISFIABLE|Networks are NOT", text, re.M):
        return Answer(False, seconds, _inputs(witness)), text
    if re.search(r"Property proved|UNSATISFIABLE|Networks are equivalent", text):
        return Answer(True, seconds, None), text
    if found := re.search(r"No output asserted in (\d+) frames", text):
        return Answer(True if int(found[1]) >= depth else None, seconds, None), text
    if re.search(r"[Tt]imeout|Property UNDECIDED|UNDECIDED|Reached", text):
        return Answer(None, seconds, None), text
    raise RuntimeError(f"ABC gave no answer: {text[-1000:]}")


def _inputs(witness: Path) -> list[list[int]]:
    """Read the inputs of each cycle; the first line is the start, and a comment ends the file."""
    lines = witness.read_text(encoding="utf-8").split("#")[0].splitlines()
    return [[int(bit == "1") for bit in line] for line in lines[1:] if line]
