"""Published figures: each has a source and its limits, and the blocks add up to what the authors state."""

from __future__ import annotations

import pytest

from hamming.synth.compare.figures import ROLES
from hamming.synth.compare.published import published

# CAMformer's model: power of a block in mW (a pJ a cycle at 1 GHz), cycles that one use takes, instances, and uses a
# head-query: 64 tiles of 16 keys, each programmed in 4 parts and searched; 32 kept keys; 64 * 32 / 8 products.
CAMFORMER_USES = {
    "Key SRAM": (28.4, 1, 1, 64 * 4),
    "Value SRAM": (34.7, 1, 1, 64 + 256),
    "Query Buffer": (1.54 * 0.52173913, 1, 1, 65),
    "BA-CAM 16x64": (100.8 * 0.52173913 / 4, 1, 1, 64 * 4 + 64),
    "6b ADCs (16)": (0.95, 2, 16, 64),
    "Fixed Scalers (16)": (0.047 * 0.52173913, 2, 16, 64),
    "Top2": (11.660375 * 0.52173913, 2, 1, 64),
    "Ptop Reg": (2.93 * 0.52173913, 1, 1, 64 + 2),
    "Top32": (99.81453333 * 0.52173913, 6, 1, 2 + 1),
    "SoftMax LUT": (1.418, 1, 1, 32),
    "SoftMax Acc.": (2.141 * 0.52173913, 1, 1, 32),
    "SoftMax Div.": (0.07109, 3, 1, 32),
    "Output Buff": (2.98 * 0.52173913, 1, 1, 32 + 2 * 32),
    "BF16 MACs (8)": (2.141 * 0.52173913, 4, 8, 256),
}


def test_camformers_blocks_add_up_to_its_own_totals():
    camformer = published()["camformer"]
    assert camformer.area == pytest.approx(258414, rel=1e-4)  # 0.258 mm²
    assert camformer.energy == pytest.approx(54920 - 64 * 24 * 12.42666667, rel=1e-3)  # 54.92 nJ less DRAM's
    assert camformer.energy == pytest.approx(35800, rel=2e-3)
    assert camformer.logic_area == pytest.approx(258414 - 27728.6 - 44820, rel=1e-4)


def test_camformers_energies_are_power_times_time():
    for block in published()["camformer"].blocks:
        power, cycles, instances, uses = CAMFORMER_USES[block.name]
        assert block.energy == pytest.approx(power * cycles * instances * uses, abs=0.1), block.name


def test_camformers_slowest_stage():
    # 64 tiles, 4 cycles to program and 1 to search, then converters, scalers, Top2 and register.
    assert published()["camformer"].cycles == 64 * 5 + 2 + 2 + 2 + 1


def test_had_states_shares_and_nothing_else():
    had = published()["had"]
    assert (had.less_area, had.less_power) == (0.79, 0.87)
    assert (had.area, had.energy, had.cycles, had.node_nm, had.blocks) == (None, None, None, None, ())
    assert had.logic_area is None
    assert had.logic_energy is None


@pytest.mark.parametrize("design", published().values(), ids=lambda design: design.key)
def test_every_design_says_where_it_is_from_and_why_it_is_not_comparable(design):
    assert design.source
    assert design.included
    assert design.not_comparable
    assert {block.role for block in design.blocks} <= set(ROLES)
