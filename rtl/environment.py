"""The environment of programs that are driven: compilers, simulators, Yosys, and the Python in them."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import tempfile
from pathlib import Path

__all__ = ["environment", "module_path", "nameable_temporary"]

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


def module_path() -> list[str]:
    """Return `sys.path` in an order in which nothing of the user's hides what this package needs.

    Python's own library comes first, then the folder that holds this package, then what is installed, and last what
    `PYTHONPATH` names and the current folder; where this is on the path as such, it is left out. All are absolute. As
    `PYTHONPATH`, a Python that is driven finds by it the modules that this one has.
    """
    home, library = Path(__file__).absolute().parents[2], Path(sysconfig.get_path("stdlib"))
    first = [str(folder) for folder in (library, library / "lib-dynload", home)]
    of_the_user = set(map(os.path.abspath, os.environ.get("PYTHONPATH", "").split(os.pathsep)))

    def rank(folder: str) -> int:
        return first.index(folder) if folder in first else len(first) + (folder in of_the_user)

    return sorted(dict.fromkeys([str(home), *map(os.path.abspath, filter(None, sys.path))]), key=rank)


def nameable_temporary() -> str | None:
    """Return the folder of temporary files, or another one if its path has what make or ABC cannot name; or None."""
    candidates = [folder for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp") if not _UNNAMEABLE.search(folder)]
    return next((folder for folder in candidates if os.access(folder, os.W_OK | os.X_OK)), None)
