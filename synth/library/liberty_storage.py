"""What a cell stores, by its Liberty groups `ff` and `latch` and its marks of a clock gate: fields of `Cell` out."""

from __future__ import annotations

from typing import Any

from hamming.synth.library.boolean import Function, parse_function
from hamming.synth.library.liberty_text import Group

__all__ = ["storage_fields"]


def storage_fields(group: Group, pins: dict[str, Group], functions: dict[str, Function]) -> dict[str, Any]:
    """Return the fields of `Cell` that say what it stores, and its kind."""

    def marked(attribute: str) -> list[str]:
        return [name for name, pin in pins.items() if pin.text(attribute, "").lower() == "true"]

    def function(storage: Group, name: str) -> Function | None:
        return parse_function(storage.text(name)) if name in storage else None

    if "clock_gating_integrated_cell" in group:
        clock, enable = marked("clock_gate_clock_pin")[0], marked("clock_gate_enable_pin")[0]
        states = [name for name, pin in pins.items() if pin.text("direction") == "internal"]
        if group.text("clock_gating_integrated_cell").startswith("latch_posedge") and states:
            return {
                "kind": "clock_gate",
                "state": (states[0], ""),
                "next_state": parse_function(" | ".join([enable, *marked("clock_gate_test_pin")])),
                "clocked_on": parse_function(f"!{clock}"),
                "clock": clock,
                "enable": enable,
            }
        return {"kind": "other"}
    outputs = [name for name, pin in pins.items() if pin.text("direction") == "output"]
    kinds = {"ff": ("flip_flop", "next_state", "clocked_on"), "latch": ("latch", "data_in", "enable")}
    storages = [storage for kind in kinds for storage in group.all(kind)]
    if not outputs or set(outputs) != set(functions) or len(storages) > 1:
        return {"kind": "other"}
    if not storages:
        return {"kind": "gate"}
    storage = storages[0]
    kind, data, clock = kinds[storage.kind]
    next_state, clocked_on = function(storage, data), function(storage, clock)
    return {
        "kind": kind,
        "state": tuple(storage.arguments),
        "next_state": next_state,
        "clocked_on": clocked_on,
        "clear": function(storage, "clear"),
        "preset": function(storage, "preset"),
        "clock": clocked_on.pins[0] if clocked_on is not None else None,
        "data": next_state.pins[0] if next_state is not None and len(next_state.pins) == 1 else None,
    }
