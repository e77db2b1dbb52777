"""Layouts of the baseline's streams, and the ports of its memories."""

from __future__ import annotations

from amaranth.hdl import Shape, unsigned
from amaranth.lib.data import ArrayLayout, StructLayout

from hamming.golden.standard import StandardSpec
from hamming.rtl.memory import ReadPort, WritePort
from hamming.rtl.standard.design import StandardDesign

__all__ = ["key_row", "out_slice", "query", "score_row", "write_port"]


def _element(design: StandardDesign) -> Shape:
    """An element: signed, or a bit pattern of bfloat16."""
    return Shape(design.spec.element_bits, signed=isinstance(design.spec, StandardSpec))


def query(design: StandardDesign) -> StructLayout:
    """A query: its elements, and the number of keys that it sees."""
    spec = design.spec
    return StructLayout({"query": ArrayLayout(_element(design), spec.d_head), "n_valid": unsigned(spec.n_valid_bits)})


def key_row(design: StandardDesign) -> StructLayout:
    """A key and its value vector, to be stored at `index`."""
    spec = design.spec
    return StructLayout(
        {
            "index": unsigned(spec.index_bits),
            "key": ArrayLayout(_element(design), spec.d_head),
            "value": ArrayLayout(_element(design), spec.d_value),
        }
    )


def score_row(design: StandardDesign) -> StructLayout:
    """A word of the score memory: a level a lane, and which lanes' keys the query sees."""
    return StructLayout(
        {
            "level": ArrayLayout(unsigned(design.spec.level_bits), design.n_lanes),
            "takes_part": unsigned(design.n_lanes),
        }
    )


def out_slice(design: StandardDesign) -> StructLayout:
    """`n_outputs` output elements, in order; `last` ends the query, `is_empty` says that it saw no key."""
    return StructLayout(
        {
            "value": ArrayLayout(Shape(design.spec.out_bits, _element(design).signed), design.n_outputs),
            "is_empty": unsigned(1),
            "last": unsigned(1),
        }
    )


def write_port(design: StandardDesign, n_elements: int) -> WritePort:
    """Port by which vectors of `n_elements` are written: a row of `n_lanes`, lane 0 lowest, an enable bit a lane."""
    bits = n_elements * design.spec.element_bits
    return WritePort(depth=design.n_rows, width=design.n_lanes * bits, granularity=bits)


def read_port(design: StandardDesign, n_elements: int) -> ReadPort:
    """Port by which such vectors are read, a row each cycle."""
    write = write_port(design, n_elements)
    return ReadPort(depth=write.depth, width=write.width)
