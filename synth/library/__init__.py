"""Cell libraries: a Liberty file in, models of its cells out (functions, loads, delays, energies)."""

from hamming.synth.library.cell_model import Cell, CellLibrary
from hamming.synth.library.liberty import load_cells
from hamming.synth.library.libraries import LIBRARIES, Library, LibraryError, load_library

__all__ = ["LIBRARIES", "Cell", "CellLibrary", "Library", "LibraryError", "load_cells", "load_library"]
