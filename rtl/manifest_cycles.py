"""What a manifest says of cycles, as formulas: those of `rtl.dimensions`, in words."""

from __future__ import annotations

from typing import Any

from hamming.rtl.dimensions import BUFFER_LATENCY, HOP_LATENCY, Dimensions

__all__ = ["cycles"]

#: Where sums are chains: the next query's first key waits for the second of the last slice.
_TWO_KEPT = " + (1 if two keys are kept)"


def cycles(dims: Dimensions) -> dict[str, Any]:
    """Return what a manifest says of a query's cycles and latency: formulas, and what they give for all keys."""
    config = dims.config
    n_engines, n_queries = config.n_engines, dims.n_queries_a_row
    seen = "n_valid" if n_engines == 1 else f"min(n_valid, {dims.part.spec.n_keys})"  # of the engine that sees the most
    kept, rows = f"max(1, min(top_k, {seen}))", f"max(1, ceil({seen} / n_lanes))"
    groups = f"max(1, ceil({seen} / (n_lanes * scan_rows)))"
    times = f"{n_queries} * " if n_queries > 1 else ""
    take, give, before = (
        "score",
        f"{dims.waiting_latency} + top_k" if dims.waiting_rows else "top_k",
        "1 + " if dims.has_row_range or dims.has_query_stage else "",
    )
    if config.range:
        kept, seen = "max(1, min(top_k, n_seen))", "n_seen"
        rows = "max(1, rows that hold a key that is seen)"
        groups = "ceil(score / scan_rows)"
    summed = kept.replace("max(1,", "max(2,") if dims.has_chains else kept
    if config.selector == "histogram":
        give = f"{4 + dims.count_stages + dims.cut_stages} + {groups} + {kept}"
        given = kept if dims.fold == 1 else f"(fold - 1) * {summed}"
        given = given if dims.has_chains else f"max(1, fold - 1) * {kept}"
        select = f"{groups} + {given}" + (" + 1" if dims.cut_stages else "")
        if dims.fold == 1 and dims.scan_groups(dims.part.spec.n_keys) > 1:
            select += f" + ({groups} == 1)"
        select = f"{times}({select}), at most" if times else f"{select}, at most"
    elif dims.n_lanes == 1:
        select = f"max({seen}, top_k)"
    else:
        take = "score * n_lanes"
        taken = "score * n_lanes" if times else seen
        select = f"max({taken}, top_k) at most: a cycle a key that ranks among the kept when it comes"
    waits = _TWO_KEPT if dims.has_chains and dims.fold > 1 else ""
    terms = dims.cycle_terms()
    others = f" + {BUFFER_LATENCY}" if config.bus == "axi" else ""
    if times and config.selector == "histogram":
        others += f" + {n_queries - 1} * max(select, sum, divide) / {n_queries}"
    elif times:
        others += f" + {n_queries - 1} * max(2, top_k, sum / {n_queries}, divide / {n_queries})"
    d_value = f"divide / {n_queries}" if times else "divide"
    agree = {}
    if n_engines > 1:
        agree = {"agree": {"formula": "d_head + 1", "cycles": terms["agree"]}}
        if "index" in terms:
            agree["index"] = {"formula": "max(1, min(top_k, n_valid))", "cycles": terms["index"]}
        others += f" + {1 + dims.agreement} + {HOP_LATENCY} * n_engines"
    for_each = f" for each {n_queries} queries" if times else ""
    return {
        "formula": f"max({', '.join(terms)}){for_each}, back to back; score and sum alone are the bound",
        "terms": {
            "score": {"formula": rows, "cycles": terms["score"]},
            "select": {"formula": select, "cycles": terms["select"]},
            "sum": {"formula": f"{times}fold * {summed}{waits}", "cycles": terms["sum"]},
            "divide": {
                "formula": f"{times}d_value / n_dividers",
                "cycles": terms["divide"],
            },
            **agree,
        },
        "a_query": -(-max(terms.values()) // n_queries),
        "bound": -(-dims.bound() // n_queries),
        "latency": {
            "formula": f"{before}{take} + score_stages + {give} "
            f"+ (fold - 1) * max(kept, D) + {dims.key_latency} + D + {dims.division_latency}{others}, at most; "
            f"D = {d_value} / fold",
            "cycles": dims.latency(),
        },
    }
