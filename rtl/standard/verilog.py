"""Emission of the baseline: one file of Verilog-2005, in which every repeated module stands once."""

from __future__ import annotations

from amaranth.lib import wiring

from hamming.golden.standard import StandardSpec
from hamming.rtl.standard.bf16 import Bf16Adder, Bf16Multiplier
from hamming.rtl.standard.bf16_lanes import Bf16ScoreLane, Bf16ValueColumn, Bf16WeightLane
from hamming.rtl.standard.column import ValueColumn
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.divider import subtractor_widths
from hamming.rtl.standard.engine import StandardEngine
from hamming.rtl.standard.lane import ScoreLane
from hamming.rtl.standard.register import Register
from hamming.rtl.standard.scorer import query_bits
from hamming.rtl.standard.sparse_engine import SparseEngine
from hamming.rtl.standard.subtractor import LowerSubtractor, UpperSubtractor
from hamming.rtl.standard.weight import WeightLane
from hamming.rtl.verilog import emit

__all__ = ["emit_standard", "standard_engine"]


def standard_engine(design: StandardDesign) -> StandardEngine | SparseEngine:
    """Return the engine of a baseline."""
    return SparseEngine(design) if design.selects else StandardEngine(design)


def emit_standard(engine: StandardEngine | SparseEngine) -> str:
    """Return a baseline as Verilog; its top module is named after its design."""
    design, name = engine.design, engine.design.name
    parts: dict[str, wiring.Component] = {name: engine, f"{name}_query_register": Register(query_bits(design))}
    if isinstance(engine, SparseEngine):
        assert isinstance(design.spec, StandardSpec)
        parts[f"{name}_score_lane"] = ScoreLane(design.spec)
    elif isinstance(design.spec, StandardSpec):
        low, high = subtractor_widths(design)
        parts |= {
            f"{name}_score_lane": ScoreLane(design.spec),
            f"{name}_weight_lane": WeightLane(design.spec),
            f"{name}_value_column": ValueColumn(design),
            f"{name}_subtractor_lower": LowerSubtractor(low),
            f"{name}_subtractor_upper": UpperSubtractor(high),
        }
    else:
        operations = {"multiplier": f"{name}_multiplier", "adder": f"{name}_adder"}
        parts |= {
            f"{name}_score_lane": Bf16ScoreLane(design, **operations),
            f"{name}_weight_lane": Bf16WeightLane(design, adder=operations["adder"]),
            f"{name}_value_column": Bf16ValueColumn(design, **operations),
            f"{name}_weight_register": Register(16 * design.n_lanes),
            operations["multiplier"]: Bf16Multiplier(),
            operations["adder"]: Bf16Adder(),
        }
    return "\n".join(emit(component, module) for module, component in parts.items())
