"""Programs that simulation drives: folders that make can name, and an end when ours comes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hamming.rtl.environment import nameable_temporary

__all__ = ["call", "nameable_folder", "nameable_link"]


@contextlib.contextmanager
def nameable_folder() -> Iterator[Path]:
    """Make a temporary folder by whose path make can name files, whatever the user's folders are called.

    Raises
    ------
    OSError
        There is none.
    """
    temporary = nameable_temporary()
    if temporary is None:
        raise OSError(None, "no temporary folder has a path without blanks; set TMPDIR to one")
    with tempfile.TemporaryDirectory(dir=temporary, prefix="hamming-build-") as name:
        yield Path(name)


def nameable_link(folder: Path, name: str, target: Path) -> Path:
    """Return a link in `folder` to `target`, by which make can name it."""
    link = folder / name
    link.symlink_to(target.absolute())
    return link


def call(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    log: Path,
    *,
    meanwhile: Callable[[], None] | None = None,
) -> int:
    """Run a program and return its exit status; it ends, with all that it started, when an exception ends this.

    Parameters
    ----------
    command, folder, variables
        Its arguments, where it runs, and its environment.
    log
        File to which its output is added.
    meanwhile
        Called now and then while it runs.
    """
    # Started in a thread, where no signal can raise an exception between the start and our knowing of it.
    with log.open("ab") as file, ThreadPoolExecutor(1) as thread:
        starting = thread.submit(
            subprocess.Popen,
            command,
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process = starting.result()
            while meanwhile is not None and process.poll() is None:
                meanwhile()
                time.sleep(0.02)
            status = process.wait()
        except BaseException:
            if starting.exception() is None:
                process = starting.result()
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            raise
    if meanwhile is not None:
        meanwhile()
    return status
