"""Every check of a configuration, and the sizes that follow from it."""

from __future__ import annotations

import dataclasses

import pytest

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.names import RESERVED_WORDS

SPEC = AttentionSpec.from_logit_scale(d_head=8, d_value=6, n_keys=20, top_k=5, logit_scale=0.2)


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"name": "2nd"}, ValueError, "name must be a Verilog identifier .* not '2nd'"),
        ({"name": "module"}, ValueError, "name must not be a reserved word of SystemVerilog .* as 'module' is"),
        ({"name": 7}, TypeError, "name must be a string, not 7"),
        ({"name": "small"}, ValueError, "name must not be a reserved word .*, as 'small' is"),
        ({"name": "logic"}, ValueError, "name must not be a reserved word .*, as 'logic' is"),
        ({"name": "std"}, ValueError, "name must not be 'std', which is a package of SystemVerilog's own"),
        ({"name": "TOP"}, ValueError, "name must not be 'TOP', which is a module of Verilator's own"),
        ({"name": "hamming_ram_1r1w"}, ValueError, "name must not be 'hamming_ram_1r1w', which .* beside the engine"),
        ({"name": "a" * 65}, ValueError, "name must be a Verilog identifier .*; 64 at most.*, not 'aaa"),
        ({"n_lanes": 0}, ValueError, "n_lanes must be 1 to 512, not 0"),
        ({"n_lanes": 3}, ValueError, "n_lanes must be a power of two, .* not 3"),
        ({"n_lanes": 2.0}, TypeError, "n_lanes must be an integer, not 2.0"),
        ({"n_lanes": True}, TypeError, "n_lanes must be an integer, not True"),
        ({"n_macs": 0}, ValueError, "n_macs must be 1 to 1024, not 0"),
        ({"selector": "sort"}, ValueError, "selector must be one of histogram, insertion, not 'sort'"),
        ({"scan_rows": 3}, ValueError, "scan_rows must be a power of two, not 3"),
        ({"scan_rows": 2, "selector": "insertion"}, ValueError, "scan_rows belongs to the histogram selector"),
        ({"score_stages": 9}, ValueError, "score_stages must be 0 to 8, not 9"),
        ({"n_dividers": 0}, ValueError, "n_dividers must be 1 to 1024, not 0"),
        ({"memory": "sram"}, ValueError, "memory must be one of internal, external, request, not 'sram'"),
        ({"key_memory": "dram"}, ValueError, "key_memory must be one of internal, external, request, not 'dram'"),
        ({"value_memory": "x"}, ValueError, "value_memory must be one of internal, external, request, not 'x'"),
        ({"read_latency": 2, "memory": "request"}, ValueError, "read_latency above 1 belongs .* out for 'request'"),
        (
            {"read_latency": 2, "memory": "external", "key_memory": "request", "value_memory": "internal"},
            ValueError,
            "read_latency above 1 belongs to memory = 'external'; leave it out for 'request' and 'internal'",
        ),
        ({"outstanding": 8}, ValueError, "outstanding belongs to memory = 'request'; leave it out for 'internal'"),
        ({"outstanding": 3, "memory": "request"}, ValueError, "outstanding must be 4 to 4096, not 3"),
        ({"value_banks": 2, "value_memory": "request"}, ValueError, "value_banks belongs .* out for 'request'"),
        ({"value_banks": 0}, ValueError, "value_banks must be 1 to 512, not 0"),
        ({"value_banks": 1024}, ValueError, "value_banks must be 1 to 512, not 1024"),
        ({"value_banks": 6}, ValueError, "value_banks must be a power of two, not 6"),
        ({"value_banks": 2, "memory": "external"}, ValueError, "value_banks belongs to internal memories"),
        ({"spare_places": 1}, TypeError, "spare_places must be true or false, not 1"),
        (
            {"waiting_rows": 1, "selector": "insertion"},
            ValueError,
            "waiting_rows must be a power of two, 2 or more, or 0 for none, not 1",
        ),
        ({"waiting_rows": 6, "selector": "insertion"}, ValueError, "waiting_rows must be a power of two, .* not 6"),
        ({"waiting_rows": -1}, ValueError, "waiting_rows must be 0 to 4096, not -1"),
        ({"waiting_rows": 8}, ValueError, "waiting_rows belongs to the insertion selector; leave .* for 'histogram'"),
        ({"adder_depth": 0}, ValueError, "adder_depth must be 1 to 64, not 0"),
        ({"fabric": "fpga"}, ValueError, "fabric must be one of cells, luts, not 'fpga'"),
        ({"adder_depth": 4, "fabric": "luts"}, ValueError, "adder_depth belongs to fabric = 'cells'"),
        ({"product": "dsp"}, ValueError, "product 'dsp' needs fabric = 'luts', not 'cells'"),
        ({"n_queries_a_row": 17}, ValueError, "n_queries_a_row must be 1 to 16, not 17"),
        ({"range": 1}, TypeError, "range must be true or false, not 1"),
        ({"table": "ram"}, ValueError, "table must be one of rom, loadable, not 'ram'"),
        ({"mask": 1}, TypeError, "mask must be true or false, not 1"),
        ({"expose_index": "yes"}, TypeError, "expose_index must be true or false, not 'yes'"),
    ],
)
def test_bad_field(fields: dict, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        EngineConfig(**fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"n_lanes": 32}, "n_lanes must be at most n_keys = 20, .* not 32"),
        ({"n_macs": 4}, r"n_macs must divide d_value = 6 \(one of 1, 2, 3, 6\), not 4"),
        ({"n_lanes": 4, "scan_rows": 16}, "scan_rows must be at most 8 for 5 rows of keys, not 16"),
        ({"value_banks": 8}, r"leave no bank empty, of n_keys \* fold = 20 words \(one of 1, 2\), not 8"),
        ({"value_banks": 64}, r"\(one of 1, 2\), not 64"),
    ],
)
def test_field_that_does_not_fit_the_spec(fields: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Dimensions(SPEC, EngineConfig(**fields))


@pytest.mark.parametrize(
    ("sizes", "fields", "text"),
    [
        ({"d_value": 4096}, {}, "n_macs must be at most 1024, and is d_value = 4096 where none is given"),
        (
            {"d_head": 1024},
            {"n_lanes": 64},
            r"a row of keys must have at most 65535 bits, not 65536 \(n_lanes 64 \* d_head 1024\)",
        ),
        (
            {"d_value": 4096, "value_bits": 16},
            {"n_macs": 8},
            r"a key with its values must have at most 65535 bits, not 65551 \(7 \+ 8 \+ 4096 \* 16\)",
        ),
        (
            {"n_keys": 2048, "top_k": 1025},
            {"selector": "insertion"},
            "top_k must be at most 1024 for selector 'insertion', not 1025; 'histogram' does not grow with it",
        ),
        (
            {"n_keys": 65537},
            {"n_macs": 3},
            r"at most 131072 words, and that of values has n_keys \* fold = 131074; .*external",
        ),
    ],
)
def test_beyond_what_is_supported(sizes: dict, fields: dict, text: str) -> None:
    given = {"d_head": 8, "d_value": 6, "n_keys": 128, "top_k": 5, "logit_scale": 0.2} | sizes
    spec = AttentionSpec.from_logit_scale(**given)
    with pytest.raises(ValueError, match=text):
        Dimensions(spec, EngineConfig(**fields))
    if "words" in text:
        assert Dimensions(spec, EngineConfig(**fields, memory="external")).n_rows == spec.n_keys


@pytest.mark.parametrize(("n_banks", "depths"), [(1, (60,)), (2, (32, 28)), (4, (16, 16, 16, 12)), (8, (*[8] * 7, 4))])
def test_banks_are_powers_of_two_and_the_rest(n_banks: int, depths: tuple[int, ...]) -> None:
    config = EngineConfig(n_macs=2, value_banks=n_banks)  # 20 keys of 3 slices
    assert Dimensions(SPEC, config).value_bank_depths == depths


def test_every_reserved_word_is_refused() -> None:
    """IEEE 1800-2017 has 248; what SystemVerilog adds to Verilog is what an older tool would let through."""
    assert len(RESERVED_WORDS) == 248
    for word in ("accept_on", "bit", "do", "global", "interface", "s_until_with", "unique0", "within", "xnor"):
        assert word in RESERVED_WORDS
    for word in RESERVED_WORDS:
        with pytest.raises(ValueError, match="reserved word"):
            EngineConfig(name=word)


def test_names_near_a_reserved_word_are_allowed() -> None:
    for name in ("Logic", "bit_", "do1", "_", "x" * 64):
        assert EngineConfig(name=name).name == name


def test_sinks_need_a_range() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=8, d_value=6, n_keys=20, top_k=5, logit_scale=0.2, n_sinks=3)
    message = "n_sinks = 3 keys take part beside a range, and the engine has none; give it range = true"
    with pytest.raises(ValueError, match=message):
        Dimensions(spec, EngineConfig())
    Dimensions(spec, EngineConfig(range=True))


def test_a_range_is_left_out_where_there_is_none() -> None:
    assert "range" not in EngineConfig().to_dict()
    assert EngineConfig.from_dict(EngineConfig(range=True).to_dict()).range


@pytest.mark.parametrize(
    ("n_valid", "first", "base", "rows", "keys"),
    [
        (20, 0, 0, 5, 20),
        (9, 5, 0, 1 + 2, 2 + 4),  # row 0 has the sinks 0 and 1, rows 1 and 2 the range
        (9, 5, 3, 1 + 2, 2 + 4),  # sinks 3 and 4, of rows 0 and 1; row 1 is of the range, too
        (9, 5, 5, 2, 4),  # the sinks are in the range
        (18, 12, 3, 2 + 2, 2 + 6),  # sinks of two rows
        (4, 9, 3, 1, 1),  # one sink alone
        (0, 0, 0, 1, 0),  # a query without a key reads a row
        (31, 16, 19, 1, 4),  # n_valid is n_keys
    ],
)
def test_rows_and_keys_of_a_query(n_valid: int, first: int, base: int, rows: int, keys: int) -> None:
    spec = AttentionSpec.from_logit_scale(d_head=8, d_value=6, n_keys=20, top_k=5, logit_scale=0.2, n_sinks=2)
    dims = Dimensions(spec, EngineConfig(range=True, n_lanes=4))
    assert dims.rows_read(n_valid, first, base) == rows
    assert dims.keys_seen(n_valid, first, base) == keys


def test_dictionary_and_back() -> None:
    config = EngineConfig(n_lanes=4, n_macs=3, selector="insertion", mask=True)
    assert EngineConfig.from_dict(config.to_dict()) == config
    assert "outstanding" not in config.to_dict()
    config = EngineConfig(memory="external", value_memory="request", outstanding=100)
    assert EngineConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ValueError, match="unknown engine key 'lanes'"):
        EngineConfig.from_dict({"lanes": 4})


def test_sizes_worked_by_hand() -> None:
    """20 keys on 4 lanes are 5 rows; 6 elements on 3 multipliers 2 slices; 9 levels and "none" need 4 bits."""
    dims = Dimensions(SPEC, EngineConfig(n_lanes=4, n_macs=3, n_dividers=3))
    assert (dims.n_rows, dims.fold, dims.level_bits, dims.lane_bits) == (5, 2, 4, 2)
    assert dims.cycle_terms(20) == {"score": 5, "select": dims.scan_groups(20) + 5, "sum": 10, "divide": 2}
    assert dims.cycle_terms(0) == {"score": 1, "select": 2, "sum": 2, "divide": 2}
    assert dims.bound(20) == 10
    assert dims.bound(3) == 6
    chains = Dimensions(SPEC, EngineConfig(n_lanes=4, n_macs=3, n_dividers=3, fabric="luts"))
    assert [chains.cycle_terms(n)["sum"] for n in (1, 2, 3, 20)] == [4, 5, 6, 10]  # two keys are a cycle late


def test_one_group_of_several_takes_a_cycle_more() -> None:
    """Of one pass: 2 rows of 4 keys a group, so that 20 keys are 3, and up to 8 are 1."""
    dims = Dimensions(SPEC, EngineConfig(n_lanes=4, scan_rows=2))
    assert [dims.cycle_terms(n)["select"] for n in (0, 3, 8, 9, 20)] == [3, 5, 7, 7, 8]


def test_sinks_and_shared_rows_are_refused_together() -> None:
    spec = dataclasses.replace(SPEC, n_sinks=2)
    with pytest.raises(ValueError, match=r"n_sinks = 2 keys lie apart .*; leave n_queries_a_row = 2 out, or the sinks"):
        Dimensions(spec, EngineConfig(range=True, n_queries_a_row=2))


def test_cycles_of_a_group_worked_by_hand() -> None:
    """As above, for two queries: rows count once, all else is each one's. Keys of 3 of 20 are kept alone."""
    dims = Dimensions(SPEC, EngineConfig(n_lanes=4, n_macs=3, n_dividers=3, n_queries_a_row=2))
    assert (dims.period, dims.has_row_range) == (20, True)
    assert dims.cycle_terms(20) == {"score": 5, "select": 2 * (dims.scan_groups(20) + 5), "sum": 20, "divide": 4}
    assert dims.cycle_terms([20, 3]) == {"score": 5, "select": 2 * dims.scan_groups(20) + 8, "sum": 16, "divide": 4}
    assert dims.bound([0, 3]) == 8
    assert dims.rows_read_for([(20, 0, 0), (3, 0, 0)]) == 5
    assert dims.rows_read_for([(20, 17, 0), (7, 5, 0)]) == 4
    assert dims.rows_read_for([(4, 4, 0), (0, 0, 0)]) == 1
    insertion = Dimensions(SPEC, EngineConfig(n_lanes=1, selector="insertion", n_queries_a_row=3))
    assert (insertion.cycle_terms(20)["select"], insertion.waiting_keys, dims.waiting_keys) == (20, 5, 0)


@pytest.mark.parametrize(("n_lanes", "has_spare"), [(1, True), (2, False)])
def test_spare_places_from_65_rows_on(n_lanes: int, has_spare: bool) -> None:
    spec = AttentionSpec.from_logit_scale(d_head=8, d_value=4, n_keys=128, top_k=5, logit_scale=0.1)
    assert Dimensions(spec, EngineConfig(n_lanes=n_lanes)).spare_places is has_spare
    assert Dimensions(spec, EngineConfig(n_lanes=n_lanes, spare_places=not has_spare)).spare_places is not has_spare
    for config in (EngineConfig(n_lanes=2, range=True), EngineConfig(n_lanes=2, n_queries_a_row=2)):
        assert Dimensions(spec, config).spare_places
    assert Dimensions(dataclasses.replace(spec, weights=spec.tables * 2), EngineConfig(n_lanes=2)).spare_places


def test_each_memory_has_a_kind_of_its_own() -> None:
    """Registers behind an array are those of external ones; requests add three cycles for keys, and two for values."""
    mixed = EngineConfig(memory="external", key_memory="request", read_latency=3, outstanding=9)
    dims = Dimensions(SPEC, mixed)
    assert mixed.memories == ("request", "external")
    assert (dims.key_read_latency, dims.value_read_latency, dims.outstanding) == (1, 3, 9)
    latencies = {
        (keys, values): Dimensions(SPEC, EngineConfig(key_memory=keys, value_memory=values)).latency()
        for keys in ("internal", "request")
        for values in ("external", "request")
    }
    plain = latencies["internal", "external"]
    assert plain == Dimensions(SPEC, EngineConfig()).latency()
    assert latencies["request", "external"] == plain + 3
    assert latencies["internal", "request"] == plain + 2
    assert latencies["request", "request"] == plain + 5
    assert Dimensions(SPEC, EngineConfig(memory="request")).outstanding == 64


def test_derived_scans_end_at_128_scores() -> None:
    """512 keys and 32 kept, in 32 cycles each: no scan is short enough, and 8 rows of 16 lanes are the most."""
    spec = AttentionSpec.from_logit_scale(d_head=64, d_value=64, n_keys=512, top_k=32, logit_scale=0.1)
    dims = Dimensions(spec, EngineConfig(n_lanes=16))
    assert dims.scan_rows == 8
    assert dims.cycle_terms()["select"] == 4 + 32


@pytest.mark.parametrize("top_k", [1, 5, 30, 128])
@pytest.mark.parametrize("n_lanes", [1, 2, 16])
def test_defaults_never_limit(n_lanes: int, top_k: int) -> None:
    """Left to themselves, selection and division cost no cycle, and no less hardware would do."""
    spec = AttentionSpec.from_logit_scale(d_head=64, d_value=64, n_keys=128, top_k=top_k, logit_scale=0.1)
    config = EngineConfig(n_lanes=n_lanes, n_macs=32)
    dims = Dimensions(spec, config)
    terms = dims.cycle_terms()
    assert terms["select"] <= dims.bound() or dims.scan_rows == 2 ** (dims.n_rows - 1).bit_length()
    assert terms["divide"] <= dims.bound() or dims.n_dividers == dims.n_macs
    if dims.scan_rows > 1:
        less = Dimensions(spec, EngineConfig(n_lanes=n_lanes, n_macs=32, scan_rows=dims.scan_rows // 2))
        assert less.cycle_terms()["select"] > less.bound()
    if dims.n_dividers > 1:
        less = Dimensions(spec, EngineConfig(n_lanes=n_lanes, n_macs=32, n_dividers=dims.n_dividers // 2))
        assert less.cycle_terms()["divide"] > less.bound()
