"""GGUF files as teachers: what is read, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")
gguf = pytest.importorskip("gguf", reason="pip install 'hamming-attention[gguf]'")

from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM  # noqa: E402

from hamming.cli import main as cli  # noqa: E402
from hamming.distill.models.from_gguf import main, unpack  # noqa: E402

SYMBOLS = [*map(chr, range(33, 127)), "at"]
CONFIG = LlamaConfig(
    vocab_size=len(SYMBOLS),
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    rope_parameters={"rope_type": "default", "rope_theta": 1e5},
    rms_norm_eps=1e-5,
    tie_word_embeddings=True,
)
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def by_gguf_names(model: LlamaForCausalLM) -> dict[str, np.ndarray]:
    """The weights as llama.cpp has them: rotary positions turn neighbours, not halves."""
    found = {}
    for name, weights in model.model.state_dict().items():
        array = weights.numpy()
        if "q_proj" in name or "k_proj" in name:
            n_heads = CONFIG.num_attention_heads if "q_proj" in name else CONFIG.num_key_value_heads
            array = array.reshape(n_heads, 2, -1, array.shape[-1]).swapaxes(1, 2).reshape(array.shape)
        name = name.replace("embed_tokens", "token_embd").replace("layers", "blk")
        for ours, theirs in NAMES.items():
            name = name.replace(ours, theirs)
        found["output_norm.weight" if name == "norm.weight" else name] = array
    return found


def written(
    path: Path, *, architecture: str = "llama", merges: Sequence[str] = ("a t",), without: str = "", **fields: object
) -> LlamaForCausalLM:
    """A small random model as a GGUF file, its projections of eight bits."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(CONFIG)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(CONFIG.num_hidden_layers)
    writer.add_context_length(CONFIG.max_position_embeddings)
    writer.add_embedding_length(CONFIG.hidden_size)
    writer.add_feed_forward_length(CONFIG.intermediate_size)
    writer.add_head_count(CONFIG.num_attention_heads)
    writer.add_head_count_kv(CONFIG.num_key_value_heads)
    writer.add_layer_norm_rms_eps(CONFIG.rms_norm_eps)
    writer.add_rope_freq_base(1e5)
    writer.add_vocab_size(CONFIG.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(SYMBOLS)
    writer.add_token_merges(list(merges))
    for name, value in fields.items():
        key = name.replace("_", ".")
        writer.add_string(key, value) if isinstance(value, str) else writer.add_uint16(key, value)
    for name, array in by_gguf_names(model).items():
        if not without or without not in name:
            if array.ndim == 2:
                kind = gguf.GGMLQuantizationType.Q8_0
                writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
            else:
                writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def test_a_file_becomes_the_folder_of_a_teacher(tmp_path, capsys):
    model = written(tmp_path / "small model.gguf")
    main([str(tmp_path / "small model.gguf"), str(tmp_path / "a" / "teacher")])
    assert "teacher: " in capsys.readouterr().out
    teacher = AutoModelForCausalLM.from_pretrained(tmp_path / "a" / "teacher")
    assert {weights.dtype for weights in teacher.parameters()} == {torch.float32}
    for name, weights in model.state_dict().items():  # eight bits of the largest of a block of 32, halved
        torch.testing.assert_close(teacher.state_dict()[name], weights, rtol=0, atol=float(weights.abs().max()) / 250)
    tokens = AutoTokenizer.from_pretrained(tmp_path / "a" / "teacher")("attention")["input_ids"]
    assert [SYMBOLS[token] for token in tokens] == ["at", *"tention"]
    inputs = torch.tensor([tokens])
    with torch.no_grad():
        torch.testing.assert_close(teacher(inputs).logits, model(inputs).logits, rtol=0, atol=5e-3)


@pytest.mark.parametrize(
    ("made", "error"),
    [
        ({"architecture": "clip"}, "cannot be read: .*clip.* is not supported"),
        ({"merges": ()}, "cannot be read: it says nothing of 'scores'"),
        ({"without": "blk.1.ffn_up"}, r"has no model.layers.1.mlp.up_proj.weight$"),
        ({"without": "."}, "has no weights, but a vocabulary alone"),
        ({"general_type": "adapter"}, "is no model: general.type is 'adapter', not 'model'"),
        ({"split_count": 3}, "one of the files of a model that was split; join them first: split.count is 3, not 1"),
    ],
)
def test_files_of_another_kind_are_refused(made, error, tmp_path):
    written(tmp_path / "model.gguf", **made)
    with pytest.raises(ValueError, match=error):
        unpack(tmp_path / "model.gguf", tmp_path / "teacher")
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]


def test_files_that_are_no_gguf_or_broken_off_are_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        unpack(tmp_path / "model.gguf", tmp_path / "teacher")
    written(tmp_path / "whole.gguf")
    whole = (tmp_path / "whole.gguf").read_bytes()
    (tmp_path / "model.gguf").write_bytes(b"PK" + whole)
    with pytest.raises(ValueError, match="is no GGUF file: it begins with b'PKGG', not b'GGUF'"):
        unpack(tmp_path / "model.gguf", tmp_path / "teacher")
    for length in (4, 20, len(whole) // 40, len(whole) // 2, len(whole) - 4):
        (tmp_path / "model.gguf").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is no whole GGUF file"):
            unpack(tmp_path / "model.gguf", tmp_path / "teacher")


@pytest.mark.parametrize("teacher", ["my models", "my models/model.gguf"])
def test_a_run_file_that_names_such_a_file_learns_what_to_do(teacher, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my models").mkdir()
    written(Path("my models", "model.gguf"))
    done = CliRunner().invoke(cli, ["distill", "language", "--set", f'student.teacher="{teacher}"'])
    assert done.exit_code == 1
    assert "python -m hamming.distill.models.from_gguf 'my models/model.gguf' FOLDER" in " ".join(done.output.split())


def test_nothing_that_is_there_is_written_over(tmp_path, capsys):
    written(tmp_path / "model.gguf")
    (tmp_path / "teacher").mkdir()
    with pytest.raises(SystemExit, match="1"):
        main([str(tmp_path / "model.gguf"), str(tmp_path / "teacher")])
    assert "exists; name a folder that does not" in capsys.readouterr().err
    assert not list((tmp_path / "teacher").iterdir())
