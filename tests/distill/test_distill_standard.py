"""Baselines inside a PyTorch model: one head written out, likeness to full precision, and all designs on a task."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hamming.distill.hardware.integer import collect_values, integer_attention, value_scales
from hamming.distill.hardware.opponents import STUDENTS, TUNED, opponents
from hamming.distill.hardware.standard import HeadScales, collect_heads, head_scales, standard_attention
from hamming.distill.hardware.tuning import tuned, tuned_student
from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.convert import hamming_layers
from hamming.distill.method.losses import output_divergence
from hamming.distill.method.quantize import Widths
from hamming.distill.tasks.task import TaskConfig
from hamming.distill.training.config import RunConfig, StudentConfig, TrainConfig
from hamming.distill.training.runs import Run, RunFolder
from hamming.golden.standard import StandardSpec, attend_standard
from tests.distill.noise import Noise


class Model(nn.Module):
    def __init__(self, mode: str = "float") -> None:
        super().__init__()
        self.attention = HammingAttention(8, 2, mode=mode)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        return self.attention(x, visible=visible)[0]


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    model = Model().eval()
    nn.init.eye_(model.attention.out_proj.weight)  # outputs are those of the heads
    nn.init.zeros_(model.attention.out_proj.bias)
    return model


def tokens(seed: int = 1) -> Tensor:
    return 3 * torch.randn(5, 11, 8, generator=torch.Generator().manual_seed(seed))


def scales_of(model: Model, bits: int) -> dict[str, HeadScales]:
    return head_scales(collect_heads(model, model, [tokens(2)], enough=1), bits)


@pytest.mark.parametrize(("bits", "top_k"), [(8, None), (8, 3), (4, None), (4, 3)])
def test_a_head_written_out(model: Model, bits: int, top_k: int | None) -> None:
    x = tokens()
    visible = torch.arange(11) < torch.tensor([11, 7, 4, 2, 1])[:, None]
    [scales] = scales_of(model, bits).values()
    with standard_attention(model, {"attention": scales}, element_bits=bits, top_k=top_k):
        found = model(x, visible)[..., 4:]  # of the second head
    q, k, v = (part[:, 1].detach().numpy() for part in model.attention.project(x))
    q_scale, k_scale, v_scale = (scale[1].numpy() for scale in (scales.q, scales.k, scales.v))
    high = 2 ** (bits - 1) - 1
    integers = [np.clip(np.rint(a / s), -high, high).astype(int) for a, s in ((q, q_scale), (k, k_scale), (v, v_scale))]
    spec = StandardSpec.from_logit_scale(
        d_head=4, d_value=4, n_keys=11, logit_scale=float(q_scale * k_scale) / 2, element_bits=bits, top_k=top_k
    )
    out = attend_standard(spec, *integers, n_valid=np.array([11, 7, 4, 2, 1])[:, None]).out
    np.testing.assert_allclose(found.numpy(), out * v_scale / 256, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("bits", "least"), [(8, 0.998), (4, 0.9), (None, 0.999)])
def test_close_to_full_precision(model: Model, bits: int | None, least: float) -> None:
    x = tokens()
    exact = model(x).detach()
    with standard_attention(model, None if bits is None else scales_of(model, bits), element_bits=bits or 8):
        found = model(x)
    assert torch.cosine_similarity(exact, found, dim=-1).mean() > least
    assert not torch.equal(exact, found)
    assert model.attention.core is None


def test_scales_are_of_the_heads_and_of_the_sample(model: Model) -> None:
    seen = collect_heads(model, model, [tokens(2), tokens(3), tokens(4)], enough=60)  # 55 tokens each
    q, k, v = seen["attention"]
    assert (q.shape, k.shape, v.shape) == 3 * ((110, 2, 4),)
    [scales] = head_scales(seen, 8).values()
    assert (scales.q.shape, scales.v.shape) == ((2,), (2, 4))
    for head in range(2):
        assert 0.3 < float(scales.q[head]) * 127 / float(q[:, head].abs().max()) <= 1.0001


def test_what_a_baseline_cannot_do(model: Model) -> None:
    with (
        pytest.raises(ValueError, match="sees the keys below its n_valid"),
        standard_attention(model, scales_of(model, 8)),
    ):
        model(tokens(), torch.arange(11) > 3)
    with (
        pytest.raises(ValueError, match="attention must be in mode 'float', not 'sign'"),
        standard_attention(Model("sign"), {}),
    ):
        pass


def test_tuning_brings_a_model_closer_to_what_it_was() -> None:
    task = Noise()
    [images] = [task.images[60:]]
    before = {name: value.clone() for name, value in task.teacher.state_dict().items()}
    seen = collect_heads(
        task.teacher, lambda inputs: task.forward(task.teacher, inputs), [{"images": images}], enough=1
    )
    scales = head_scales(seen, 4)
    model = tuned(task.teacher, task, scales, element_bits=4, top_k=2, n_steps=60)
    with torch.no_grad():
        exact = task.teacher(images)[0]
    distances = []
    for network in (task.teacher, model):
        with standard_attention(network, scales, element_bits=4, top_k=2):
            distances.append(float(output_divergence(exact, network(images)[0])))
    assert distances[1] < 0.9 * distances[0]
    assert all(torch.equal(value, before[name]) for name, value in task.teacher.state_dict().items())


def test_tuning_a_student_for_coarse_values() -> None:
    task = Noise()
    images = task.images[60:]
    widths = Widths(value_bits=2, weight_bits=3, out_frac_bits=1)
    scales = value_scales(collect_values(task.student, task.student, [images]), 2)
    model = tuned_student(task.student, task.teacher, task, scales, value_bits=2, n_steps=60)
    with torch.no_grad():
        exact = task.teacher(images)[0]
    distances = []
    for network in (task.student, model):
        with integer_attention(network, scales, widths):
            distances.append(float(output_divergence(exact, network(images)[0])))
    assert distances[1] < 0.9 * distances[0]


def test_all_designs_on_a_task(tmp_path, monkeypatch) -> None:
    task = Noise()
    config = RunConfig(
        name="student",
        kind="student",
        task=TaskConfig(name="fashion_mnist"),
        train=TrainConfig(sign=1),
        student=StudentConfig(teacher="teacher"),
    )
    run = Run(config, RunFolder(tmp_path), task.student, task, {})
    kept: list[int] = []
    found = opponents(
        run,
        task.teacher,
        task,
        limit=40,
        bf16_limit=4,
        n_steps=2,
        keep=lambda facts: kept.append(len(facts["designs"])),
    )
    baselines = {f"standard-{name}" for name in ("int8", "int4", "sparse_int8", "sparse_int4", "bf16")}
    trained = {f"{name}{TUNED}" for name in ("hamming-few", "hamming-few3", "standard-int4", "standard-sparse_int8")}
    trained.add(f"standard-sparse_int4{TUNED}")
    designs = found["designs"]
    assert set(designs) == {*STUDENTS, *baselines, *trained}
    assert {name: one["items"] for name, one in designs.items() if one["items"] != 40} == {"standard-bf16": 4}
    assert designs["standard-int8"]["logits"]["mean"] > 0.99
    assert (found["items"], found["top_n"], kept) == (40, 4, list(range(1, 20)))
    assert next(iter(hamming_layers(task.student).values())).top_n == 4  # the few keys of a variant were for a while
    # What is known is not measured again, as long as all else is the same.
    again = opponents(run, task.teacher, task, limit=40, bf16_limit=4, n_steps=2, known=json.loads(json.dumps(found)))
    assert again == found
    monkeypatch.setattr("hamming.distill.hardware.opponents.STUDENTS", {})
    assert len(opponents(run, task.teacher, task, limit=30, bf16_limit=4, known=found)["designs"]) == 5
