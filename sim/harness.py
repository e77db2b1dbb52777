"""The harness: Verilog around a module as emitted, with a clock, a monitor a stream and external memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, TypedDict

from sim.payloads import Stream

__all__ = ["TOP", "Port", "harness", "instance", "library", "memory_instances", "range_of"]

#: Name of the harness's module.
TOP = "hamming_harness"


class Port(TypedDict):
    """A port of a module, as a manifest lists it."""

    name: str
    direction: str
    bits: int


def library() -> dict[str, str]:
    """Return the Verilog files that harnesses are built from, by name."""
    folder = resources.files("sim") / "verilog"
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".v")}


def monitor(stream: str) -> str:
    """Return the name of a stream's monitor in the harness."""
    return f"{stream}_monitor"


def harness(
    module: str,
    ports: Sequence[Port],
    streams: Mapping[str, Stream],
    memories: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Return the harness of a module: Verilog-2005, to be compiled beside the module and `library`.

    It has the module's ports, `clk` and `rst` even where the module is combinational, and watches every stream.
    Memory ports are connected to behavioural memories and are no ports of the harness.

    Parameters
    ----------
    module
        Name of the module under test.
    ports
        All its ports.
    streams
        Its streams, by name.
    memories
        A manifest's `memory_ports`.
    """
    memories = memories or {}
    widths = {port["name"]: port["bits"] for port in ports}
    inside = {name for memory in memories.values() for side in ("read", "write") for name in memory[side].values()}
    outside = [Port(name=name, direction="input", bits=1) for name in ("clk", "rst")] + [
        port for port in ports if port["name"] not in {"clk", "rst", *inside}
    ]

    lines = [f"module {TOP} ("]
    lines += [",\n".join(f"  {port['direction']} {range_of(port['bits'])}{port['name']}" for port in outside), ");"]
    lines += [f"  wire {range_of(widths[name])}{name};" for name in sorted(inside)]
    lines += [instance(module, "dut", {port["name"]: port["name"] for port in ports})]
    for name, stream in streams.items():
        connections = {
            "clk": "clk",
            "rst": "rst",
            "valid": stream.valid,
            "ready": stream.ready,
            "payload": stream.payload,
        }
        lines += [instance("hamming_stream_monitor", monitor(name), connections, {"BITS": stream.bits})]
    lines += memory_instances(memories, widths)
    return "\n".join([*lines, "endmodule", ""])


def memory_instances(memories: Mapping[str, Mapping[str, Any]], widths: Mapping[str, int]) -> list[str]:
    """Return an instance of `hamming_memory` for each of a manifest's `memory_ports`, of ports of these `widths`."""
    lines = []
    for name, memory in memories.items():
        connections = {"clk": "clk"}
        connections |= {f"{side}_{part}": memory[side][part] for side in ("read", "write") for part in memory[side]}
        parameters = {
            "DEPTH": memory["depth"],
            "LATENCY": memory["read_latency"],
            "ADDR_BITS": widths[memory["read"]["addr"]],
            "LANES": widths[memory["write"]["en"]],
            "LANE_BITS": memory["lane_bits"],
        }
        lines += [instance("hamming_memory", f"{name}_memory", connections, parameters)]
    return lines


def range_of(bits: int) -> str:
    """Return the range of a vector, nothing for a single bit."""
    return f"[{bits - 1}:0] " if bits > 1 else ""


def instance(
    module: str, name: str, connections: Mapping[str, str], parameters: Mapping[str, Any] | None = None
) -> str:
    """Return an instance of a module, its ports and parameters connected by name."""
    settings = ", ".join(f".{key}({value})" for key, value in (parameters or {}).items())
    wires = ", ".join(f".{port}({wire})" for port, wire in connections.items())
    return f"  {module} {f'#({settings}) ' if settings else ''}{name} ({wires});"
