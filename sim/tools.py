"""Programs that simulation drives: their own environment, folders that make can name, and an end when ours comes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["call", "environment", "nameable_folder", "nameable_link"]

#: What of the user's environment a compiler, a simulator or the loader needs. Everything else may be a variable of
#: make, of Verilator or of cocotb, meant for another project: make takes each as a variable of its own.
_KEPT = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TMP|TEMP|TZ|LANG|LANGUAGE|LC_[A-Z_]+"
    "|LD_LIBRARY_PATH|DYLD_[A-Z_]+|LIBRARY_PATH|CPATH|C_INCLUDE_PATH|CPLUS_INCLUDE_PATH|GCC_EXEC_PREFIX"
    "|SDKROOT|DEVELOPER_DIR|MACOSX_DEPLOYMENT_TARGET|NIX_[A-Za-z0-9_]+|CONDA_[A-Z_]+|CCACHE_[A-Z_]+"
)

#: What a path must not have for make, in whose files blanks separate, and $, # and others mean something.
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9_./+,@%=-]")


def environment(**own: str) -> dict[str, str]:
    """Return the environment of a program that is driven: what it needs of the user's, and `own`."""
    return {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)} | own


@contextlib.contextmanager
def nameable_folder() -> Iterator[Path]:
    """Make a temporary folder by whose path make can name files, whatever the user's folders are called.

    Raises
    ------
    OSError
        There is none.
    """
    candidates = [folder for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp") if not _UNNAMEABLE.search(folder)]
    usable = [folder for folder in candidates if os.access(folder, os.W_OK | os.X_OK)]
    if not usable:
        raise OSError(None, "no temporary folder has a path without blanks; set TMPDIR to one")
    with tempfile.TemporaryDirectory(dir=usable[0], prefix="hamming-build-") as name:
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
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while meanwhile is not None and process.poll() is None:
                meanwhile()
                time.sleep(0.02)
            return process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            if meanwhile is not None and sys.exc_info()[0] is None:
                meanwhile()
