"""Text from a student, step by step: through integers, through the Verilog, and with windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")

from transformers import MistralConfig, MistralForCausalLM

from hamming.distill.hardware.evaluate import calibrated_values
from hamming.distill.hardware.export import export_run
from hamming.distill.hardware.generate import Engines, generate
from hamming.distill.hardware.generated import simulate_generated
from hamming.distill.hardware.integer import integer_attention, limits_of, value_scales
from hamming.distill.method.convert import calibrate, configure, hamming_layers
from hamming.distill.method.quantize import Widths
from hamming.distill.models.language import LanguageModel
from hamming.distill.tasks.language import tokens_of
from hamming.rtl.design import load_design
from tests.distill.families import model_of


def engines_of(run, n_keys: int = 40) -> Engines:
    return Engines(run.model, value_scales(calibrated_values(run.model, run.task), 8), Widths(), n_keys=n_keys)


def test_rows_are_appended_once_and_give_the_bits_of_a_whole_text(student):
    """Step by step, and all at once: the same rows, and the same outputs wherever a query sees the same rows."""
    engines = engines_of(student)
    prompt = tokens_of("the cat ", "bytes")
    with engines.attached():
        tokens, _ = generate(student.model, prompt, 12)
    steps = dict(engines.rows)
    assert [one.shape[1] for one in steps["network.model.layers.0.self_attn.hamming"].q] == [8] + [1] * 11
    engines.clear()
    with engines.attached():
        student.model.network(input_ids=torch.cat([prompt, tokens[:-1]])[None].long())
    first = "network.model.layers.0.self_attn.hamming"
    whole, parts = engines.rows[first], steps[first]
    for name in ("k", "v"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    for name in ("q", "n_valid", "first", "out"):
        assert np.array_equal(np.concatenate(getattr(parts, name), 1), getattr(whole, name)[0])
    assert np.array_equal(whole.n_valid[0], np.arange(1, 20) * np.ones((2, 1), int))


def test_a_step_is_what_the_integers_give_for_the_whole_text(student):
    """Keys are centred here, too; queries of one text see a growing number of rows."""
    for number, heads in enumerate(hamming_layers(student.model).values()):
        heads.key_mean.copy_(torch.linspace(-0.3, 0.5, 8) + number)
    engines = engines_of(student)
    prompt = tokens_of("the cat ", "bytes")
    with engines.attached():
        tokens, steps = generate(student.model, prompt, 12)
    with integer_attention(student.model, engines.scales, engines.widths):
        whole = student.model.network(input_ids=torch.cat([prompt, tokens[:-1]])[None].long(), use_cache=False).logits
    torch.testing.assert_close(whole[0, 7:], steps, rtol=1e-4, atol=1e-4)


def test_a_text_comes_out_of_the_verilog_token_for_token(student):
    engines = engines_of(student, n_keys=32)
    prompt = tokens_of("the ", "bytes")
    with engines.attached():
        tokens, _ = generate(student.model, prompt, 10)
    layer = next(iter(engines.layers))
    found = simulate_generated(engines, layer, prompt, tokens)
    assert (found["heads"], found["queries"], found["rows"]) == (2, 13, 13)
    assert (found["mismatches"], found["violations"], found["same_tokens"], found["tokens"]) == (0, 0, 10, 10)
    with pytest.raises(ValueError, match="layer must be one of network"):
        simulate_generated(engines, "other", prompt, tokens)


def test_outputs_of_the_verilog_take_the_place_of_the_golden_ones(student):
    """Wrong ones give another text: what is sent back counts."""
    engines = engines_of(student)
    prompt = tokens_of("the cat ", "bytes")
    with engines.attached():
        tokens, right = generate(student.model, prompt, 8)
    layer = next(iter(engines.layers))
    wrong = np.concatenate(engines.rows[layer].out, 1)[..., ::-1].copy()
    engines.clear()
    with engines.attached({layer: wrong}):
        _, other = generate(student.model, prompt, 8)
    assert not torch.allclose(right[0], other[0])
    assert len(tokens) == 8


def test_what_does_not_fit_the_engine_is_refused(student):
    engines = engines_of(student, n_keys=10)
    prompt = tokens_of("the cat ", "bytes")
    with engines.attached(), pytest.raises(ValueError, match=r"the cache has 11 rows, and the engine n_keys = 10"):
        generate(student.model, prompt, 5)
    engines.clear()
    with engines.attached(), pytest.raises(ValueError, match="one text at a time, not 2"):
        student.model.network(input_ids=torch.zeros(2, 3, dtype=torch.long))
    with engines.attached():
        student.model.network(input_ids=torch.zeros(1, 3, dtype=torch.long))
    with engines.attached(), pytest.raises(ValueError, match="must add as many rows to 3, not make them 3"):
        student.model.network(input_ids=torch.zeros(1, 3, dtype=torch.long))
    engines.clear()
    mask = torch.tensor([[[[True, False, True]]]]).expand(1, 1, 3, 3)
    with engines.attached(), pytest.raises(ValueError, match="neither causal nor a window"):
        student.model.network(input_ids=torch.zeros(1, 3, dtype=torch.long), attention_mask=mask)
    with pytest.raises(ValueError, match="of one token or more"):
        generate(student.model, prompt[:0], 5)


def test_windows_of_a_model_become_ranges_of_the_engine():
    torch.manual_seed(0)
    model = LanguageModel(model_of("qwen2"))
    calibrate(model, model, [torch.randint(40, (2, 16))])
    configure(model, mode="sign", top_n=3)
    scales = {name: torch.full((4, 8), 0.05) for name in hamming_layers(model)}
    engines = Engines(model, scales, Widths(), n_keys=32)
    assert engines.settings["range"] is True
    with engines.attached():
        generate(model, torch.arange(5), 6)
    low, high = (np.concatenate(getattr(list(engines.rows.values())[1], name), 1)[0] for name in ("first", "n_valid"))
    assert np.array_equal(high, np.arange(1, 11))
    assert np.array_equal(low, np.maximum(high - 6, 0))


def test_a_window_that_all_layers_have_is_one():
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16}
    sizes |= {"num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    for window in (4, None):
        config = MistralConfig(**sizes, vocab_size=40, num_key_value_heads=1, sliding_window=window)
        model = LanguageModel(MistralForCausalLM(config).eval())
        calibrate(model, model, [torch.randint(40, (2, 16))])
        configure(model, mode="sign", top_n=3)
        [layer] = hamming_layers(model)
        engines = Engines(model, {layer: torch.full((2, 8), 0.05)}, Widths(), n_keys=16)
        assert engines.design(layer, 0).config.range is (window is not None)
        with engines.attached():
            generate(model, torch.arange(5), 6)
        lowest = 0 if window is None else 10 - window
        assert np.concatenate(engines.rows[layer].first, 1)[0, -1] == lowest


def test_masks_become_ranges_where_they_are():
    place = torch.arange(5)
    window = (place <= place[:, None]) & (place > place[:, None] - 2)
    found = limits_of(window[None])
    assert found["first"].tolist() == [[0, 0, 1, 2, 3]]
    assert found["n_valid"].tolist() == [[1, 2, 3, 4, 5]]
    padded = torch.tensor([[False, False, True, True], [True, True, True, True]])
    found = limits_of(padded)
    assert found["first"].tolist() == [[2], [0]]
    assert found["n_valid"].tolist() == [[4], [4]]
    assert limits_of(torch.zeros(1, 4, dtype=torch.bool))["n_valid"].tolist() == [[0]]
    assert limits_of(torch.tensor([[True, False, True]])).keys() == {"mask"}


def test_a_student_is_exported_with_one_engine(student, tmp_path):
    found = export_run(student, tmp_path / "heads", items=2)
    assert list(found.heads) == [f"network.model.layers.{layer}.self_attn.hamming" for layer in (0, 1)]
    design = load_design(tmp_path / "heads" / "engine.toml")
    assert (design.spec.n_keys, design.spec.top_k, design.spec.d_head) == (24, 6, 8)
    with np.load(found.heads["network.model.layers.1.self_attn.hamming"][1].with_suffix(".npz")) as arrays:
        assert arrays["n_valid"][0].tolist() == list(range(1, 25))
    assert not list((tmp_path / "heads").glob("*/projections.npz"))
