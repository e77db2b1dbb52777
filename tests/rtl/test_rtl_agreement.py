"""How engines of a chain agree on what each keeps, against golden."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hamming.formal.chain import Agreements
from hamming.golden.parts import agree
from hamming.rtl.dimensions import Dimensions
from tests.rtl.chains import dimensions
from tests.rtl.harness import RHYTHMS, pack, run


def counted(dims: Dimensions, counts: Any) -> int:
    """Return the payload of `Agreement.i` for counts by level, 0 to `d_head + 1`."""
    most = dims.part.spec.top_k
    at_or_above = np.cumsum(counts[::-1])[::-1][1:]
    room = [most - 1 - int(count) if count < most else 0 for count in at_or_above]
    words = [pack(r >> b & 1 for r in room) for b in range((most - 1).bit_length())]
    words.append(pack(count >= most for count in at_or_above))
    n_levels = dims.spec.d_head + 1
    return sum(word << b * n_levels for b, word in enumerate(words))


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize(("n_engines", "top_k", "n_keys"), [(2, 4, 12), (3, 1, 12), (3, 11, 12), (4, 3, 32)])
def test_engines_agree(
    n_engines: int, top_k: int, n_keys: int, pause: float, stall: float, rng: np.random.Generator
) -> None:
    dims = dimensions(n_engines, top_k=top_k, n_keys=n_keys)
    spec, n_own = dims.spec, dims.part.spec.n_keys
    levels = rng.integers(0, spec.d_head + 2, (24, n_engines, n_own))
    levels[0] = 0  # no key
    levels[1] = 3  # all at the cut
    levels[2, 1:] = 0
    levels[3, :-1] = 0
    levels[4:12] = rng.integers(2, 4, (8, n_engines, n_own))  # many ties
    counts = [(levels[:, n, :, None] == np.arange(spec.d_head + 2)).sum(axis=1) for n in range(n_engines)]
    inputs = {f"i_{n}": [counted(dims, one) for one in counts[n]] for n in range(n_engines)}
    beats = run(
        Agreements(dims), inputs, {f"o_{n}": len(levels) for n in range(n_engines)}, pause=pause, stall=stall, seed=1
    )
    for n, cut in enumerate(agree(spec, counts)):
        got = beats.payloads[f"o_{n}"]
        assert [beat.level for beat in got] == cut.level.tolist()
        assert [beat.max_level for beat in got] == cut.max_level.tolist()
        assert [beat.quota for beat in got] == cut.quota.tolist()
        above = (levels[:, n] > cut.level[:, None]).sum(axis=1)
        assert [beat.n_kept for beat in got] == (above + cut.quota).tolist()


def test_agreement_takes_a_cycle_a_level(rng: np.random.Generator) -> None:
    dims = dimensions(3)
    words = [counted(dims, np.bincount(rng.integers(0, 7, 4), minlength=7)) for _ in range(12)]
    beats = run(Agreements(dims), {f"i_{n}": words for n in range(3)}, {f"o_{n}": 12 for n in range(3)})
    for n in range(3):
        assert np.diff(beats.cycles[f"o_{n}"])[2:].max() == dims.spec.d_head + 1
        assert beats.cycles[f"o_{n}"][0] - beats.cycles["i_0"][0] <= dims.agreement
