"""Payloads: packing and unpacking by a manifest's fields."""

import numpy as np
import pytest

from hamming.sim.payloads import Field, Stream, read_streams

FIELDS = [
    {"name": "index", "offset": 0, "bits": 5, "length": None, "signed": False},
    {"name": "value", "offset": 5, "bits": 3, "length": 2, "signed": True},
    {"name": "last", "offset": 11, "bits": 1, "length": None, "signed": False},
]
ENTRY = {
    "direction": "output",
    "valid": "o__valid",
    "ready": "o__ready",
    "payload": "o__payload",
    "bits": 12,
    "fields": FIELDS,
}
STREAM = read_streams({"o": ENTRY})["o"]


def test_fields_lie_where_the_manifest_says():
    # last 1, value[1] -4 = 0b100, value[0] 3 = 0b011, index 0b10110.
    assert STREAM.encode(index=[0b10110], value=[[3, -4]], last=[1]) == [0b1_100_011_10110]


def test_decoding_inverts_encoding(rng):
    values = {
        "index": rng.integers(0, 32, 50),
        "value": rng.integers(-4, 4, (50, 2)),
        "last": rng.integers(0, 2, 50),
    }
    decoded = STREAM.decode(STREAM.encode(**values))
    assert decoded.keys() == values.keys()
    assert all(np.array_equal(decoded[name], values[name]) for name in values)


def test_wide_fields_are_bits_lowest_first():
    wide = Stream("i", "input", 70, (Field("query", 0, 70),), "v", "r", "p")
    bits = np.zeros((1, 70), np.uint8)
    bits[0, [0, 69]] = 1
    assert wide.encode(query=bits) == [1 | 1 << 69]
    assert np.array_equal(wide.decode([1 | 1 << 69])["query"], bits)


def test_63_bits_are_an_integer():
    wide = Stream("i", "input", 63, (Field("acc", 0, 63),), "v", "r", "p")
    assert wide.decode(wide.encode(acc=[2**63 - 1]))["acc"].tolist() == [2**63 - 1]


def test_no_beats_are_no_payloads():
    assert STREAM.encode(index=[], value=np.zeros((0, 2), int), last=[]) == []
    assert {name: array.shape for name, array in STREAM.decode([]).items()} == {
        "index": (0,),
        "value": (0, 2),
        "last": (0,),
    }


def test_fields_of_no_bits_are_not_packed():
    assert STREAM.encode(index=[1], value=[[0, 0]], last=[0], slice=[7]) == [1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": [32]}, "index must be 0 to 31, not 32"),
        ({"index": [-1]}, "index must be 0 to 31, not -1"),
        ({"value": [[0, 4]]}, "value must be -4 to 3, not 4"),
        ({"value": [0]}, r"value must have 2 elements a beat, not a shape \(1,\)"),
        ({"index": [[0, 1]]}, "index must be 5 bits, not 2"),
        ({"last": [0, 1]}, "lengths {1, 2}"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        STREAM.encode(**{"index": [0], "value": [[0, 0]], "last": [0], **change})


def test_missing_field_is_named():
    with pytest.raises(ValueError, match=r"o needs as many values of each field: missing \['last'\]"):
        STREAM.encode(index=[0], value=[[0, 0]])
