"""Cell models from the cache: read once, the same as before, and read again where the file is broken."""

from __future__ import annotations

import dataclasses
import gzip
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hamming.synth.library import cell_file, liberty
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.liberty import load_cells
from hamming.synth.library.libraries import Library
from tests.synth.liberty_sample import OTHER, at
from tests.synth.netlists import nangate_cells


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liberty, "KNOWN", {})


@pytest.fixture(scope="session")
def nangate() -> CellLibrary:
    return nangate_cells()


def test_a_library_is_read_once(tmp_path: Path, toy: Library, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "other.lib"
    path.write_text(OTHER)
    library = dataclasses.replace(toy, path=path, sha256="1")
    first = load_cells(library)
    assert first.cells["GATE"].area == 3
    monkeypatch.setattr(liberty, "read_library", lambda text, sha256: pytest.fail("was read again"))
    assert load_cells(library) is first
    liberty.KNOWN.clear()
    again = load_cells(library)
    assert again.cells.keys() == first.cells.keys()
    assert at(again.cells["GATE"].arcs[0].rise, 0.02, 10.0) == pytest.approx(0.002)
    with pytest.raises(pytest.fail.Exception, match="was read again"):
        load_cells(library, cache=False)


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept[:100],
        lambda kept: kept[:-20] + bytes(20),
        lambda kept: kept[:40] + bytes([kept[40] ^ 255]) + kept[41:],
        lambda _: pickle.dumps("a pickle"),
        lambda _: gzip.compress(b"[]"),
        lambda _: gzip.compress(b"[" * 10**5),
        lambda _: gzip.compress(b'{"library": {}, "tables": [], "axes": []}'),
        lambda kept: gzip.compress(gzip.decompress(kept).replace(b'"area": 3.0', b'"area": "3"')),
        lambda kept: gzip.compress(gzip.decompress(kept).replace(b'"tables": [[', b'"tables": [[9')),
    ],
)
def test_a_broken_cache_is_read_over(tmp_path: Path, toy: Library, damage: Callable[[bytes], bytes]):
    path = tmp_path / "other.lib"
    path.write_text(OTHER)
    library = dataclasses.replace(toy, path=path, sha256="1")
    load_cells(library)
    (kept,) = (tmp_path / "cache" / "synth").glob("cells-*")
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert kept.read_bytes() != whole
    liberty.KNOWN.clear()
    assert load_cells(library).cells["GATE"].area == 3
    assert kept.read_bytes() == whole


def test_a_cache_runs_nothing():
    """Nothing in the package reads pickles, by which a file in a shared folder could run code."""
    for path in Path(liberty.__file__).parents[1].glob("*/**/*.py"):
        if "tests" not in path.parts and ".venv" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"^\s*(import|from) (pickle|shelve|marshal|dill|joblib)\b", text, re.MULTILINE), path
            assert "allow_pickle=True" not in text, path
            assert text.count("torch.load(") == text.count("weights_only=True"), path


def test_models_from_the_cache_are_those_that_were_read(nangate: CellLibrary):
    cells = nangate
    again = cell_file.from_json(json.loads(json.dumps(cell_file.to_json(cells))))

    def compare(one: Any, other: Any) -> None:
        assert type(one) is type(other)
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
        elif dataclasses.is_dataclass(one):
            for field in dataclasses.fields(one):
                compare(getattr(one, field.name), getattr(other, field.name))
        elif isinstance(one, dict):
            assert list(one) == list(other)
            for key in one:
                compare(one[key], other[key])
        elif isinstance(one, tuple):
            assert len(one) == len(other)
            for pair in zip(one, other, strict=True):
                compare(*pair)
        else:
            assert one == other

    compare(cells, again)
    arcs = [
        (arc.rise, other.rise)
        for name in cells.cells
        for arc, other in zip(cells.cells[name].arcs, again.cells[name].arcs, strict=True)
    ]
    assert len({id(one) for one, _ in arcs}) == len({id(other) for _, other in arcs})
