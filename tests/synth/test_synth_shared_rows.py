"""The study of queries that share rows: engines of one throughput, and what is kept and shown of them."""

from __future__ import annotations

import pytest

from hamming.synth.studies.shared_rows import POINTS, design_of, markdown, read


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_engines_have_one_throughput(point: tuple[int, int]):
    n_queries_a_row, n_lanes = point
    dims = design_of(n_queries_a_row, n_lanes).dimensions
    assert n_queries_a_row * n_lanes == 4
    assert max(dims.cycle_terms().values()) == 32 * n_queries_a_row


def test_what_is_kept_is_what_a_query_reads():
    rows = read()
    assert rows
    for row in rows:
        assert row["key_bits_read"] == 128 * 64 / row["n_queries_a_row"]
        assert row["cycles"] == pytest.approx(32, rel=0.01)
        assert row["queries_checked"] >= 512
    assert len(markdown(rows).splitlines()) == 2 + len(rows)
