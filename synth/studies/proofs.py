"""`python -m hamming.synth.studies.proofs`: what `hamming synthesize --prove --json` kept, as Markdown."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["proofs_table"]

Modules = Sequence[dict[str, Any]]


def proofs_table(proofs: Sequence[dict[str, Any]]) -> str:
    """Return a table with a row a block, and columns for each design.

    Parameters
    ----------
    proofs
        As of `EquivalenceReport.to_dict`.
    """
    # Beside the block: what is counted, and how; nets in which x allows any value have a column if there are any.
    columns = [_columns(proof) for proof in proofs]
    headings = ["block"]
    for proof, counts in zip(proofs, columns, strict=True):
        headings += [f"{proof['top']}: {name}" if n == 0 else name for n, name in enumerate(counts)]
    blocks = sorted({module["blocks"][0] for proof in proofs for module in proof["modules"]})
    rows = [headings]
    for block in [*blocks, None]:
        row = [block or "**total**"]
        for proof, counts in zip(proofs, columns, strict=True):
            modules = [m for m in proof["modules"] if block is None or m["blocks"][0] == block]
            row += [count(modules) if modules else "" for count in counts.values()]
        rows.append(row)
    head, *body = [f"| {' | '.join(row)} |\n" for row in rows]
    return "".join([head, "|---|", "---:|" * (len(headings) - 1), "\n", *body])


def _columns(proof: dict[str, Any]) -> dict[str, Any]:
    def total(*names: str) -> Any:
        return lambda modules: f"{sum(module[name] for module in modules for name in names):,}"

    columns = {
        "registers": total("registers"),
        "by name": total("matched"),
        "others": total("merged", "constant"),
        "nets": total("points"),
        "where x allows": total("guarded"),
        "s": lambda modules: f"{sum(module['seconds'] for module in modules):.1f}",
    }
    if not any(module["guarded"] for module in proof["modules"]):
        del columns["where x allows"]
    return columns


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, 1 if a file has no proof of equality."""
    parser = argparse.ArgumentParser(
        prog="python -m hamming.synth.studies.proofs", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.json", help="a design each")
    options = parser.parse_args(arguments)
    proofs = []
    for file in options.files:
        try:
            proof = json.loads(file.read_text(encoding="utf-8")).get("equivalence")
        except (OSError, ValueError, AttributeError) as error:
            print(f"Error: {file} is no report of hamming synthesize --json: {error}", file=sys.stderr)
            return 1
        if proof is None or not proof["equal"]:
            print(f"Error: {file} has no proof of equality; make it with --prove", file=sys.stderr)
            return 1
        proofs.append(proof)
    print(proofs_table(proofs), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
