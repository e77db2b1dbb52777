"""The comparisons of a document: what they ask for, and the files that they leave."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hamming.pool import Pool
from hamming.rtl.design import load_design
from hamming.synth.studies import comparisons
from hamming.synth.studies.comparisons import COMPARISONS
from hamming.synth.yosys.process import SynthesisError
from tests.pools import in_this_process
from tests.synth.comparison_sample import sample


@pytest.mark.parametrize("name", COMPARISONS)
def test_designs_are_those_of_their_presets(name: str):
    asked = COMPARISONS[name]
    design = load_design(asked.preset, asked.overrides)
    assert (design.spec.n_keys, design.config.n_lanes) == {"bert256": (256, 4), "flagship": (1024, 16)}.get(
        name.partition("_")[0], (128, 2)
    )


def test_each_leaves_its_files_and_one_that_fails_none(tmp_path, monkeypatch):
    def measure(name: str, only_new: bool):
        assert not only_new
        if name == "flagship":
            raise SynthesisError("Yosys: no")
        return sample()

    monkeypatch.setattr(comparisons, "measure", measure)
    monkeypatch.setattr(Pool, "results", in_this_process)
    done = CliRunner().invoke(comparisons.main, ["bert", "flagship", "bert256", "-o", str(tmp_path / "new")])
    assert done.exit_code == 1
    assert done.output.endswith("Error: 1 of 3 jobs failed\nflagship: Yosys: no\n")
    found = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert found == ["bert.html", "bert.json", "bert256.html", "bert256.json"]
    assert json.loads((tmp_path / "new" / "bert.json").read_text()) == json.loads(json.dumps(sample().to_dict()))


def test_a_folder_that_cannot_be_is_told_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    done = CliRunner().invoke(comparisons.main, ["-o", str(tmp_path / "file")])
    assert done.exit_code == 1
    assert done.output.startswith("Error: cannot write ")
