"""What a design of engines in a chain may ask for, and what is written of it: modules, manifest."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import re
from typing import Any

import pytest

from hamming.golden.spec import AttentionSpec
from hamming.rtl.chain import Chain
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.top import top
from hamming.rtl.verilog import emit


def test_an_engine_is_a_module_written_once() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)
    chain = Chain(spec, EngineConfig(name="four", n_engines=4))
    text = emit(chain, "four")
    modules = re.findall(r"^module (\S+)\(", text, re.MULTILINE)
    assert len(modules) == len(set(modules))
    assert modules.count("four_engine") == 1
    assert re.findall(r"^  four_engine (\S+) \(", text, re.MULTILINE) == [f"engine_{n}" for n in range(4)]
    facts = manifest(chain, text)
    names = [memory["name"] for memory in facts["memories"]]
    assert [name for name in names if name.endswith(".key_memory")] == [f"engine_{n}.key_memory" for n in range(4)]
    assert facts["cycles"]["terms"]["agree"]["cycles"] == 5


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ({"n_engines": 5}, r"n_engines must divide n_keys = 12, .*\(one of 1, 2, 3, 4, 6, 12\), not 5"),
        ({"chain": True}, "chain = true is one engine of several; n_engines says of how many, 2 or more"),
        ({"n_engines": 2, "selector": "insertion"}, "n_engines = 2 needs selector = 'histogram', .*; not 'insertion'"),
        ({"output": "partial", "selector": "insertion"}, "output = 'partial' needs selector = 'histogram'"),
        ({"output": "partial", "bus": "axi"}, "output = 'partial' has no registers behind AXI; leave bus = 'axi' out"),
        ({"n_engines": 2, "bus": "axi", "mask": True}, "n_engines = 2 engines have a stream of masks each"),
        (
            {"n_engines": 2, "memory": "request", "bus": "axi"},
            "n_engines = 2 engines have memories of requests each, .*",
        ),
        ({"n_engines": 4, "n_lanes": 4}, "n_lanes must be at most n_keys / n_engines = 3"),
        ({"n_engines": 4, "value_banks": 8}, r"no bank empty, of n_keys / n_engines \* fold = 3 words"),
        ({"n_engines": 300}, "n_engines must be 1 to 256, not 300"),
        ({"output": "sum"}, "output must be one of quotient, partial, not 'sum'"),
    ],
)
def test_refused(engine: dict, message: str) -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)
    with pytest.raises(ValueError, match=message):
        Dimensions(spec, EngineConfig(**engine))


@pytest.mark.parametrize("output", ["quotient", "partial"])
@pytest.mark.parametrize("more", [{}, {"expose_index": False}, {"mask": True, "table": "loadable"}])
def test_manifest_says_how_each_stream_of_a_chain_is_joined(output: str, more: dict) -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)
    one = manifest(Engine(spec, EngineConfig(n_engines=4, chain=True, output=output, **more)), "")
    chain = one["chain"]
    assert chain["n_keys"] == 3
    assert chain["start"] == "3 * e, in all cycles, of engine e, 0 to 3"
    from_outside = {"i_row", "i_query", "i_mask", "i_weight", "o_out"}
    told = {join["from"] for join in chain["joins"]} | {join["to"] for join in chain["joins"]}
    assert told | {"o_partial"} == set(one["streams"]) - from_outside | {"o_partial"}
    inputs = {name for name in told if name.startswith("i_")}
    assert set(chain["first"]) | {"i_counts"} == inputs, "what has no engine before it"
    assert set(chain["last"]) == {"i_counts", "o_totals"}
    assert "chain" not in manifest(Engine(spec, EngineConfig(output=output, **more)), "")
    assert "chain" not in manifest(Chain(spec, EngineConfig(n_engines=4, output=output, **more)), "")


#: Away from the defaults, each an option that a chain may meet.
OPTIONS: list[dict[str, Any]] = [
    *({"bus": bus, "expose_index": False} for bus in ("stream", "axi")),
    *({"mask": True, "bus": bus} for bus in ("stream", "axi")),
    *({"memory": memory, "bus": bus} for memory in ("external", "request") for bus in ("stream", "axi")),
    *({name: True} for name in ("range", "spare_places")),
    *({name: 2} for name in ("n_lanes", "n_macs", "scan_rows", "score_stages", "value_banks", "n_queries_a_row")),
    *({name: value} for name, value in (("selector", "insertion"), ("output", "partial"), ("table", "loadable"))),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_a_design_accepts_is_built(options: dict[str, Any]) -> None:
    """What is refused is refused before there is a component, where a user is told of it in a line."""
    spec = AttentionSpec.from_logit_scale(d_head=3, d_value=2, n_keys=8, top_k=2, logit_scale=0.2)
    for chain in ({"n_engines": 2}, {"n_engines": 2, "chain": True}):
        try:
            design = Design(spec, EngineConfig(**chain, **options))
        except ValueError:
            continue
        assert manifest(top(spec, design.config), "")["engine"]["n_engines"] == 2


def test_one_engine_of_a_chain_has_no_registers() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=3, d_value=2, n_keys=8, top_k=2, logit_scale=0.2)
    config = EngineConfig(n_engines=2, chain=True, bus="axi")
    for make in (Design, top):
        with pytest.raises(ValueError, match=r"one engine of a chain is joined .* leave chain = true out"):
            make(spec, config)


def test_manifest_says_which_keys_a_memory_has() -> None:
    """Whoever writes the memories himself places keys of all in them."""
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)

    def layouts(**engine: Any) -> dict[str, str]:
        facts = manifest(top(spec, EngineConfig(memory="request", n_macs=1, **engine)), "")["memory_streams"]
        return {name: memory["layout"] for name, memory in facts.items()}

    key, value = layouts().values()
    assert value == "slice s of key j is word j * 2 + s"
    assert layouts(n_engines=3, chain=True) == {
        kind: f"{layout}; its key j is start + j of all" for kind, layout in (("key", key), ("value", value))
    }
    assert layouts(n_engines=3) == {
        f"{kind}_{n}": f"{layout}; its key j is {4 * n} + j of all"
        for n in range(3)
        for kind, layout in (("key", key), ("value", value))
    }


def test_rows_are_those_of_the_engine_that_reads_the_most() -> None:
    """Of three engines of two rows each, with two keys a row."""
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2, n_sinks=3)
    dims = Dimensions(spec, EngineConfig(n_engines=3, n_lanes=2, range=True))
    assert dims.part.spec.n_sinks == 3
    assert dims.rows_read(12, 12, 0) == 2  # sinks 0 to 2: two rows of the first engine
    assert dims.rows_read(12, 12, 3) == 1  # sinks 3 to 5: the last row of the first, the first row of the second
    assert dims.rows_read(12, 9, 2) == 2  # range 9 to 11: two rows of the last engine
    assert dims.rows_read(12, 11, 7) == 2  # sinks 7 to 9, range 11: a row of the second, two of the last
    assert dims.rows_read(0, 0, 0) == 1


def test_one_engine_of_a_chain_is_not_behind_axi() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)
    with pytest.raises(ValueError, match="leave chain = true out, for all engines in one module, or bus = 'axi'"):
        top(spec, EngineConfig(n_engines=2, chain=True, bus="axi"))


def test_all_engines_are_not_one() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)
    with pytest.raises(ValueError, match="n_engines = 2 where one is asked for; leave it out, or add chain = true"):
        Engine(spec, EngineConfig(n_engines=2))
