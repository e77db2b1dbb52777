"""The environment of programs that are driven: compilers, simulators, Yosys."""

from __future__ import annotations

import os
import re
import tempfile

__all__ = ["environment", "nameable_temporary"]

#: What of the user's environment a compiler, a simulator or the loader needs. Everything else may be a variable of
#: make, of Verilator or of cocotb, meant for another project: make takes each as a variable of its own.
_KEPT = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|TZ|LANG|LANGUAGE|LC_[A-Z_]+"
    "|LD_LIBRARY_PATH|DYLD_[A-Z_]+|LIBRARY_PATH|CPATH|C_INCLUDE_PATH|CPLUS_INCLUDE_PATH|GCC_EXEC_PREFIX"
    "|SDKROOT|DEVELOPER_DIR|MACOSX_DEPLOYMENT_TARGET|NIX_[A-Za-z0-9_]+|CONDA_[A-Z_]+|CCACHE_[A-Z_]+"
)

#: What a path must not have for make, in whose files blanks separate, and $, # and others mean something.
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9_./+,@%=-]")


def environment(**own: str) -> dict[str, str]:
    """Return the environment of a program that is driven: what it needs of the user's, and `own`.

    Temporary files go where every program can name them (`nameable_temporary`), if there is such a folder.
    """
    kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
    return kept | {"TMPDIR": nameable_temporary() or tempfile.gettempdir()} | own


def nameable_temporary() -> str | None:
    """Return the folder of temporary files, or another one if its path has what make or ABC cannot name; or None."""
    candidates = [folder for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp") if not _UNNAMEABLE.search(folder)]
    return next((folder for folder in candidates if os.access(folder, os.W_OK | os.X_OK)), None)
