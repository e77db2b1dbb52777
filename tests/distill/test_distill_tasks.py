"""Tasks: what they read, deal out and augment; those whose data are not installed are skipped with the command."""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import torch

from hamming.distill.method.convert import hamming_layers
from hamming.distill.models.encoder import ImageEncoder, TextEncoder
from hamming.distill.tasks import Task, TaskConfig, load_task
from hamming.distill.tasks.fashion_mnist import read_idx
from hamming.distill.tasks.novels import TITLES, Novels, parts, read_novels
from hamming.distill.tasks.reviews import Reviews
from hamming.distill.tasks.task import MissingData, debian_file
from hamming.distill.tasks.text import TextTask, minilm_tokenizer, package_folder
from hamming.golden.fixture import MINILM_PATH, load_minilm
from hamming.golden.score import binarize


def installed(**config) -> Task:
    try:
        return load_task(TaskConfig(**config))
    except MissingData as error:
        pytest.skip(str(error))


@pytest.fixture
def sample() -> Task:
    return load_task(TaskConfig(name="fashion_mnist_sample"))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_sample_is_the_beginning_of_the_whole():
    whole, sample = installed(name="fashion_mnist"), load_task(TaskConfig(name="fashion_mnist_sample", augment=False))
    assert (whole.n_train, whole.n_test) == (60_000, 10_000)
    assert (sample.n_train, sample.n_test) == (3000, 1000)
    assert next(whole.test_batches())[0].keys() == {"images"}
    for ours, theirs in zip(sample.test_batches(), whole.test_batches(1000), strict=True):
        assert torch.equal(ours[0]["images"], theirs[0]["images"])
        assert torch.equal(ours[1], theirs[1])
    items = torch.tensor([0, 1, 2999])
    assert torch.equal(sample.train_batch(items, generator())[1], whole.train_batch(items, generator())[1])


def test_images_are_flipped_and_shifted_by_a_pixel_at_most(sample):
    plain = load_task(TaskConfig(name="fashion_mnist_sample", augment=False))
    items = torch.arange(200)
    augmented, labels = sample.train_batch(items, generator())
    original, same_labels = plain.train_batch(items, generator())
    assert torch.equal(labels, same_labels)
    ways, black = set(), original["images"].min().item()
    for after, before in zip(augmented["images"], original["images"], strict=True):
        padded = torch.nn.functional.pad(before, (1, 1, 1, 1), value=black)
        candidates = {
            (flips, down, right): (padded.flip(1) if flips else padded)[down : down + 28, right : right + 28]
            for flips in (False, True)
            for down in range(3)
            for right in range(3)
        }
        found = {way for way, image in candidates.items() if torch.equal(image, after)}
        assert found
        ways |= found
    assert len(ways) == 18
    again, _ = sample.train_batch(items, generator())
    assert torch.equal(again["images"], augmented["images"])


def test_an_epoch_is_every_item_once_and_follows_from_its_seed(sample):
    batches = sample.epoch(64, generator())
    assert [len(batch) for batch in batches] == [64] * (3000 // 64)
    assert len(set(torch.cat(batches).tolist())) == 46 * 64
    assert all(torch.equal(a, b) for a, b in zip(batches, sample.epoch(64, generator()), strict=True))
    few = load_task(TaskConfig(name="fashion_mnist_sample", n_train=5))
    assert [len(batch) for batch in few.epoch(64, generator())] == [5]


def test_a_validation_is_held_back_from_the_training_images():
    plain = load_task(TaskConfig(name="fashion_mnist_sample", augment=False))
    task = load_task(TaskConfig(name="fashion_mnist_sample", augment=False, split="validation"))
    assert (task.n_train, task.n_test) == (2500, 500)
    images, labels = plain.train_batch(torch.arange(3000), generator())
    for whole, trained, held_back in (
        (images["images"], task.train_batch(torch.arange(2500), generator())[0]["images"], task.test_batches()),
        (labels, task.train_batch(torch.arange(2500), generator())[1], task.test_batches()),
    ):
        parts = [inputs["images"] if whole is images["images"] else label for inputs, label in held_back]
        assert torch.equal(torch.cat([trained, *parts]), whole)
    with pytest.raises(ValueError, match="split must be one of test, validation, not 'training'"):
        TaskConfig(name="fashion_mnist_sample", split="training")


def test_parts_of_a_text_are_trained_on_or_held_back_and_the_validation_leaves_the_test_out():
    def dealt(split: str) -> tuple[list[int], list[int]]:
        found = parts(1007, split, np.random.default_rng(3))
        trained, held_back = ([p for p, is_held_back in found if is_held_back == kind] for kind in (False, True))
        return tuple([place for p in some for place in range(p.start, p.stop)] for some in (trained, held_back))

    trained, test = dealt("test")
    fewer, validation = dealt("validation")
    assert sorted(trained + test) == list(range(1007))
    assert sorted(fewer + validation) == sorted(trained)
    assert (len(test), len(validation)) == (pytest.approx(151, abs=3), pytest.approx(50, abs=1))
    assert dealt("validation") == (fewer, validation)


@pytest.mark.parametrize(("name", "n_validation"), [("reviews", 1000), ("novels", None)])
def test_a_validation_of_texts_is_of_training_texts(name, n_validation):
    plain, task = (installed(name=name, split=split) for split in ("test", "validation"))
    assert isinstance(plain, TextTask)
    assert isinstance(task, TextTask)
    trained, test, fewer, validation = (
        [tuple(text.tolist()) for text in texts] for texts in (plain._train, plain._test, task._train, task._test)
    )
    assert sorted(fewer + validation) == sorted(trained)
    assert n_validation is None or len(validation) == n_validation
    if name == "novels":
        assert not {*validation} & {*test, *fewer}


def test_refuses_more_items_than_there_are():
    with pytest.raises(ValueError, match="n_train must be at most 3000, which is what there is, not 3001"):
        load_task(TaskConfig(name="fashion_mnist_sample", n_train=3001))


def test_an_image_is_cut_into_patches_row_by_row():
    model = ImageEncoder(image_size=8, patch_size=4, d_model=16, n_heads=1, n_layers=1)
    seen = []
    model.embed.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    image = torch.arange(64.0).reshape(1, 8, 8)
    model(image)
    assert seen[0].shape == (1, 4, 16)
    assert seen[0][0, 1, :5].tolist() == [4, 5, 6, 7, 12]
    assert seen[0][0, 2, 0] == 32
    with pytest.raises(ValueError, match="patch_size must divide the image's 28 pixels, not 5"):
        ImageEncoder(patch_size=5)


def test_padding_changes_nothing_of_a_text():
    torch.manual_seed(0)
    model = TextEncoder(n_classes=3, n_words=20, n_positions=9, n_layers=2, d_model=8, n_heads=2, d_inner=8).eval()
    tokens, visible = torch.randint(20, (2, 9)), torch.arange(9) < torch.tensor([[5], [9]])
    both, _ = model(tokens, visible)
    alone, _ = model(tokens[:1, :5], visible[:1, :5])
    torch.testing.assert_close(both[:1], alone)


class Texts(TextTask):
    """Texts of which each token is its place, from 1 on, between markers of 100 and 200."""

    def __init__(self, lengths: list[int], drop_words: float):
        self.n_train, self.drop_words = len(lengths), drop_words
        self._train = [torch.tensor([100, *range(1, length - 1), 200]) for length in lengths]
        self._train_labels = torch.arange(len(lengths))


def test_words_are_dropped_at_random_and_markers_never():
    items = torch.arange(40)
    task = Texts([2, 3, *[52] * 38], drop_words=0.3)
    inputs, labels = task.train_batch(items, generator())
    texts = [row[seen].tolist() for row, seen in zip(inputs["tokens"], inputs["visible"], strict=True)]
    assert labels.tolist() == items.tolist()
    assert all(text[0] == 100 and text[-1] == 200 for text in texts)
    assert all(text[1:-1] == sorted(set(text[1:-1])) for text in texts)  # in their order
    kept = [len(text) - 2 for text in texts[2:]]
    assert np.mean(kept) == pytest.approx(50 * 0.7, abs=3 * (50 * 0.3 * 0.7 / 38) ** 0.5)
    assert len(set(map(tuple, texts[2:]))) == 38
    again, _ = task.train_batch(items, generator())
    assert torch.equal(inputs["tokens"], again["tokens"])
    whole, _ = Texts([52] * 3, drop_words=0).train_batch(items[:3], generator())
    assert whole["visible"].all()


def test_bytes_of_an_idx_file_are_read_and_other_files_refused(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\2" + struct.pack(">2I", 2, 3) + bytes(range(6))))
    np.testing.assert_array_equal(read_idx(path), [[0, 1, 2], [3, 4, 5]])
    path.write_bytes(gzip.compress(b"\0\0\x08\2" + struct.pack(">2I", 2, 3) + bytes(5)))
    with pytest.raises(ValueError, match="must have 6 elements, as its head says, not 5"):
        read_idx(path)
    path.write_bytes(gzip.compress(b"PK\3\4"))
    with pytest.raises(ValueError, match="start with 00 00 08, not 50 4b 03"):
        read_idx(path)


def serialized(lines: list[str], version: int) -> bytes:
    """A vector of strings as R writes it, compressed."""
    native = b"" if version == 2 else struct.pack(">i5s", 5, b"UTF-8")
    texts = b"".join(struct.pack(">2i", 9, len(line.encode())) + line.encode() for line in lines)
    xdr = b"X\n" + struct.pack(">3i", version, 0, 0) + native + struct.pack(">2i", 16, len(lines)) + texts
    return struct.pack(">I", len(xdr)) + zlib.compress(xdr)


def test_novels_are_read_from_a_data_base_of_r(tmp_path):
    path = tmp_path / "Rdata.rdb"
    lines = {title: [title.upper(), "", f"It is a truth \N{EM DASH} {title}"] for title in TITLES}
    path.write_bytes(b"".join(serialized(text, 2 + number % 2) for number, text in enumerate(lines.values())))
    assert read_novels(path) == {title: "\n".join(text) for title, text in lines.items()}
    path.write_bytes(serialized(["EMMA"], 3))
    with pytest.raises(ValueError, match="must have 'Mansfield Park'; it has Emma"):
        read_novels(path)
    path.write_bytes(b"no data base")
    with pytest.raises(ValueError, match="is no data base of R's texts"):
        read_novels(path)


def test_what_is_missing_is_named_with_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HAMMING_DATA", str(tmp_path))
    with pytest.raises(
        MissingData, match=r"train-images-idx3-ubyte.gz does not exist; .*apt install dataset-fashion-mnist"
    ):
        load_task(TaskConfig(name="fashion_mnist"))
    (tmp_path / "some").touch()
    assert debian_file("any", "some") == tmp_path / "some"
    with pytest.raises(MissingData, match="the package no_such_package is not installed: pip install x"):
        package_folder("no_such_package", "pip install x")


def test_reviews_are_dealt_out_and_labelled():
    task = installed(name="reviews", n_tokens=32)
    assert isinstance(task, Reviews)
    assert (task.n_train, task.n_test, task.n_classes) == (8072, 2000, 2)
    inputs, labels = next(task.test_batches())
    assert inputs["tokens"].shape == inputs["visible"].shape
    assert inputs["tokens"].shape[1] <= 32
    assert (inputs["tokens"][:, 0] == 101).all()  # [CLS]
    assert (inputs["tokens"][~inputs["visible"]] == 0).all()
    assert set(labels.tolist()) == {0, 1}
    assert np.mean([inputs["visible"].float().mean() for inputs, _ in task.test_batches()]) > 0.9
    assert len({tuple(text.tolist()) for text in task._test}) > 1950  # a few sentences are there twice
    batches = task.epoch(16, generator())
    assert len(set(torch.cat(batches).tolist())) == 16 * len(batches) == 8064
    widths = [task.train_batch(items, generator())[0]["visible"].float().mean() for items in batches[:50]]
    assert np.mean(widths) > 0.9  # batches of like length hold little padding


def test_passages_of_novels_are_whole_and_of_one_length():
    task = installed(name="novels", n_tokens=128)
    inputs, labels = next(task.test_batches())
    assert inputs["tokens"].shape == (16, 128)
    assert inputs["visible"].all()
    assert labels.unique().tolist() == list(range(6))
    assert isinstance(task, Novels)
    seen = {tuple(text.tolist()) for text in task._train}
    assert not seen & {tuple(text.tolist()) for text in task._test}


def test_minilm_computes_what_another_implementation_does():
    """Queries, keys and values of its fifth layer, which are in the package of the golden model."""
    task = installed(name="reviews", n_train=16, n_test=10)
    with np.load(MINILM_PATH) as file:
        tokens = torch.tensor([[minilm_tokenizer().token_to_id(str(token)) for token in file["tokens"]]])
    model = task.build().eval()
    found = []
    layer: Any = hamming_layers(model)["blocks.4.attention"]
    layer.register_forward_pre_hook(lambda _, inputs: found.extend(layer.project(inputs[0])))
    with torch.no_grad():
        model(tokens, torch.ones_like(tokens, dtype=torch.bool))
    q, k, v = (x[0].numpy() for x in found)
    fixture = load_minilm(4)
    np.testing.assert_allclose(v, fixture.v, atol=2e-3)
    assert (binarize(q) == fixture.q).mean() > 0.9999
    assert (binarize(k) == fixture.k).mean() > 0.9999
