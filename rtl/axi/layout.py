"""Bytes of a stream's beat: the payload of `rtl.payload` as a packed C struct, little-endian, in TDATA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Shape, Value, unsigned
from amaranth.hdl._ast import Statement
from amaranth.lib.data import ArrayLayout, StructLayout, View

__all__ = ["Bytes", "bytes_of", "from_bytes", "n_bytes", "to_bytes"]

#: Fields that are bits and no numbers: arrays of bytes in C, as many as they need.
_BIT_FIELDS = ("query", "key", "mask")

#: The field that TLAST carries.
_LAST = "last"


@dataclass(frozen=True)
class Bytes:
    """A field: `length` elements (None: one) of `width` bytes each, from byte `offset` up, of which `bits` count.

    A signed element fills its bytes, by its sign; the bits above an unsigned one are 0 in outputs and not looked at in
    inputs.
    """

    name: str
    offset: int
    width: int
    bits: int
    length: int | None
    signed: bool

    @property
    def end(self) -> int:
        """The byte behind it."""
        return self.offset + self.width * (1 if self.length is None else self.length)

    def element(self, data: Value, number: int = 0) -> Value:
        """Return the bits of an element in TDATA that count."""
        first = 8 * (self.offset + number * self.width)
        return data[first : first + self.bits]

    def storage(self, data: Value, number: int = 0) -> Value:
        """Return all bits of an element in TDATA."""
        first = 8 * (self.offset + number * self.width)
        return data[first : first + 8 * self.width]

    def to_dict(self) -> dict[str, Any]:
        """Return the field as a manifest lists it, in bits; an element of an array has all its bytes."""
        bits = self.bits if self.length is None else 8 * self.width
        return {
            "name": self.name,
            "offset": 8 * self.offset,
            "bits": bits,
            "length": self.length,
            "signed": self.signed,
        }

    def c_declaration(self) -> str:
        """Return the field as a member of a packed struct."""
        if self.name in _BIT_FIELDS:
            return f"uint8_t {self.name}[{self.width}];"
        kind = f"{'int' if self.signed else 'uint'}{8 * self.width}_t"
        return f"{kind} {self.name}{'' if self.length is None else f'[{self.length}]'};"


def bytes_of(payload: Any) -> list[Bytes]:
    """Return the fields of a payload's shape in bytes, in order, without `last` and without what has no bits.

    A number takes 1, 2, 4 or 8 bytes, the fewest that hold it; bits take as many bytes as they need. A payload that is
    no struct is the mask.
    """
    fields = [(str(name), field.shape) for name, field in payload] if isinstance(payload, StructLayout) else []
    found: list[Bytes] = []
    offset = 0
    for name, shape in fields or [("mask", payload)]:
        length = None
        if isinstance(shape, ArrayLayout):
            length, shape = shape.length, shape.elem_shape
        shape = Shape.cast(unsigned(shape) if isinstance(shape, int) else shape)
        if name == _LAST or not shape.width:
            continue
        width = -(-shape.width // 8)
        if name not in _BIT_FIELDS:
            width = 1 << (width - 1).bit_length()
        found.append(Bytes(name, offset, width, shape.width, length, shape.signed))
        offset = found[-1].end
    return found


def n_bytes(payload: Any) -> int:
    """Return the bytes of a beat."""
    return bytes_of(payload)[-1].end


def from_bytes(payload: Any, data: Value) -> list[Statement]:
    """Return what assigns TDATA to a payload (a view, or the mask's bits)."""
    shape = payload.shape() if isinstance(payload, View) else len(payload)
    statements = []
    for field in bytes_of(shape):
        target = payload[field.name] if isinstance(payload, View) else payload
        if field.length is None:
            statements.append(target.eq(field.element(data)))
        else:
            statements += [target[n].eq(field.element(data, n)) for n in range(field.length)]
    return statements


def to_bytes(payload: View, data: Value) -> list[Statement]:
    """Return what assigns a payload to TDATA."""
    statements = []
    for field in bytes_of(payload.shape()):
        source = payload[field.name]
        if field.length is None:
            statements.append(field.storage(data).eq(source))
        else:
            statements += [field.storage(data, n).eq(source[n]) for n in range(field.length)]
    return statements
