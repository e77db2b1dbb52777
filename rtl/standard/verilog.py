"""Emission of the baseline: one file of Verilog-2005, in which every repeated module stands once."""

from __future__ import annotations

from rtl.standard.column import ValueColumn
from rtl.standard.divider import subtractor_widths
from rtl.standard.engine import StandardEngine
from rtl.standard.lane import ScoreLane
from rtl.standard.subtractor import LowerSubtractor, UpperSubtractor
from rtl.standard.weight import WeightLane
from rtl.verilog import emit

__all__ = ["emit_standard"]


def emit_standard(engine: StandardEngine) -> str:
    """Return a baseline as Verilog; its top module is named after its design."""
    design = engine.design
    low, high = subtractor_widths(design)
    parts = {
        "": engine,
        "_score_lane": ScoreLane(design.spec),
        "_weight_lane": WeightLane(design.spec),
        "_value_column": ValueColumn(design),
        "_subtractor_lower": LowerSubtractor(low),
        "_subtractor_upper": UpperSubtractor(high),
    }
    return "\n".join(emit(component, design.name + suffix) for suffix, component in parts.items())
