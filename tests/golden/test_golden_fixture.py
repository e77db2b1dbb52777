"""The transformer's vectors: that they are what is said of them, and what the widths keep of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from hamming.golden import attend
from hamming.golden.accuracy import SWEEPS, Widths, cosines, markdown
from hamming.golden.fixture import MINILM_LAYERS, MINILM_PATH, load_minilm
from hamming.golden.ideal import dense_attention, had_attention
from hamming.golden.spec import AttentionSpec
from hamming.golden.values import quantize


@pytest.mark.parametrize("layer", MINILM_LAYERS)
def test_shapes_and_ranges(layer):
    inputs = load_minilm(layer)
    assert inputs.q.shape == inputs.k.shape == inputs.v.shape == (12, 128, 32)
    assert inputs.sigma_q.shape == inputs.sigma_k.shape == inputs.logit_scale.shape == (12,)
    assert set(np.unique(inputs.q)) == set(np.unique(inputs.k)) == {0, 1}
    assert np.isfinite(inputs.v).all()


def test_layers_differ():
    first, fifth = map(load_minilm, MINILM_LAYERS)
    assert not np.array_equal(first.q, fifth.q)
    # The scales that the choice of the layers, and of the preset's one table, rest on.
    assert (first.logit_scale.min().round(2), first.logit_scale.max().round(2)) == (0.09, 1.31)
    assert fifth.logit_scale.mean().round(3) == 0.290


def test_logit_scale_is_per_head():
    inputs = load_minilm(4)
    assert inputs.logit_scale[3] == pytest.approx(inputs.sigma_q[3] * inputs.sigma_k[3] / 32**0.5)


def test_file_is_small_and_says_where_it_comes_from():
    assert MINILM_PATH.stat().st_size < 300_000
    with np.load(MINILM_PATH) as stored:
        assert stored["license"] == "Apache-2.0"
        assert "all-MiniLM-L6-v2" in str(stored["model"])
        assert stored["layers"].tolist() == list(MINILM_LAYERS)
        assert stored["n_tokens"] == len(stored["tokens"]) == 128
        assert stored["tokens"][:3].tolist() == ["[CLS]", "a", "bridge"]


@pytest.mark.parametrize(("layer", "error"), [(1, ValueError), (-1, ValueError), (6, ValueError), (0.0, TypeError)])
def test_other_layers_are_refused(layer, error):
    with pytest.raises(error, match=r"^layer must be "):
        load_minilm(layer)


def test_ideal_is_pytorchs_on_real_heads():
    inputs = load_minilm(0)
    signs = [torch.tensor(2.0 * x - 1, dtype=torch.float64) for x in (inputs.q, inputs.k)]
    v = torch.tensor(inputs.v.astype(float))
    scale = inputs.logit_scale[:, None, None]
    # PyTorch takes one scale for all heads: the queries carry them here.
    expected = torch.nn.functional.scaled_dot_product_attention(signs[0] * torch.tensor(scale), signs[1], v, scale=1.0)
    found = dense_attention(inputs.q, inputs.k, inputs.v, scale)
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("layer", MINILM_LAYERS)
def test_default_widths_keep_float_attention(layer):
    # Cosine to float HAD, worked out here and not by golden.accuracy: 0.999 on average over a head's outputs, and
    # for every token with its heads together. (A head that looks at a vector near zero alone may be less alike.)
    inputs = load_minilm(layer)
    v, v_scale = quantize(inputs.v)
    outs, ideals = [], []
    for head, logit_scale in enumerate(inputs.logit_scale):
        spec = AttentionSpec.from_logit_scale(d_head=32, d_value=32, n_keys=128, top_k=30, logit_scale=logit_scale)
        outs.append(attend(spec, inputs.q[head], inputs.k[head], v[head]).out / 256 * v_scale[head])
        ideals.append(had_attention(inputs.q[head], inputs.k[head], inputs.v[head], logit_scale, 30))
    out, ideal = np.stack(outs, axis=1), np.stack(ideals, axis=1)

    def cosine(a, b):
        return np.array([np.dot(x, y) / np.sqrt(np.dot(x, x) * np.dot(y, y)) for x, y in zip(a, b, strict=True)])

    by_head = cosine(out.reshape(-1, 32), ideal.reshape(-1, 32))
    by_token = cosine(out.reshape(128, -1), ideal.reshape(128, -1))
    assert by_head.mean() >= 0.999
    assert by_token.min() >= 0.999

    found = cosines(Widths())
    position = MINILM_LAYERS.index(layer)
    np.testing.assert_allclose(found.had[position].T.ravel(), by_head, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.had_token[position], by_token, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["weight_bits", "value_bits", "out_frac_bits"])
def test_every_width_reaches_the_arithmetic(name):
    narrowest, default = (cosines(dataclasses.replace(Widths(), **change)) for change in ({name: SWEEPS[name][0]}, {}))
    assert narrowest.had.mean() < default.had.mean()
    assert narrowest.had_token.mean() < default.had_token.mean()


def test_more_keys_come_nearer_to_all_keys():
    means = [cosines(Widths(top_k=top_k)).dense.mean() for top_k in SWEEPS["top_k"]]
    assert means == sorted(means)
    assert cosines(Widths(top_k=128, value_bits=16, weight_bits=24)).dense.min() > 0.99999


def test_documented_table_is_what_is_measured():
    text = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text()
    documented = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    measured = [line.split("|")[1:-1] for line in markdown()]
    assert [row[:2] for row in documented] == [row[:2] for row in measured]
    assert documented[0] == measured[0]
    # A unit of the last digit is left to the floating point of other machines.
    figures = [np.array([row[2:] for row in table[2:]], float) for table in (documented, measured)]
    np.testing.assert_allclose(*figures, rtol=0, atol=1.5e-5)
