"""The student that comes with the package: its accuracy through the hardware's arithmetic, and its heads' Verilog."""

from __future__ import annotations

import pytest

from hamming.distill.hardware.evaluate import evaluate_run
from hamming.distill.hardware.export import export_run
from hamming.distill.hardware.verilog import layer_names, simulate_layer
from hamming.distill.method.quantize import Widths
from hamming.distill.training.runs import DATA, Run, load_run


@pytest.fixture(scope="module")
def student() -> Run:
    return load_run(DATA / "sample_student")


def test_a_thousand_images_through_the_integers(student):
    """Margins are for float32 of other processors: the integers follow from signs of sums that these round."""
    found = evaluate_run(student)
    assert found.items == 1000
    assert found.accuracy["teacher"] == pytest.approx(0.908, abs=0.002)
    assert found.accuracy["float"] == pytest.approx(0.903, abs=0.002)
    assert abs(found.accuracy["integer"] - found.accuracy["float"]) <= 0.003
    assert found.agreement >= 0.994
    assert found.attention.mean > 0.99998
    assert found.flipped["blocks.0.attention"] == 0
    assert 0 < found.flipped["blocks.3.attention"] < 0.004


def test_few_bits_are_told_apart(student):
    found = evaluate_run(student, widths=Widths(weight_bits=4, value_bits=3, out_frac_bits=0), limit=300)
    assert found.agreement < 0.99
    assert found.attention.mean < 0.99


def test_a_layer_through_the_verilog(student, tmp_path):
    export_run(student, tmp_path / "heads", items=3, widths=Widths(weight_bits=8))
    layer = layer_names(tmp_path / "heads")[-1]
    report = simulate_layer(tmp_path / "heads", layer)
    assert (layer, report["heads"], report["queries"]) == ("blocks.3.attention", 2, 300)
    assert (report["mismatches"], report["violations"]) == (0, 0)
    assert report["cycles_a_query"] < 1.01 * report["cycles_bound"]
