"""The harness: Verilog around a module as emitted, with a clock, and a monitor a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, TypedDict

from hamming.sim.payloads import Stream

__all__ = [
    "AXI_WAYS",
    "MEMORY",
    "MEMORY_CONTROLS",
    "TOP",
    "Port",
    "axi_monitor",
    "harness",
    "instance",
    "library",
    "monitor",
    "request_memory",
]

#: Name of the harness's module.
TOP = "hamming_harness"

#: A memory of requests, and its controls with their bits (`sim/verilog/hamming_request_memory.v`).
MEMORY = "hamming_request_memory"
MEMORY_CONTROLS = {
    "latency_least": 16,
    "latency_more": 16,
    "latency_most": 16,
    "refresh_every": 16,
    "refresh": 16,
    "pauses": 9,
    "wrongs": 9,
    "strays": 9,
}


#: What the monitors of AXI ports look at (`sim/verilog/hamming_axi_*_monitor.v`).
AXI_WAYS = {
    "read": ("arvalid", "arready", "araddr", "arlen", "arsize", "arburst", "rvalid", "rready", "rresp", "rlast"),
    "write": (
        *("awvalid", "awready", "awaddr", "awlen", "awsize", "awburst"),
        *("wvalid", "wready", "wlast", "bvalid", "bready", "bresp"),
    ),
}


class Port(TypedDict):
    """A port of a module, as a manifest lists it."""

    name: str
    direction: str
    bits: int


def library() -> dict[str, str]:
    """Return the Verilog files that harnesses are built from, by name."""
    folder = resources.files("hamming.sim") / "verilog"
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".v")}


def axi_monitor(prefix: str, way: str) -> str:
    """Return the name of the monitor of a port's reads or writes in the harness."""
    return f"{prefix}_{way}_monitor"


def monitor(stream: str) -> str:
    """Return the name of a stream's monitor in the harness."""
    return f"{stream}_monitor"


def harness(
    module: str,
    ports: Sequence[Port],
    streams: Mapping[str, Stream],
    memories: Mapping[str, Any] | None = None,
    axi: Sequence[str] = (),
) -> str:
    """Return the harness of a module: Verilog-2005, to be compiled beside the module and `library`.

    It has the module's ports, `clk` and `rst` even where the module is combinational, or has AXI's `aclk` and
    `aresetn`, and watches every stream. Where the module has memories of requests, there is one for each, and
    `MEMORY_CONTROLS` are inputs `memory_NAME`.

    Parameters
    ----------
    module
        Name of the module under test.
    ports
        All its ports.
    streams
        Its streams, by name.
    memories
        `memory_streams` of its manifest.
    axi
        Prefixes of its ports of AXI4 and AXI4-Lite, each of which is watched as a whole.
    """
    clocks = {"clk": "clk", "rst": "rst", "aclk": "clk", "aresetn": "~rst"}
    memories = memories or {}
    inside = {
        port
        for memory in memories.values()
        for way in ("request", "response", "write")
        for port in (streams[memory[way]].valid, streams[memory[way]].ready, streams[memory[way]].payload)
    }
    outside = [Port(name=name, direction="input", bits=1) for name in ("clk", "rst")] + [
        port for port in ports if port["name"] not in {*clocks, *inside}
    ]
    if memories:
        outside += [Port(name=f"memory_{name}", direction="input", bits=bits) for name, bits in MEMORY_CONTROLS.items()]

    lines = [f"module {TOP} ("]
    lines += [",\n".join(f"  {port['direction']} {_range(port['bits'])}{port['name']}" for port in outside), ");"]
    lines += [f"  wire {_range(port['bits'])}{port['name']};" for port in ports if port["name"] in inside]
    lines += [instance(module, "dut", {port["name"]: clocks.get(port["name"], port["name"]) for port in ports})]
    controls = {name: f"memory_{name}" for name in MEMORY_CONTROLS}
    lines += [request_memory(f"{kind}_memory", memory, streams, controls) for kind, memory in memories.items()]
    for name, stream in streams.items():
        connections = {
            "clk": "clk",
            "rst": "rst",
            "valid": stream.valid,
            "ready": stream.ready,
            "payload": stream.payload,
        }
        lines += [instance("hamming_stream_monitor", monitor(name), connections, {"BITS": stream.bits})]
    lines += [_axi_monitor(prefix, way, ports) for prefix in axi for way in AXI_WAYS]
    return "\n".join([*lines, "endmodule", ""])


def request_memory(
    name: str, memory: Mapping[str, Any], streams: Mapping[str, Stream], controls: Mapping[str, str]
) -> str:
    """Return an instance of `MEMORY` at a memory's streams.

    Parameters
    ----------
    name
        Of the instance.
    memory
        Its entry in `memory_streams` of a manifest.
    streams
        Of the manifest.
    controls
        What drives each of `MEMORY_CONTROLS`.
    """
    request, response, write = (streams[memory[way]] for way in ("request", "response", "write"))
    wires = {"clk": "clk", "rst": "rst", **controls}
    for way, stream in (("request", request), ("response", response), ("write", write)):
        wires |= {f"{way}_valid": stream.valid, f"{way}_ready": stream.ready}
        for field in stream.fields:
            part = f"[{field.span.stop - 1}:{field.span.start}]" if stream.bits > 1 else ""
            wires[f"{way}_{field.name}"] = f"{stream.payload}{part}"
    parameters = {
        "DEPTH": memory["depth"],
        "WIDTH": memory["bits_a_word"],
        "PART_BITS": memory["write_bits"],
        "ADDR_BITS": request.bits,
        "PART_ADDR_BITS": write.field("address").bits,
    }
    return instance(MEMORY, name, wires, parameters)


def _axi_monitor(prefix: str, way: str, ports: Sequence[Port]) -> str:
    """Return an instance that watches the reads or the writes of a port; what AXI4-Lite does not have is one beat."""
    bits = {port["name"].removeprefix(f"{prefix}_"): port["bits"] for port in ports}
    n_bytes = bits["rdata"] // 8
    channel = "ar" if way == "read" else "aw"
    lite = {f"{channel}len": "8'd0", f"{channel}size": f"3'd{n_bytes.bit_length() - 1}", f"{channel}burst": "2'd1"}
    lite |= {"rlast": "1'd1", "wlast": "1'd1"}
    wires = {name: f"{prefix}_{name}" if name in bits else lite[name] for name in AXI_WAYS[way]}
    parameters = {"ADDR_BITS": bits[f"{channel}addr"], "BYTES": n_bytes}
    return instance(
        f"hamming_axi_{way}_monitor", axi_monitor(prefix, way), {"clk": "clk", "rst": "rst", **wires}, parameters
    )


def _range(bits: int) -> str:
    return f"[{bits - 1}:0] " if bits > 1 else ""


def instance(
    module: str, name: str, connections: Mapping[str, str], parameters: Mapping[str, Any] | None = None
) -> str:
    """Return an instance of a module, its ports and parameters connected by name."""
    settings = ", ".join(f".{key}({value})" for key, value in (parameters or {}).items())
    wires = ", ".join(f".{port}({wire})" for port, wire in connections.items())
    return f"  {module} {f'#({settings}) ' if settings else ''}{name} ({wires});"
