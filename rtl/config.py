"""How attention is computed: the engine's configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hamming.golden.checks import require_bool, require_choice, require_int
from hamming.rtl.bus_word import BUS_BITS
from hamming.rtl.names import require_module_name

__all__ = ["PRODUCTS", "SELECTORS", "EngineConfig", "is_power_of_two"]

SELECTORS = ("histogram", "insertion")
FABRICS = ("cells", "luts")
PRODUCTS = ("multiply", "shift", "dsp")
MEMORIES = ("internal", "external", "request")
TABLES = ("rom", "loadable")
BUSES = ("stream", "axi")
OUTPUTS = ("quotient", "partial")

#: What is supported; beyond it the tools on the way to Verilog fail, or work for many minutes.
MAX_LANES = 512
MAX_MACS = 1024
MAX_INTERNAL_WORDS = 2**17
MAX_BANKS = 512
MAX_OUTSTANDING = 4096
MAX_WAITING_ROWS = 4096
MAX_QUERIES_A_ROW = 16
MAX_ADDER_DEPTH = 64
MAX_ENGINES = 256

#: Options that a description leaves out where they have their default.
_UNSAID = frozenset(
    (
        "range",
        "bus",
        "bus_bits",
        "key_memory",
        "value_memory",
        "outstanding",
        "spare_places",
        "waiting_rows",
        "adder_depth",
        "fabric",
        "n_queries_a_row",
        "output",
        "n_engines",
        "chain",
    )
)

#: Fewest words under way, so that a memory that answers in the next cycle limits nothing.
MIN_OUTSTANDING = 4


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """One way of building the engine. No field changes an output bit; all change area, clock or cycles.

    Parameters
    ----------
    name
        Name of the Verilog module and of the files: an identifier that no tool reserves.
    n_lanes
        Keys scored each cycle, a power of two: a key's lane is the low bits of its index.
    n_macs
        Value elements multiplied each cycle; divides `d_value`, which is the default (None). A kept key
        takes `fold = d_value / n_macs` cycles, so `rows_a_cycle` is `1 / fold`.
    selector
        `histogram`: counters over the score levels and a second look at stored scores; its area does not
        grow with `top_k`. `insertion`: a sorted list of `top_k` cells; one pass, no stored scores.
    scan_rows
        Rows of `n_lanes` scores that the histogram selector looks at together in its second look, a power
        of two. None: the fewest that keep it from limiting the cycles a query, at most 128 scores together.
    score_stages
        Pipeline registers inside the popcount tree.
    spare_places
        Whether a row of levels has a spare place before the selector, and a kept key behind it, so that stalls go on
        from registers, to the fetch and to the selector, a cycle later. None: where there is more in front of the
        selector than a few counters: more than 64 rows of keys, a `range`, several tables, `n_queries_a_row`.
    waiting_rows
        Rows of levels that wait, in a memory, until an insertion selector has taken the keys of those before them: a
        power of two, 2 or more, or 0 for none. Rows without a key that ranks do not wait, and a key
        is chosen a cycle before it goes in.
    n_dividers
        Value elements divided each cycle; divides `n_macs`. None: the fewest that keep division from limiting
        the cycles a query.
    fabric
        What the engine is drawn for: `cells` of an ASIC, or the `luts` of an FPGA, where carries have their own wires
        and registers cost nothing: sums are chains of carries with a register behind each, the cut takes a cycle more,
        and what is read next is in registers.
    product
        How weights meet values: `multiply` takes any softmax table; `shift` one whose entries are all powers of
        two or zero (a loadable one must be loaded with nothing else).
    adder_depth
        Full adders that a carry of the weighted sum goes through before it waits in a register for the next cycle:
        fewer for a faster clock, at a register an element for each carry that waits. None: as many as fit 1 GHz in
        45 nm, 7 or so. Chains of `fabric = "luts"` have none that wait.
    memory
        Key and value memories: `internal` (inferred, on chip), `external` (ports for macros), or `request` (streams of
        requests and responses, of any latency).
    key_memory, value_memory
        The same, of one of the two. None: `memory`.
    read_latency
        Cycles from an address to its word, 1 to 3: more than 1 for external memories with registers behind the array.
    outstanding
        Words of each `request` memory that are asked for, or have come and wait, at most. None: 64.
    value_banks
        Arrays of which an internal value memory is made, a power of two; one is read at a time. A smaller array
        takes less energy and time for an access, and its words meet in a multiplexer.
    table
        Softmax table: `rom` (the spec's) or `loadable` (written through a stream before the first query).
    mask
        Whether a query brings a mask over its keys.
    range
        Whether a query brings the `first` key that it sees; rows before it are not read.
    n_queries_a_row
        Queries that come together, as a *group*, and for which a row of keys is read once: each has its own scores and
        selector, and they take turns with all that follows.
    expose_index
        Whether the kept keys are put out, as a stream beside the output.
    bus
        `stream` (valid, ready, payload) or `axi` (AXI4-Streams, registers behind AXI4-Lite, and an AXI4 master for each
        `request` memory).
    bus_bits
        Data bits of each master at most, a power of two from 32 to 1,024. None: 1,024. One is as wide as its word.
    output
        `quotient`, or `partial`: the sums that it would be made of, to be merged with those of others (`rtl.merge`).
    n_engines
        Engines among which the keys are divided, each with a rising range of `n_keys / n_engines`; together they are
        one engine over all keys, to the bit.
    chain
        One of these `n_engines`, with the ports that join it to its neighbours, in place of all of them.

    Raises
    ------
    TypeError
        A field has the wrong type.
    ValueError
        A field is out of range; `dimensions` checks the fields against a spec.
    """

    name: str = "hamming_engine"
    n_lanes: int = 1
    n_macs: int | None = None
    selector: str = "histogram"
    scan_rows: int | None = None
    score_stages: int = 0
    spare_places: bool | None = None
    waiting_rows: int = 0
    n_dividers: int | None = None
    fabric: str = "cells"
    product: str = "multiply"
    adder_depth: int | None = None
    memory: str = "internal"
    key_memory: str | None = None
    value_memory: str | None = None
    read_latency: int = 1
    outstanding: int | None = None
    value_banks: int = 1
    table: str = "rom"
    mask: bool = False
    expose_index: bool = True
    range: bool = False
    n_queries_a_row: int = 1
    bus: str = "stream"
    bus_bits: int | None = None
    output: str = "quotient"
    n_engines: int = 1
    chain: bool = False

    def __post_init__(self) -> None:
        require_module_name(self.name)
        require_int("n_lanes", self.n_lanes, 1, MAX_LANES)
        if not is_power_of_two(self.n_lanes):
            raise ValueError(
                f"n_lanes must be a power of two, so that an index splits into memory row and lane, not {self.n_lanes}"
            )
        if self.n_macs is not None:
            require_int("n_macs", self.n_macs, 1, MAX_MACS)
        require_choice("selector", self.selector, SELECTORS)
        if self.scan_rows is not None:
            require_int("scan_rows", self.scan_rows, 1, MAX_INTERNAL_WORDS)
            if not is_power_of_two(self.scan_rows):
                raise ValueError(f"scan_rows must be a power of two, not {self.scan_rows}")
            if self.selector != "histogram":
                raise ValueError(f"scan_rows belongs to the histogram selector; leave it out for {self.selector!r}")
        require_int("score_stages", self.score_stages, 0, 8)
        if self.spare_places is not None:
            require_bool("spare_places", self.spare_places)
        require_int("waiting_rows", self.waiting_rows, 0, MAX_WAITING_ROWS)
        if self.waiting_rows and not (self.waiting_rows > 1 and is_power_of_two(self.waiting_rows)):
            raise ValueError(f"waiting_rows must be a power of two, 2 or more, or 0 for none, not {self.waiting_rows}")
        if self.waiting_rows and self.selector != "insertion":
            raise ValueError(f"waiting_rows belongs to the insertion selector; leave it out for {self.selector!r}")
        if self.n_dividers is not None:
            require_int("n_dividers", self.n_dividers, 1, MAX_MACS)
        require_choice("fabric", self.fabric, FABRICS)
        require_choice("product", self.product, PRODUCTS)
        if self.product == "dsp" and self.fabric != "luts":
            raise ValueError(f"product 'dsp' needs fabric = 'luts', not {self.fabric!r}, whose sums are full adders")
        if self.adder_depth is not None:
            require_int("adder_depth", self.adder_depth, 1, MAX_ADDER_DEPTH)
            if self.fabric != "cells":
                raise ValueError(
                    f"adder_depth belongs to fabric = 'cells', where carries wait; leave it out for {self.fabric!r}"
                )
        require_choice("memory", self.memory, MEMORIES)
        for name, memory in (("key_memory", self.key_memory), ("value_memory", self.value_memory)):
            if memory is not None:
                require_choice(name, memory, MEMORIES)
        require_int("read_latency", self.read_latency, 1, 3)
        if self.read_latency > 1 and "external" not in self.memories:
            raise ValueError(f"read_latency above 1 belongs to memory = 'external'; leave it out for {self._memories}")
        if self.outstanding is not None:
            require_int("outstanding", self.outstanding, MIN_OUTSTANDING, MAX_OUTSTANDING)
            if "request" not in self.memories:
                raise ValueError(f"outstanding belongs to memory = 'request'; leave it out for {self._memories}")
        require_int("value_banks", self.value_banks, 1, MAX_BANKS)
        if not is_power_of_two(self.value_banks):
            raise ValueError(f"value_banks must be a power of two, not {self.value_banks}")
        if self.value_banks > 1 and self.memories[1] != "internal":
            raise ValueError(f"value_banks belongs to internal memories; leave it out for {self.memories[1]!r}")
        require_choice("table", self.table, TABLES)
        require_bool("mask", self.mask)
        require_bool("range", self.range)
        require_bool("expose_index", self.expose_index)
        require_int("n_queries_a_row", self.n_queries_a_row, 1, MAX_QUERIES_A_ROW)
        require_choice("bus", self.bus, BUSES)
        if self.bus_bits is not None:
            require_int("bus_bits", self.bus_bits, *BUS_BITS)
            if not is_power_of_two(self.bus_bits):
                raise ValueError(f"bus_bits must be a power of two, not {self.bus_bits}")
            if self.bus != "axi" or "request" not in self.memories:
                raise ValueError("bus_bits belongs to bus = 'axi' with memory = 'request'; leave it out")
        require_choice("output", self.output, OUTPUTS)
        require_int("n_engines", self.n_engines, 1, MAX_ENGINES)
        require_bool("chain", self.chain)
        self._require_chain()

    def require_module(self) -> None:
        """Check that a module of its own may be made of this: one engine of a chain has no registers, but in a chain.

        Raises
        ------
        ValueError
            It is one engine of a chain behind AXI.
        """
        if self.chain and self.bus != "stream":
            raise ValueError(
                "one engine of a chain is joined to its neighbours by streams, and has no registers behind AXI; leave "
                f"chain = true out, for all engines in one module, or bus = {self.bus!r}"
            )

    def _require_chain(self) -> None:
        """Check what goes with partial results, and with several engines."""
        if self.chain and self.n_engines == 1:
            raise ValueError("chain = true is one engine of several; n_engines says of how many, 2 or more")
        if self.n_queries_a_row > 1 and (self.n_engines > 1 or self.output == "partial"):
            raise ValueError(
                f"n_queries_a_row = {self.n_queries_a_row} is of one engine, whose output is the quotient; leave it "
                "out, or n_engines and output"
            )
        what = f"n_engines = {self.n_engines}" if self.n_engines > 1 else f"output = {self.output!r}"
        if self.selector != "histogram" and (self.n_engines > 1 or self.output == "partial"):
            raise ValueError(
                f"{what} needs selector = 'histogram', whose counts are what engines agree by; not {self.selector!r}"
            )
        if self.bus != "stream" and self.output == "partial" and not self.chain:
            raise ValueError(f"{what} has no registers behind AXI; leave bus = {self.bus!r} out")
        if self.bus != "stream" and self.n_engines > 1 and self.mask:
            raise ValueError(
                f"{what} engines have a stream of masks each, which drivers do not know; leave mask = true out, or "
                f"bus = {self.bus!r}"
            )
        if self.bus != "stream" and self.n_engines > 1 and "request" in self.memories:
            raise ValueError(
                f"{what} engines have memories of requests each, and no AXI4 managers for them; give them memory = "
                f"'internal' or 'external', or leave bus = {self.bus!r} out"
            )

    @property
    def queries_a_beat(self) -> int:
        """Queries in a transfer: a group, but behind AXI, where one comes after the other."""
        return 1 if self.bus == "axi" else self.n_queries_a_row

    @property
    def memories(self) -> tuple[str, str]:
        """What the key memory and the value memory are, each one of `MEMORIES`."""
        return self.key_memory or self.memory, self.value_memory or self.memory

    @property
    def _memories(self) -> str:
        return " and ".join(map(repr, dict.fromkeys(self.memories)))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types, without the options that are left out; `from_dict` is the inverse."""
        unsaid = {field.name: field.default for field in dataclasses.fields(self) if field.name in _UNSAID}
        return {name: value for name, value in dataclasses.asdict(self).items() if value != unsaid.get(name, "")}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> EngineConfig:
        """Rebuild a configuration from `to_dict`'s result, with every check."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - known)
        if unknown:
            raise ValueError(f"unknown engine key {unknown[0]!r}; known: {', '.join(sorted(known))}")
        return cls(**fields)


def is_power_of_two(value: int) -> bool:
    """Return whether a number is one."""
    return value > 0 and value & (value - 1) == 0
