"""Synthesis: Verilog and a cell library in, a mapped netlist and its area by block out."""

from hamming.synth.mapping.area import MAPPINGS, Mapped, map_design, synthesize
from hamming.synth.mapping.report import AreaReport

__all__ = ["MAPPINGS", "AreaReport", "Mapped", "map_design", "synthesize"]
