"""What came of the proofs: JSON, the table of `docs/proofs.md`, and traces."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hamming.formal.proof import Claim, Outcome
from hamming.pages import with_table

__all__ = ["MARKS", "PAGE", "as_json", "as_table", "keep", "read", "trace_text", "write"]

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "proofs.md"
MARKS = ("<!-- table: make prove -->\n", "<!-- end of table -->\n")
_WORDS = {True: "proved", False: "broken", None: "not known"}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain JSON types."""
    proof = outcome.proof
    return {
        "name": proof.name,
        "component": proof.component,
        "what": proof.what,
        "size": proof.size,
        "engine": proof.engine,
        "depth": proof.depth or None,
        "seconds": round(outcome.seconds, 1),
        "result": _WORDS[outcome.holds],
        "claims": [
            {"claim": claim.text, "result": _WORDS[claim.holds], "seconds": round(claim.seconds, 2)}
            for claim in outcome.claims
        ],
    }


def as_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return results as a table in Markdown."""
    rows = ["| proof | of | what | size | by | cycles | s | |", "|---|---|---|---|---|---|---:|---|"]
    for result in results:
        cycles = {"pdr": "any", "cec": "none", "bdd": "none"}.get(result["engine"]) or f"to {result['depth']}"
        row = (result["name"], f"`{result['component']}`", result["what"], result["size"], result["engine"], cycles)
        rows.append(f"| {' | '.join(row)} | {result['seconds']:.1f} | {result['result']} |")
    return "\n".join(rows) + "\n"


def keep(results: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Put results among those that are kept, of the proofs `names` and in their order, and into the page."""
    known = {result["name"]: result for result in [*(read() if RESULTS.exists() else []), *results]}
    kept = [known[name] for name in names if name in known]
    write(kept, RESULTS)
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), MARKS, as_table(kept)), encoding="utf-8")


def read() -> list[dict[str, Any]]:
    """Return the results that are kept."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def write(results: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write results as JSON, a proof a block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(results), indent=1) + "\n", encoding="utf-8")


def trace_text(claim: Claim) -> str:
    """Return a broken claim's trace: a line a signal, a column a cycle, numbers in hexadecimal."""
    names = [name for name in claim.trace[0] if not re.fullmatch(r"bad_\d+|reached_\d+", name)]
    rows = [["cycle", *(str(n) for n in range(len(claim.trace)))]]
    rows += [[name, *(f"{words[name]:x}" for words in claim.trace)] for name in names]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"broken: {claim.text}"]
    for row in rows:
        lines.append(
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        )
    return "\n".join(lines)
