"""The ports of an engine, or of engines in a chain, of whatever configuration."""

from __future__ import annotations

from typing import Any

from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.agreement import agreement_members
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.errors import errors
from hamming.rtl.memory import ReadPort, WritePort, key_read_port, key_write_port, value_read_port, value_write_port
from hamming.rtl.softmax import table_read

__all__ = ["engine_members", "shared_members"]


def shared_members(dims: Dimensions, *masks: str) -> dict[str, Any]:
    """Return what an engine and a chain have alike, with masks of these names: rows, tables, queries, answers."""
    config = dims.config
    members: dict[str, Any] = {"i_row": In(stream.Signature(payload.key_row(dims)))}
    if config.table == "loadable":
        members["i_weight"] = In(stream.Signature(payload.weight_entry(dims)))
        if config.bus == "axi":
            members["table_read"] = In(table_read(dims))
    members["i_query"] = In(stream.Signature(payload.query(dims)))
    if config.mask:
        members |= {name: In(stream.Signature(payload.mask_row(dims))) for name in masks}
    if config.output == "quotient":
        members["o_out"] = Out(stream.Signature(payload.out_beat(dims)))
    else:
        members["o_partial"] = Out(stream.Signature(payload.partial(dims)))
    if config.expose_index:
        members["o_selected"] = Out(stream.Signature(payload.kept_key(dims)))
    return members


def engine_members(dims: Dimensions) -> dict[str, Any]:
    """Return the members of `rtl.engine.Engine`, whose docstring explains them, in the order of its ports."""
    spec, config = dims.spec, dims.config
    members = shared_members(dims, "i_mask")
    if config.n_engines > 1:
        members |= {"start": In(spec.index_bits), **agreement_members(dims)}
        members["i_partial"] = In(stream.Signature(payload.partial(dims)))
        if config.expose_index:
            members["i_selected"] = In(stream.Signature(payload.kept_key(dims)))
    members["error"] = Out(len(errors(dims)))
    keys, values = config.memories
    if keys != "internal":
        own = dims.part
        members |= _memory_members("key", keys, key_read_port(own), key_write_port(own), payload.write_key(own))
    if values != "internal":
        own = dims.part
        write = payload.write_values(own)
        members |= _memory_members("value", values, value_read_port(own), value_write_port(own), write)
    return members


def _memory_members(kind: str, memory: str, read: ReadPort, write: WritePort, request: StructLayout) -> dict[str, Any]:
    """Return the members by which a memory is reached that is not inside."""
    if memory == "external":
        return {f"{kind}_read": Out(read), f"{kind}_write": Out(write)}
    return {
        f"{kind}_request": Out(stream.Signature(payload.read_request(read))),
        f"{kind}_response": In(stream.Signature(payload.read_response(read))),
        f"{kind}_write": Out(stream.Signature(request)),
    }
