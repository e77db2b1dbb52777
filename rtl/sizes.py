"""Every size of an engine."""

from __future__ import annotations

import dataclasses

from hamming.golden.spec import AttentionSpec
from hamming.rtl.banks import bank_depths, bank_numbers
from hamming.rtl.bus_word import BusWord
from hamming.rtl.config import MAX_ENGINES, EngineConfig
from hamming.rtl.digits import kept_carries, largest_negated, pair_stages
from hamming.rtl.supported import own_keys, require_supported
from hamming.rtl.tree import tree_depth

__all__ = ["Sizes"]

#: Widest group of scores that the histogram selector scans in one cycle unless told otherwise: 128 fit 1 GHz in 45 nm,
#: where 512 take 1.5 ns and double the selector.
MAX_SCAN_SCORES = 128

#: Scores of a group, at most, of which the end is known as soon as it is there, and what is read next follows in the
#: same cycle, at 1 GHz in 45 nm.
MOST_AT_ONCE = 64

#: Levels of full adders between two registers of the selector's counts: those of 16 lanes, which fit 1 GHz in 45 nm.
MOST_COUNTED_LEVELS = 7

#: Registers of the data path that can each belong to another query, where each has a row and keeps a key: between the
#: range and the softmax table, without those of `read_latency`, `score_stages` and `count_stages`.
PLACES_OF_QUERIES = 10

#: Rows of keys up to which a stall of the selector reaches the fetch's counters in the same cycle, at 1 GHz in 45 nm.
MOST_ROWS_WITHOUT_SPARE = 64

#: Bits that a stage of the normaliser adds at most: as many as fit 1 GHz in 45 nm.
MOST_ADDED_BITS = 11

#: Words of a slice that one cycle selects from, of an FPGA: a level of LUTs or two.
MOST_SELECTED = 4

#: Cycles from a selector's last key to the sums that it completes: the way to the table, and three in the weighted sum.
#: A memory that takes longer than a cycle does so for keys and for values.
KEY_LATENCY = 4

#: What the reads of a `request` memory that answers in the next cycle add, of keys and of values.
KEY_REQUEST, VALUE_REQUEST = 3, 2

#: What engines that agree take beside a cycle a level and two an engine.
AGREEMENT_LATENCY = 8

#: Cycles through the queue of rows that wait, and of choosing among a row's keys.
WAITING_LATENCY = 3

#: Words under way, if the configuration does not say.
OUTSTANDING = 64


class Sizes:
    """Every size of an engine that follows from a spec and a configuration, derived once: `Dimensions` without cycles.

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
    reads_ahead
        Whether what a histogram selector scans next is in registers.
    count_stages
        Pipeline registers inside the tree that counts a row's keys in the histogram selector.
    has_chains, sum_stages
        Whether sums are chains of carries (`fabric`); registers between a value and the sum that it is added to.
    has_query_stage
        Whether a query waits in a register before it is fetched for.
    has_table_stage
        Whether a kept key waits in a register before the softmax table.
    registers_levels, tree_stages
        Whether the last of `score_stages` is behind the popcount tree, and not in it: where an insertion selector
        chooses among lanes before it compares; those in it.
    cut_stages
        Registers between the counts of a histogram selector and the cut that the scan has.
    bounds_levels
        Whether rows that wait are held against a bound of their own, too (`LevelBound`).
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
    moves_at_once
        Whether what is between the fetch and the selector moves on whenever the last of it could, be there one or not.
    select_stages
        Cycles more that it takes to select an element of a slice.
    division_latency
        Cycles from a slice's transfer to the normaliser until its first elements are offered.
    is_share
        Whether these are the sizes of one of several engines, of its own keys.
    n_queries_a_row, has_row_range
        Queries of a group; whether it is said beforehand which rows hold their keys (`RowRange`).
    waiting_keys
        Places of the queue in which the kept keys of each query of a group but the first wait for their turn
        (`SharedRows`); 0 without queues.
    waiting_rows, waiting_latency
        Places of the queue in which rows wait for an insertion selector (`WaitingRows`), and the cycles that it takes
        from a row to a key that is chosen of it; 0 without.
    period
        Cycles a group at `n_valid = n_keys` that scoring and summing alone allow, back to back:
        `max(n_rows, n_queries_a_row * top_k * fold)`.
    """

    def __init__(self, spec: AttentionSpec, config: EngineConfig, *, is_part: bool = False) -> None:
        self.spec = spec
        self.config = config
        self.part = self
        self.is_share = is_part
        if config.n_engines > 1 and not is_part:
            self.part = type(self)(_part_of(spec, config), config, is_part=True)
            own = ("spec", "part", "is_share")
            vars(self).update({name: size for name, size in vars(self.part).items() if name not in own})
            return
        require_supported(spec, config)
        self.n_queries_a_row = config.n_queries_a_row
        self.has_row_range = config.range or config.n_queries_a_row > 1
        self.n_lanes = config.n_lanes
        self.lane_bits = config.n_lanes.bit_length() - 1
        self.n_macs = spec.d_value if config.n_macs is None else config.n_macs
        self.fold = spec.d_value // self.n_macs
        self.value_bank_depths = self._value_bank_depths()
        self.n_rows = -(-spec.n_keys // config.n_lanes)
        self.row_bits = max(1, (self.n_rows - 1).bit_length())
        is_long = self.n_rows > MOST_ROWS_WITHOUT_SPARE or self.has_row_range or spec.n_tables > 1
        self.spare_places = is_long if config.spare_places is None else config.spare_places
        self.sink_rows = -(-(spec.n_sinks - 1) // config.n_lanes) + 1 if spec.n_sinks else 0
        self.level_bits = (spec.d_head + 1).bit_length()
        self.has_chains = config.fabric == "luts"
        self.sum_stages = pair_stages(config.product, spec.weight_bits) if self.has_chains else 0
        self.registers_levels = config.selector == "insertion" and config.n_lanes > 1 and config.score_stages > 0
        self.tree_stages = config.score_stages - self.registers_levels
        self.kept_carries = (
            ()
            if self.has_chains
            else kept_carries(config.product, spec.value_bits, spec.weight_bits, spec.acc_bits, config.adder_depth)
        )
        negated = spec.top_k * largest_negated(config.product, spec.weight_bits)
        self.negated_bits = negated.bit_length()
        most_halves = spec.top_k * ((1 << spec.weight_bits) - 1) >> (spec.out_frac_bits + 1)
        self.offset_bits = max(1, (negated + most_halves).bit_length())
        n_parts = -(-spec.acc_bits // MOST_ADDED_BITS)
        self.addition_places = tuple(spec.acc_bits * part // n_parts for part in range(n_parts))
        keys, values = config.memories
        self.key_read_latency = config.read_latency if keys == "external" else 1
        self.value_read_latency = config.read_latency if values == "external" else 1
        self.outstanding = config.outstanding or OUTSTANDING
        self.bus_words = self._bus_words()
        self.key_latency = KEY_LATENCY + self.key_read_latency - 1 + self.value_read_latency - 1
        self.key_latency += sum(word.latency for word in self.bus_words.values()) + self.sum_stages
        self.key_latency += (KEY_REQUEST if keys == "request" else 0) + (VALUE_REQUEST if values == "request" else 0)
        self.has_query_stage = self.has_chains and not self.has_row_range
        self.has_table_stage = spec.n_tables > 1 or self.has_chains
        # Behind Locate, before the tables, and before the replay.
        stages = config.range + self.has_table_stage + self.has_chains
        self.key_latency += stages
        self.is_partial = config.n_engines > 1 or config.output == "partial"
        self.cut_stages = int(self.has_chains and config.selector == "histogram" and not self.is_partial)
        self.period = max(self.n_rows, self.n_queries_a_row * self._sums(spec.top_k))
        self.scan_rows = self._scan_rows()
        self.reads_ahead = self.has_chains or self.scan_rows * self.n_lanes > MOST_AT_ONCE
        self.count_stages = max(0, -(-tree_depth(self.n_lanes) // MOST_COUNTED_LEVELS) - 1)
        self.n_dividers = self._n_dividers()
        n_beats = self.n_macs // self.n_dividers
        self.moves_at_once = self.has_chains and (self.spare_places or config.selector == "histogram")
        self.select_stages = int(self.has_chains and not self.is_partial and n_beats > MOST_SELECTED)
        self.division_latency = n_parts + spec.out_bits + 2 + self.select_stages
        under_way = self.key_read_latency + (self.outstanding if keys == "request" else 0)
        self.n_stored = self._n_stored()
        self.queries_in_flight = under_way + config.score_stages + self.count_stages + PLACES_OF_QUERIES
        self.queries_in_flight += 2 * self.spare_places + stages + self.has_query_stage + self.has_chains
        self.queries_in_flight += self.n_stored - 2
        has_queues = config.selector == "insertion" and self.n_queries_a_row > 1
        self.waiting_keys = max(2, spec.top_k) if has_queues else 0
        self.queries_in_flight += has_queues
        self.waiting_rows = config.waiting_rows
        self.bounds_levels = config.waiting_rows > 0 and config.n_lanes >= spec.top_k
        self.waiting_latency = WAITING_LATENCY if config.waiting_rows else 0
        self.queries_in_flight += bool(self.waiting_rows) * (self.waiting_rows + 1)  # and a chosen key

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
                f"value_banks must leave no bank empty, of {own_keys(self.config)} * fold = {depth} words "
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

    def _summed(self, kept: int) -> int:
        """Cycles in which a slice's sums take `kept` keys: where sums are chains a slice takes two at least."""
        return max(kept, 2) if self.has_chains else kept

    def _sums(self, kept: int) -> int:
        """Cycles a query of all slices' sums.

        Where sums are chains, it is a register that says whether the next query's keys have room (`rtl.replay`): of two
        keys in the last slice they come a cycle late.
        """
        waits = self.has_chains and self.fold > 1 and kept == 2
        return self._summed(kept) * self.fold + waits

    def _selection(self, n_valid: int, scan_rows: int | None = None, *, kept: int | None = None) -> int:
        """Cycles a query that the histogram selector's second look takes, at most; those of a group follow each other.

        The next query's keys may leave it from the last pass over this one's on (`rtl.replay`), and until the end of
        their own first pass; not in the passes between. Of one pass, a query of one group takes a cycle more
        where there can be more groups.
        """
        kept = self._kept(n_valid) if kept is None else kept
        given = kept if self.fold == 1 else (self.fold - 1) * self._summed(kept)
        groups = self.scan_groups(n_valid, scan_rows)
        is_short = self.fold == 1 and groups == 1 < self.scan_groups(self.spec.n_keys, scan_rows)
        return groups + is_short + given + self.cut_stages

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


def _part_of(spec: AttentionSpec, config: EngineConfig) -> AttentionSpec:
    """Return what one of several engines computes of `spec`: it holds its share of the keys."""
    n = config.n_engines
    if spec.n_keys % n:
        divisors = [d for d in range(1, min(spec.n_keys, MAX_ENGINES) + 1) if spec.n_keys % d == 0]
        raise ValueError(
            f"n_engines must divide n_keys = {spec.n_keys}, so that each holds as many "
            f"(one of {', '.join(map(str, divisors))}), not {n}"
        )
    n_keys = spec.n_keys // n
    return dataclasses.replace(spec, n_keys=n_keys, top_k=min(spec.top_k, n_keys), n_sinks=min(spec.n_sinks, n_keys))
