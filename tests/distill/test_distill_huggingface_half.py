"""Models of `transformers` in half precision."""

from __future__ import annotations

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")

import hamming.huggingface as hh  # noqa: E402
from hamming.distill.method.convert import hamming_layers  # noqa: E402
from tests.distill.families import binary, inputs_of, model_of, result  # noqa: E402


def test_bfloat16_keeps_the_order_of_integers():
    model = binary("llama").bfloat16()
    assert result(model, inputs_of("llama")).isfinite().all()


@pytest.mark.parametrize("mode", ["float", "float_top", "tanh", "sign"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_of_half_precision_is_prepared(dtype, mode, tmp_path):
    """As `from_pretrained` loads it: what it is calibrated to is of float32, also after it was saved."""
    model_of("llama").to(dtype).save_pretrained(tmp_path)
    model = hh.prepare(transformers.AutoModelForCausalLM.from_pretrained(tmp_path), n_tables=3)
    hh.calibrate(model, [inputs_of("llama", seed=seed) for seed in (1, 2)])
    hh.configure(model, mode=mode, top_n=3)
    inputs = inputs_of("llama", padded=True)
    out = result(model, inputs)
    assert out.dtype == dtype
    assert out.isfinite().all()
    model.save_pretrained(tmp_path)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert loaded.dtype == dtype
    for heads in hamming_layers(loaded).values():
        assert {buffer.dtype for buffer in heads.buffers()} == {torch.float32, torch.int64}
    assert torch.equal(result(loaded, inputs), out)
    result(model.train(), inputs).float().square().mean().backward()
    assert model.model.layers[0].self_attn.q_proj.weight.grad.abs().sum() > 0


def test_half_precision_has_the_weights_of_the_same_numbers():
    heads = next(iter(hamming_layers(binary("llama")).values()))
    q, k = torch.randn(2, 2, 4, 7, 8, generator=torch.Generator().manual_seed(3)).bfloat16()
    weights, scores = heads.weights(q, k, None)
    expected = heads.weights(q.float(), k.float(), None)
    assert torch.equal(weights, expected[0])
    assert torch.equal(scores, expected[1])


def test_many_batches_are_summed_in_float32():
    model = hh.prepare(model_of("llama"))
    batches = [inputs_of("llama", seed=seed) for seed in range(60)]
    hh.calibrate(model, batches)
    expected = [heads.sigma_q.clone() for heads in hamming_layers(model).values()]
    hh.calibrate(model.bfloat16(), batches)
    for heads, sigma in zip(hamming_layers(model).values(), expected, strict=True):
        torch.testing.assert_close(heads.sigma_q.float(), sigma, rtol=0.02, atol=0)
