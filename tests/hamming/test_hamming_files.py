"""Users' files: vectors that cannot be read say why; results are written whole or not at all."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hamming.files import check_writable, read_vectors, staged

BITS = np.zeros((3, 8), np.uint8)
GOOD = {"q": BITS, "k": BITS, "v": np.zeros((3, 4), np.int8)}


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "vectors.npz"
    np.savez(path, **arrays)
    return path


def everything(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_arrays_are_read_as_they_are(tmp_path):
    mask = np.eye(3, dtype=bool)
    n_valid = np.array([1, 2, 3])
    vectors = read_vectors(save(tmp_path, **GOOD, n_valid=n_valid, mask=mask))
    for given, read in zip((*GOOD.values(), n_valid, mask), vars(vectors).values(), strict=True):
        assert read.dtype == given.dtype
        assert np.array_equal(read, given)


def test_optional_arrays_may_be_missing(tmp_path):
    vectors = read_vectors(save(tmp_path, **GOOD))
    assert vectors.n_valid is None
    assert vectors.mask is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"q": BITS, "k": BITS}, "no array 'v'; it needs q, k, v, and may have n_valid, mask"),
        (GOOD | {"nvalid": BITS}, "unknown array 'nvalid'; known: q, k, v, n_valid, mask; did you mean 'n_valid'?"),
        (GOOD | {"zz": BITS}, "unknown array 'zz'; known: q, k, v, n_valid, mask"),
        (
            GOOD | {"q": BITS.astype(float)},
            "q must hold integers or booleans, not float64; golden.score.binarize makes bits of real numbers",
        ),
        (
            GOOD | {"v": np.zeros((3, 4), np.float32)},
            "v must hold integers or booleans, not float32; golden.values.quantize makes integers of real numbers",
        ),
        (GOOD | {"k": np.array([["0", "1"]])}, "k must hold integers or booleans, not <U1"),
    ],
)
def test_wrong_arrays_are_one_line(tmp_path, arrays, message):
    path = save(tmp_path, **arrays)
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}") + r"\Z"):
        read_vectors(path)


def test_objects_are_never_unpickled(tmp_path):
    path = save(tmp_path, **GOOD | {"q": np.array([[{}]], dtype=object)})
    with pytest.raises(ValueError, match=r"vectors\.npz: Object arrays cannot be loaded when allow_pickle=False\Z"):
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
    with pytest.raises(ValueError, match=r"vectors\.npz: Bad CRC-32 for file 'q\.npy'\Z"):
        read_vectors(path)


def test_missing_file_and_folder_are_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"^cannot read '.*none\.npz': No such file or directory\Z"):
        read_vectors(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"^cannot read '.*': Is a directory\Z"):
        read_vectors(tmp_path)


def test_staged_files_appear_together_at_the_end(tmp_path):
    targets = tmp_path / "new" / "folder" / "a", tmp_path / "b"
    targets[1].write_text("old")
    with staged(*targets) as temporary:
        for path in temporary:
            path.write_text("new")
        assert not targets[0].exists()
        assert targets[1].read_text() == "old"
    assert everything(tmp_path) == {"new": None, "new/folder": None, "new/folder/a": b"new", "b": b"new"}


def test_staged_files_have_the_mode_of_any_new_file(tmp_path):
    with staged(tmp_path / "a"):
        pass
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_failure_leaves_everything_as_it_was(tmp_path):
    (tmp_path / "b").write_text("old")
    before = everything(tmp_path)

    def write_half() -> None:
        with staged(tmp_path / "new" / "a", tmp_path / "b") as temporary:
            temporary[0].write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("target", "reason"),
    [("file/a", "Not a directory"), ("folder", "not a regular file"), ("pipe", "not a regular file")],
)
def test_target_that_cannot_be_written_is_found_at_once(tmp_path, target, reason):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "pipe").symlink_to("/dev/null")
    path = tmp_path / target
    before = sorted(tmp_path.iterdir())
    message = re.escape(f"cannot write {str(path)!r}: {reason}") + r"\Z"
    with pytest.raises(ValueError, match=message), staged(tmp_path / "first", path):
        raise AssertionError("the work began")
    with pytest.raises(ValueError, match=message):
        check_writable(path)
    assert sorted(tmp_path.iterdir()) == before


def test_check_writable_leaves_nothing(tmp_path):
    check_writable(tmp_path / "new" / "a")
    assert everything(tmp_path) == {}
