"""Payloads of streams: the fields that a manifest describes, and whole batches of beats encoded and decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Field", "Stream", "pack_rows", "read_streams"]

#: Widest element that an integer array holds; wider ones are arrays of bits.
MAX_INTEGER_BITS = 63


def pack_rows(bits: NDArray[np.uint8]) -> list[int]:
    """Return an integer for each row of bits, lowest bit first."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    data, width = packed.tobytes(), packed.shape[1]
    return [int.from_bytes(data[start : start + width], "little") for start in range(0, len(data), width)]


@dataclass(frozen=True)
class Field:
    """A field of a payload: `length` elements (None: one, without an axis) of `bits` each, from `offset` up."""

    name: str
    offset: int
    bits: int
    length: int | None = None
    signed: bool = False

    @property
    def is_bits(self) -> bool:
        """True if its values are arrays of bits, lowest first, since they are too wide for an integer."""
        return self.bits > MAX_INTEGER_BITS

    @property
    def _elements(self) -> tuple[int, ...]:
        return () if self.length is None else (self.length,)

    @property
    def span(self) -> slice:
        """Its bits in the payload."""
        return slice(self.offset, self.offset + self.bits * (1 if self.length is None else self.length))

    def to_bits(self, values: ArrayLike) -> NDArray[np.uint8]:
        """Return `(n, bits of all elements)` of values `(n[, length])`, or of bits `(n[, length], bits)`."""
        values = np.asarray(values)
        if values.ndim == 2 + (self.length is not None) and values.shape[1:-1] == self._elements:
            if values.shape[-1] != self.bits:
                raise ValueError(f"{self.name} must be {self.bits} bits, not {values.shape[-1]}")
            return values.reshape(len(values), self.span.stop - self.span.start).astype(np.uint8)
        if values.ndim != 1 + (self.length is not None) or (self.length is not None and values.shape[1] != self.length):
            raise ValueError(f"{self.name} must have {self.length or 'no'} elements a beat, not a shape {values.shape}")
        values = values.astype(np.int64)
        low, high = (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) if self.signed else (0, (1 << self.bits) - 1)
        if values.size and (wrong := [value for value in (values.min(), values.max()) if not low <= value <= high]):
            raise ValueError(f"{self.name} must be {low} to {high}, not {wrong[0]}")
        bits = (values[..., None] >> np.arange(self.bits)) & 1
        return bits.reshape(len(values), self.span.stop - self.span.start).astype(np.uint8)

    def from_bits(self, bits: NDArray[np.uint8]) -> NDArray:
        """Invert `to_bits`."""
        if self.is_bits:
            return bits.reshape(len(bits), *self._elements, self.bits)
        place = np.left_shift(1, np.arange(self.bits, dtype=np.int64))
        if self.signed:
            place[-1] = -place[-1]
        values = bits.reshape(len(bits), self.length or 1, self.bits).astype(np.int64) @ place
        return values[:, 0] if self.length is None else values


@dataclass(frozen=True)
class Stream:
    """A valid/ready stream of a module: its ports and the layout of its payload.

    Parameters
    ----------
    name
        As in the manifest.
    direction
        `input` or `output`, seen from the module.
    bits
        Width of the payload.
    fields
        Its fields; one whose values are all of no bits is left out.
    valid, ready, payload
        Names of ports; of several, the payload is Verilog's concatenation.
    """

    name: str
    direction: str
    bits: int
    fields: tuple[Field, ...]
    valid: str
    ready: str
    payload: str

    def encode(self, **values: ArrayLike) -> list[int]:
        """Pack a batch: arrays of `n` values, `(n, length)` for array fields, become `n` payloads.

        A field also takes its bits, `(n[, length], bits)`, lowest first. A field of no bits is not packed.

        Raises
        ------
        ValueError
            A value is missing, has the wrong shape or does not fit, or the lengths differ.
        """
        arrays = {name: np.asarray(array) for name, array in values.items()}
        lengths = {len(array) for array in arrays.values()}
        missing = [field.name for field in self.fields if field.name not in arrays]
        if missing or len(lengths) != 1:
            raise ValueError(f"{self.name} needs as many values of each field: missing {missing}, lengths {lengths}")
        bits = np.zeros((lengths.pop(), self.bits), np.uint8)
        for field in self.fields:
            bits[:, field.span] = field.to_bits(arrays[field.name])
        return pack_rows(bits)

    def decode(self, payloads: Sequence[int]) -> dict[str, NDArray]:
        """Unpack payloads into an array a field: int64, or bits (lowest first) where an element is wider."""
        width = -(-self.bits // 8)
        data = np.frombuffer(b"".join(payload.to_bytes(width, "little") for payload in payloads), np.uint8)
        bits = np.unpackbits(data.reshape(len(payloads), width), axis=1, bitorder="little")
        return {field.name: field.from_bits(bits[:, field.span]) for field in self.fields}

    def field(self, name: str) -> Field:
        """Return a field by its name."""
        return next(field for field in self.fields if field.name == name)


def read_streams(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Stream]:
    """Return the streams of a manifest's entry `streams`, or the channels of its `registers`.

    A port `last` beside the payload is its highest bit, and a field.
    """
    return {name: _read_stream(name, entry) for name, entry in entries.items()}


def _read_stream(name: str, entry: Mapping[str, Any]) -> Stream:
    fields = [Field(**field) for field in entry.get("fields", ())]
    payload, bits = entry["payload"], entry["bits"]
    if not isinstance(payload, str):  # several ports
        payload = f"{{{', '.join(payload)}}}"
    if "last" in entry:
        payload = f"{{{entry['last']}, {payload}}}"
        fields.append(Field("last", bits, 1))
        bits += 1
    return Stream(
        name=name,
        direction=entry["direction"],
        bits=bits,
        fields=tuple(fields),
        valid=entry["valid"],
        ready=entry["ready"],
        payload=payload,
    )
