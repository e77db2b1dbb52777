"""Where estimates end: options without a formula, and sizes beyond those of the engines that they are made of."""

from __future__ import annotations

from collections.abc import Mapping

from hamming.rtl.design import Design

__all__ = ["TOUCHED", "beyond_range", "require_known", "sizes"]

#: Blocks that a size is of.
TOUCHED = {
    "d_head": ("fetch", "key_memory", "score", "selector", "spare_row", "softmax"),
    "d_value": ("normalizer",),
    "n_keys": ("fetch", "selector", "replay", "value_memory", "loader"),
    "top_k": ("selector", "replay", "weighted_sum", "normalizer"),
    "value_bits": ("value_memory", "weighted_sum", "normalizer", "loader"),
    "weight_bits": ("softmax", "weighted_sum", "normalizer"),
    "out_frac_bits": ("weighted_sum", "normalizer"),
    "n_lanes": ("fetch", "key_memory", "score", "selector", "spare_row", "loader"),
    "n_macs": ("value_memory", "weighted_sum", "normalizer", "loader"),
    "score_stages": ("score",),
    "scan_rows": ("selector",),
    "n_dividers": ("normalizer",),
    "value_banks": ("value_memory",),
}


def sizes(design: Design) -> dict[str, float]:
    """Return the sizes that bound what a fit is good for."""
    spec, config, dims = design.spec, design.config, design.dimensions
    return {
        **{name: getattr(spec, name) for name in ("d_head", "d_value", "n_keys", "top_k", "value_bits", "weight_bits")},
        "out_frac_bits": spec.out_frac_bits,
        "n_lanes": config.n_lanes,
        "n_macs": dims.n_macs,
        "score_stages": config.score_stages,
        "scan_rows": dims.scan_rows if config.selector == "histogram" else 1,
        "n_dividers": dims.n_dividers,
        "value_banks": config.value_banks,
    }


def require_known(design: Design) -> None:
    """Raise `ValueError` for an option that no formula is for."""
    config, spec = design.config, design.spec
    for name, value, known in (
        ("engine.range", config.range, (False,)),
        ("engine.n_queries_a_row", config.n_queries_a_row, (1,)),
        ("engine.n_engines", config.n_engines, (1,)),
        ("engine.waiting_rows", config.waiting_rows, (0,)),
        ("engine.adder_depth", config.adder_depth, (None,)),
        ("engine.fabric", config.fabric, ("cells",)),
        ("engine.output", config.output, ("quotient",)),
        ("engine.bus", config.bus, ("stream",)),
        ("engine.read_latency", config.read_latency, (1,)),
        ("spec.n_tables", spec.n_tables, (1,)),
    ):
        if value not in known:
            allowed = " and ".join("its default" if one is None else repr(one) for one in known)
            raise ValueError(f"there is no estimate for {name} = {value!r}, only for {allowed}; synthesize measures it")


def beyond_range(design: Design, ranges: Mapping[str, tuple[float, float]]) -> dict[str, str]:
    """Return a note on each size that is outside of its range, by the size; and on what is not counted."""
    found = {}
    if "request" in design.config.memories:
        found["request"] = "what asks for words of a 'request' memory, and takes them, is not counted"
    for name, value in sizes(design).items():
        low, high = ranges[name]
        if not low <= value <= high:
            touched = ", ".join(TOUCHED[name])
            found[name] = (
                f"{name} {value:,g} is outside of {low:,g} to {high:,g}, of which the estimate is made: errors of "
                f"{touched}, and of the sums, may be larger"
            )
    return found
