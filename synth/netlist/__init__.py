"""Mapped netlists: Yosys' modules in, one flat design of nets by number out."""

from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import CellGroup, Macro, Netlist

__all__ = ["CellGroup", "Macro", "Netlist", "flatten"]
