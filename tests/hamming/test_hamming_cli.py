"""The command line: what it writes and prints, and one clear line for every mistake."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

import hamming
from hamming.cli import main
from hamming.golden.attention import Attention, attend
from hamming.golden.fixture import load_minilm
from hamming.golden.values import quantize
from hamming.rtl.design import load_design, preset_names, preset_text
from hamming.rtl.memory_wrapper import RAM
from hamming.sim.runner import simulator_version

TINY = load_design("tiny")

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


@pytest.fixture
def inside_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def call(*arguments: str | Path) -> Result:
    """Run a command; a traceback, which only a bug may give, fails the test."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def loaded(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def assert_mistake(result: Result, message: str, exit_code: int = 1) -> None:
    """One line on standard error, nothing on standard output, a status, and nothing written."""
    assert result.exit_code == exit_code
    assert result.stdout == ""
    if exit_code == 1:
        assert result.stderr == f"Error: {message}\n"
    else:  # click says how the command is used, too
        assert result.stderr.splitlines()[-1] == f"Error: {message}"


def files() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def save_vectors(path: str = "vectors.npz", **changed: np.ndarray | None) -> dict[str, np.ndarray]:
    """Write vectors for `tiny`: 2 heads, 5 queries, 16 keys."""
    rng = np.random.default_rng(5)
    arrays = {
        "q": rng.integers(0, 2, (2, 5, 8)),
        "k": rng.integers(0, 2, (2, 16, 8)),
        "v": rng.integers(-128, 128, (2, 16, 8)),
    }
    arrays = {name: array for name, array in (arrays | changed).items() if array is not None}
    np.savez(path, **arrays)
    return arrays


# --- presets


def test_presets_are_listed_with_their_numbers():
    lines = call("presets").stdout.splitlines()
    for preset in preset_names():
        design = load_design(preset)
        row = next(line.split() for line in lines if line.split()[:1] == [preset])
        cycles = max(design.dimensions.cycle_terms().values())
        sizes = (design.spec.d_head, design.spec.d_value, design.spec.n_keys, design.spec.top_k)
        assert row[1:] == [str(n) for n in (*sizes, design.config.n_lanes, design.config.n_macs, cycles)]
        assert any(line.split() == [preset, *preset_text(preset).splitlines()[0].split()[1:]] for line in lines)


def test_a_preset_is_printed_as_the_toml_that_it_is():
    result = call("presets", "minilm")
    assert result.stdout == preset_text("minilm")
    Path("copy.toml").write_text(result.stdout)
    assert load_design("copy.toml", ["engine.name=minilm"]) == load_design("minilm")


def test_unknown_preset():
    assert_mistake(
        call("presets", "minilmm"),
        "no preset 'minilmm'; presets: bert, deit, flagship, minilm, tiny; did you mean 'minilm'?",
    )


def test_every_command_teaches_by_example():
    for command in main.homes:
        help_text = call(command, "--help").stdout
        assert f"  hamming {command} " in help_text, command


# --- generate


def test_generate_writes_verilog_and_manifest():
    result = call("generate", "tiny", "--set", "spec.top_k=3", "-o", "new/folder")
    assert result.exit_code == 0
    assert files() == {"new", "new/folder", "new/folder/tiny.v", "new/folder/tiny.json"}
    verilog = Path("new/folder/tiny.v").read_bytes()
    facts = json.loads(Path("new/folder/tiny.json").read_text())
    assert b"module tiny(" in verilog
    assert facts["verilog_sha256"] == hashlib.sha256(verilog).hexdigest()
    assert facts["spec"]["top_k"] == 3
    assert f"new/folder/tiny.v: {verilog.count(10)} lines of Verilog" in result.stdout
    for expected in (*facts["streams"], *(memory["name"] for memory in facts["memories"])):
        assert expected in result.stdout


def test_generate_with_memories_outside_writes_what_connects_them():
    arguments = ("generate", "tiny", "--set", "engine.memory=external", "-o", "out")
    result = call(*arguments)
    assert result.exit_code == 0
    assert files() == {"out", *(f"out/{name}" for name in ("tiny.v", "tiny.json", "tiny_memories.v", f"{RAM}.v"))}
    assert "module tiny_memories(" in Path("out/tiny_memories.v").read_text()
    assert f"module {RAM} #(" in Path(f"out/{RAM}.v").read_text()
    assert f"out/{RAM}.v: the memory, a model\n" in result.stdout
    # Macros that have taken the model's place stay.
    Path(f"out/{RAM}.v").write_text("macros")
    Path("out/tiny_memories.v").write_text("old")
    assert f"out/{RAM}.v: left as it was\n" in call(*arguments).stdout
    assert Path(f"out/{RAM}.v").read_text() == "macros"
    assert "module tiny_memories(" in Path("out/tiny_memories.v").read_text()


def test_generate_gives_identical_bytes_for_identical_input():
    call("generate", "tiny", "-o", "a")
    Path("tiny.toml").write_text(preset_text("tiny"))
    call("generate", "tiny.toml", "-o", "b")
    for name in ("tiny.v", "tiny.json"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()


def test_generate_with_a_target_in_the_way_writes_neither_file():
    Path("out/tiny.json").mkdir(parents=True)
    assert_mistake(call("generate", "tiny", "-o", "out"), "cannot write 'out/tiny.json': not a regular file")
    assert files() == {"out", "out/tiny.json"}


def test_generate_into_a_folder_that_cannot_be():
    Path("out").write_text("a file")
    assert_mistake(call("generate", "tiny", "-o", "out"), "cannot write 'out/tiny.v': Not a directory")
    assert Path("out").read_text() == "a file"


def test_a_bug_is_a_traceback_and_leaves_nothing(monkeypatch):
    from hamming.rtl import manifest

    def broken(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(manifest, "manifest", broken)
    with pytest.raises(ValueError, match="a bug"):
        call("generate", "tiny", "-o", "out")
    assert files() == set()


# --- mistakes that every command answers alike

COMMANDS = {
    "generate": ["-o", "out"],
    "run": ["--vectors", "vectors.npz", "--output", "out.npz"],
    "simulate": ["--json", "out.json"],
    "synthesize": ["--json", "out.json"],
    "compare": ["--json", "out.json", "--html", "out.html"],
}


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
            (
                "bad.toml: unknown key 'n_lane' in [engine]; known: name, n_lanes, n_macs, selector, scan_rows, "
                "score_stages, n_dividers, product, memory, key_memory, value_memory, read_latency, "
                "outstanding, value_banks, table, mask, expose_index; "
                "did you mean 'n_lanes'?"
            ),
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
        ({"v": None}, "no array 'v'; it needs q, k, v, and may have n_valid, mask"),
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


# --- files that are read, written and full


def test_arrays_that_are_not_used_are_named(tmp_path):
    arrays = save_vectors(scale=np.ones(8), nvalid=np.array([3]))
    result = call("run", "tiny", "--vectors", "vectors.npz", "--output", "out.npz")
    assert result.exit_code == 0
    assert result.stderr == (
        "Note: vectors.npz: the array 'nvalid' is not used; did you mean 'n_valid'?\n"
        "Note: vectors.npz: the array 'scale' is not used\n"
    )
    with np.load("out.npz") as found:
        assert np.array_equal(found["out"], attend(TINY.spec, arrays["q"], arrays["k"], arrays["v"]).out)


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_no_queries_are_an_empty_result(command):
    save_vectors(q=np.zeros((2, 0, 8), int))
    result = call(command, "tiny", "--vectors", "vectors.npz", "--output", "out.npz")
    assert result.exit_code == 0, result.output
    with np.load("out.npz") as found:
        assert found["out"].shape == (2, 0, 8)
    if command == "simulate":
        assert "the vectors have no queries: nothing was simulated" in result.stdout


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


def heed_signals() -> None:
    """Let a process heed what the one that runs the tests may have been told to ignore (`nohup`, `&`)."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def command(*arguments: str, program: Sequence[str] = ("-m", "hamming"), **settings: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        **{
            "stdout": subprocess.DEVNULL,
            "env": os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            "preexec_fn": heed_signals,
        }
        | settings,
    )


def test_full_disk_is_one_line_and_leaves_nothing():
    save_vectors()

    def allow_few_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    arguments = ["run", "tiny", "--vectors", "vectors.npz", "--output", "new/out.npz"]
    with command(*arguments, preexec_fn=allow_few_bytes) as process:
        _, said = process.communicate()
    assert (process.returncode, said) == (1, "Error: cannot write 'new/out.npz': File too large\n")
    assert files() == {"vectors.npz"}


def test_disk_that_fills_up_leaves_neither_of_two_files(monkeypatch):
    def write(path: Path, text: str, **_: object) -> None:
        path.write_bytes(text[:10].encode())
        if text.startswith("{"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", write)
    result = call("generate", "tiny", "-o", "new")
    assert_mistake(result, "cannot write 'new/tiny.json': No space left on device")
    assert files() == set()


@pytest.mark.parametrize("arguments", [["presets"], ["presets", "tiny"], ["generate", "tiny", "-o", "out"]])
def test_full_standard_output_is_one_line(arguments):
    with Path("/dev/full").open("w") as full, command(*arguments, stdout=full) as process:
        _, said = process.communicate()
    assert (process.returncode, said) == (1, "Error: cannot write: No space left on device\n")


def test_no_memory_is_one_line(monkeypatch):
    save_vectors()

    def attend_much(*_: object, **__: object) -> None:
        np.zeros(2**62, np.uint8)

    monkeypatch.setattr("hamming.golden.attention.attend", attend_much)
    result = call("run", "tiny", "--vectors", "vectors.npz", "--output", "out.npz")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: not enough memory: Unable to allocate 4.00 EiB")
    assert files() == {"vectors.npz"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_leaves_nothing(number):
    """The command is held up in its work, by a golden model that does not return."""
    save_vectors()
    program = (
        "import sys, time\n"
        "from hamming.golden import attention\n"
        "attention.attend = lambda *_, **__: (print('at work', file=sys.stderr, flush=True), time.sleep(60))\n"
        "from hamming.cli import main\n"
        "main(sys.argv[1:], prog_name='hamming')\n"
    )
    arguments = ["run", "tiny", "--vectors", "vectors.npz", "--output", "new/out.npz"]
    with command(*arguments, program=["-c", program]) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "at work\n"
        assert files() > {"vectors.npz", "new"}
        process.send_signal(number)
        _, said = process.communicate()
    assert "Traceback" not in said
    assert process.returncode == (1 if number == signal.SIGINT else 128 + number)
    assert files() == {"vectors.npz"}


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


# --- sample-vectors


def test_sample_vectors_are_those_of_the_transformer():
    result = call("sample-vectors", "-o", "new/vectors.npz", "--value-bits", "6")
    assert result.stdout == "new/vectors.npz: 24 heads of 128 queries and keys of 32 bits\n"
    fifth = load_minilm(4)
    with np.load("new/vectors.npz") as vectors:
        assert set(vectors) == {"q", "k", "v"}
        assert vectors["q"].shape == vectors["k"].shape == vectors["v"].shape == (24, 128, 32)
        assert np.array_equal(vectors["q"][12:], fifth.q)
        assert np.array_equal(vectors["k"][12:], fifth.k)
        assert np.array_equal(vectors["v"][12:], quantize(fifth.v, 6).integers)


def test_sample_vectors_that_cannot_be_written():
    Path("file").touch()
    assert_mistake(call("sample-vectors", "-o", "file/v.npz"), "cannot write 'file/v.npz': Not a directory")
    assert call("sample-vectors", "-o", "v.npz", "--value-bits", "1").exit_code == 2
    assert files() == {"file"}


# --- run


@pytest.mark.parametrize("n_valid", [None, np.array([[0, 1, 3, 4, 16]])])
def test_run_gives_what_the_golden_model_gives(n_valid):
    arrays = save_vectors(n_valid=n_valid)
    result = call("run", "tiny", "--vectors", "vectors.npz", "--output", "new/out")
    assert result.exit_code == 0
    assert result.stdout == f"new/out: 10 queries, {0 if n_valid is None else 2} of them without a key\n"
    expected = attend(TINY.spec, **arrays)
    with np.load("new/out") as found:
        assert set(found.files) == {"out", "index", "weight", "is_empty"}
        for name in found.files:
            assert np.array_equal(found[name], getattr(expected, name))
    assert files() == {"vectors.npz", "new", "new/out"}


def test_run_takes_overrides_and_a_mask():
    mask = np.random.default_rng(1).random((1, 5, 16)) < 0.5
    arrays = save_vectors(mask=mask)
    call("run", "tiny", "--vectors", "vectors.npz", "--output", "out.npz", "--set", "spec.top_k=2")
    spec = load_design("tiny", ["spec.top_k=2"]).spec
    with np.load("out.npz") as found:
        assert np.array_equal(found["index"], attend(spec, **arrays).index)


# --- simulate


@pytest.mark.parametrize("stalls", [[], ["--stalls", "--seed", "3"]])
def test_simulate_gives_what_the_golden_model_gives(stalls):
    arrays = save_vectors(n_valid=np.array([[0, 1, 3, 4, 16]]))
    result = call("simulate", "tiny", "--vectors", "vectors.npz", "--output", "out", "--json", "new/r.json", *stalls)
    assert result.exit_code == 0, result.output
    expected = attend(TINY.spec, **arrays)
    with np.load("out") as found:
        assert set(found.files) == {"out", "index", "is_empty", "cycles"}
        for name in ("out", "index", "is_empty"):
            assert np.array_equal(found[name], getattr(expected, name))
        assert found["cycles"].shape == (2, 5)
        assert (found["cycles"] > 0).all()
    facts = json.loads(Path("new/r.json").read_text())
    assert (facts["spec"], facts["engine"]) == (TINY.spec.to_dict(), TINY.config.to_dict())
    assert (facts["queries"], facts["n_mismatches"], facts["passed"]) == (10, 0, True)
    rows = [line.split() for line in result.stdout.splitlines()]
    for row in (["result", "passed"], ["queries", "10"], ["mismatches", "0"]):
        assert row in rows
    assert files() == {"vectors.npz", "out", "new", "new/r.json"}


def test_simulate_leaves_out_what_the_engine_does_not_expose():
    save_vectors()
    call("simulate", "tiny", "--vectors", "vectors.npz", "--output", "out.npz", "--set", "engine.expose_index=false")
    with np.load("out.npz") as found:
        assert set(found.files) == {"out", "is_empty", "cycles"}


def test_simulate_sends_random_queries_and_leaves_waves():
    result = call("simulate", "tiny", "--queries", "40", "--waves", "new/waves.vcd")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["result", "passed"] in rows
    assert any(row[:1] == ["queries"] and int(row[1]) >= 40 for row in rows)
    assert Path("new/waves.vcd").stat().st_size > 1000


def test_simulate_ends_with_status_1_where_something_differs(monkeypatch):
    """The golden model is made wrong, so that the Verilog differs from it."""
    save_vectors()

    def wrong(*arguments: object, **settings: object) -> Attention:
        found = attend(*arguments, **settings)  # pyright: ignore[reportArgumentType]
        return dataclasses.replace(found, out=found.out + 1)

    monkeypatch.setattr("hamming.sim.simulate.attend", wrong)
    result = call("simulate", "tiny", "--vectors", "vectors.npz", "--json", "report.json")
    assert result.exit_code == 1
    assert ["result", "FAILED"] in [line.split() for line in result.stdout.splitlines()]
    assert json.loads(Path("report.json").read_text())["n_mismatches"] == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "out.npz"], "--output goes with --vectors"),
        (["--no-stalls"], "--stalls and --no-stalls go with --vectors; random queries are sent both ways"),
        (["--vectors", "vectors.npz", "--queries", "9"], "--queries goes without --vectors"),
        (["--queries", "0"], "Invalid value for '--queries': 0 is not in the range 1<=x<=1000000."),
        (["--simulator", "vcs"], "Invalid value for '--simulator': 'vcs' is not one of 'verilator', 'icarus'."),
    ],
)
def test_simulate_says_which_options_go_together(options, message):
    assert_mistake(call("simulate", "tiny", *options), message, exit_code=2)
    assert files() == set()


def test_simulators_are_those_that_there_are():
    from hamming.sim.runner import SIMULATORS

    [option] = [option for option in loaded("simulate").params if option.name == "simulator"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == SIMULATORS


@pytest.mark.parametrize("options", [["--json", "new/r.json"], ["--vectors", "vectors.npz", "--output", "new/out.npz"]])
def test_missing_simulator_is_one_line_that_says_what_to_install(options, monkeypatch):
    save_vectors()
    monkeypatch.setenv("PATH", "/nowhere")
    simulator_version.cache_clear()
    result = call("simulate", "tiny", "--simulator", "icarus", *options)
    assert_mistake(result, "Icarus Verilog is not installed; install it (Debian, Ubuntu: apt install iverilog)")
    assert files() == {"vectors.npz"}


def test_waves_that_cannot_be_written_are_found_before_the_work():
    Path("file").touch()
    result = call("simulate", "tiny", "--waves", "file/waves.vcd")
    assert_mistake(result, "cannot write 'file/waves.vcd': Not a directory")


def test_waves_named_after_another_format_are_refused():
    result = call("simulate", "tiny", "--waves", "waves.fst")
    assert_mistake(result, "verilator writes waves as .vcd, so the file must not be named 'waves.fst'")
    assert files() == set()


# --- synthesize


def test_synthesize_prints_and_saves_areas():
    result = call("synthesize", "tiny", "--json", "new/area.json")
    assert result.exit_code == 0, result.output
    facts = json.loads(Path("new/area.json").read_text())
    assert (facts["spec"], facts["engine"]) == (TINY.spec.to_dict(), TINY.config.to_dict())
    blocks = {block["name"] for block in facts["area"]["blocks"]}
    assert {"selector", "softmax", "weighted_sum", "normalizer"} <= blocks
    assert all(block in result.stdout for block in blocks)


def test_mappings_are_those_that_there_are():
    from hamming.synth.mapping.area import MAPPINGS

    [option] = [option for option in loaded("synthesize").params if option.name == "mapping"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == MAPPINGS


def test_unknown_library_is_one_line():
    result = call("synthesize", "tiny", "--library", "sky130", "--json", "new/area.json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert "sky130" in result.stderr
    assert "nangate45" in result.stderr
    assert result.stderr.count("\n") == 1
    assert files() == set()


# --- Python's side


def test_names_that_users_import():
    for name in hamming.__all__:
        assert getattr(hamming, name).__name__ == name
        assert name in dir(hamming)
    with pytest.raises(AttributeError, match="module 'hamming' has no attribute 'Motor'"):
        _ = hamming.Motor  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], {"amaranth", "cocotb", "pyosys", "torch"}),
        (["presets"], {"amaranth", "cocotb", "pyosys", "torch"}),
        (["run", "tiny", "--vectors", "vectors.npz", "--output", "out.npz"], {"amaranth", "cocotb", "pyosys", "torch"}),
        (["generate", "tiny", "-o", "out"], {"cocotb", "pyosys", "torch"}),
    ],
)
def test_commands_load_only_what_they_need(arguments, unwanted):
    save_vectors()
    program = (
        "import sys\n"
        "from hamming.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        f"print(sorted({unwanted!r} & sys.modules.keys()), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_project_and_command_are_named_in_one_place():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"hamming": "hamming.__main__:main"}
    assert call("--version").stdout == f"hamming, version {project['version']}\n"
