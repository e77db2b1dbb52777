"""The baseline's manifest: as of `rtl.manifest`, as far as simulation and comparison read it."""

from __future__ import annotations

import hashlib
from typing import Any

from hamming.rtl.manifest import FORMAT, ports, streams
from hamming.rtl.manifest_cycles import cycles
from hamming.rtl.memory import value_write_port
from hamming.rtl.standard import payload
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.engine import StandardEngine
from hamming.rtl.standard.scorer import score_port
from hamming.rtl.standard.sparse_engine import SparseEngine

__all__ = ["standard_manifest"]


def standard_manifest(engine: StandardEngine | SparseEngine, verilog: str) -> dict[str, Any]:
    """Return the manifest of a baseline, whose Verilog is `verilog`."""
    design = engine.design
    return {
        "format": FORMAT,
        "name": design.name,
        "verilog": f"{design.name}.v",
        "verilog_sha256": hashlib.sha256(verilog.encode()).hexdigest(),
        "design": design.to_dict(),
        "dimensions": {
            "n_lanes": design.n_lanes,
            "n_rows": design.n_rows,
            "n_sums": design.n_sums,
            "n_outputs": design.n_outputs,
        },
        "ports": ports(engine),
        "streams": streams(engine),
        "memories": _memories(design),
        "memory_ports": _memory_ports(design),
        "cycles": _sparse_cycles(design) if design.selects else _cycles(design),
    }


def _cycles(design: StandardDesign) -> dict[str, Any]:
    terms = design.cycle_terms()
    rows = "ceil(n_valid / n_lanes)"
    ending = f" + min(n_sums, {rows}) - 1" if design.n_sums > 1 else ""
    return {
        "formula": "max(score, divide), back to back; score alone is the bound",
        "terms": {
            "score": {"formula": f"max({design.least_score}, {rows})", "cycles": terms["score"]},
            "divide": {"formula": f"d_value / n_outputs{ending}", "cycles": terms["divide"]},
        },
        "a_query": max(terms.values()),
        "bound": terms["score"],
        "latency": {
            "formula": "2 * score + divide + 7 + log2(n_lanes) + stages, at most",
            "cycles": design.latency(),
        },
    }


def _sparse_cycles(design: StandardDesign) -> dict[str, Any]:
    """Return the cycles of an engine of the same sizes, behind a row's score."""
    found = cycles(design.kept)
    before = f"score + {design.latency() - design.cycle_terms()['score'] - design.kept.latency()}"
    latency = {"formula": f"{before} + {found['latency']['formula']}", "cycles": design.latency()}
    return found | {"latency": latency}


def _memories(design: StandardDesign) -> list[dict[str, Any]]:
    keys = payload.write_port(design, design.spec.d_head)
    scores = score_port(design)
    sizes = [("key_memory", keys.depth, keys.width, design.memory)]
    if design.selects:
        dims = design.kept
        width, depth = value_write_port(dims).width, dims.n_stored * dims.scan_groups(dims.spec.n_keys)
        sizes += [(name, depth, width, design.memory) for name, depth in dims.value_memories.items()]
        sizes.append(("selector.scores", depth, dims.scan_rows * dims.n_lanes * dims.level_bits, "internal"))
    else:
        values = payload.write_port(design, design.spec.d_value)
        sizes.append(("value_memory", values.depth, values.width, design.memory))
    sizes.append(("score_memory", scores.depth, scores.width, "internal"))
    return [
        {"name": name, "depth": depth, "bits_a_word": width, "bits": depth * width, "location": location}
        for name, depth, width, location in sizes
    ]


def _memory_ports(design: StandardDesign) -> dict[str, Any]:
    if design.memory != "external":
        return {}
    result = {}
    for name, n_elements in (("key", design.spec.d_head), ("value", design.spec.d_value)):
        port = payload.write_port(design, n_elements)
        result[name] = {
            "depth": port.depth,
            "bits_a_word": port.width,
            "lane_bits": port.granularity,
            "read_latency": 1,
            **{way: {part: f"{name}_{way}__{part}" for part in ("addr", "en", "data")} for way in ("read", "write")},
        }
    return result
