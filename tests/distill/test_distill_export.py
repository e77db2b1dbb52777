"""Export: files that the command line takes, integers that add up to the model, one engine, the Verilog's own bits."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from hamming.cli import main
from hamming.distill.hardware.engine_file import engine_settings
from hamming.distill.hardware.export import export_model
from hamming.distill.hardware.integer import collect_values, integer_attention, value_scales
from hamming.distill.hardware.projections import projections
from hamming.distill.hardware.verilog import main as verilog_main
from hamming.distill.hardware.verilog import simulate_layer
from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.quantize import Widths, head_spec
from hamming.golden.attention import attend
from hamming.rtl.design import load_design, preset_names
from hamming.vector_file import read_vectors

WIDTHS = Widths(weight_bits=9, value_bits=6, out_frac_bits=5)


class Model(nn.Module):
    def __init__(self, **settings: object) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.one = HammingAttention(16, 2, top_n=3, mode="sign", **settings)  # type: ignore[arg-type]
        self.two = HammingAttention(16, 2, top_n=3, mode="sign", **settings)  # type: ignore[arg-type]
        for layer in (self.one, self.two):
            layer.sigma_q.uniform_(0.3, 2)
            layer.key_mean.uniform_(-0.3, 0.3)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        for layer in (self.one, self.two):
            x = x + layer(x, visible=visible)[0]
        return x


X = torch.randn(3, 11, 16, generator=torch.Generator().manual_seed(1))
PADDED = torch.arange(11) < torch.tensor([11, 5, 2])[:, None]


def exported(folder, model, visible=None, **options):
    def run(batch):
        return model(batch, visible)

    scales = value_scales(collect_values(model, run, [X]), WIDTHS.value_bits)
    return export_model(model, run, X, folder, scales=scales, widths=WIDTHS, **options), scales


@pytest.mark.parametrize("visible", [None, PADDED], ids=["all", "padded"])
def test_files_rebuild_the_layer(tmp_path, visible):
    """From the files and a token's values alone: projections, signs, golden, projection; what the model says."""
    model = Model()
    found, scales = exported(tmp_path, model, visible)
    with integer_attention(model, scales, WIDTHS):
        expected = model.one(X, visible=visible)[0].numpy()
    p = dict(np.load(tmp_path / "one" / "projections.npz"))
    out = []
    for head, path in enumerate(found.heads["one"]):
        vectors, design = read_vectors(path.with_suffix(".npz")), load_design(path)
        rows = slice(8 * head, 8 * head + 8)
        q, k, v = (X.numpy() @ p[f"{n}_weight"][rows].T + p[f"{n}_bias"][rows] for n in "qkv")
        np.testing.assert_array_equal(vectors.q, q >= 0)
        np.testing.assert_array_equal(vectors.k, k >= 0)
        np.testing.assert_array_equal(vectors.v, np.clip(np.rint(v), -31, 31))
        assert design.spec == head_spec(model.one, head, 11, WIDTHS)
        assert (vectors.n_valid is None) == (visible is None)
        out.append(attend(design.spec, vectors.q, vectors.k, vectors.v, n_valid=vectors.n_valid).out)
        np.testing.assert_array_equal(out[-1], np.load(tmp_path / "one" / "outputs.npz")["out"][head])
    rebuilt = np.concatenate(out, axis=-1) @ p["out_weight"].T + p["out_bias"]
    np.testing.assert_allclose(rebuilt, expected, rtol=0, atol=1e-5)


def test_one_engine_serves_all_heads_and_the_verilog_agrees(tmp_path):
    found, _ = exported(tmp_path, Model(), PADDED, name="every_head", n_keys=13)
    facts = json.loads((tmp_path / "export.json").read_text())
    assert list(facts["layers"]) == ["one", "two"]
    assert facts["engine"] == found.engine
    report = simulate_layer(tmp_path, "two")
    assert (report["layer"], report["heads"], report["queries"]) == ("two", 2, 2 * 3 * 11)
    assert (report["mismatches"], report["violations"]) == (0, 0)
    tables = {load_design(path).spec.weights for paths in found.heads.values() for path in paths}
    assert len(tables) == 4
    assert load_design(found.heads["one"][0]).spec.n_keys == 13
    assert load_design(tmp_path / "engine.toml") == load_design(found.heads["one"][0])


def test_a_wrong_bit_is_a_mismatch(tmp_path, monkeypatch, capsys):
    """The Verilog is right, and what it is held against is wrong."""
    exported(tmp_path, Model(), PADDED, name="every_head", n_keys=13)

    def wrong(*arguments, **options):
        right = attend(*arguments, **options)
        right.out[1, 4, 3] += 1
        return right

    monkeypatch.setattr("hamming.distill.hardware.verilog.attend", wrong)
    with pytest.raises(ValueError, match=r"head_0.npz does not give the outputs"):
        simulate_layer(tmp_path, "two")
    shutil.rmtree(tmp_path / "one")
    facts = json.loads((tmp_path / "export.json").read_text())
    del facts["layers"]["one"]
    (tmp_path / "export.json").write_text(json.dumps(facts))
    with np.load(tmp_path / "two" / "outputs.npz") as stored:
        out = stored["out"]
    out[:, 1, 4, 3] += 1
    np.savez(tmp_path / "two" / "outputs.npz", out=out)
    monkeypatch.setattr("sys.argv", ["verilog", str(tmp_path), "--json", str(tmp_path / "report")])
    with pytest.raises(SystemExit) as left:
        verilog_main()
    assert left.value.code == 1
    [report] = json.loads((tmp_path / "report").read_text())
    assert report["mismatches"] == 2  # a query of each head
    assert capsys.readouterr().out == ("two: 2 heads, 66 queries, 2 mismatches, 0 violations of a stream's protocol\n")


def test_the_command_line_takes_every_head(tmp_path, monkeypatch):
    found, _ = exported(tmp_path, Model(), PADDED)
    monkeypatch.chdir(tmp_path)
    for paths in found.heads.values():
        for path in paths:
            arguments = ["run", str(path), "--vectors", str(path.with_suffix(".npz")), "--output", "out.npz"]
            result = CliRunner().invoke(main, arguments)
            assert result.exit_code == 0, result.output
            assert np.load("out.npz")["out"].shape == (3, 11, 8)


def test_general_masks_and_powers_of_two_reach_the_engine(tmp_path):
    visible = torch.rand(3, 11, 11, generator=torch.Generator().manual_seed(2)) < 0.5
    found, _ = exported(tmp_path, Model(weight_form="power_of_two"), visible)
    design = load_design(found.heads["one"][1])
    assert design.config.mask
    assert design.config.product == "shift"
    vectors = read_vectors(found.heads["one"][1].with_suffix(".npz"))
    assert vectors.mask is not None
    np.testing.assert_array_equal(vectors.mask, ~visible.numpy())


@pytest.mark.parametrize("preset", [name for name in preset_names() if name != "tiny"])
def test_the_engine_is_chosen_as_presets_are(preset):
    design = load_design(preset)
    chosen = engine_settings([design.spec], name="x", mask=False)
    assert (chosen["n_lanes"], chosen["n_macs"]) == (design.config.n_lanes, design.config.n_macs)


def test_layers_without_bias():
    layer = HammingAttention(4, 1, bias=False, mode="sign")
    p = projections(layer, torch.ones(1, 4), Widths())
    assert not p["q_bias"].any()
    assert p["out_weight"].tolist() == (layer.out_proj.weight / 256).tolist()


def test_what_cannot_be(tmp_path):
    model = Model()
    model.two.configure(top_n=4)
    with pytest.raises(ValueError, match="all heads must have the same shape"):
        exported(tmp_path, model)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="n_keys must be 11 or more, not 10"):
        exported(tmp_path, Model(), n_keys=10)
    with pytest.raises(ValueError, match="is no export, which `hamming export` writes"):
        simulate_layer(tmp_path, "one")
    exported(tmp_path, Model())
    with pytest.raises(ValueError, match="layer must be one of one, two, not 'three'"):
        simulate_layer(tmp_path, "three")
