"""The mutants of `python -m tests.mutants` still fit the hardware: each breaks a line that is there, once."""

from __future__ import annotations

import pytest

from tests.mutants import MUTANTS, ROOT, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_mutant_applies(mutant: Mutant) -> None:
    assert (ROOT / "rtl" / mutant.file).read_text(encoding="utf-8").count(mutant.before) == 1
    assert mutant.after != mutant.before
    path, _, name = mutant.test.partition("::")
    test = (ROOT / path).read_text(encoding="utf-8")
    assert not name or f"def {name.partition('[')[0]}(" in test
