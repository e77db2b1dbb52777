"""What a manifest says of memories: arrays inside, ports and streams of those outside."""

from __future__ import annotations

from typing import Any

from hamming.rtl import payload
from hamming.rtl.agreement import own_places
from hamming.rtl.axi.engine import AxiEngine
from hamming.rtl.chain import Chain
from hamming.rtl.engine import Engine
from hamming.rtl.kept_keys import waiting_keys
from hamming.rtl.memory import ReadPort, WritePort, key_read_port, value_read_port
from hamming.rtl.short_queue import MOST_IN_REGISTERS

__all__ = ["memories", "memory_ports", "memory_streams"]


def memories(engine: Engine | AxiEngine | Chain) -> list[dict[str, Any]]:
    """Return the arrays of an engine, by their places in its hierarchy, and whether each is inside."""
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
    n_queries = dims.n_queries_a_row
    selectors = ["selector"] if n_queries == 1 else [f"shared_rows.selector_{n}" for n in range(n_queries)]
    if config.selector == "histogram":
        depth = dims.n_stored * dims.scan_groups(dims.spec.n_keys)
        for name in selectors:
            sizes.append((f"{name}.scores", depth, dims.scan_rows * dims.n_lanes * dims.level_bits, "internal"))
    if dims.waiting_rows:
        for name in selectors:
            row_bits = payload.waiting_row(dims).size
            sizes.append((f"{name}.waiting.rows", dims.waiting_rows, row_bits, "internal"))
    if dims.waiting_keys > MOST_IN_REGISTERS:
        for n in range(1, n_queries):
            sizes.append((f"shared_rows.waiting_{n}.words", dims.waiting_keys, payload.kept_key(dims).size, "internal"))
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


#: What the bits of a read port's `en` do.
_READ_ENABLES = [
    "en[0] reads the array at addr; where it is 0, what was read holds",
    "en[i] lets register i behind the array take the word before it; where it is 0, it holds; data is the last one's",
]


def memory_ports(engine: Engine | AxiEngine | Chain) -> dict[str, Any]:
    """Return the ports of memories outside by the memory's name: `key`, or of a chain `key_0`."""
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


def memory_streams(engine: Engine | AxiEngine | Chain) -> dict[str, Any]:
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
