"""Equality: a mapped netlist and the Verilog that it was made of in, a proof, or what refutes it, out."""

from hamming.synth.equivalence.proof import prove
from hamming.synth.equivalence.report import EquivalenceReport

__all__ = ["EquivalenceReport", "prove"]
