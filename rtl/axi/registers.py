"""The registers of an engine behind AXI, described once: the hardware, the manifest and SystemRDL come from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hamming.rtl import payload
from hamming.rtl.axi.gather import query_beat
from hamming.rtl.axi.layout import bytes_of, n_bytes
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.errors import errors

__all__ = [
    "ACCESSES",
    "COUNTERS",
    "IDENTIFICATION",
    "VERSION",
    "Field",
    "Register",
    "Table",
    "causes",
    "description",
    "registers",
    "table",
]

#: "HAMM".
IDENTIFICATION = 0x48414D4D

#: Of the registers: the major one counts what an old driver does not understand, the minor one what it may ignore.
VERSION = (1, 1)

#: What software and hardware do with a field.
ACCESSES = {
    "constant": "read; a property of this engine",
    "status": "read; the hardware sets it",
    "control": "read and written",
    "command": "written: 1 does it; reads as 0",
    "sticky": "the hardware sets it; writing 1 clears it",
}

#: Counters, in order: 32 bits, which wrap.
COUNTERS = {
    "queries": "queries whose last output beat was transferred",
    "rows": "rows that were written",
    "busy_cycles": "cycles in which a query or a row was held or in flight",
    "stall_query": "cycles in which a query was offered and not taken",
    "stall_row": "cycles in which a row was offered and not taken",
    "stall_out": "cycles in which an output was offered and not taken",
    "stall_selected": "cycles in which a kept key was offered and not taken",
}

#: Where the table lies at least; a power of two, as its length is.
_TABLE_OFFSET = 0x400


@dataclass(frozen=True)
class Field:
    """`bits` bits from `lsb` up, of one of `ACCESSES`; `init` is its value after a reset, or always."""

    name: str
    lsb: int
    bits: int
    access: str
    meaning: str
    init: int = 0


@dataclass(frozen=True)
class Register:
    """A word of 32 bits at a byte's address."""

    name: str
    offset: int
    meaning: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Table:
    """The softmax table: words from `offset` up; word `index` has entry `index`."""

    offset: int
    n_words: int
    weight_bits: int


def causes(dims: Dimensions) -> dict[str, str]:
    """Return the causes of ERROR, lowest bit first, and what each means: the engine's, and those of masters."""
    found = errors(dims)
    for kind in dims.bus_words:
        found[f"{kind}_response"] = f"memory answered a read of {kind}s with an error; the word was taken as 0"
        found[f"{kind}_write"] = f"memory answered a write of a row's {kind} with an error; it may not be stored"
    return found


def table(dims: Dimensions) -> Table | None:
    """Return where a loadable table lies; None for one that is fixed."""
    if dims.config.table != "loadable":
        return None
    entry = payload.weight_entry(dims)
    index_bits = entry.size - dims.spec.weight_bits
    return Table(max(_TABLE_OFFSET, 4 << index_bits), 1 << index_bits, dims.spec.weight_bits)


def registers(dims: Dimensions) -> list[Register]:
    """Return the registers in order of their offsets, which are the same for every engine."""
    spec, config = dims.spec, dims.config
    found = [
        _constant("ID", 0x00, IDENTIFICATION, '"HAMM", which says what this is'),
        Register(
            "VERSION",
            0x04,
            "version of these registers",
            (
                Field("minor", 0, 16, "constant", "additions", VERSION[1]),
                Field("major", 16, 16, "constant", "what an old driver does not understand", VERSION[0]),
            ),
        ),
        Register(
            "CONTROL",
            0x08,
            "what the engine is to do",
            (
                Field("enable", 0, 1, "control", "take rows, queries and masks"),
                Field("reset", 1, 1, "command", "reset the engine; enable and counters stay"),
                Field("drain", 2, 1, "control", "what a reset waits for: 1 all queries taken, 0 nothing"),
                Field("clear", 3, 1, "command", "set the counters to 0"),
            ),
        ),
        Register(
            "STATUS",
            0x0C,
            "what the engine does",
            (
                Field("busy", 0, 1, "status", "a query or a row is held or in flight"),
                Field("resetting", 1, 1, "status", "a reset was asked for and is not done"),
                Field("in_flight", 16, 16, "status", "queries taken whose last output beat was not transferred"),
            ),
        ),
        Register(
            "ERROR",
            0x10,
            "what was out of range; a cause that was cleared shows again after a reset of the engine only",
            tuple(Field(name, bit, 1, "sticky", meaning) for bit, (name, meaning) in enumerate(causes(dims).items())),
        ),
        Register("INTERRUPT_ENABLE", 0x14, "which causes interrupt", tuple(_interrupts("control"))),
        Register("INTERRUPT_STATUS", 0x18, "what happened", tuple(_interrupts("sticky"))),
    ]
    found += [
        Register(name.upper(), 0x20 + 4 * number, meaning, (Field("value", 0, 32, "status", meaning),))
        for number, (name, meaning) in enumerate(COUNTERS.items())
    ]
    found += [
        _constant(name.upper(), 0x40 + 4 * number, getattr(spec, name), f"of the spec: {name}")
        for number, name in enumerate(
            ("d_head", "d_value", "n_keys", "top_k", "value_bits", "weight_bits", "out_frac_bits", "out_bits")
        )
    ]
    found += [
        _constant(name.upper(), 0x60 + 4 * number, getattr(spec, name), f"of the spec: {name}")
        for number, name in enumerate(("n_sinks", "n_tables"))
    ]
    found += [
        _constant(name.upper(), 0x80 + 4 * number, value, f"of the engine: {name}")
        for number, (name, value) in enumerate(
            {
                "n_lanes": dims.n_lanes,
                "n_macs": dims.n_macs,
                "n_dividers": dims.n_dividers,
                "scan_rows": dims.scan_rows,
                "score_stages": config.score_stages,
                "read_latency": config.read_latency,
                "value_banks": config.value_banks,
            }.items()
        )
    ]
    found.append(_features(dims))
    for number, kind in enumerate(("key", "value")):
        if kind in dims.bus_words:
            found += _base(kind, 0xA0 + 8 * number)
    if dims.n_queries_a_row > 1:
        found.append(_constant("N_QUERIES_A_ROW", 0xB0, dims.n_queries_a_row, "of the engine: n_queries_a_row"))
    found += [
        _constant(name.upper(), 0xC0 + 4 * number, value, meaning)
        for number, (name, (value, meaning)) in enumerate(_beats(dims).items())
    ]
    return found


def _constant(name: str, offset: int, value: int, meaning: str) -> Register:
    return Register(name, offset, meaning, (Field("value", 0, 32, "constant", meaning, value),))


def _base(kind: str, offset: int) -> list[Register]:
    """Return where a memory behind a master begins: 64 bits, the lowest 12 of them 0."""
    meaning = f"address at which {kind}s begin in memory, to be written before they are asked for"
    low = Field("page", 12, 20, "control", f"bits 31 to 12 of the address at which {kind}s begin; the others are 0")
    high = Field("value", 0, 32, "control", f"bits 63 to 32 of the address at which {kind}s begin")
    return [
        Register(f"{kind.upper()}_BASE", offset, meaning, (low,)),
        Register(f"{kind.upper()}_BASE_HIGH", offset + 4, f"the upper half of {kind.upper()}_BASE", (high,)),
    ]


def _interrupts(access: str) -> list[Field]:
    causes = {
        "done": "a query's last output beat was transferred",
        "error": "a bit of ERROR was set",
        "reset": "a reset of the engine is done",
    }
    return [Field(name, bit, 1, access, meaning) for bit, (name, meaning) in enumerate(causes.items())]


def _features(dims: Dimensions) -> Register:
    config = dims.config
    is_there = {
        "loadable": (config.table == "loadable", "the softmax table is to be written before the first query"),
        "mask": (config.mask, "queries bring masks"),
        "selected": (config.expose_index, "kept keys are put out"),
        "insertion": (config.selector == "insertion", "the selector is a sorted list"),
        "shift": (config.product == "shift", "table entries are powers of two"),
        "range": (config.range, "queries bring the first key that they see"),
        "external_keys": (config.memories[0] == "external", "the key memory is outside"),
        "external_values": (config.memories[1] == "external", "the value memory is outside"),
        "master_keys": (config.memories[0] == "request", "keys lie in memory, from KEY_BASE on"),
        "master_values": (config.memories[1] == "request", "values lie in memory, from VALUE_BASE on"),
    }
    if config.n_queries_a_row > 1:
        is_there["groups"] = (True, "queries come in groups, of N_QUERIES_A_ROW each")
    fields = (
        Field(name, bit, 1, "constant", meaning, int(value))
        for bit, (name, (value, meaning)) in enumerate(is_there.items())
    )
    return Register("FEATURES", 0x9C, "options of the engine", tuple(fields))


def _beats(dims: Dimensions) -> dict[str, tuple[int, str]]:
    """Return what a driver needs to know of beats and the table: value and meaning, by name; 0 where there is none."""
    config, window, words = dims.config, table(dims), dims.bus_words
    row, query = payload.key_row(dims), query_beat(dims)
    starts = {
        (kind, field.name): field.offset
        for kind, shape in (("row", row), ("query", query))
        for field in bytes_of(shape)
    }
    return {
        "row_bytes": (n_bytes(row), "bytes of a beat of rows"),
        "row_key": (starts["row", "key"], "byte of a row at which its key begins; its index is before it"),
        "row_value": (starts["row", "value"], "byte of a row at which its values begin"),
        "query_bytes": (n_bytes(query), "bytes of a beat of queries"),
        "query_n_valid": (
            starts["query", "n_valid"],
            "byte of a query at which n_valid begins, behind its bits",
        ),
        **{
            f"query_{name}": (
                starts.get(("query", name), 0),
                f"byte of a query at which {name} begins, if any",
            )
            for name in ("first", "base", "table")
        },
        "mask_bytes": (n_bytes(payload.mask_row(dims)) if config.mask else 0, "bytes of a beat of masks"),
        "out_bytes": (n_bytes(payload.out_beat(dims)), "bytes of a beat of outputs; the last one is is_empty"),
        "out_beats": (dims.spec.d_value // dims.n_dividers, "beats of outputs a query"),
        "selected_bytes": (
            n_bytes(payload.kept_key(dims)) if config.expose_index else 0,
            "bytes of a beat of kept keys",
        ),
        "table_offset": (window.offset if window else 0, "byte at which the softmax table begins"),
        "table_words": (window.n_words if window else 0, "words of the softmax table, of which d_head + 1 are used"),
        "key_bytes": (
            words["key"].element_bytes if "key" in words else 0,
            "bytes from a key to the next one in memory, if keys lie there",
        ),
        "value_bytes": (
            words["value"].word_bytes if "value" in words else 0,
            "bytes from n_macs values of a key to the next ones in memory, if values lie there",
        ),
    }


def description(dims: Dimensions) -> dict[str, Any]:
    """Return the registers as JSON's types."""
    window = table(dims)
    return {
        "accesses": ACCESSES,
        "registers": [
            {
                "name": one.name,
                "offset": one.offset,
                "meaning": one.meaning,
                "fields": [vars(field) for field in one.fields],
            }
            for one in registers(dims)
        ],
        "table": None if window is None else vars(window),
    }
