"""Vector files: what is not used is noted, and whatever is wrong is one line, before memory is taken."""

from __future__ import annotations

import contextlib
import re
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hamming.vector_file import read_vectors

BITS = np.zeros((3, 8), np.uint8)
GOOD = {"q": BITS, "k": BITS, "v": np.zeros((3, 4), np.int8)}


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "vectors.npz"
    np.savez(path, **arrays)
    return path


def test_arrays_are_read_as_they_are(tmp_path):
    mask = np.eye(3, dtype=bool)
    n_valid = np.array([1, 2, 3])
    vectors = read_vectors(save(tmp_path, **GOOD, n_valid=n_valid, mask=mask))
    assert vectors.notes == ()
    for given, read in zip((*GOOD.values(), n_valid, mask), vars(vectors).values(), strict=False):
        assert read.dtype == given.dtype
        assert np.array_equal(read, given)


def test_optional_arrays_may_be_missing(tmp_path):
    vectors = read_vectors(save(tmp_path, **GOOD))
    assert vectors.n_valid is None
    assert vectors.mask is None


def test_what_a_query_names_is_read_as_it_is(tmp_path):
    named = {"first": np.array([0, 1, 3]), "base": np.int8(2), "table": np.array([1, 0, 0])}
    vectors = read_vectors(save(tmp_path, **GOOD, **named), n_tables=2)
    assert vectors.limits.keys() == named.keys()
    for name, array in named.items():
        assert np.array_equal(vectors.limits[name], array)


@pytest.mark.parametrize(
    ("name", "most"),
    [("n_valid", 3), ("first", 3), ("base", 2), ("table", 1)],
)
def test_more_than_there_is_is_refused(tmp_path, name, most):
    read_vectors(save(tmp_path, **GOOD, **{name: np.array([0, most])}), n_tables=2)
    path = save(tmp_path, **GOOD, **{name: np.array([0, most + 1])})
    with pytest.raises(ValueError, match=re.escape(f"{path}: {name} must be 0 to {most}, not {most + 1}") + r"\Z"):
        read_vectors(path, n_tables=2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"q": BITS, "k": BITS}, "no array 'v'; it needs q, k, v, and may have n_valid, mask, first, base, table"),
        (
            {"q": BITS, "k": BITS, "v1": BITS},
            "no array 'v'; it needs q, k, v, and may have n_valid, mask, first, base, table; is it 'v1'?",
        ),
    ],
)
def test_missing_array_is_one_line(tmp_path, arrays, message):
    path = save(tmp_path, **arrays)
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}") + r"\Z"):
        read_vectors(path)


def test_other_arrays_are_noted_and_not_read(tmp_path):
    others = {"scale": np.ones(4), "nvalid": BITS, "names": np.array(["a", {}], object)}
    vectors = read_vectors(save(tmp_path, **GOOD, **others))
    assert np.array_equal(vectors.q, BITS)
    assert vectors.notes == (
        "the array 'names' is not used",
        "the array 'nvalid' is not used; did you mean 'n_valid'?",
        "the array 'scale' is not used",
    )


def test_objects_are_never_unpickled(tmp_path):
    path = save(tmp_path, **GOOD | {"q": np.array([[{}]], dtype=object)})
    with pytest.raises(ValueError, match=r"vectors\.npz: q must not hold Python objects, which can run code .*\Z"):
        read_vectors(path)


def test_what_is_no_npz_says_so(tmp_path):
    path = tmp_path / "vectors.npz"
    for content in (b"", b"q = 1\n", b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"vectors\.npz: not an \.npz file; numpy\.savez writes one\Z"):
            read_vectors(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("q", "k", "v"):
            archive.writestr(name, "text")
    with pytest.raises(ValueError, match=r"vectors\.npz: q is no array; numpy\.savez writes them\Z"):
        read_vectors(path)


def test_damaged_file_is_one_line(tmp_path):
    path = save(tmp_path, **GOOD)
    content = bytearray(path.read_bytes())
    content[content.index(b"\x93NUMPY") + 130] ^= 1  # an element of the first array: its checksum tells
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"vectors\.npz: q cannot be read: Bad CRC-32 for file 'q\.npy'\Z"):
        read_vectors(path)


def test_missing_file_and_folder_are_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"^cannot read '.*none\.npz': No such file or directory\Z"):
        read_vectors(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"^cannot read '.*': Is a directory\Z"):
        read_vectors(tmp_path)


def with_header(folder: Path, header: bytes, *, version: bytes = b"\x01\x00", data: bytes = b"") -> Path:
    """Write a file whose array `q` has this header."""
    path = save(folder, k=BITS, v=BITS)
    length = len(header).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("q.npy", b"\x93NUMPY" + version + length + header + data)
    return path


def described(shape: str, kind: str = "'|u1'") -> bytes:
    return f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}}}\n".encode()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (described("(1000000000000, 8)"), "q must have at most 4 GiB, not a shape of (1000000000000, 8) of uint8"),
        (described("(1000000000, 1)"), "q is damaged: its header and its length disagree"),
        (described("(-1, 8)"), "q is damaged: a shape of (-1, 8)"),
        (described("(3, 8)", "'|O'"), "q must not hold Python objects, which can run code when they are read"),
        (described("(3, 8)", "'|nonsense'"), "q has a header that is not understood"),
        (described("(3,, 8)"), "q has a header that is not understood"),
        (described("(3.5, 8)"), "q has a header that is not understood"),
        (described("(" * 3000), "q has a header that is not understood"),
        (described("3"), "q has a header that is not understood"),
        (b"", "q has a header that is not understood"),
        (b"{}", "q has a header that is not understood"),
        (b"\xff\xfe{", "q has a header that is not understood"),
        (b" " * 60000, "q has a header that is not understood"),
    ],
)
def test_header_that_lies_is_one_line_before_memory_is_taken(tmp_path, header, message):
    path = with_header(tmp_path, header)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="^" + re.escape(f"{path}: {message}") + r"\Z") as caught:
            read_vectors(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 300
    assert peak < 2**24


def test_more_axes_than_numpy_has_are_one_line(tmp_path):
    path = with_header(tmp_path, described("(" + "1," * 100 + ")"), data=b"0")
    with pytest.raises(ValueError, match=re.escape(f"{path}: q has too many axes: 100") + r"\Z"):
        read_vectors(path)


def test_version_of_the_format_that_integers_never_need(tmp_path):
    path = with_header(tmp_path, described("(3, 8)"), version=b"\x03\x00", data=bytes(24))
    with pytest.raises(ValueError, match=r"q is in version 3\.0 of NumPy's format, which integers never need\Z"):
        read_vectors(path)
    assert read_vectors(with_header(tmp_path, described("(3, 8)"), version=b"\x02\x00", data=bytes(24))).q.shape == (
        3,
        8,
    )


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (6, 1, "q is encrypted"),
        (8, 77, "q cannot be read: That compression method is not supported"),
    ],
)
def test_encryption_and_unknown_compression_are_one_line(tmp_path, offset, value, message):
    path = save(tmp_path, **GOOD)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x03\x04") + offset] = value  # where the first entry begins, and in the directory
    content[content.index(b"PK\x01\x02") + offset + 2] = value
    path.write_bytes(content)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}: {message}") + r"\Z"):
        read_vectors(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_damage_anywhere_is_read_or_one_line(tmp_path, compressed):
    rng = np.random.default_rng(7)
    path = tmp_path / "vectors.npz"
    (np.savez_compressed if compressed else np.savez)(path, **GOOD)
    whole = path.read_bytes()
    said = set()
    for _ in range(600):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] = rng.integers(256)
        path.write_bytes(content[: rng.integers(1, len(content))] if rng.random() < 0.2 else content)
        with contextlib.suppress(ValueError):
            read_vectors(path)
            continue
        with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
            read_vectors(path)
        said.add(str(caught.value))
    assert not any("\n" in text for text in said)
    assert len(said) > 10


def test_what_has_no_end_is_refused():
    with pytest.raises(ValueError, match=r"^cannot read '/dev/zero': not a regular file\Z"):
        read_vectors(Path("/dev/zero"))
