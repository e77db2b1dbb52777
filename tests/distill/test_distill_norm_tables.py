"""Several softmax tables a head, of which a query takes one by its norm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from hamming.distill.hardware.integer import attend_heads, head_inputs
from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.convert import calibrate, set_tables
from hamming.distill.method.heads import HammingHeads
from hamming.distill.method.quantize import Widths, head_spec
from hamming.distill.training.config import StudentConfig


def heads_of(n_tables: int, **settings) -> Any:
    made = HammingHeads(2, 8, 3, mode="sign", **settings)
    made.sigma_q.copy_(torch.tensor([0.5, 2]))
    made.set_tables(n_tables)
    return made


def test_one_table_is_what_there_was():
    plain, one = HammingHeads(2, 8, 3), heads_of(1)
    assert plain.state_dict().keys() == one.state_dict().keys()
    assert one.n_tables == 1
    assert one.table(torch.zeros(1, 2, 3, 8)) is None
    assert one.logit_scales.shape == (2, 1)


def test_a_query_takes_the_table_of_its_norm():
    made = heads_of(3)
    made.norm_bounds.copy_(torch.tensor([[1.0, 2], [3, 4]]))
    made.norm_shares.copy_(torch.tensor([[0.5, 1, 2], [1, 1, 3]]))
    q = torch.zeros(1, 2, 4, 8)
    q[..., 0] = torch.tensor([0.5, 1, 1.9, 2])
    q[:, 1] *= 2
    assert made.table(q).tolist() == [[[0, 1, 1, 2], [0, 0, 1, 2]]]
    generator = torch.Generator().manual_seed(0)
    k = torch.randn(1, 2, 5, 8, generator=generator)
    weights, scores = made.weights(q, k, None)
    signs = torch.where(q >= 0, 1.0, -1.0) @ torch.where(k >= 0, 1.0, -1.0).mT
    by_hand = torch.tensor([[0.5, 1, 1, 2], [1, 1, 1, 3]]) * torch.tensor([[0.5], [2]]) / math.sqrt(8)
    torch.testing.assert_close(scores, signs * by_hand[..., None])
    torch.testing.assert_close(weights, scores.softmax(-1))


def test_calibration_shares_queries_out_evenly():
    torch.manual_seed(0)
    layer: Any = HammingAttention(16, 2)
    batches = [torch.randn(5, 12, 16) * scale for scale in (1, 3)]
    plain = HammingAttention(16, 2)
    plain.load_state_dict(layer.state_dict())
    calibrate(plain, lambda x: plain(x), batches)
    set_tables(layer, 4)
    calibrate(layer, lambda x: layer(x), batches)
    assert torch.equal(layer.sigma_q, plain.sigma_q)
    q = torch.cat([layer.project(x)[0] for x in batches]).detach()
    table = layer.table(q)
    norms = q.norm(dim=-1)
    for head in range(2):
        assert [int((table[:, head] == t).sum()) for t in range(4)] == [30] * 4
        whole = norms[:, head].square().mean().sqrt()
        for t in range(4):
            its = norms[:, head][table[:, head] == t]
            assert float(layer.norm_shares[head, t]) == pytest.approx(float(its.square().mean().sqrt() / whole))
    assert (layer.norm_bounds.diff() > 0).all()


def test_integers_take_the_same_table():
    generator = torch.Generator().manual_seed(3)
    layer = heads_of(2, top_n=4)
    layer.norm_bounds.fill_(2.5)
    layer.norm_shares.copy_(torch.tensor([[0.2, 3], [0.1, 2]]))
    q, k = torch.randn(2, 1, 2, 9, 8, generator=generator)
    v = torch.randn(1, 2, 9, 3, generator=generator)
    given: Any = head_inputs(layer, q, k, v, None, scale=torch.full((2, 3), 0.02), value_bits=8)
    assert 0 < given.table.mean() < 1
    assert head_spec(layer, 0, 9, Widths()).n_tables == 2
    out = torch.from_numpy(attend_heads(layer, given, Widths())) * 0.02 / 256
    exact = layer.weights(q, k, None)[0] @ v
    torch.testing.assert_close(out.float(), exact, atol=0.02, rtol=0)
    swapped = given.table.copy()
    layer.norm_shares.copy_(layer.norm_shares.flip(1))
    other: Any = head_inputs(layer, q, k, v, None, scale=torch.full((2, 3), 0.02), value_bits=8)
    assert np.array_equal(other.table, swapped)
    assert (torch.from_numpy(attend_heads(layer, other, Widths())) * 0.02 / 256 - exact).abs().max() > 0.1


def test_numbers_of_tables_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="n_tables must be 1 to 256, not 0"):
        HammingHeads(2, 8, 3).set_tables(0)
    with pytest.raises(ValueError, match="n_tables must be 1 to 256, not 300"):
        StudentConfig(teacher="t", n_tables=300)


def test_tables_are_saved_with_a_model_of_transformers(tmp_path):
    pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")
    from transformers import AutoModelForCausalLM

    import hamming.huggingface as hh
    from hamming.distill.method.convert import hamming_layers
    from tests.distill.families import inputs_of, model_of

    model = hh.prepare(model_of("llama"), n_tables=4)
    hh.calibrate(model, [inputs_of("llama", seed=seed) for seed in (1, 2)])
    hh.configure(model, mode="sign", top_n=4)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert next(iter(hamming_layers(loaded).values())).n_tables == 4
    assert torch.equal(loaded(**inputs_of("llama")).logits, model(**inputs_of("llama")).logits)
    hh.prepare(loaded, n_tables=4)
    assert torch.equal(loaded(**inputs_of("llama")).logits, model(**inputs_of("llama")).logits)
