"""Trying programs and modules that may be missing, broken, or never answer."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hamming.rtl.environment import environment, module_path

__all__ = ["Answer", "ask", "ask_python", "version_in"]

#: Seconds after which a program is taken not to answer. PyTorch, from a cold disk, is slow to import.
PROGRAM_SECONDS, PYTHON_SECONDS = 20.0, 90.0


@dataclass(frozen=True)
class Answer:
    """What a program said.

    Attributes
    ----------
    is_ok
        Whether it ended with status 0.
    text
        What it printed; if it is not ok, in one line what is wrong.
    is_there
        Whether it could be found.
    """

    is_ok: bool
    text: str
    is_there: bool = True


def ask(command: Sequence[str], *, seconds: float | None = None, own: Mapping[str, str] | None = None) -> Answer:
    """Run a program in an empty folder, and end it, with all that it started, if it does not answer.

    Parameters
    ----------
    command
        Program and arguments.
    seconds
        How long it may take; `PROGRAM_SECONDS` if None.
    own
        Variables beside those of `environment`.
    """
    program = shutil.which(command[0])
    if program is None:
        return Answer(False, "not found", is_there=False)
    seconds = PROGRAM_SECONDS if seconds is None else seconds
    with tempfile.TemporaryDirectory(prefix="hamming-doctor-", ignore_cleanup_errors=True) as folder:
        try:
            process = subprocess.Popen(
                [program, *command[1:]],
                cwd=folder,
                env=environment(**(own or {})),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Answer(False, f"cannot be run: {error.strerror or error}")
        with process:
            try:
                said, _ = process.communicate(timeout=seconds)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                return Answer(False, f"no answer in {seconds:g} s")
    text = said.decode(errors="replace").strip()
    if process.returncode:
        return Answer(False, f"ended with status {process.returncode}: {_last_line(text)}")
    return Answer(True, text)


def ask_python(program: str, *arguments: str) -> Answer:
    """Run a Python program, with the modules that this Python has."""
    command = [sys.executable, "-P", "-c", program, *arguments]
    return ask(command, seconds=PYTHON_SECONDS, own={"PYTHONPATH": os.pathsep.join(module_path())})


def version_in(text: str) -> str:
    """Return the first version number in a text, or its first line."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return found[0] if found else next(iter(text.splitlines()), "")


def _last_line(text: str) -> str:
    lines = text.splitlines() or ["it said nothing"]
    return lines[-1].strip()[:200]
