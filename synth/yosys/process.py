"""Yosys in a process of its own: a crash or a log does not reach the caller, and progress does."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hamming.rtl.environment import environment, module_path

__all__ = ["SynthesisError", "run", "version"]

_MARK = "@command "
_WORKER = Path(__file__).with_name("worker.py")


class SynthesisError(RuntimeError):
    """Yosys could not do its work; the message is one line.

    Attributes
    ----------
    log
        The end of Yosys' log.
    """

    def __init__(self, message: str, log: str = ""):
        super().__init__(message)
        self.log = log


def version() -> str:
    """Return the version of pyosys, which is Yosys' own and brings its ABC.

    Raises
    ------
    SynthesisError
        It is not installed.
    """
    try:
        return importlib.metadata.version("pyosys")
    except importlib.metadata.PackageNotFoundError:
        raise SynthesisError("synthesis needs Yosys: pip install pyosys") from None


def run(commands: Sequence[str], folder: Path, *, progress: Callable[[int], None] | None = None) -> str:
    """Run Yosys commands in `folder` and return the log.

    The commands are left there as `script.ys` and the log as `yosys.log`. No command may contain a line break.

    Parameters
    ----------
    commands
        Yosys commands; file names are relative to `folder`.
    folder
        Where they run.
    progress
        Called with the number of each command as it begins.

    Raises
    ------
    SynthesisError
        A command failed.
    """
    version()
    (folder / "script.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
    log_path = folder / "yosys.log"
    worker = [sys.executable, "-P", str(_WORKER), "script.ys", _MARK]
    strays = []
    with (
        log_path.open("wb") as log_file,
        subprocess.Popen(
            worker,
            cwd=folder,
            env=environment(PYTHONHASHSEED="0", PYTHONPATH=os.pathsep.join(module_path())),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process,
    ):
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if not line.startswith(_MARK):
                    strays.append(line)
                elif progress is not None:
                    progress(int(line.removeprefix(_MARK)))
        except BaseException:
            process.kill()
            raise
    log = log_path.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        raise SynthesisError(_reason(log, strays, process.returncode), log[-20_000:])
    return log


def _reason(log: str, strays: Sequence[str], status: int) -> str:
    """Say in one line what Yosys stumbled on."""
    for line in [*log.splitlines(), *strays]:
        _, is_error, reason = line.partition("ERROR: ")
        if is_error:
            return f"Yosys: {reason.strip()}"
    last = next((line.strip() for line in reversed(strays) if line.strip()), "no message")
    return f"Yosys ended with status {status}: {last}"
