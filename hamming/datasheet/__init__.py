"""A design's datasheet, from its manifest and from what was measured of it: Markdown with pictures.

In: a manifest (`hamming.rtl.manifest`), rows of `synth/studies/areas.csv`, and what a comparison kept of the design.
Out: `Datasheet`, text and SVG.
"""

from hamming.datasheet.sheet import Datasheet, datasheet, preset_datasheet

__all__ = ["Datasheet", "datasheet", "preset_datasheet"]
