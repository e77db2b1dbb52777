"""What a fuzzed engine is offered: of each field of an input, Verilog that chooses its next bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hamming.sim.payloads import Field, Stream

__all__ = ["choices"]


def choices(stream: Stream, manifest: Mapping[str, Any]) -> list[str]:
    """Say of each field of an input what is offered next."""
    spec = manifest["spec"]
    # A chain has a mask an engine.
    lines, taken = [], {"i_row": 0, "i_query": 2, "i_weight": 1}.get(stream.name, 3)
    for field, number in _own_fields(stream):
        low, width = field.offset, field.span.stop - field.offset
        word, other, third, fourth = (f"noise[{n + 31}:{n}]" for n in range(5 * number, 5 * number + 128, 32))
        any_bits = f"noise[{low + 7 * taken} +: {width}]"
        match stream.name, field.name:
            case "i_row", "index":
                choice = (
                    f"row_mode == 0 ? row_number % {spec['n_keys']} : row_mode == 1 ? noise[31:0] : "
                    f"row_mode == 2 ? split + noise[15:0] % {spec['n_keys']} : noise[31:0] % {spec['n_keys']}"
                )
            case "i_row", "value":
                extreme = ", ".join(
                    f"{{noise[{n}], {{{field.bits - 1}{{~noise[{n}]}}}}}}" for n in reversed(range(field.length or 1))
                )
                choice = f"key_mode[2] ? {{{extreme}}} : {any_bits}"
            case ("i_row", "key") | ("i_query", "query"):
                sparse = " & ".join(f"noise[{low + 7 * taken + k * width} +: {width}]" for k in range(4))
                choice = f"key_mode[1:0] == 0 ? {any_bits} : (noise[5:0] == 0 ? ~near : near) ^ ({sparse})"
            case "i_query", "n_valid":
                n_keys = spec["n_keys"]
                choice = (
                    f"seen_mode == 0 ? {word} : seen_mode == 1 ? {word} % {n_keys + 1} : "
                    f"seen_mode == 2 ? {word} % (split + 1) : seen_mode == 3 ? {word} % 4 % {n_keys + 1} : "
                    f"seen_mode == 4 ? {n_keys} + {word} % 2 : {n_keys}"
                )
            case "i_query", "first":
                n_keys = spec["n_keys"]
                choice = (
                    f"first_mode == 0 ? 0 : first_mode == 1 ? {other} : "
                    f"first_mode == 2 ? {other} % {n_keys + 1} : first_mode == 3 ? {n_keys} + {other} % 2 : "
                    f"{other} % (split + 1)"
                )
            case "i_query", "base":
                choice = f"first_mode[0] ? {third} : {third} % {spec['n_keys']}"
            case "i_query", "table":
                choice = fourth
            case "i_weight", "table":
                n_tables = len(spec["weights"])
                choice = f"is_good_table ? entry_number / {spec['d_head'] + 1} % {n_tables} : noise[127:96]"
            case "i_weight", "index":
                choice = f"is_good_table ? entry_number % {spec['d_head'] + 1} : noise[63:32]"
            case "i_weight", "weight":
                bits = spec["weight_bits"]
                weights = np.ravel(spec["weights"]).tolist()  # of all tables
                table = "{" + ", ".join(f"{bits}'d{weight}" for weight in reversed(weights)) + "}"
                lines.append(f"  wire [{bits * len(weights) - 1}:0] table_of_spec = {table};")
                good = f"table_of_spec[entry_number % {len(weights)} * {bits} +: {bits}]"
                choice = f"is_good_table ? {good} : {any_bits} & (noise[96] ? {bits}'d0 : {{{bits}{{1'b1}}}})"
            case _:
                both = f"noise[{low} +: {width}]"
                choice = (
                    f"mask_mode == 0 ? {width}'d0 : mask_mode == 1 ? {any_bits} & {both} : "
                    f"mask_mode == 2 ? {any_bits} : mask_mode == 3 ? {any_bits} | {both} : "
                    f"mask_mode == 4 ? {{{width}{{1'b1}}}} : {width}'d0"
                )
        lines.append(f"  assign {stream.name}_fresh[{low} +: {width}] = {choice};")
    return lines


def _own_fields(stream: Stream) -> Iterator[tuple[Field, int]]:
    """Yield the fields, each query's of a group by itself, and which query of its group it is."""
    for field in stream.fields:
        if stream.name != "i_query" or field.length is None:
            yield field, 0
            continue
        for number in range(field.length):
            yield Field(field.name, field.offset + number * field.bits, field.bits), number
