"""The AXI4-Streams of an engine's streams: which there are, their names, and what a beat carries."""

from __future__ import annotations

from typing import Any

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl.axi.gather import query_beat
from hamming.rtl.axi.layout import n_bytes
from hamming.rtl.dimensions import Dimensions

__all__ = ["axis_name", "beat", "is_carried", "stream_members"]


def is_carried(name: str) -> bool:
    """Return whether a member of an engine is a stream that an AXI4-Stream carries: all but the table's."""
    return name.startswith(("i_", "o_")) and name != "i_weight"


def axis_name(name: str) -> str:
    """Return the name of the AXI4-Stream that carries a stream of the engine: `s_axis_row` for `i_row`."""
    way, _, what = name.partition("_")
    return f"{'s' if way == 'i' else 'm'}_axis_{what}"


def beat(dims: Dimensions, name: str, member: wiring.Member) -> Any:
    """Return the shape of what a beat carries: of queries that share rows, one."""
    return query_beat(dims) if name == "i_query" else member.signature.members["payload"].shape


def stream_members(prefix: str, member: wiring.Member, shape: Any) -> dict[str, wiring.Member]:
    """Return the members of the AXI4-Stream that carries a stream."""
    into, back = (In, Out) if member.flow == In else (Out, In)
    members = {
        f"{prefix}_tdata": into(8 * n_bytes(shape)),
        f"{prefix}_tvalid": into(1),
        f"{prefix}_tready": back(1),
    }
    return members | ({f"{prefix}_tlast": Out(1)} if member.flow == Out else {})
