"""nextpnr, as a program: a netlist, a device and a seed in; its clock, critical path and sites out."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hamming.rtl.environment import environment, module_path
from hamming.synth.fpga.devices import DEVICES, Placer
from hamming.synth.fpga.harness import TOP
from hamming.synth.fpga.report import Run, Step
from hamming.synth.yosys.process import SynthesisError

__all__ = ["place", "version"]

_PROGRAM = "import sys; from {module} import {function}; sys.exit({function}(sys.argv[1:]))"


def version(placer: Placer) -> str:
    """Return the version of a nextpnr.

    Raises
    ------
    SynthesisError
        It is not installed.
    """
    try:
        return importlib.metadata.version(placer.distribution)
    except importlib.metadata.PackageNotFoundError:
        raise SynthesisError(
            f"placing needs {placer.distribution}: pip install 'hamming-attention[fpga]', in a checkout "
            "pip install -e '.[fpga]'"
        ) from None


def place(netlist: str, names: Mapping[str, Mapping[str, str]], device: str, mhz: float, seed: int) -> Run:
    """Place and route a netlist of `synthesis.synthesize`.

    Parameters
    ----------
    netlist, names
        As of `synthesis.Netlist`: text, and the source's names of nets.
    device
        Key of `devices.DEVICES`; one with a placer.
    mhz
        Clock that the placer aims at; it need not be met.
    seed
        Of the placer.

    Raises
    ------
    SynthesisError
        nextpnr is not installed, or gives up for another reason than a device that is too small.
    """
    placer = DEVICES[device].placer
    if placer is None:
        raise ValueError(f"no free tool places and routes for {device!r}")
    version(placer)
    module = placer.distribution.replace("-", "_")
    program = _PROGRAM.format(module=module, function=placer.function)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "netlist.json").write_text(netlist, encoding="utf-8")
        for file, constraints in placer.files:
            (folder / file).write_text(constraints, encoding="utf-8")
        own = ["--json", "netlist.json", "--top", TOP, "--report", "report.json", "--log", "log.txt", "--quiet"]
        own += ["--freq", f"{mhz:g}", "--timing-allow-fail", "--seed", str(seed)]
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, *placer.arguments, *own],
            cwd=folder,
            env=environment(PYTHONPATH=os.pathsep.join(module_path())),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        log = folder / "log.txt"
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        found = folder / "report.json"
        report = json.loads(found.read_text(encoding="utf-8")) if found.is_file() and not done.returncode else None
    sites = _sites(text)
    used = {kind: site[0] for kind, site in sites.items() if site[0]}
    available = {kind: sites[kind][1] for kind in used}
    if report is None:
        if all(used[kind] <= available[kind] for kind in used):
            raise SynthesisError(_reason(text + done.stderr, done.returncode), text[-20_000:])
        return Run(seed=seed, mhz=None, path=(), used=used, available=available, seconds=time.monotonic() - began)
    clocks = {name: clock["achieved"] for name, clock in report["fmax"].items()}
    if len(clocks) != 1:
        raise SynthesisError(f"nextpnr: one clock was expected, not {', '.join(clocks) or 'none'}")
    return Run(
        seed=seed,
        mhz=round(next(iter(clocks.values())), 2),
        path=_path(report["critical_paths"], names),
        used=used,
        available=available,
        seconds=round(time.monotonic() - began, 1),
    )


def _sites(log: str) -> dict[str, tuple[int, int]]:
    """Read how many sites of each kind are used, and there are, from nextpnr's table of utilisation."""
    rows = re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%$", log, flags=re.MULTILINE)
    return {kind: (int(used), int(available)) for kind, used, available in rows}


def _path(paths: list[Mapping[str, Any]], names: Mapping[str, Mapping[str, str]]) -> tuple[Step, ...]:
    """Return the longest path from the clock to the clock: a step is a cell and the wire behind it.

    The last step is the cell that is set up, under the name of what it drives.
    """
    inside = [path for path in paths if path["from"] == path["to"] and "async" not in path["from"]]
    if not inside:
        return ()
    longest = max(inside, key=lambda path: sum(part["delay"] for part in path["path"]))
    steps, logic = [], 0.0
    for part in longest["path"]:
        if part["type"] == "routing":
            signal = names["nets"].get(part["net"]) or (steps[-1].signal if steps else part["net"])
            steps.append(Step(signal, round(logic, 3), round(part["delay"], 3)))
            logic = 0.0
        else:
            logic += part["delay"]
    end = re.sub(
        r"\$DPRAM_\w+$|_(?:DFF)?LC$", "", longest["path"][-1]["to"]["cell"]
    )  # without nextpnr's names of parts
    return (*steps, Step(names["cells"].get(end, end), round(logic, 3), 0.0))


def _reason(log: str, status: int) -> str:
    """Say in one line what nextpnr stumbled on."""
    for line in log.splitlines():
        _, is_error, reason = line.partition("ERROR: ")
        if is_error:
            return f"nextpnr: {reason.strip()}"
    return f"nextpnr ended with status {status}"
