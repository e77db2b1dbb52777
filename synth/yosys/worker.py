"""Runs a Yosys script in this process, command by command; `process` starts it in one of its own.

Yosys logs to standard output. The number of each command goes to standard error as it begins, after the mark that is
the second argument.
"""

import sys
from pathlib import Path

from pyosys import libyosys  # pyright: ignore[reportAttributeAccessIssue]  (native, without stubs)


def main(script: str, mark: str) -> None:
    """Run the commands of the file `script`, one a line."""
    design = libyosys.Design()
    for number, command in enumerate(Path(script).read_text(encoding="utf-8").splitlines()):
        print(f"{mark}{number}", file=sys.stderr, flush=True)
        libyosys.run_pass(command, design)


if __name__ == "__main__":
    main(*sys.argv[1:])
