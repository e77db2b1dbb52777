"""What a manifest says of an engine's ports behind AXI."""

from __future__ import annotations

import re
from typing import Any

from amaranth.lib.wiring import In, Out

from hamming.rtl.axi.engine import AxiEngine
from hamming.rtl.axi.layout import bytes_of, n_bytes
from hamming.rtl.axi.ports import axis_name, beat, is_carried

__all__ = ["axi_channels", "axi_masters", "axi_streams"]


def axi_streams(engine: AxiEngine) -> dict[str, dict[str, Any]]:
    """Return the AXI4-Streams by the names of the engine's streams, as `rtl.manifest.streams` does.

    Fields lie in TDATA; an output has the port `last`, too. There is the C struct of a beat.
    """
    result = {}
    for name, member in engine.engine.signature.members.items():
        if not is_carried(name):
            continue
        prefix, shape = axis_name(name), beat(engine.dims, name, member)
        fields = bytes_of(shape)
        result[name] = {
            "direction": "input" if member.flow == In else "output",
            "valid": f"{prefix}_tvalid",
            "ready": f"{prefix}_tready",
            "payload": f"{prefix}_tdata",
            **({"last": f"{prefix}_tlast"} if member.flow == Out else {}),
            "bits": 8 * n_bytes(shape),
            "fields": [field.to_dict() for field in fields],
            "c_struct": " ".join(field.c_declaration() for field in fields),
        }
    return result


def axi_channels(engine: AxiEngine) -> dict[str, dict[str, Any]]:
    """Return the channels of the AXI4-Lite port and of the masters by name: direction and ports."""
    found = {}
    for prefix in ("s_axi", *(f"m_axi_{kind}" for kind in engine.dims.bus_words)):
        members = {
            name.removeprefix(f"{prefix}_"): member
            for name, member in engine.signature.members.items()
            if name.startswith(f"{prefix}_")
        }
        for channel in ("aw", "w", "b", "ar", "r"):
            names = [name for name in members if re.match(rf"{channel}(?!valid|ready)[a-z]+$", name)]
            found[f"{prefix}_{channel}"] = {
                "direction": "input" if members[f"{channel}valid"].flow == In else "output",
                "valid": f"{prefix}_{channel}valid",
                "ready": f"{prefix}_{channel}ready",
                "payload": [f"{prefix}_{name}" for name in names],
                "bits": sum(members[name].shape for name in names),
            }
    return found


def axi_masters(engine: AxiEngine) -> dict[str, dict[str, Any]]:
    """Return of each master its ports' prefix, the register of its base address, and how words lie there."""
    fold = engine.dims.fold
    return {
        kind: {
            "prefix": f"m_axi_{kind}",
            "base": f"{kind.upper()}_BASE",
            "data_bits": word.data_bits,
            "word_bytes": word.word_bytes,
            "element_bytes": word.element_bytes,
            "n_elements": word.n_elements,
            "element_bits": word.element_bits,
            "layout": f"key j, bit 0 lowest, at byte j * {word.element_bytes}"
            if kind == "key"
            else f"element e of key j, signed, at byte (j * {fold} + e // {word.n_elements}) * {word.word_bytes} + "
            f"e % {word.n_elements} * {word.element_bytes}",
        }
        for kind, word in engine.dims.bus_words.items()
    }
