"""Area by block of a Verilog design, mapped onto a cell library by Yosys and ABC.

`synthesize` keeps the hierarchy, so that each block's area is its own, and puts the flattened design's figures beside
it. Memories are macros, whose bits are counted apart. docs/synthesis.md says what is in the figures and what is not.
"""

from __future__ import annotations

import hashlib
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamming.golden.checks import require_bool, require_choice, require_int
from hamming.synth import cache as result_cache
from hamming.synth.library.libraries import Library
from hamming.synth.mapping import flow
from hamming.synth.mapping.flow import MAPPINGS
from hamming.synth.mapping.report import AreaReport, Block, Figures, Memory
from hamming.synth.mapping.variants import Progress, Synthesis
from hamming.synth.yosys import process as yosys
from hamming.synth.yosys.memories import without_contents
from hamming.synth.yosys.process import SynthesisError

__all__ = [
    "MAPPINGS",
    "AreaReport",
    "Block",
    "Figures",
    "Mapped",
    "Memory",
    "Progress",
    "SynthesisError",
    "map_design",
    "synthesize",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapped:
    """A design in cells.

    Attributes
    ----------
    report
        Its area.
    netlist
        Its modules, in the form of Yosys' `write_json`: instances of cells and of each other, memory macros as cells of
        type `synth.yosys.memories.MACRO` with the ports and parameters of Yosys' `$mem_v2`.
    seconds, peak_memory_mib
        What the work took, when it was done: wall time, and the most memory that one process had.
    """

    report: AreaReport
    netlist: dict[str, Any]
    seconds: float
    peak_memory_mib: float


def synthesize(verilog: Path | str, *, flat: bool = True, **options: Any) -> AreaReport:
    """Map a design onto a cell library and report its area.

    Parameters
    ----------
    verilog, options
        As of `map_design`.
    flat
        Whether to flatten the design too, for a second total.
    """
    found = _synthesize(verilog, flat=require_bool("flat", flat), has_netlist=False, **options)
    return AreaReport.from_dict(found["report"])


def map_design(verilog: Path | str, *, flat: bool = False, **options: Any) -> Mapped:
    """Map a design onto a cell library.

    Parameters
    ----------
    verilog
        Path of a Verilog file, or Verilog text.
    flat
        Whether to flatten the design too, for a second total in the report; the netlist keeps its hierarchy.
    top
        Module to synthesize.
    library
        Cells to map onto.
    mapping
        One of `MAPPINGS`: how arithmetic becomes cells. A library without a full adder leaves only `abc`.
    clock_ns
        Clock period, in ns, that gates are sized and buffered for; None, the default: the smallest gates.
    clock_gating
        Whether flip-flops that share an enable get a clock gate instead of multiplexers, if the library has one.
    macro_bits
        Least bits of a memory for it to be a macro. A macro is written to, and each of its read ports is registered
        and does not see a write of the same cycle; every other storage becomes flip-flops.
    abc_commands
        What ABC does, from gates to cells, before gates are sized.
    cache
        Whether a result that is known may be taken from the cache, and a new one left there.
    progress
        Called as the work goes on.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or value.
    SynthesisError
        The file cannot be read, Yosys refuses the design, or the library lacks a kind of cell that it needs.
    """
    found = _synthesize(verilog, flat=require_bool("flat", flat), has_netlist=True, **options)
    return Mapped(**{**found, "report": AreaReport.from_dict(found["report"])})


def _synthesize(
    verilog: Path | str,
    *,
    top: str,
    library: Library,
    flat: bool,
    has_netlist: bool,
    mapping: str = "auto",
    clock_ns: float | None = None,
    clock_gating: bool = True,
    macro_bits: int = 0,
    abc_commands: str = flow.ABC_COMMANDS,
    cache: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    require_choice("mapping", mapping, MAPPINGS)
    require_bool("clock_gating", clock_gating)
    require_int("macro_bits", macro_bits, 0)
    if clock_ns is not None and not clock_ns > 0:
        raise ValueError(f"clock_ns must be positive, not {clock_ns}")
    if clock_ns is not None and library.buffer is None:
        raise ValueError(f"the library {library.name} has no buffer, so that nothing can be sized for a clock")
    if not re.fullmatch(r"[A-Za-z_][\w$.]*", top):
        raise ValueError(f"top must be the name of a module, not {top!r}")
    text = _read(verilog) if isinstance(verilog, Path) else verilog
    if "module" not in text:
        raise ValueError(f"verilog must be Verilog text or a Path, not {text[:80]!r}")
    settings = {"mapping": mapping, "clock_ns": clock_ns, "clock_gating": clock_gating}
    request = {
        "verilog": hashlib.sha256(text.encode()).hexdigest(),
        "library": library.to_dict(),
        "options": [top, flat, has_netlist, macro_bits, abc_commands],
        **settings,
        "yosys": yosys.version(),
        "code": _code(),
    }
    if cache and (known := result_cache.load("area", request)):
        return known
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(without_contents(text), encoding="utf-8")
        (folder / "environment.txt").write_text(flow.environment(library), encoding="utf-8")
        (folder / "cells.lib").symlink_to(library.path)
        for file in flow.FILES:
            shutil.copy(file, folder)
        work = Synthesis(folder, top, library, settings, abc_commands, progress)
        report = work.report(flat, macro_bits, request["verilog"]).to_dict()
        netlist = work.netlist() if has_netlist else None
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    found = {"report": report, "netlist": netlist, "seconds": time.monotonic() - began, "peak_memory_mib": peak}
    if cache:
        result_cache.store("area", request, found)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SynthesisError(f"cannot read {str(path)!r}: {reason}") from error


def _code() -> str:
    """Return a hash of all that a netlist follows from: this room's files, and those of the rooms below it."""
    rooms = ("yosys", "library", "netlist", "timing", "memory", "mapping")
    here = Path(__file__).parents[1]
    files = sorted(file for room in rooms for file in (here / room).iterdir() if file.suffix in (".py", ".v", ".csv"))
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()
