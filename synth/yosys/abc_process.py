"""ABC, the one that pyosys brings, in a process of its own."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

from hamming.rtl.environment import environment
from hamming.synth.yosys.process import SynthesisError

__all__ = ["abc"]


def abc(script: str, folder: Path, *, seconds: float | None = None) -> str:
    """Run ABC commands in `folder` and return all that was said, without colours.

    What an answer means, and whether it is one, is the caller's to read: ABC's status tells little.

    Parameters
    ----------
    script
        Commands, separated by semicolons; file names are relative to `folder`.
    folder
        Where they run.
    seconds
        How long at most. None: as long as it takes.

    Raises
    ------
    SynthesisError
        It is not installed.
    TimeoutError
        It took longer.
    """
    found = importlib.util.find_spec("pyosys")
    program = Path(found.origin).with_name("yosys-abc") if found is not None and found.origin else None
    if program is None or not program.is_file():
        raise SynthesisError("this needs the ABC in pyosys: pip install pyosys")
    try:
        done = subprocess.run(
            [str(program), "-c", script],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"ABC takes longer than {seconds:.0f} s") from error
    return re.sub(r"\x1b\[[\d;]*m", "", done.stdout)
