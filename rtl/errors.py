"""What the bits of an engine's `error` stand for."""

from __future__ import annotations

from hamming.rtl.dimensions import Dimensions

__all__ = ["errors"]


def errors(dims: Dimensions) -> dict[str, str]:
    """Return the causes that the bits of an engine's `error` stand for, lowest bit first, and what each means."""
    spec = dims.spec
    causes = {
        "n_valid": f"a query had an n_valid above n_keys = {spec.n_keys}; it was taken as n_keys",
        "row_index": f"a row had an index of n_keys = {spec.n_keys} or more; it was dropped",
    }
    if dims.config.table == "loadable":
        causes["weight_index"] = f"a table entry had an index above d_head = {spec.d_head}; it was dropped"
        causes["weight_table"] = "a query met a table that rises, or whose first entry is 0; it was used as it is"
        if dims.config.product == "shift":
            causes["weight_table"] += "; or an entry was no power of two, and was stored as the one below it"
        if spec.n_tables > 1:
            causes["weight_index"] = (
                f"a table entry had an index above d_head = {spec.d_head}, or a table of n_tables = {spec.n_tables} or "
                "more; it was dropped"
            )
    if dims.config.range:
        causes["first"] = f"a query had a first above n_keys = {spec.n_keys}; it was taken as n_keys"
        if spec.n_sinks:
            causes["base"] = f"a query had a base of n_keys = {spec.n_keys} or more; it had no sinks"
    if spec.n_tables > 1:
        causes["table"] = f"a query had a table of n_tables = {spec.n_tables} or more; the last one was used"
    for kind, memory in zip(("key", "value"), dims.config.memories, strict=True):
        if memory == "request":
            causes[f"{kind}_response"] = f"a response of the {kind} memory had its error bit set; its data were used"
            causes[f"{kind}_unasked"] = f"a response of the {kind} memory came that nobody asked for; it was dropped"
    return causes
