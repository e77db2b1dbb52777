"""The study of one engine of a chain: what is kept is of the engine of today's shape, and shown on the page."""

from __future__ import annotations

import pytest

from hamming.sim.chain_length import LENGTHS
from hamming.synth.studies.chain_engine import engine_of, markdown, read


@pytest.mark.parametrize("n_engines", LENGTHS)
def test_values_are_in_banks_that_are_read_within_a_cycle(n_engines: int) -> None:
    design = engine_of(n_engines)
    assert design.config.chain
    assert max(design.dimensions.value_bank_depths) == 2048


def test_what_is_kept_was_checked_at_full_rate() -> None:
    rows = read()
    assert rows
    for row in rows:
        dims = engine_of(row["n_engines"]).dimensions
        assert row["cycles"] == pytest.approx(max(dims.cycle_terms().values()), rel=0.01)
        assert row["queries_checked"] >= 512
        # A query reads each row of keys once, and of the kept ones, as many as there are engines to share them, a few.
        assert row["reads"]["key_memory"] == dims.n_rows
        values = sum(reads for name, reads in row["reads"].items() if name.startswith("value_memory"))
        assert 0 < values <= 1.5 * dims.fold * dims.spec.top_k / row["n_engines"]
    assert len(markdown(rows).splitlines()) == 2 + len(rows)
