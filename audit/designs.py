"""Designs whose Verilog is audited: small, and between them every kind of component."""

from __future__ import annotations

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design, load_design

__all__ = ["DESIGNS", "MUTATED"]

#: Weights of all digits, among them (171) the one whose digits of -1 are the most.
_WEIGHTS = (255, 171, 171, 148, 119, 82, 36, 21, 0)

#: Two lanes, so that keys are appended to rows that are read; a table of which every bit changes.
_TINY = load_design("tiny", ["engine.n_lanes=2", "engine.mask=true", f"spec.weights={list(_WEIGHTS)}"])

_INSERTION = Design(
    AttentionSpec(
        d_head=5,
        d_value=6,
        n_keys=13,
        top_k=4,
        weights=(63, 59, 43, 37, 26, 0),
        value_bits=4,
        weight_bits=6,
        out_frac_bits=3,
    ),
    EngineConfig(
        name="insertion",
        n_lanes=4,
        n_macs=2,
        selector="insertion",
        score_stages=2,
        n_dividers=1,
        memory="external",
        read_latency=2,
        table="loadable",
    ),
)

_SHIFT = Design(
    AttentionSpec(
        d_head=6,
        d_value=4,
        n_keys=11,
        top_k=3,
        weights=(16, 16, 8, 4, 2, 1, 0),
        value_bits=4,
        weight_bits=5,
        out_frac_bits=2,
    ),
    EngineConfig(
        name="shift", n_lanes=2, n_macs=2, scan_rows=2, product="shift", table="loadable", value_banks=2, mask=True
    ),
)

#: No fold, so that a register is all of the replay.
_PLAIN = Design(
    AttentionSpec(
        d_head=4, d_value=2, n_keys=6, top_k=3, weights=(7, 5, 3, 1, 0), value_bits=3, weight_bits=3, out_frac_bits=1
    ),
    EngineConfig(name="plain", n_lanes=2, selector="insertion", expose_index=False),
)

#: So many lanes that a row's keys are counted in two steps.
_WIDE = Design(
    AttentionSpec(
        d_head=3, d_value=2, n_keys=64, top_k=4, weights=(3, 2, 1, 0), value_bits=2, weight_bits=2, out_frac_bits=1
    ),
    EngineConfig(name="wide", n_lanes=32, n_macs=1),
)

#: Every query its range, its sinks and its table; keys do not fill their rows.
_RANGED = Design(
    AttentionSpec(
        d_head=4,
        d_value=2,
        n_keys=26,
        top_k=3,
        weights=((7, 5, 3, 1, 0), (7, 7, 6, 6, 5), (4, 2, 1, 0, 0)),
        value_bits=3,
        weight_bits=3,
        out_frac_bits=1,
        n_sinks=3,
    ),
    EngineConfig(name="ranged", n_lanes=4, mask=True, range=True),
)

#: By name; each in a few seconds.
DESIGNS: dict[str, Design] = {"tiny": _TINY, "insertion": _INSERTION, "shift": _SHIFT, "plain": _PLAIN, "wide": _WIDE}

#: Those in which components are mutated: these, and one with options of which coverage is not asked.
MUTATED: dict[str, Design] = DESIGNS | {"ranged": _RANGED}
