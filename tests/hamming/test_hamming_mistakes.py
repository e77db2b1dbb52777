"""Mistakes that several commands answer alike: one clear line, and nothing written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hamming.rtl.config import EngineConfig
from hamming.rtl.design import preset_text
from tests.hamming.command_line import assert_mistake, call, files, save_vectors

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")

COMMANDS = {
    "generate": ["-o", "out"],
    "run": ["--vectors", "vectors.npz", "--output", "out.npz"],
    "simulate": ["--json", "out.json"],
    "synthesize": ["--json", "out.json"],
    "compare": ["--json", "out.json", "--html", "out.html"],
    "fpga": ["--device", "xc7", "--json", "out.json"],
}


KEYS = [field.name for field in dataclasses.fields(EngineConfig)]


@pytest.mark.parametrize(("command", "options"), COMMANDS.items())
@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            ["tiny", "--set", "spec.top_k=17"],
            "preset tiny, changed by 'spec.top_k=17': top_k must be 1 to 16 (n_keys), not 17",
        ),
        (
            ["tiny", "--set", "spec.weights=[1, 2, 0, 0, 0, 0, 0, 0, 0]"],
            (
                "preset tiny, changed by 'spec.weights=[1, 2, 0, 0, 0, 0, 0, 0, 0]': "
                "weights must never rise, but weights[1] = 2 is above weights[0] = 1"
            ),
        ),
        (
            ["tiny", "--set", "spec.weights=[1]"],
            "preset tiny, changed by 'spec.weights=[1]': weights must have d_head + 1 = 9 entries, not 1",
        ),
        (
            ["tiny", "--set", "spec.weight_bits=32", "--set", "spec.out_frac_bits=25"],
            (
                "preset tiny, changed by 'spec.weight_bits=32', 'spec.out_frac_bits=25': the accumulator is wider than "
                "supported: value_bits 8 + weight sum bits 34 + out_frac_bits 25 + 2 = 69, allowed 63; "
                "lower one of them, or top_k"
            ),
        ),
        (
            ["tiny", "--set", "engine.n_lanes=3"],
            (
                "preset tiny, changed by 'engine.n_lanes=3': "
                "n_lanes must be a power of two, so that an index splits into memory row and lane, not 3"
            ),
        ),
        (
            ["tiny", "--set", "engine.n_lanes=32"],
            (
                "preset tiny, changed by 'engine.n_lanes=32': "
                "n_lanes must be at most n_keys = 16, or lanes would have no key; not 32"
            ),
        ),
        (
            ["tiny", "--set", "engine.mask=yes"],
            "preset tiny, changed by 'engine.mask=yes': mask must be true or false, not 'yes'",
        ),
        (
            ["bad.toml"],
            (f"bad.toml: unknown key 'n_lane' in [engine]; known: {', '.join(KEYS)}; did you mean 'n_lanes'?"),
        ),
        (
            ["none.toml"],
            "no preset or file 'none.toml'; presets: bert, deit, flagship, minilm, tiny",
        ),
    ],
)
def test_mistake_in_the_configuration(command, options, config, message):
    save_vectors()
    Path("bad.toml").write_text(preset_text("tiny").replace("n_lanes", "n_lane"))
    before = files()
    assert_mistake(call(command, *config, *options), message)
    assert files() == before


@pytest.mark.parametrize("command", ["run", "simulate"])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"v": None}, "no array 'v'; it needs q, k, v, and may have n_valid, mask, first, base, table"),
        (
            {"q": np.zeros((2, 5, 8))},
            "q must be bits (0 and 1, or booleans), not float64; hamming.binarize makes bits of real numbers",
        ),
        ({"q": np.zeros((5, 7), int)}, "q must have a shape of (..., n_queries, d_head = 8), not (5, 7)"),
        ({"k": np.zeros((2, 17, 8), int)}, "k must have at most n_keys = 16 keys, not 17"),
        ({"v": np.zeros((2, 15, 8), int)}, "v must have a vector for each of the 16 keys, not 15"),
        ({"q": np.full((2, 5, 8), 2)}, "q must be 0 to 1, not 2"),
        ({"v": np.full((2, 16, 8), 128)}, "v must be -128 to 127, not 128"),
        ({"n_valid": np.array(17)}, "n_valid must be 0 to 16, not 17"),
        (
            {"n_valid": np.zeros(2, int)},
            (
                "n_valid must be one integer or have the shape (2, 5), where any axis may have length 1, not (2,): "
                "with an axis left out, heads could be taken for queries"
            ),
        ),
        (
            {"mask": np.zeros((2, 5, 16))},
            "mask must be booleans, or integers 0 and 1, true where a key is masked out, not float64",
        ),
        ({"mask": np.full((2, 5, 16), 2)}, "mask must be 0 to 1, not 2"),
    ],
)
def test_mistake_in_the_vectors(command, changed, message):
    save_vectors(**changed)
    result = call(command, "tiny", "--vectors", "vectors.npz", "--output", "new/out.npz")
    assert_mistake(result, f"vectors.npz: {message}")
    assert files() == {"vectors.npz"}


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_unreadable_vectors(command):
    options = ["--vectors", "vectors.npz", "--output", "out.npz"]
    assert_mistake(call(command, "tiny", *options), "cannot read 'vectors.npz': No such file or directory")
    Path("vectors.npz").write_text("text")
    assert_mistake(call(command, "tiny", *options), "vectors.npz: not an .npz file; numpy.savez writes one")
    assert files() == {"vectors.npz"}


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_output_that_cannot_be_written_is_found_before_the_work(command, monkeypatch):
    save_vectors()
    Path("file").touch()
    monkeypatch.setattr("hamming.golden.attention.attend", None)
    result = call(command, "tiny", "--vectors", "vectors.npz", "--output", "file/out.npz")
    assert_mistake(result, "cannot write 'file/out.npz': Not a directory")


@pytest.mark.parametrize("command", ["run", "simulate"])
@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("vectors.npz", "cannot write 'vectors.npz': it is the input"),
        ("link", "cannot write 'link': it is the input, by the name of 'vectors.npz'"),
        ("mine.toml", "cannot write 'mine.toml': it is the input"),
    ],
)
def test_output_that_is_an_input_is_refused(command, output, message):
    save_vectors()
    Path("link").symlink_to("vectors.npz")
    Path("mine.toml").write_text(preset_text("tiny"))
    before = {path: Path(path).read_bytes() for path in files()}
    assert_mistake(call(command, "mine.toml", "--vectors", "vectors.npz", "--output", output), message)
    assert {path: Path(path).read_bytes() for path in files()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "tiny", "--json", "s", "--html", "./s"], "cannot write 's' twice: two outputs are one file"),
        (
            ["simulate", "tiny", "--vectors", "vectors.npz", "--output", "s", "--json", "s"],
            "cannot write 's' twice: two outputs are one file",
        ),
        (
            ["simulate", "tiny", "--json", "s.vcd", "--waves", "s.vcd"],
            "cannot write 's.vcd' twice: two outputs are one file",
        ),
        (
            ["simulate", "tiny", "--vectors", "vectors.npz", "--waves", "vectors.npz"],
            "cannot write 'vectors.npz': it is the input",
        ),
        (["synthesize", "tiny", "--library", "my.lib", "--json", "my.lib"], "cannot write 'my.lib': it is the input"),
        (["synthesize", "mine.toml", "--json", "mine.toml"], "cannot write 'mine.toml': it is the input"),
    ],
)
def test_outputs_that_are_one_file_are_refused(arguments, message):
    save_vectors()
    Path("mine.toml").write_text(preset_text("tiny"))
    Path("my.lib").touch()
    before = files()
    assert_mistake(call(*arguments), message)
    assert files() == before


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["generate", "tiny", "-o", ""], "'-o' / '--output'"),
        (["run", "tiny", "--vectors", "", "--output", "o"], "'--vectors'"),
        (["simulate", "tiny", "--json", ""], "'--json'"),
        (["evaluate", ""], "'RUN'"),
    ],
)
def test_empty_path_is_refused(arguments, option):
    message = f"Invalid value for {option}: it is empty; a path is needed."
    assert_mistake(call(*arguments), message, exit_code=2)


@pytest.mark.parametrize("name", ["synthesize", "compare"])
@pytest.mark.parametrize("clock", ["nan", "inf", "0", "-1", "1e-9", "1e9"])
def test_clock_that_no_gate_has(name, clock):
    result = call(name, "tiny", f"--clock={clock}", "--json", "out.json")
    number = str(float(clock))
    message = f"Invalid value for '--clock': {number} is not in the range 0.001<=x<=100."
    assert_mistake(result, message, exit_code=2)
    assert files() == set()


@pytest.mark.parametrize(
    ("changed", "sets", "message"),
    [
        ({"first": np.array(17)}, [], "vectors.npz: first must be 0 to 16, not 17"),
        ({"first": np.array(-1)}, [], "vectors.npz: first must be 0 to 16, not -1"),
        ({"base": np.array(16)}, ["spec.n_sinks=2", "engine.range=true"], "vectors.npz: base must be 0 to 15, not 16"),
        ({"table": np.array(1)}, [], "vectors.npz: table must be 0 to 0, not 1"),
        ({"table": np.array(3)}, ["spec.logit_scale=[1, 2, 3]"], "vectors.npz: table must be 0 to 2, not 3"),
        (
            {"base": np.array(1)},
            [],
            "vectors.npz: base says where a query's sinks begin, and the spec has n_sinks = 0; leave it out",
        ),
    ],
)
@pytest.mark.parametrize("command", ["run", "simulate"])
def test_mistake_in_what_queries_name(command, changed, sets, message):
    save_vectors(**changed)
    options = [word for one in sets for word in ("--set", one)]
    assert_mistake(call(command, "tiny", "--vectors", "vectors.npz", "--output", "out.npz", *options), message)
