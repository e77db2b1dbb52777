"""How attention is computed: the engine's configuration and every check of it against a spec."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hamming.golden.checks import require_bool, require_choice, require_int
from hamming.golden.spec import AttentionSpec
from hamming.rtl.bus_word import BUS_BITS, BusWord
from hamming.rtl.digits import kept_carries, largest_negated
from hamming.rtl.names import require_module_name
from hamming.rtl.tree import tree_depth

__all__ = ["PRODUCTS", "SELECTORS", "Dimensions", "EngineConfig", "bank_numbers"]

SELECTORS = ("histogram", "insertion")
PRODUCTS = ("multiply", "shift")
MEMORIES = ("internal", "external", "request")
TABLES = ("rom", "loadable")
BUSES = ("stream", "axi")
OUTPUTS = ("quotient", "partial")

#: What is supported; beyond it the tools on the way to Verilog fail, or work for many minutes.
MAX_LANES = 512
MAX_MACS = 1024
MAX_WORD_BITS = 2**16 - 1
MAX_INSERTION = 1024
MAX_INTERNAL_WORDS = 2**17
MAX_OUTSTANDING = 4096
MAX_QUERIES_A_ROW = 16
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
        "n_queries_a_row",
        "output",
        "n_engines",
        "chain",
    )
)

#: Fewest words under way, so that a memory that answers in the next cycle limits nothing.
MIN_OUTSTANDING = 4

#: Widest group of scores that the histogram selector scans in one cycle unless told otherwise: 128 fit 1 GHz in 45 nm,
#: where 512 take 1.5 ns and double the selector.
MAX_SCAN_SCORES = 128


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
    n_dividers
        Value elements divided each cycle; divides `n_macs`. None: the fewest that keep division from limiting
        the cycles a query.
    product
        How weights meet values: `multiply` takes any softmax table; `shift` one whose entries are all powers of
        two or zero (a loadable one must be loaded with nothing else).
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
    n_dividers: int | None = None
    product: str = "multiply"
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
        if not _is_power_of_two(self.n_lanes):
            raise ValueError(
                f"n_lanes must be a power of two, so that an index splits into memory row and lane, not {self.n_lanes}"
            )
        if self.n_macs is not None:
            require_int("n_macs", self.n_macs, 1, MAX_MACS)
        require_choice("selector", self.selector, SELECTORS)
        if self.scan_rows is not None:
            require_int("scan_rows", self.scan_rows, 1, MAX_INTERNAL_WORDS)
            if not _is_power_of_two(self.scan_rows):
                raise ValueError(f"scan_rows must be a power of two, not {self.scan_rows}")
            if self.selector != "histogram":
                raise ValueError(f"scan_rows belongs to the histogram selector; leave it out for {self.selector!r}")
        require_int("score_stages", self.score_stages, 0, 8)
        if self.spare_places is not None:
            require_bool("spare_places", self.spare_places)
        if self.n_dividers is not None:
            require_int("n_dividers", self.n_dividers, 1, MAX_MACS)
        require_choice("product", self.product, PRODUCTS)
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
        require_int("value_banks", self.value_banks, 1, MAX_INTERNAL_WORDS)
        if not _is_power_of_two(self.value_banks):
            raise ValueError(f"value_banks must be a power of two, not {self.value_banks}")
        if self.value_banks > 1 and self.memories[1] != "internal":
            raise ValueError(f"value_banks belongs to internal memories; leave it out for {self.memories[1]!r}")
        require_choice("table", self.table, TABLES)
        require_bool("mask", self.mask)
        require_bool("range", self.range)
        require_bool("expose_index", self.expose_index)
        require_int("n_queries_a_row", self.n_queries_a_row, 1, MAX_QUERIES_A_ROW)
        require_choice("bus", self.bus, BUSES)
        if self.bus == "axi" and self.n_queries_a_row > 1:
            raise ValueError(
                f"bus 'axi' takes one query a transfer, and n_queries_a_row is {self.n_queries_a_row}; "
                "give it bus = 'stream', or leave n_queries_a_row out"
            )
        if self.bus_bits is not None:
            require_int("bus_bits", self.bus_bits, *BUS_BITS)
            if not _is_power_of_two(self.bus_bits):
                raise ValueError(f"bus_bits must be a power of two, not {self.bus_bits}")
            if self.bus != "axi" or "request" not in self.memories:
                raise ValueError("bus_bits belongs to bus = 'axi' with memory = 'request'; leave it out")
        require_choice("output", self.output, OUTPUTS)
        require_int("n_engines", self.n_engines, 1, MAX_ENGINES)
        require_bool("chain", self.chain)
        self._require_chain()

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
        if self.bus != "stream" and (self.n_engines > 1 or self.output == "partial"):
            raise ValueError(f"{what} has no registers behind AXI yet; leave bus = {self.bus!r} out")
        if self.n_engines > 1 and not self.chain and self.memories != ("internal", "internal"):
            raise ValueError(
                f"{what} engines in one module have their memories inside; give it memory = 'internal', or make one "
                f"engine, chain = true, and join as many, with memories of {self._memories}"
            )

    @property
    def memories(self) -> tuple[str, str]:
        """What the key memory and the value memory are, each one of `MEMORIES`."""
        return self.key_memory or self.memory, self.value_memory or self.memory

    @property
    def _memories(self) -> str:
        return " and ".join(map(repr, dict.fromkeys(self.memories)))

    def dimensions(self, spec: AttentionSpec) -> Dimensions:
        """Check this configuration against `spec` and return every size that follows from the two."""
        return Dimensions(spec, self)

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


class Dimensions:
    """Every size of an engine that follows from a spec and a configuration, derived once.

    Where keys are divided among several engines, `spec` is that of all together, and all sizes are of each engine.

    Attributes
    ----------
    part
        Sizes of one of several engines as if it were alone: its `spec` has the keys that it holds. Of a single engine,
        itself.
    n_stored
        Queries whose scores an engine holds at a time: one that is counted, one that is scanned, and, of several
        engines, those that wait until all agree.
    fold
        Cycles that one kept key takes in the weighted sum: `d_value / n_macs`.
    n_rows, row_bits
        Rows of the key memory: `ceil(n_keys / n_lanes)`; bits of a row's number (1 at least).
    sink_rows
        Most rows that hold the sinks of a query.
    is_partial
        Whether an engine's sums are put together before they are divided, if they are: to be added to others.
    queries_in_flight
        Queries that can be between the fetch and the softmax table.
    value_bank_depths
        Words of each bank of the value memory: a power of two, the last one's the rest.
    level_bits
        Bits of a level: `matches + 1` of a key that takes part, 0 of one that does not.
    scan_rows, n_dividers, spare_places
        The configuration's, or the derived ones.
    count_stages
        Pipeline registers inside the tree that counts a row's keys in the histogram selector.
    kept_carries
        Columns of the sums into which a carry waits (`rtl.digits`).
    negated_bits, offset_bits
        Widths of what the sums are corrected by (`payload.sum_parts`).
    addition_places
        The lowest bit that each stage of the normaliser adds, before it divides.
    key_read_latency, value_read_latency
        Cycles from an address to its word, where the memory is not a `request` one.
    outstanding
        The configuration's, or 64.
    bus_words
        How words of keys and of values lie in memory, of those that an AXI master reads.
    key_latency
        Cycles that the reads of a query's last key and last value add to its latency, with the sums. A `request` memory
        answers in the cycle after the request.
    division_latency
        Cycles from a slice's transfer to the normaliser until its first elements are offered.
    n_queries_a_row, has_row_range
        Queries of a group; whether it is said beforehand which rows hold their keys (`RowRange`).
    period
        Cycles a group at `n_valid = n_keys` that scoring and summing alone allow, back to back:
        `max(n_rows, n_queries_a_row * top_k * fold)`.
    """

    def __init__(self, spec: AttentionSpec, config: EngineConfig, *, is_part: bool = False) -> None:
        self.spec = spec
        self.config = config
        self.part = self
        if config.n_engines > 1 and not is_part:
            self.part = Dimensions(_part_of(spec, config), config, is_part=True)
            vars(self).update({name: size for name, size in vars(self.part).items() if name not in ("spec", "part")})
            return
        if config.n_lanes > spec.n_keys:
            raise ValueError(
                f"n_lanes must be at most n_keys = {spec.n_keys}, or lanes would have no key; not {config.n_lanes}"
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
        self.n_queries_a_row = config.n_queries_a_row
        self.has_row_range = config.range or config.n_queries_a_row > 1
        self.n_lanes = config.n_lanes
        self.lane_bits = config.n_lanes.bit_length() - 1
        self.n_macs = spec.d_value if config.n_macs is None else config.n_macs
        if spec.d_value % self.n_macs:
            divisors = [n for n in range(1, spec.d_value + 1) if spec.d_value % n == 0]
            raise ValueError(
                f"n_macs must divide d_value = {spec.d_value} "
                f"(one of {', '.join(map(str, divisors))}), not {self.n_macs}"
            )
        if self.n_macs > MAX_MACS:
            raise ValueError(f"n_macs must be at most {MAX_MACS}, and is d_value = {self.n_macs} where none is given")
        if config.product == "shift":
            for n, table in enumerate(spec.tables):
                _require_powers_of_two(table, f"weights[{n}]" if spec.n_tables > 1 else "weights")
        self.fold = spec.d_value // self.n_macs
        self._require_supported()
        self.value_bank_depths = self._value_bank_depths()
        self.n_rows = -(-spec.n_keys // config.n_lanes)
        self.row_bits = max(1, (self.n_rows - 1).bit_length())
        is_long = self.n_rows > MOST_ROWS_WITHOUT_SPARE or self.has_row_range or spec.n_tables > 1
        self.spare_places = is_long if config.spare_places is None else config.spare_places
        self.sink_rows = -(-(spec.n_sinks - 1) // config.n_lanes) + 1 if spec.n_sinks else 0
        self.level_bits = (spec.d_head + 1).bit_length()
        self.kept_carries = kept_carries(config.product, spec.value_bits, spec.weight_bits, spec.acc_bits)
        negated = spec.top_k * largest_negated(config.product, spec.weight_bits)
        self.negated_bits = negated.bit_length()
        most_halves = spec.top_k * ((1 << spec.weight_bits) - 1) >> (spec.out_frac_bits + 1)
        self.offset_bits = max(1, (negated + most_halves).bit_length())
        n_parts = -(-spec.acc_bits // MOST_ADDED_BITS)
        self.addition_places = tuple(spec.acc_bits * part // n_parts for part in range(n_parts))
        self.division_latency = n_parts + spec.out_bits + 2
        keys, values = config.memories
        self.key_read_latency = config.read_latency if keys == "external" else 1
        self.value_read_latency = config.read_latency if values == "external" else 1
        self.outstanding = config.outstanding or OUTSTANDING
        self.bus_words = self._bus_words()
        self.key_latency = KEY_LATENCY + self.key_read_latency - 1 + self.value_read_latency - 1
        self.key_latency += sum(word.latency for word in self.bus_words.values())
        self.key_latency += (KEY_REQUEST if keys == "request" else 0) + (VALUE_REQUEST if values == "request" else 0)
        stages = config.range + (spec.n_tables > 1)  # behind Locate, and before the tables
        self.key_latency += stages
        self.is_partial = config.n_engines > 1 or config.output == "partial"
        self.period = max(self.n_rows, self.n_queries_a_row * spec.top_k * self.fold)
        self.scan_rows = self._scan_rows()
        self.count_stages = max(0, -(-tree_depth(self.n_lanes) // MOST_COUNTED_LEVELS) - 1)
        self.n_dividers = self._n_dividers()
        under_way = self.key_read_latency + (self.outstanding if keys == "request" else 0)
        self.n_stored = self._n_stored()
        self.queries_in_flight = under_way + config.score_stages + self.count_stages + PLACES_OF_QUERIES
        self.queries_in_flight += 2 * self.spare_places + stages
        self.queries_in_flight += self.n_stored - 2

    def _require_supported(self) -> None:
        spec, n_lanes = self.spec, self.config.n_lanes
        for name, bits, factors in (
            ("a row of keys", n_lanes * spec.d_head, f"n_lanes {n_lanes} * d_head {spec.d_head}"),
            (
                "a group of queries",
                self.n_queries_a_row * spec.d_head,
                f"n_queries_a_row {self.n_queries_a_row} * d_head {spec.d_head}",
            ),
            (
                "a key with its values",
                spec.index_bits + spec.d_head + spec.d_value * spec.value_bits,
                f"{spec.index_bits} + {spec.d_head} + {spec.d_value} * {spec.value_bits}",
            ),
        ):
            if bits > MAX_WORD_BITS:
                raise ValueError(f"{name} must have at most {MAX_WORD_BITS} bits, not {bits} ({factors})")
        if self.config.selector == "insertion" and spec.top_k > MAX_INSERTION:
            raise ValueError(
                f"top_k must be at most {MAX_INSERTION} for selector 'insertion', not {spec.top_k}; "
                "'histogram' does not grow with it"
            )
        words = spec.n_keys * self.fold
        if self.config.memories[1] == "internal" and words > MAX_INTERNAL_WORDS:
            raise ValueError(
                f"an internal memory must have at most {MAX_INTERNAL_WORDS} words, and that of values has "
                f"n_keys * fold = {words}; memory = 'external' leaves it outside"
            )

    def _bus_words(self) -> dict[str, BusWord]:
        spec, config, found = self.spec, self.config, {}
        for kind, memory, n_elements, element_bits in (
            ("key", config.memories[0], self.n_lanes, spec.d_head),
            ("value", config.memories[1], self.n_macs, spec.value_bits),
        ):
            if config.bus == "axi" and memory == "request":
                found[kind] = BusWord.of(
                    kind,
                    n_elements=n_elements,
                    element_bits=element_bits,
                    is_array=kind == "key",
                    bus_bits=config.bus_bits,
                )
        return found

    def beats_a_word(self, kind: str) -> int:
        """Cycles that a `key` or `value` word takes on its way from memory."""
        return self.bus_words[kind].beats if kind in self.bus_words else 1

    def _value_bank_depths(self) -> tuple[int, ...]:
        depth, n_banks = self.spec.n_keys * self.fold, self.config.value_banks
        found = bank_depths(depth, n_banks)
        if len(found) != n_banks:
            allowed = bank_numbers(depth)
            raise ValueError(
                f"value_banks must leave no bank empty, of n_keys * fold = {depth} words "
                f"(one of {', '.join(map(str, allowed))}), not {n_banks}"
            )
        return found

    @property
    def value_memories(self) -> dict[str, int]:
        """Names of the value memory's arrays, as their modules are nested, and their words."""
        depths = self.value_bank_depths
        return (
            {f"value_memory.bank_{n}": d for n, d in enumerate(depths)}
            if len(depths) > 1
            else {"value_memory": depths[0]}
        )

    def scan_groups(self, n_valid: int, scan_rows: int | None = None) -> int:
        """Groups of `scan_rows` rows that hold `n_valid` keys (1 at least)."""
        return max(1, -(-n_valid // (self.n_lanes * (scan_rows or self.scan_rows))))

    def _kept(self, n_valid: int) -> int:
        """Beats that a selector gives for a query of `n_valid` keys: the keys that it keeps, or one that says none."""
        return max(1, min(self.spec.top_k, n_valid))

    def _selection(self, n_valid: int, scan_rows: int | None = None, *, kept: int | None = None) -> int:
        """Cycles a query that the histogram selector's second look takes, at most; those of a group follow each other.

        The next query's keys may leave it from the last pass over this one's on (`rtl.replay`), and until the end of
        their own first pass; not in the passes between.
        """
        kept = self._kept(n_valid) if kept is None else kept
        return self.scan_groups(n_valid, scan_rows) + max(1, self.fold - 1) * kept

    def _scan_rows(self) -> int:
        """Fewest rows for which a scan of all keys fits the period, or as many as `MAX_SCAN_SCORES` allows."""
        most = 1 << (self.n_rows - 1).bit_length()
        if self.config.scan_rows is not None:
            if self.config.scan_rows > most:
                raise ValueError(
                    f"scan_rows must be at most {most} for {self.n_rows} rows of keys, not {self.config.scan_rows}"
                )
            return self.config.scan_rows
        rows = 1
        while (
            self.n_queries_a_row * self._selection(self.spec.n_keys, rows) > self.period
            and rows < most
            and 2 * rows * self.n_lanes <= MAX_SCAN_SCORES
        ):
            rows *= 2
        return rows

    def _n_stored(self) -> int:
        """Fewest queries, a power of two, whose scores must be held for a query each period."""
        if self.config.n_engines == 1:
            return 2
        period = max(self.period, self.spec.d_head + 1)
        waits = self.agreement + self.config.n_engines + self._selection(self.spec.n_keys)
        return 1 << (-(-waits // period)).bit_length()

    @property
    def agreement(self) -> int:
        """Cycles from an engine's counts of a query until the last of all knows the cut; none of a single engine."""
        n = self.config.n_engines
        return self.spec.d_head + 1 + 2 * n + AGREEMENT_LATENCY if n > 1 else 0

    def _n_dividers(self) -> int:
        """Fewest dividers for which all elements are divided within the period."""
        divisors = [n for n in range(1, self.n_macs + 1) if self.n_macs % n == 0]
        if self.config.n_dividers is None:
            n_elements = self.n_queries_a_row * self.spec.d_value
            return next((n for n in divisors if n_elements // n <= self.period), self.n_macs)
        if self.config.n_dividers not in divisors:
            raise ValueError(
                f"n_dividers must divide n_macs = {self.n_macs} "
                f"(one of {', '.join(map(str, divisors))}), not {self.config.n_dividers}"
            )
        return self.config.n_dividers

    def rows_read(self, n_valid: int, first: int = 0, base: int = 0) -> int:
        """Rows of the key memory that a query reads: those with a key of its range or a sink, 1 at least."""
        if self.part is not self:
            starts = range(0, self.spec.n_keys, self.part.spec.n_keys)
            return max(self.part.rows_read(max(0, n_valid - n), max(0, first - n)) for n in starts)
        n_valid, first = min(n_valid, self.spec.n_keys), min(first, self.spec.n_keys)
        rows = range(first // self.n_lanes, (n_valid - 1) // self.n_lanes + 1) if first < n_valid else range(0)
        n_rows = len(rows)
        if self.spec.n_sinks and base < min(first, n_valid):
            last = (min(base + self.spec.n_sinks, n_valid) - 1) // self.n_lanes
            n_rows += sum(row not in rows for row in range(base // self.n_lanes, last + 1))
        return max(1, n_rows)

    def rows_read_for(self, group: Sequence[Sequence[int]]) -> int:
        """Rows that a group of queries (`n_valid`, `first`, `base`) reads: from the first to the last of any."""
        if len(group) == 1:
            return self.rows_read(*group[0])
        keys = [(first, min(n_valid, self.spec.n_keys)) for n_valid, first, _ in group if first < n_valid]
        if not keys:
            return 1
        first, n_valid = min(first for first, _ in keys), max(n_valid for _, n_valid in keys)
        return (n_valid - 1) // self.n_lanes - first // self.n_lanes + 1

    def keys_seen(self, n_valid: int, first: int = 0, base: int = 0) -> int:
        """Keys of a query's range and its sinks."""
        n_valid, first = min(n_valid, self.spec.n_keys), min(first, self.spec.n_keys)
        sinks = max(0, min(base + self.spec.n_sinks, first, n_valid) - base)
        return max(0, n_valid - first) + sinks

    def cycle_terms(self, n_valid: int | Sequence[int] | None = None, n_rows: int | None = None) -> dict[str, int]:
        """Cycles a group, back to back, that each part alone needs for queries of `n_valid` keys in `n_rows` rows.

        A group is `n_queries_a_row` queries: a query, unless rows are shared. The engine's cycles are the largest term;
        `n_valid`, of all queries or of each, defaults to `n_keys`, `n_rows` to those that hold them. For an insertion
        selector of several lanes `select` is what keys in rising order of score need, the worst case.
        """
        n_queries = self.n_queries_a_row
        if n_valid is None or isinstance(n_valid, int):
            n_valid = [self.spec.n_keys if n_valid is None else n_valid] * n_queries
        if self.part is not self:  # of the engine with the most keys, which may have all that are kept
            most = [min(n, self.part.spec.n_keys) for n in n_valid]
            terms = self.part.cycle_terms(most, n_rows) | {"agree": self.spec.d_head + 1}
            if self.config.expose_index:  # the last engine puts out all that are kept
                terms["index"] = sum(self._kept(n) for n in n_valid)
            return terms
        kept = [self._kept(n) for n in n_valid]
        rows = max(1, -(-max(n_valid) // self.n_lanes)) if n_rows is None else n_rows
        if self.config.selector == "histogram":
            n_scanned = max(n_valid) if n_rows is None else n_rows * self.n_lanes
            select = sum(self._selection(n_scanned, kept=one) for one in kept)
        else:
            # Keys go in only while the last query's leave, which those of a group do in turn.
            taken = rows if self.n_lanes == 1 else n_valid[0] if n_queries == 1 else rows * self.n_lanes
            select = max(taken, self.spec.top_k) + (n_queries - 1) * self.spec.top_k
        return {
            "score": rows * self.beats_a_word("key"),
            "select": select,
            "sum": sum(kept) * self.fold * self.beats_a_word("value"),
            "divide": n_queries * self.spec.d_value // self.n_dividers,
        }

    def latency(self, n_valid: int | None = None, n_rows: int | None = None) -> int:
        """Most cycles from the offer of a lone group, of queries of `n_valid` keys, to its last output's transfer.

        Rows are taken, kept keys are put out, each pass but the last takes a slice's time, and the last one's
        elements are divided, with the registers on the way. Outputs are taken at once. Rows that are written meanwhile
        may hold each row of keys up for a cycle (`rtl.turns`); a `request` memory takes every request, and answers in
        the next cycle. In its first `top_k` cycles after a reset an insertion
        selector still shifts out what it held, and takes as many longer. A group's queries follow the first as they do
        back to back.
        """
        n_valid = self.spec.n_keys if n_valid is None else n_valid
        if self.part is not self:
            most = min(n_valid, self.part.spec.n_keys)
            return self.part.latency(most, n_rows) + self.agreement + self.config.n_engines * HOP_LATENCY
        terms = {
            name: term if name == "score" else term // self.n_queries_a_row
            for name, term in self.cycle_terms(n_valid, n_rows).items()
        }
        if self.config.selector == "histogram":
            take = terms["score"]
            groups = self.scan_groups(n_valid if n_rows is None else n_rows * self.n_lanes)
            give = 4 + self.count_stages + groups + self._kept(n_valid)
        else:
            take, give = terms["score"] * self.n_lanes, self.spec.top_k
        passes = (self.fold - 1) * max(terms["sum"], terms["divide"]) // self.fold
        division = self.n_macs // self.n_dividers + self.division_latency
        buffers = BUFFER_LATENCY if self.config.bus == "axi" else 0
        before = self.has_row_range + self.config.score_stages
        others = (self.n_queries_a_row - 1) * max(terms[name] for name in ("select", "sum", "divide"))
        return take + before + give + passes + self.key_latency + division + buffers + others

    def bound(self, n_valid: int | Sequence[int] | None = None, n_rows: int | None = None) -> int:
        """Least cycles a group that lanes and multipliers allow: `max(rows, kept * fold)`, with all kept keys."""
        terms = self.cycle_terms(n_valid, n_rows)
        return max(terms["score"], terms["sum"])


#: Levels of full adders between two registers of the selector's counts: those of 16 lanes, which fit 1 GHz in 45 nm.
MOST_COUNTED_LEVELS = 7

#: Registers of the data path that can each belong to another query, where each has a row and keeps a key: between the
#: range and the softmax table, without those of `read_latency`, `score_stages` and `count_stages`.
PLACES_OF_QUERIES = 10

#: Rows of keys up to which a stall of the selector reaches the fetch's counters in the same cycle, at 1 GHz in 45 nm.
MOST_ROWS_WITHOUT_SPARE = 64

#: Bits that a stage of the normaliser adds at most: as many as fit 1 GHz in 45 nm.
MOST_ADDED_BITS = 11

#: Cycles that the buffers behind AXI add to a query, before it and behind its outputs.
BUFFER_LATENCY = 2

#: Cycles from a selector's last key to the sums that it completes: the way to the table, and three in the weighted sum.
#: A memory that takes longer than a cycle does so for keys and for values.
KEY_LATENCY = 4

#: What the reads of a `request` memory that answers in the next cycle add, of keys and of values.
KEY_REQUEST, VALUE_REQUEST = 3, 2

#: What engines that agree take beside a cycle a level and two an engine, and a result's cycles an engine.
AGREEMENT_LATENCY, HOP_LATENCY = 8, 2

#: Words under way, if the configuration does not say.
OUTSTANDING = 64


def _part_of(spec: AttentionSpec, config: EngineConfig) -> AttentionSpec:
    """Return what one of several engines computes of `spec`: it holds its share of the keys."""
    n = config.n_engines
    if spec.n_sinks:
        raise ValueError(
            f"n_engines = {n} have no sinks yet, which may lie in two of them; leave n_sinks = {spec.n_sinks} out"
        )
    if spec.n_keys % n:
        divisors = [d for d in range(1, min(spec.n_keys, MAX_ENGINES) + 1) if spec.n_keys % d == 0]
        raise ValueError(
            f"n_engines must divide n_keys = {spec.n_keys}, so that each holds as many "
            f"(one of {', '.join(map(str, divisors))}), not {n}"
        )
    n_keys = spec.n_keys // n
    return dataclasses.replace(spec, n_keys=n_keys, top_k=min(spec.top_k, n_keys))


def bank_depths(depth: int, n_banks: int) -> tuple[int, ...]:
    """Return the words of each bank of a memory of `depth` words, of which the highest address bits name the bank.

    All banks that have a word: fewer than `n_banks`, a power of two, where the words do not reach into the last one.
    """
    size = max(1, (1 << (depth - 1).bit_length()) // n_banks)
    return tuple(min(size, depth - first) for first in range(0, depth, size))


def bank_numbers(depth: int) -> list[int]:
    """Return the numbers of banks, powers of two, that leave none of them empty."""
    powers = [1 << bit for bit in range(depth.bit_length() + 1)]
    return [n for n in powers if len(bank_depths(depth, n)) == n]


def _require_powers_of_two(table: tuple[int, ...], name: str) -> None:
    for t, weight in enumerate(table):
        if weight and not _is_power_of_two(weight):
            raise ValueError(
                f"product 'shift' needs a table of powers of two and zeros (weight_form = \"power_of_two\" makes one), "
                f"but {name}[{t}] is {weight}"
            )


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0
