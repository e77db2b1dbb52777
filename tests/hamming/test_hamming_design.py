"""Designs from presets and TOML files: what is read, and what is said about mistakes."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import pytest

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design, load_design, preset_names, preset_text

FILE = """
[spec]
d_head = 6
d_value = 4
n_keys = 10
top_k = 3
logit_scale = 0.25
"""


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "d_head", "d_value", "n_keys", "top_k", "n_lanes"),
    [
        ("tiny", 8, 8, 16, 4, 1),
        ("minilm", 32, 32, 128, 30, 2),
        ("bert", 64, 64, 128, 30, 2),
        ("deit", 64, 64, 197, 30, 4),
        ("flagship", 64, 64, 1024, 32, 16),
    ],
)
def test_preset_is_what_it_says(name, d_head, d_value, n_keys, top_k, n_lanes):
    design = load_design(name)
    spec, config = design.spec, design.config
    assert (spec.d_head, spec.d_value, spec.n_keys, spec.top_k) == (d_head, d_value, n_keys, top_k)
    assert (spec.value_bits, spec.weight_bits, spec.out_frac_bits) == (8, 8, 8)
    assert (config.name, config.n_lanes) == (name, n_lanes)


def test_every_preset_loads_and_has_a_description():
    assert set(preset_names()) >= {"tiny", "minilm", "bert", "deit", "flagship"}
    for name in preset_names():
        load_design(name)
        assert re.match(r"# \w.*\.\n", preset_text(name)), name


def test_presets_reach_the_bound_on_cycles():
    for name in preset_names():
        dims = load_design(name).dimensions
        assert max(dims.cycle_terms().values()) == dims.bound(), name


def test_file_gives_the_spec_its_table_and_the_file_its_name(tmp_path):
    design = load_design(write(tmp_path, FILE))
    # 4095 * exp(-t / 2), by hand
    table = tuple(round(4095 * math.exp(-t / 2)) for t in range(7))
    assert design.spec == AttentionSpec(d_head=6, d_value=4, n_keys=10, top_k=3, weights=table)
    assert design.config == EngineConfig(name="mine")


def test_every_key_of_both_sections_is_read(tmp_path):
    design = load_design(
        write(
            tmp_path,
            """
            [spec]
            d_head = 2
            d_value = 6
            n_keys = 9
            top_k = 5
            weights = [7, 3, 1]
            value_bits = 5
            weight_bits = 3
            out_frac_bits = 2
            [engine]
            name = "other"
            n_lanes = 2
            n_macs = 3
            selector = "histogram"
            scan_rows = 2
            score_stages = 1
            n_dividers = 3
            memory = "external"
            table = "loadable"
            mask = true
            expose_index = false
            """,
        )
    )
    assert design == Design(
        AttentionSpec(
            d_head=2, d_value=6, n_keys=9, top_k=5, weights=(7, 3, 1), value_bits=5, weight_bits=3, out_frac_bits=2
        ),
        EngineConfig(
            name="other",
            n_lanes=2,
            n_macs=3,
            selector="histogram",
            scan_rows=2,
            score_stages=1,
            n_dividers=3,
            memory="external",
            table="loadable",
            mask=True,
            expose_index=False,
        ),
    )


@pytest.mark.parametrize(("stem", "name"), [("my-engine", "my_engine"), ("v1.2", "v1_2")])
def test_file_name_becomes_an_identifier(tmp_path, stem, name):
    assert load_design(write(tmp_path, FILE, f"{stem}.toml")).config.name == name


def test_file_named_like_a_preset_is_reached_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, FILE, "tiny")
    assert load_design("tiny").spec.d_head == 8
    assert load_design("./tiny").spec.d_head == 6


def test_overrides_change_both_sections():
    design = load_design(
        "minilm",
        [
            "spec.top_k=16",
            "engine.selector=insertion",
            'engine.name="other"',
            "engine.mask = true",
            "spec.value_bits=6",
        ],
    )
    assert (design.spec.top_k, design.spec.value_bits, design.spec.d_head) == (16, 6, 32)
    assert (design.config.selector, design.config.name, design.config.mask) == ("insertion", "other", True)
    assert design.config.n_macs == 16


def test_table_follows_an_overridden_d_head():
    table = load_design("bert", ["spec.d_head=16"]).spec.weights
    assert len(table) == 17
    assert table == load_design("bert").spec.weights[:17]


def test_override_replaces_one_form_of_the_table_by_the_other(tmp_path):
    assert load_design(write(tmp_path, FILE), ["spec.weights=[9, 8, 7, 6, 5, 4, 3]"]).spec.weights[0] == 9
    given = FILE.replace("logit_scale = 0.25", "weights = [9, 8, 7, 6, 5, 4, 3]")
    assert load_design(write(tmp_path, given), ["spec.logit_scale=0"]).spec.weights == (4095,) * 7


def test_table_of_powers_of_two(tmp_path):
    path = write(tmp_path, FILE.replace("logit_scale = 0.25", 'logit_scale = 0\nweight_form = "power_of_two"'))
    assert load_design(path, ["engine.product=shift"]).spec.weights == (2048,) * 7
    assert load_design(path, ["spec.weights=[9, 8, 7, 6, 5, 4, 3]"]).spec.weights[0] == 9
    with pytest.raises(ValueError, match="product 'shift' needs a table of powers of two and zeros"):
        load_design(path, ["spec.weight_form=exponential", "engine.product=shift"])


MISTAKES = {
    "top_k over n_keys": ("top_k = 3", "top_k = 11", "top_k must be 1 to 10 (n_keys), not 11"),
    "rising table": (
        "logit_scale = 0.25",
        "weights = [9, 8, 7, 6, 5, 4, 5]",
        "weights must never rise, but weights[6] = 5 is above weights[5] = 4",
    ),
    "short table": ("logit_scale = 0.25", "weights = [9, 8]", "weights must have d_head + 1 = 7 entries, not 2"),
    "no table": ("logit_scale = 0.25", "", "[spec] must have exactly one of logit_scale and weights, not none"),
    "form of a given table": (
        "logit_scale = 0.25",
        'weights = [1, 1, 1, 1, 1, 1, 1]\nweight_form = "power_of_two"',
        "weight_form says what the table of a logit_scale is; it cannot go with weights",
    ),
    "both tables": (
        "logit_scale = 0.25",
        "logit_scale = 0.25\nweights = [1, 1, 1, 1, 1, 1, 1]",
        "[spec] must have exactly one of logit_scale and weights, not logit_scale and weights",
    ),
    "wide accumulator": (
        "logit_scale = 0.25",
        "logit_scale = 0.25\nvalue_bits = 16\nweight_bits = 32\nout_frac_bits = 20",
        (
            "the accumulator is wider than supported: value_bits 16 + weight sum bits 34 + out_frac_bits 20 + 2 = 72, "
            "allowed 63; lower one of them, or top_k"
        ),
    ),
    "string for a number": ("d_head = 6", 'd_head = "6"', "d_head must be an integer, not '6'"),
    "float for a number": ("d_head = 6", "d_head = 6.0", "d_head must be an integer, not 6.0"),
    "string for a scale": ("0.25", '"0.25"', "logit_scale must be a number, not '0.25'"),
    "infinite scale": ("0.25", "inf", "logit_scale must be finite and 0 or more, not inf"),
    "missing key": ("n_keys = 10\n", "", "[spec] has no n_keys; it needs d_head, d_value, n_keys, top_k"),
    "unknown spec key": (
        "top_k = 3",
        "topk = 3",
        (
            "unknown key 'topk' in [spec]; known: d_head, d_value, n_keys, top_k, weights, value_bits, weight_bits, "
            "out_frac_bits, n_sinks, logit_scale, weight_form; did you mean 'top_k'?"
        ),
    ),
    "unknown section": ("[spec]", "[spek]", "unknown section [spek]; known: [spec] and [engine]; did you mean 'spec'?"),
    "no section": (FILE, "", "no section [spec]; it needs d_head, d_value, n_keys, top_k, and logit_scale or weights"),
    "key for a section": ("[spec]", "engine = 3\n[spec]", "engine must be a section, [engine], not 3"),
    "twice the same key": ("d_head = 6", "d_head = 6\nd_head = 7", "Cannot overwrite a value (at line 4, column 11)"),
    "no TOML": (FILE, "module tiny;", "Expected '=' after a key in a key/value pair (at line 1, column 8)"),
}
KEYS = [field.name for field in dataclasses.fields(EngineConfig)]

ENGINE_MISTAKES = {
    "lanes no power of two": (
        "n_lanes = 3",
        "n_lanes must be a power of two, so that an index splits into memory row and lane, not 3",
    ),
    "more lanes than keys": ("n_lanes = 16", "n_lanes must be at most n_keys = 10, or lanes would have no key; not 16"),
    "multipliers do not divide": ("n_macs = 3", "n_macs must divide d_value = 4 (one of 1, 2, 4), not 3"),
    "unknown selector": ('selector = "heap"', "selector must be one of histogram, insertion, not 'heap'"),
    "number for a flag": ("mask = 1", "mask must be true or false, not 1"),
    "bad name": (
        'name = "my engine"',
        "name must be a Verilog identifier (letters, digits, underscores; 64 at most), not 'my engine'",
    ),
    "unknown engine key": (
        "lanes = 2",
        (f"unknown key 'lanes' in [engine]; known: {', '.join(KEYS)}; did you mean 'n_lanes'?"),
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_in_a_file_is_one_line_with_the_file_and_the_value(tmp_path, old, new, message):
    assert old in FILE
    path = write(tmp_path, FILE.replace(old, new))
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}: {message}") + r"\Z"):
        load_design(path)


@pytest.mark.parametrize(("line", "message"), ENGINE_MISTAKES.values(), ids=ENGINE_MISTAKES)
def test_mistake_in_the_engine_section(tmp_path, line, message):
    path = write(tmp_path, f"{FILE}[engine]\n{line}\n")
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}: {message}") + r"\Z"):
        load_design(path)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["spec.top_k=200"], "top_k must be 1 to 128 (n_keys), not 200"),
        (["top_k=3"], "'top_k=3' must be spec.KEY=VALUE or engine.KEY=VALUE, as in spec.top_k=30"),
        (["spec.top_k"], "'spec.top_k' must be spec.KEY=VALUE or engine.KEY=VALUE, as in spec.top_k=30"),
        (["spec=3"], "'spec=3' must be spec.KEY=VALUE or engine.KEY=VALUE, as in spec.top_k=30"),
        (
            ["spec.top_k="],
            "spec.top_k must be a TOML value (30, 0.125, true, [4095, 0]) or a word, not ''",
        ),
        (
            ["spec.top_k=3\nn_keys=4"],
            "spec.top_k must be a TOML value (30, 0.125, true, [4095, 0]) or a word, not '3\\nn_keys=4'",
        ),
        (["spec.top_k=many"], "top_k must be an integer, not 'many'"),
        (["spec.top_k=3", "spec.top_k=4"], "spec.top_k is given twice"),
        (["engine.mask=1"], "mask must be true or false, not 1"),
        (
            ["spec.weights=[1]", "spec.logit_scale=1"],
            "[spec] must have exactly one of logit_scale and weights, not logit_scale and weights",
        ),
    ],
)
def test_mistake_in_an_override_names_preset_and_overrides(overrides, message):
    changed = ", ".join(map(repr, overrides))
    expected = f"preset bert, changed by {changed}: {message}"
    assert "\n" not in expected
    with pytest.raises(ValueError, match="^" + re.escape(expected) + r"\Z"):
        load_design("bert", overrides)


def test_unknown_preset_names_the_known_and_the_nearest():
    with pytest.raises(ValueError, match=r"^no preset or file 'tinny'; presets: bert, .*; did you mean 'tiny'\?\Z"):
        load_design("tinny")
    with pytest.raises(ValueError, match=r"^no preset 'berd'; presets: bert, .*; did you mean 'bert'\?\Z"):
        preset_text("berd")


def test_unreadable_file_says_why(tmp_path):
    with pytest.raises(ValueError, match=f"^cannot read {str(tmp_path)!r}: Is a directory"):
        load_design(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"^cannot read .*binary\.toml': not UTF-8 text\Z"):
        load_design(tmp_path / "binary.toml")


@pytest.mark.parametrize(
    ("stem", "reason"),
    [
        ("always", "name must not be a reserved word of SystemVerilog (IEEE 1800-2017), as 'always' is"),
        ("logic", "name must not be a reserved word of SystemVerilog (IEEE 1800-2017), as 'logic' is"),
        ("2nd", "name must be a Verilog identifier (letters, digits, underscores; 64 at most), not '2nd'"),
    ],
)
def test_file_name_that_no_module_may_have_is_refused_and_says_where_it_comes_from(tmp_path, stem, reason):
    path = write(tmp_path, FILE, f"{stem}.toml")
    message = f"{path}: {reason}; it comes from the file's name, and engine.name gives another"
    with pytest.raises(ValueError, match=re.escape(message) + r"\Z"):
        load_design(path)
    assert load_design(path, ["engine.name=other"]).config.name == "other"


def test_byte_order_mark_is_no_part_of_the_file(tmp_path):
    path = write(tmp_path, "\N{BYTE ORDER MARK}" + FILE)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert load_design(path).spec.d_head == 6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.25", "1" + 400 * "0", "logit_scale must be finite and 0 or more, not (an integer of 1329 bits)"),
        ("d_head = 6", "d_head = 0x" + 4000 * "f", "d_head must be 1 to 4096, not (an integer of 16000 bits)"),
        ("d_head = 6", "d_head = " + 5000 * "9", "a number has too many digits"),
        ("d_head = 6", "d_head = " + 5000 * "[" + 5000 * "]", "arrays or tables are nested too deeply"),
        ("d_head = 6", "d_head = " + 90 * "[" + 90 * "]", "d_head must be an integer, not [[[[...]]]]"),
        ("d_head = 6", f"d_head = '{500 * 'a'}'", f"d_head must be an integer, not '{47 * 'a'}...{48 * 'a'}'"),
        ("d_head = 6", 'd_head = 6\n"a\\nb" = 7', None),
    ],
)
def test_monstrous_value_is_one_short_line(tmp_path, old, new, message):
    path = write(tmp_path, FILE.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(f"{path}: ")) as caught:
        load_design(path)
    said = str(caught.value).removeprefix(f"{path}: ")
    assert "\n" not in said
    assert len(said) < 400
    if message is not None:
        assert said == message


def test_monstrous_override_is_one_short_line():
    for value, message in {
        5000 * "[" + 5000 * "]": "spec.top_k: arrays or tables are nested too deeply",
        5000 * "9": "spec.top_k: a number has too many digits",
        300 * "9": "top_k must be 1 to 128 (n_keys), not (an integer of 997 bits)",
    }.items():
        with pytest.raises(ValueError, match=re.escape(message) + r"\Z") as caught:
            load_design("bert", [f"spec.top_k={value}"])
        assert len(str(caught.value)) < 300


def test_file_without_end_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^cannot read '/dev/zero': longer than 1048576 bytes\Z"):
        load_design("/dev/zero")


def test_largest_scale_keeps_the_best_keys_alone(tmp_path):
    for form in ("exponential", "power_of_two"):
        path = write(tmp_path, FILE.replace("0.25", f'1e308\nweight_form = "{form}"'))
        assert load_design(path).spec.weights[1:] == (0,) * 6
