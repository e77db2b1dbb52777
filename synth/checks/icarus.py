"""The mapped netlist with its delays in Icarus Verilog, as a check on `synth.energy`.

The flat netlist, a Verilog model of each cell with specify paths, and an SDF file with the delays that the glitch
simulation uses are written out; Icarus (an optional tool) annotates and runs them, and says which net moved when.
Flip-flops and clock gates are clocked cells there, that start from the trace's first state. Memories and inputs follow
the trace.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hamming.synth.energy.activity import edges
from hamming.synth.energy.clock_domains import ClockDomains
from hamming.synth.energy.delays import arc_delays, source_delays
from hamming.synth.energy.kernel import PINS, Gates, expression
from hamming.synth.energy.trace import Trace
from hamming.synth.library.cell_model import Cell
from hamming.synth.netlist.netlist import ONE, ZERO, CellGroup, Netlist
from hamming.synth.timing.analysis import Timing
from hamming.synth.timing.propagation import RISE, cell_arcs
from hamming.synth.yosys.process import SynthesisError

__all__ = ["IcarusActivity", "available", "run"]


@dataclass(frozen=True, kw_only=True, eq=False)
class IcarusActivity:
    """Transitions of each net over the cycles of the trace, `(n_nets,)`, and its value in the end."""

    rises: NDArray[np.int64]
    falls: NDArray[np.int64]
    last: NDArray[np.uint8]


def available() -> bool:
    """Return whether Icarus Verilog is installed."""
    return shutil.which("iverilog") is not None and shutil.which("vvp") is not None


def run(netlist: Netlist, timing: Timing, trace: Trace, *, stream: int = 0, period_ps: int = 50_000) -> IcarusActivity:
    """Simulate the cycles of one stream of a trace.

    Parameters
    ----------
    netlist, timing, trace
        As in `synth.energy.glitches.glitches`.
    stream
        Which stream.
    period_ps
        Clock period; longer than any cycle takes to settle.

    Raises
    ------
    SynthesisError
        Icarus is not installed, or fails.
    """
    if not available():
        raise SynthesisError("Icarus Verilog is not installed: apt install iverilog")
    word, bit = divmod(stream, 64)
    values = (trace.values[:, :, word] >> np.uint64(bit) & np.uint64(1)).astype(np.uint8)
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        writer = _Writer(netlist, timing, trace.sources, values, period_ps)
        (folder / "design.v").write_text(writer.verilog(), encoding="utf-8")
        (folder / "design.sdf").write_text(writer.sdf(), encoding="utf-8")
        lines = ["".join("01"[bit] for bit in row[writer.driven][::-1]) for row in values]
        (folder / "values.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for command in (
            ["iverilog", "-g2005", "-gspecify", "-o", "design.vvp", "design.v"],
            ["vvp", "-n", "design.vvp"],
        ):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            problems = [line for line in (done.stdout + done.stderr).splitlines() if "rror" in line or "SDF W" in line]
            if done.returncode or problems:
                raise SynthesisError(f"{command[0]}: {(problems or ['failed'])[0]}", done.stdout + done.stderr)
        return _read_vcd(folder / "design.vcd", netlist.n_nets, period_ps)


class _Writer:
    def __init__(
        self,
        netlist: Netlist,
        timing: Timing,
        sources: NDArray[np.int32],
        values: NDArray[np.uint8],
        period_ps: int,
    ):
        self.netlist, self.timing, self.sources, self.values = netlist, timing, sources, values
        self.period = period_ps
        self.gates = Gates.of(netlist)
        flops = [group.outputs.ravel() for group in netlist.of_kind("flip_flop")]
        #: Places in `sources` of what the trace drives.
        self.driven = np.nonzero(~np.isin(sources, np.concatenate([np.zeros(0, np.int32), *flops])))[0]

    def verilog(self) -> str:
        """Return the netlist, the cells' models and a bench that clocks them."""
        n_cycles, n_driven = len(self.values) - 1, len(self.driven)
        clock = ClockDomains(self.netlist).roots
        lines = ["`timescale 1ps/1ps"]
        for group in self.netlist.groups.values():
            lines += _model(group.cell)
        lines += ["module source(input I, output O);", "  assign O = I;", "  specify (I => O) = (0, 0); endspecify"]
        lines += ["endmodule", f"module mapped(input clk, input [{max(n_driven, 1) - 1}:0] source);"]
        lines += [f"  wire n{net};" for net in range(self.netlist.n_nets)]
        lines += ["  assign n0 = 1'b0;", "  assign n1 = 1'b1;", *(f"  assign n{net} = clk;" for net in clock)]
        for number, net in enumerate(self.sources[self.driven]):
            lines.append(f"  source source_{number}(.I(source[{number}]), .O(n{net}));")
        state = dict(zip(self.sources.tolist(), self.values[0].tolist(), strict=True))
        for kind, group in self.netlist.groups.items():
            for row, nets in enumerate(group.nets.tolist()):
                pins = ", ".join(f".{pin}(n{net})" for pin, net in zip(group.pins, nets, strict=True))
                start = f" #(.INIT({self._start(group, row, state)}))" if group.cell.kind == "flip_flop" else ""
                lines.append(f"  {kind}{start} {kind}_{row}({pins});")
        half = self.period // 2
        return "\n".join(
            [
                *lines,
                "endmodule",
                "module bench;",
                "  reg clk = 0;",
                "  integer cycle;",
                f"  reg [{max(n_driven, 1) - 1}:0] values [0:{n_cycles}];",
                f"  reg [{max(n_driven, 1) - 1}:0] source;",
                "  mapped dut(clk, source);",
                "  initial begin",
                '    $sdf_annotate("design.sdf", dut);',
                '    $readmemb("values.txt", values);',
                "    source = values[0];",
                f"    #{self.period - 1};",
                '    $dumpfile("design.vcd");',
                "    $dumpvars(1, dut);",
                "    #1;",
                f"    for (cycle = 1; cycle <= {n_cycles}; cycle = cycle + 1) begin",
                "      clk = 1;",
                "      source <= values[cycle];",
                f"      #{half} clk = 0;",
                f"      #{self.period - half};",
                "    end",
                "    $finish;",
                "  end",
                "endmodule",
                "",
            ]
        )

    @staticmethod
    def _start(group: CellGroup, row: int, state: dict[int, int]) -> int:
        """Return what a flip-flop stores in the first state."""
        pin = group.cell.outputs[0]
        value = state[int(group.net(pin)[row])]
        high = group.cell.functions[pin].holds(dict(zip(group.cell.state, (True, False), strict=True)))
        return value if high else 1 - value

    def sdf(self) -> str:
        """Return the delays of all cells, in picoseconds."""
        lines = ['(DELAYFILE (SDFVERSION "3.0") (DESIGN "mapped") (DIVIDER .) (TIMESCALE 1ps)']
        delay = arc_delays(self.netlist, self.gates, self.timing).reshape(-1, PINS, 4)
        start = source_delays(self.sources, self.timing)
        of_net = dict(zip(self.sources.tolist(), start.tolist(), strict=True))
        for number, net in enumerate(self.sources[self.driven].tolist()):
            lines.append(_cell("source", f"source_{number}", [_path("I", "O", of_net[net][1], of_net[net][0])]))
        for kind, group in self.netlist.groups.items():
            cell = group.cell
            if cell.kind == "clock_gate":
                continue
            for row in range(len(group)):
                paths = []
                for pin in cell.outputs:
                    if cell.kind == "flip_flop":
                        fall, rise = of_net[int(group.net(pin)[row])]
                        paths.append(_path(cell.clock or "", pin, rise, fall))
                        continue
                    own = delay[self.gates.places[kind, pin][row]]
                    known = {ZERO, ONE}  # Icarus knows no path from a constant, nor a second one from a net
                    for number, source in enumerate(cell.inputs):
                        net = int(group.net(source)[row])
                        if net in known:
                            continue
                        known.add(net)
                        for rises in (True, False):
                            both = [own[number, edges(rises, to_rises)] for to_rises in (True, False)]
                            if max(both) >= 0:
                                up, down = (d if d >= 0 else max(both) for d in both)
                                edge = "posedge" if rises else "negedge"
                                paths.append(_path(f"({edge} {source})", pin, up, down))
                lines.append(_cell(kind, f"{kind}_{row}", paths))
        return "\n".join([*lines, ")", ""])


def _path(source: str, sink: str, rise: int, fall: int) -> str:
    return f"(IOPATH {source} {sink} ({rise}) ({fall}))"


def _cell(kind: str, instance: str, paths: list[str]) -> str:
    return f'(CELL (CELLTYPE "{kind}") (INSTANCE {instance}) (DELAY (ABSOLUTE {" ".join(paths)})))'


def _model(cell: Cell) -> Iterator[str]:
    """Yield a Verilog model of a cell."""
    ports = [*(f"input {pin}" for pin in cell.inputs), *(f"output {pin}" for pin in cell.outputs)]
    yield f"module {cell.name}({', '.join(ports)});"
    if cell.kind == "gate":
        for pin in cell.outputs:
            text = expression(len(cell.inputs), cell.functions[pin].over(cell.inputs))
            text = text.replace("~T{}", "1'b1").replace("T{}", "1'b0")
            for number, source in enumerate(cell.inputs):
                text = text.replace(f"i[{number}]", source)
            yield f"  assign {pin} = {text};"
        paths = sorted({(arc.from_pin, arc.to_pin, arc.from_edge == RISE) for arc in cell_arcs(cell)})
        yield "  specify"
        for source, sink, rises in paths:
            yield f"    ({'posedge' if rises else 'negedge'} {source} => ({sink} +: {source})) = (0, 0);"
        yield "  endspecify"
    else:
        data = cell.data or cell.enable
        yield "  parameter INIT = 0;"
        yield "  reg stored = INIT;"
        if cell.kind == "flip_flop":
            yield f"  always @(posedge {cell.clock}) stored <= {data};"
            for pin in cell.outputs:
                high = cell.functions[pin].holds(dict(zip(cell.state, (True, False), strict=True)))
                yield f"  assign {pin} = {'' if high else '~'}stored;"
            yield "  specify"
            for pin in cell.outputs:
                yield f"    ({cell.clock} => {pin}) = (0, 0);"
            yield "  endspecify"
        else:
            yield f"  always @* if (!{cell.clock}) stored = {data};"
            yield f"  assign {cell.outputs[0]} = {cell.clock} & stored;"
    yield "endmodule"


def _read_vcd(path: Path, n_nets: int, period_ps: int) -> IcarusActivity:
    """Count transitions from the first clock edge on."""
    rises, falls = np.zeros((2, n_nets), np.int64)
    last = np.zeros(n_nets, np.uint8)
    nets: dict[str, int] = {}
    time = 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words[:1] == ["$var"] and words[4].startswith("n") and words[4][1:].isdigit():
                nets[words[3]] = int(words[4][1:])
            elif words[:1] == ["$enddefinitions"]:
                break
        for line in file:
            kind, name = line[0], line[1:].strip()
            if kind == "#":
                time = int(name)
            elif kind in "01" and name in nets:
                net = nets[name]
                last[net] = kind == "1"
                if time >= period_ps:
                    (rises if kind == "1" else falls)[net] += 1
    return IcarusActivity(rises=rises, falls=falls, last=last)
