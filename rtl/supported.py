"""What a configuration must be for a spec: refused before anything is derived, with what is allowed."""

from __future__ import annotations

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import MAX_INTERNAL_WORDS, MAX_MACS, EngineConfig, is_power_of_two

__all__ = ["own_keys", "require_supported"]

#: What is supported; beyond it the tools on the way to Verilog fail, or work for many minutes.
MAX_WORD_BITS = 2**16 - 1
MAX_INSERTION = 1024


def require_supported(spec: AttentionSpec, config: EngineConfig) -> None:
    """Raise `ValueError` if an engine of a configuration cannot compute a spec, or is too large to be made."""
    if config.n_lanes > spec.n_keys:
        raise ValueError(
            f"n_lanes must be at most {own_keys(config)} = {spec.n_keys}, or lanes would have no key; "
            f"not {config.n_lanes}"
        )
    if spec.n_sinks and not config.range:
        raise ValueError(
            f"n_sinks = {spec.n_sinks} keys take part beside a range, and the engine has none; give it range = true"
        )
    if spec.n_sinks and config.n_queries_a_row > 1:
        raise ValueError(
            f"n_sinks = {spec.n_sinks} keys lie apart from a query's range, and queries that share rows have one"
            f" run of them; leave n_queries_a_row = {config.n_queries_a_row} out, or the sinks"
        )
    n_macs = spec.d_value if config.n_macs is None else config.n_macs
    if spec.d_value % n_macs:
        divisors = [n for n in range(1, spec.d_value + 1) if spec.d_value % n == 0]
        raise ValueError(
            f"n_macs must divide d_value = {spec.d_value} (one of {', '.join(map(str, divisors))}), not {n_macs}"
        )
    if n_macs > MAX_MACS:
        raise ValueError(f"n_macs must be at most {MAX_MACS}, and is d_value = {n_macs} where none is given")
    if config.product == "shift":
        for n, table in enumerate(spec.tables):
            _require_powers_of_two(table, f"weights[{n}]" if spec.n_tables > 1 else "weights")
    _require_sizes(spec, config, spec.d_value // n_macs)


def _require_sizes(spec: AttentionSpec, config: EngineConfig, fold: int) -> None:
    n_lanes = config.n_lanes
    for name, bits, factors in (
        ("a row of keys", n_lanes * spec.d_head, f"n_lanes {n_lanes} * d_head {spec.d_head}"),
        (
            "a group of queries",
            config.n_queries_a_row * spec.d_head,
            f"n_queries_a_row {config.n_queries_a_row} * d_head {spec.d_head}",
        ),
        (
            "a key with its values",
            spec.index_bits + spec.d_head + spec.d_value * spec.value_bits,
            f"{spec.index_bits} + {spec.d_head} + {spec.d_value} * {spec.value_bits}",
        ),
    ):
        if bits > MAX_WORD_BITS:
            raise ValueError(f"{name} must have at most {MAX_WORD_BITS} bits, not {bits} ({factors})")
    if config.selector == "insertion" and spec.top_k > MAX_INSERTION:
        raise ValueError(
            f"top_k must be at most {MAX_INSERTION} for selector 'insertion', not {spec.top_k}; "
            "'histogram' does not grow with it"
        )
    words = spec.n_keys * fold
    if config.memories[1] == "internal" and words > MAX_INTERNAL_WORDS:
        raise ValueError(
            f"an internal memory must have at most {MAX_INTERNAL_WORDS} words, and that of values has "
            f"{own_keys(config)} * fold = {words}; memory = 'external' leaves it outside"
        )


def own_keys(config: EngineConfig) -> str:
    """What a message calls the keys that an engine holds."""
    return "n_keys" if config.n_engines == 1 else "n_keys / n_engines"


def _require_powers_of_two(table: tuple[int, ...], name: str) -> None:
    for t, weight in enumerate(table):
        if weight and not is_power_of_two(weight):
            raise ValueError(
                f"product 'shift' needs a table of powers of two and zeros (weight_form = \"power_of_two\" makes one), "
                f"but {name}[{t}] is {weight}"
            )
