"""Evaluation: figures against ones that are counted here, on a task of random images."""

from __future__ import annotations

import json
import time
from statistics import stdev
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hamming.distill.hardware.evaluate import calibrated_values, calibration_batches, evaluate, logits
from hamming.distill.hardware.integer import collect_values, integer_attention, value_scales
from hamming.distill.hardware.likeness import attention_cosine, flipped_bits
from hamming.distill.method.convert import hamming_layers
from hamming.distill.method.quantize import Widths
from hamming.distill.models.encoder import Encoder
from hamming.distill.training.costs import measured
from tests.distill.noise import Noise


@pytest.fixture(scope="module")
def task() -> Noise:
    return Noise()


COARSE = Widths(weight_bits=3, value_bits=2, out_frac_bits=1)


def scales_of(task: Noise, widths: Widths) -> dict[str, Tensor]:
    run = lambda inputs: task.forward(task.student, inputs)  # noqa: E731
    return value_scales(collect_values(task.student, run, calibration_batches(task)), widths.value_bits)


def test_accuracies_are_those_of_counting(task):
    found = evaluate(task.student, task, teacher=task.teacher, widths=COARSE)
    images, labels = task.images[60:], task.labels[60:]
    with torch.no_grad():
        exact = task.student(images)[0]
        with integer_attention(task.student, scales_of(task, COARSE), COARSE):
            rounded = task.student(images)[0]
    assert (found.items, found.top_n, found.widths) == (90, 4, COARSE)
    assert found.accuracy["teacher"] == 1 - 23 / 90  # items 60, 64, ... 148 have a wrong label
    assert found.accuracy["float"] == float((exact.argmax(1) == labels).double().mean())
    assert found.accuracy["integer"] == float((rounded.argmax(1) == labels).double().mean())
    assert found.agreement == float((exact.argmax(1) == rounded.argmax(1)).double().mean()) < 1
    right = [item % 4 != 0 for item in range(60, 150)]
    lost = [before - now for before, now in zip(right, (rounded.argmax(1) == labels).tolist(), strict=True)]
    assert found.drop is not None
    assert found.drop.mean == pytest.approx(sum(lost) / 90)
    assert found.drop.error == pytest.approx(stdev(lost) / 90**0.5)
    cosine = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(exact.numpy(), rounded.numpy(), strict=True)
    ]
    assert found.logits.mean == pytest.approx(np.mean(cosine), abs=1e-6)
    assert found.logits.worst == pytest.approx(min(cosine), abs=1e-6)
    assert set(found.seconds) == set(found.cpu_seconds) == set(found.peak_mib) == {"teacher", "float", "integer"}
    json.dumps(found.to_dict())


def test_wide_integers_agree_with_floating_point(task):
    widths = Widths(weight_bits=16, value_bits=16, out_frac_bits=16)
    found = evaluate(task.student, task, widths=widths)
    assert "teacher" not in found.accuracy
    assert found.drop is None
    assert found.accuracy["float"] == found.accuracy["integer"]
    assert found.agreement == 1
    assert found.attention.mean > 0.99999  # a few values of test items are larger than any of training items
    assert evaluate(task.student, task, widths=COARSE).attention.mean < 0.99


def test_attention_cosine_is_that_of_every_token(task):
    """One layer by hand: the first, whose inputs no earlier error touches."""
    scales = scales_of(task, COARSE)
    outputs: list[Tensor] = []
    layer: Any = next(iter(hamming_layers(task.student).values()))
    handle = layer.out_proj.register_forward_pre_hook(lambda _, given: outputs.append(given[0].double()))
    with torch.no_grad():
        task.student(task.images[60:90])
        with integer_attention(task.student, scales, COARSE):
            task.student(task.images[60:90])
    handle.remove()
    expected = torch.cosine_similarity(*outputs, dim=-1)
    single = task.student.blocks
    task.student.blocks = single[:1]  # type: ignore[assignment]
    try:
        found = attention_cosine(task.student, task, scales, COARSE, limit=30)
    finally:
        task.student.blocks = single
    assert found.mean == pytest.approx(float(expected.mean()), abs=1e-6)
    assert found.worst == pytest.approx(float(expected.min()), abs=1e-6)


class Padded(Noise):
    """The last tokens of every image are padding to all layers."""

    hidden = 0

    def forward(self, model: Encoder, inputs: dict[str, Tensor]) -> Tensor:
        visible = (torch.arange(17) < 17 - self.hidden).expand(len(inputs["images"]), 17)

        def hide(_: nn.Module, given: tuple, named: dict) -> tuple[tuple, dict]:
            return given, named | {"visible": visible}

        handles = [layer.register_forward_pre_hook(hide, with_kwargs=True) for layer in hamming_layers(model).values()]
        try:
            return super().forward(model, inputs)
        finally:
            for handle in handles:
                handle.remove()


@pytest.mark.parametrize("hidden", [0, 12])
def test_flipped_bits_are_those_of_the_second_layer(hidden):
    """The first layer sees the same tokens; the second one's bits are counted by hand, without padding."""
    task = Padded()
    task.hidden = hidden
    layer: Any = hamming_layers(task.student)["blocks.1.attention"]
    scales = scales_of(task, COARSE)
    found = flipped_bits(task.student, task, scales, COARSE, limit=70)

    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0][:, : 17 - hidden]))
    with torch.no_grad():
        task.forward(task.student, {"images": task.images[60:130]})
        with integer_attention(task.student, scales, COARSE):
            task.forward(task.student, {"images": task.images[60:130]})
        handle.remove()
        exact, rounded = (torch.cat([layer.q_proj(x) >= 0, layer.k_proj(x) >= 0]) for x in seen)
    share = float((exact != rounded).double().mean())
    assert found["blocks.0.attention"] == 0
    assert found["blocks.1.attention"] == pytest.approx(share)
    assert share > 0.01


def test_a_limit_takes_the_first_items(task):
    seen = []
    scores, labels, _ = logits(task.teacher, task, limit=50, progress=lambda *now: seen.append(now))
    assert seen == [(40, 50), (50, 50)]
    assert torch.equal(labels, task.labels[60:110])
    with torch.no_grad():
        torch.testing.assert_close(scores, task.teacher(task.images[60:110])[0])


def test_calibration_takes_training_items_and_always_the_same(task):
    first, second = ([batch["images"] for batch in calibration_batches(task)] for _ in range(2))
    assert [len(batch) for batch in first] == [40, 20]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    rows = {tuple(image.flatten().tolist()) for image in torch.cat(first)}
    assert rows == {tuple(image.flatten().tolist()) for image in task.images[:60]}


@pytest.mark.parametrize(("enough", "items"), [(1, 40), (40 * 17, 40), (40 * 17 + 1, 60)])
def test_calibration_stops_at_enough_tokens(task, monkeypatch, enough, items):
    monkeypatch.setattr("hamming.distill.hardware.evaluate.CALIBRATION_TOKENS", enough)
    values = calibrated_values(task.student, task)
    assert {sample.shape for sample in values.values()} == {(17 * items, 2, 8)}


def test_progress_names_the_steps(task):
    seen = []
    evaluate(task.student, task, teacher=task.teacher, limit=40, progress=lambda *now: seen.append(now))
    assert seen == [("teacher", 40, 40), ("float", 40, 40), ("integer", 40, 40)]


def test_a_student_must_be_binary(task):
    with pytest.raises(ValueError, match="must be in mode 'sign', not 'float'"):
        evaluate(task.teacher, task, limit=10)


def test_time_and_memory_are_measured():
    with measured() as idle:
        pass
    with measured() as busy:
        block = np.ones(2**26, np.uint8)  # more than malloc ever keeps for another use
        time.sleep(0.1)
        del block
    with measured() as after:
        pass
    assert busy.seconds >= 0.1 > idle.seconds
    assert 0 < busy.cpu_seconds < busy.seconds
    assert busy.peak_mib >= idle.peak_mib + 60
    assert after.peak_mib < busy.peak_mib - 50
