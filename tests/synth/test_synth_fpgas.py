"""Presets on FPGAs: what the file keeps is what the document shows."""

from __future__ import annotations

from hamming.synth.studies import fpgas
from tests.test_docs import ROOT


def test_the_document_has_what_the_file_has() -> None:
    results = fpgas.read()
    assert set(results) <= set(fpgas.POINTS)
    assert fpgas.markdown(results) in (ROOT / "docs" / "fpga.md").read_text(encoding="utf-8")


def test_the_file_is_what_was_written(tmp_path) -> None:
    fpgas.write(fpgas.read(), tmp_path / "results.json")
    assert (tmp_path / "results.json").read_text() == fpgas.RESULTS.read_text()
