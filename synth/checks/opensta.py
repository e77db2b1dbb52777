"""The same timing by OpenSTA (`sta`, optional), as a check on `synth.timing.analysis`.

The flat netlist goes out as Verilog, without its memories: their read data are inputs, and their pins outputs. The
environment goes out as SDC commands.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.libraries import Library
from hamming.synth.netlist.netlist import ONE, ZERO, Netlist
from hamming.synth.timing.analysis import Environment
from hamming.synth.yosys.process import SynthesisError

__all__ = ["OpenStaReport", "is_installed", "run_sta", "sdc", "time_with_opensta", "verilog"]

#: Period that the design is constrained to; slacks are turned into periods.
_PERIOD = 1000.0


@dataclass(frozen=True)
class OpenStaReport:
    """What OpenSTA says.

    Attributes
    ----------
    period
        Shortest clock period, ns.
    version
        Of `sta`.
    steps
        Of the slowest path: pins and when the signal arrives at them, ns.
    ends
        Shortest period (ns) that each flip-flop, clock gate and memory input or port allows, by the pin's name in
        `verilog`.
    """

    period: float
    version: str
    steps: tuple[tuple[str, float], ...]
    ends: dict[str, float]

    @property
    def fmax(self) -> float:
        """Highest clock frequency, MHz."""
        return 1e3 / self.period


def is_installed() -> bool:
    """Return whether there is an `sta` to call."""
    return shutil.which("sta") is not None


def _net(net: int) -> str:
    return {ZERO: "1'b0", ONE: "1'b1"}.get(net, f"n{net}")


def verilog(netlist: Netlist) -> str:
    """Return the netlist as a flat module of library cells, without its memories.

    Nets are `n5`, cells `DFF_X1_7` (the eighth of its type), bits of ports `in_q__payload_3` and `out_...`, memories'
    read data `read_5` (by net) and other pins `write_0_3` (fourth input of the first memory).
    """
    lines, ports, ties = [], [], []
    for name, nets in netlist.inputs.items():
        ports += [(f"in_{name}_{i}", "input") for i in range(len(nets))]
        ties += [f"assign n{net} = in_{name}_{i};" for i, net in enumerate(nets)]
    for name, nets in netlist.outputs.items():
        ports += [(f"out_{name}_{i}", "output") for i in range(len(nets))]
        ties += [f"assign out_{name}_{i} = {_net(net)};" for i, net in enumerate(nets)]
    for number, macro in enumerate(netlist.macros):
        read = [net for port in macro.reads for net in port.data]
        ports += [(f"read_{net}", "input") for net in read]
        ties += [f"assign n{net} = read_{net};" for net in read]
        ports += [(f"write_{number}_{i}", "output") for i in range(len(macro.inputs))]
        ties += [f"assign write_{number}_{i} = {_net(net)};" for i, net in enumerate(macro.inputs)]
    for kind, group in netlist.groups.items():
        for row, nets in enumerate(group.nets):
            pins = ", ".join(f".{pin}({_net(net)})" for pin, net in zip(group.pins, nets, strict=True))
            lines.append(f"{kind} {kind}_{row} ({pins});")
    header = f"module {netlist.top} ({', '.join(name for name, _ in ports)});"
    declared = [f"{direction} {name};" for name, direction in ports]
    wires = [f"wire n{net};" for net in range(2, netlist.n_nets)]
    return "\n".join([header, *declared, *wires, *ties, *lines, "endmodule", ""])


def sdc(netlist: Netlist, environment: Environment) -> str:
    """Return the environment as the commands that follow `link_design`."""
    clocks = netlist.clock_nets()
    lines = []
    timed = []
    for name, nets in netlist.inputs.items():
        pins = [f"in_{name}_{i}" for i in range(len(nets))]
        if len(nets) == 1 and clocks[nets[0]]:
            lines.append(f"create_clock -name clock -period {_PERIOD} [get_ports {{{pins[0]}}}]")
            lines.append(f"set_clock_transition {environment.clock_slew} [get_clocks clock]")
        elif name in environment.untimed:
            lines.append(f"set_false_path -from [get_ports {{{' '.join(pins)}}}]")
            lines.append(f"set_input_transition 0 [get_ports {{{' '.join(pins)}}}]")
        else:
            timed += pins
    if timed:
        ports = f"[get_ports {{{' '.join(timed)}}}]"
        lines.append(f"set_input_delay {environment.input_delay} -clock clock {ports}")
        if environment.driving_cell is None:
            lines.append(f"set_input_transition {environment.input_slew} {ports}")
        else:
            slew = environment.input_slew
            lines.append(
                f"set_driving_cell -lib_cell {environment.driving_cell} "
                f"-input_transition_rise {slew} -input_transition_fall {slew} {ports}"
            )
    for pattern, load, before in (
        ("out_*", environment.output_load, environment.output_delay),
        ("write_*", environment.memory_pin, environment.memory_setup),
    ):
        if netlist.outputs if pattern == "out_*" else netlist.macros:
            lines.append(f"set_load -pin_load {load} [get_ports {pattern}]")
            lines.append(f"set_output_delay {before} -clock clock [get_ports {pattern}]")
    if netlist.macros:
        for macro in netlist.macros:
            ports = " ".join(f"read_{net}" for port in macro.reads for net in port.data)
            delay = environment.delay_of(macro.name)
            lines.append(f"set_input_delay {delay} -clock clock [get_ports {{{ports}}}]")
        lines.append(f"set_input_transition {environment.memory_slew} [get_ports read_*]")
    return "\n".join(lines) + "\n"


def run_sta(commands: Sequence[str], files: Mapping[str, str], library: Library, *, has_wires: bool) -> str:
    """Run commands of OpenSTA in a folder of its own, and return the log.

    Parameters
    ----------
    commands
        Without `exit`.
    files
        Texts by name, beside `cells.lib`, the library.
    has_wires
        Whether the commands name a wire load model. Without one, OpenSTA would take the library's default, which is
        left out of `cells.lib` then.

    Raises
    ------
    SynthesisError
        `sta` is not installed, or does not do what it is told.
    """
    if not is_installed():
        raise SynthesisError("OpenSTA is not installed: apt install opensta")
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        text = library.path.read_text(encoding="utf-8", errors="replace")
        text = text if has_wires else re.sub(r"^\s*default_wire_load\s*:.*$", "", text, flags=re.MULTILINE)
        for file, content in {"cells.lib": text, "run.tcl": "\n".join([*commands, "exit", ""]), **files}.items():
            (folder / file).write_text(content, encoding="utf-8")
        call = ["sta", "-no_splash", "-exit", "run.tcl"]
        done = subprocess.run(call, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    log = done.stdout + done.stderr
    if error := re.search(r"^Error.*$", log, re.MULTILINE):
        raise SynthesisError(f"OpenSTA: {error[0]}", log[-20_000:])
    return log


def time_with_opensta(
    netlist: Netlist, cells: CellLibrary, library: Library, environment: Environment | None = None
) -> OpenStaReport:
    """Time a design as `synth.timing.analysis.time_design` does, by OpenSTA.

    Raises
    ------
    SynthesisError
        `sta` is not installed, or does not do what it is told.
    """
    environment = environment or Environment()
    model = cells.wire_load(environment.wire_load)
    commands = ["read_liberty cells.lib", "read_verilog design.v", f"link_design {netlist.top}"]
    commands += ["set_wire_load_mode top", f'set_wire_load_model -name "{model.name}"'] if model else []
    commands += [
        "source design.sdc",
        "foreach end [find_timing_paths -path_delay max -group_count 1] {",
        "  foreach point [get_property $end points] {",
        "    set pin [get_property $point pin]",
        '    puts "STEP [get_full_name $pin] [get_property $point arrival]"',
        "  }",
        "}",
        "report_checks -path_delay max -format end -group_count 1000000 -digits 6",
    ]
    files = {"design.v": verilog(netlist), "design.sdc": sdc(netlist, environment)}
    log = run_sta(commands, files, library, has_wires=model is not None)
    ends = re.findall(r"^(\S+) \(\S+\) +\S+ +\S+ +(\S+) \((?:MET|VIOLATED)\)", log, re.MULTILINE)
    if not ends:
        raise SynthesisError("OpenSTA found no path", log[-20_000:])
    periods = {pin: _PERIOD - float(slack) for pin, slack in ends}
    steps = tuple((pin, float(arrival)) for pin, arrival in re.findall(r"^STEP (\S+) (\S+)$", log, re.MULTILINE))
    version = subprocess.run(["sta", "-version"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    return OpenStaReport(period=max(periods.values()), version=version.strip(), steps=steps, ends=periods)
