"""The environment of programs that are driven: compilers, simulators, Yosys, and the Python in them."""

from __future__ import annotations

import os
import re
import site
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

    Python's own library comes first; then the folder that holds this package; the folders of installed packages; and
    whatever else there is, such as `PYTHONPATH` names. The current folder, where it is on the path as such, is not.
    All are absolute. As `PYTHONPATH`, a Python that is driven finds the modules by it that this one has.
    """
    home = str(Path(__file__).absolute().parents[2])
    library = sysconfig.get_path("stdlib")
    first = [library, str(Path(library) / "lib-dynload"), home]
    first += map(os.path.abspath, [*site.getsitepackages(), site.getusersitepackages()])
    folders = dict.fromkeys([home, *map(os.path.abspath, filter(None, sys.path))])
    return sorted(folders, key=lambda folder: first.index(folder) if folder in first else len(first))


def nameable_temporary() -> str | None:
    """Return the folder of temporary files, or another one if its path has what make or ABC cannot name; or None."""
    candidates = [folder for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp") if not _UNNAMEABLE.search(folder)]
    return next((folder for folder in candidates if os.access(folder, os.W_OK | os.X_OK)), None)
