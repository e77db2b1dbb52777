"""The harness: Verilog around a module as emitted, with a clock, and a monitor a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, TypedDict

from hamming.sim.payloads import Stream

__all__ = ["TOP", "Port", "harness", "instance", "library"]

#: Name of the harness's module.
TOP = "hamming_harness"


class Port(TypedDict):
    """A port of a module, as a manifest lists it."""

    name: str
    direction: str
    bits: int


def library() -> dict[str, str]:
    """Return the Verilog files that harnesses are built from, by name."""
    folder = resources.files("hamming.sim") / "verilog"
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".v")}


def monitor(stream: str) -> str:
    """Return the name of a stream's monitor in the harness."""
    return f"{stream}_monitor"


def harness(
    module: str,
    ports: Sequence[Port],
    streams: Mapping[str, Stream],
) -> str:
    """Return the harness of a module: Verilog-2005, to be compiled beside the module and `library`.

    It has the module's ports, `clk` and `rst` even where the module is combinational, or has AXI's `aclk` and
    `aresetn`, and watches every stream.

    Parameters
    ----------
    module
        Name of the module under test.
    ports
        All its ports.
    streams
        Its streams, by name.
    """
    clocks = {"clk": "clk", "rst": "rst", "aclk": "clk", "aresetn": "~rst"}
    outside = [Port(name=name, direction="input", bits=1) for name in ("clk", "rst")] + [
        port for port in ports if port["name"] not in clocks
    ]

    lines = [f"module {TOP} ("]
    lines += [",\n".join(f"  {port['direction']} {_range(port['bits'])}{port['name']}" for port in outside), ");"]
    lines += [instance(module, "dut", {port["name"]: clocks.get(port["name"], port["name"]) for port in ports})]
    for name, stream in streams.items():
        connections = {
            "clk": "clk",
            "rst": "rst",
            "valid": stream.valid,
            "ready": stream.ready,
            "payload": stream.payload,
        }
        lines += [instance("hamming_stream_monitor", monitor(name), connections, {"BITS": stream.bits})]
    return "\n".join([*lines, "endmodule", ""])


def _range(bits: int) -> str:
    return f"[{bits - 1}:0] " if bits > 1 else ""


def instance(
    module: str, name: str, connections: Mapping[str, str], parameters: Mapping[str, Any] | None = None
) -> str:
    """Return an instance of a module, its ports and parameters connected by name."""
    settings = ", ".join(f".{key}({value})" for key, value in (parameters or {}).items())
    wires = ", ".join(f".{port}({wire})" for port, wire in connections.items())
    return f"  {module} {f'#({settings}) ' if settings else ''}{name} ({wires});"
