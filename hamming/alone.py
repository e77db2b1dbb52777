"""A function in a process of its own, of which nothing is left: no program that it started, no temporary file.

The caller starts a guard, this file as a program, and the guard forks the worker, which does the work. Whatever ends
first, the guard ends the rest: the worker, when it has answered or died; the caller, when it gives up or is gone, which
shows at the other end of the guard's standard input. Programs that the worker started become the guard's children when
the worker dies (`PR_SET_CHILD_SUBREAPER`), in whatever session and group they are, and are killed; elsewhere than on
Linux only those that the worker itself ends. Temporary files go into a folder of their own, which goes with a worker
that died; what one that answered left there, such as the log of a simulation that failed, stays.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Cancelled", "Died", "call", "packed"]

#: Seconds for a worker to undo what is half done, before it is killed.
GRACE_SECONDS = 5.0

_POLL_SECONDS = 0.05
_LENGTH_BYTES = 8

#: Of Linux' <sys/prctl.h>.
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


class Died(RuntimeError):
    """A process ended before its answer."""


class Cancelled(RuntimeError):
    """The caller gave up."""


def packed(function: Callable[..., Any], *arguments: Any) -> bytes:
    """Return a call for `call`.

    Raises
    ------
    ValueError
        The function is one of `__main__`, which another process cannot import by its name.
    """
    if function.__module__ == "__main__":
        raise ValueError(f"{function.__qualname__} is of __main__; another process needs it in a module with a name")
    return pickle.dumps((function, arguments))


def call(work: bytes, is_cancelled: Callable[[], bool]) -> bytes:
    """Do work in a process of its own.

    Parameters
    ----------
    work
        What `packed` returned.
    is_cancelled
        Asked some times a second; once it is true, the work is given up.

    Returns
    -------
    answer
        Pickled, a pair: true, and what the function returned; or false, and the exception that it raised, with its
        traceback as a note.

    Raises
    ------
    Died
        The process ended without an answer.
    Cancelled
        The work was given up; nothing of it runs any more.
    """
    guard = subprocess.Popen(
        [sys.executable, "-P", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        start_new_session=True,  # Ctrl-C is for the caller
    )
    assert guard.stdin is not None
    assert guard.stdout is not None
    answer = bytearray()
    try:
        with contextlib.suppress(BrokenPipeError):  # it died; its status says of what
            guard.stdin.write(len(work).to_bytes(_LENGTH_BYTES, "big") + work)
            guard.stdin.flush()
        poll = select.poll()
        poll.register(guard.stdout, select.POLLIN)
        while True:
            if poll.poll(1000 * _POLL_SECONDS):
                piece = os.read(guard.stdout.fileno(), 1 << 20)
                if not piece:
                    break
                answer += piece
            if is_cancelled():
                raise Cancelled("it was cancelled")
    finally:
        guard.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            guard.stdin.close()
        status = guard.wait()
    if status or not answer:
        raise Died(f"its process ended without a result, {_in_words(status)}")
    return bytes(answer)


def _in_words(status: int) -> str:
    number = -status if status < 0 else status - 128
    with contextlib.suppress(ValueError):
        name = signal.Signals(number).name
        return f"by {name}{', as of a machine without memory' if name == 'SIGKILL' else ''}"
    return f"with status {status}"


def main() -> None:
    """Guard a worker; the work comes from standard input, the answer goes to standard output."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    length = int.from_bytes(_read(_LENGTH_BYTES), "big")
    work = _read(length)
    folder = Path(tempfile.mkdtemp(prefix="hamming-job-"))
    guard = os.getpid()
    worker = os.fork()
    if worker == 0:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == guard:
            _work(work, folder)
        return
    status = _watch(worker)
    _kill_the_rest()
    if status == 0:
        with contextlib.suppress(OSError):
            folder.rmdir()
    else:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status if status >= 0 else 128 - status)


def _read(n_bytes: int) -> bytes:
    """Read from the caller; one that is gone ends this."""
    found = b""
    while len(found) < n_bytes:
        piece = os.read(0, n_bytes - len(found))
        if not piece:
            sys.exit(1)
        found += piece
    return found


def _work(work: bytes, folder: Path) -> None:
    """Do the work, and answer."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    answers = os.dup(1)
    os.dup2(2, 1)  # what is printed is no answer
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    try:
        function, arguments = pickle.loads(work)
        answer = pickle.dumps((True, function(*arguments)))
    except Exception as error:
        error.add_note(traceback.format_exc())
        answer = pickle.dumps((False, error))
        try:
            pickle.loads(answer)
        except Exception:  # an exception whose class asks for more than its message
            told = RuntimeError(f"{type(error).__name__}: {error}")
            told.add_note(traceback.format_exc())
            answer = pickle.dumps((False, told))
    with open(answers, "wb") as file:  # noqa: PTH123  (a descriptor, no path)
        file.write(answer)


def _watch(worker: int) -> int:
    """Wait for a worker, as long as there is a caller; return its exit status, less than 0 if a signal ended it."""
    ends_at = None
    while True:
        ended, status = os.waitpid(worker, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if ends_at is not None:
            time.sleep(_POLL_SECONDS)
            if time.monotonic() > ends_at:
                os.kill(worker, signal.SIGKILL)
        elif select.select([0], [], [], _POLL_SECONDS)[0]:  # nothing more comes from the caller but its end
            os.kill(worker, signal.SIGTERM)
            ends_at = time.monotonic() + GRACE_SECONDS


def _kill_the_rest() -> None:
    """Kill what the worker left; of what is killed, the children come here, too."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for process in _children():
                os.kill(process, signal.SIGKILL)
            os.wait()


def _children() -> list[int]:
    """Return this process' children, as Linux lists them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # one that is gone by now
            parent = entry.read_text(errors="replace").rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.append(int(entry.parent.name))
    return found


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
