"""FuseSoC: a core description beside an engine's Verilog, and a generator that other cores call.

A design in; out come the files of a FuseSoC core (CAPI2) with targets `lint`, `sim` and `synth`.
"""

from hamming.fusesoc.core import core_files
from hamming.fusesoc.library import library_files

__all__ = ["core_files", "library_files"]
