"""What a query costs an engine: rows, cycles, and all its sizes."""

from __future__ import annotations

from collections.abc import Sequence

from hamming.rtl.sizes import Sizes

__all__ = ["BUFFER_LATENCY", "HOP_LATENCY", "Dimensions"]

#: Cycles that the buffers behind AXI add to a query, before it and behind its outputs.
BUFFER_LATENCY = 2

#: A result's cycles an engine of a chain.
HOP_LATENCY = 2


class Dimensions(Sizes):
    """Every size of an engine that follows from a spec and a configuration, and the rows and cycles of its queries.

    Attributes are those of `Sizes`.
    """

    def rows_read(self, n_valid: int, first: int = 0, base: int = 0, sink_end: int | None = None) -> int:
        """Rows of the key memory that a query reads: those with a key of its range or a sink, 1 at least.

        Sinks are the keys from `base` to below `sink_end`, `base + n_sinks` unless told. Of several engines, the rows
        of the one that reads the most.
        """
        sink_end = base + self.spec.n_sinks if sink_end is None else sink_end
        if self.part is not self:
            starts = range(0, self.spec.n_keys, self.part.spec.n_keys)
            bounds = (n_valid, first, base, sink_end)
            return max(self.part.rows_read(*(max(0, bound - start) for bound in bounds)) for start in starts)
        n_valid, first = min(n_valid, self.spec.n_keys), min(first, self.spec.n_keys)
        rows = range(first // self.n_lanes, (n_valid - 1) // self.n_lanes + 1) if first < n_valid else range(0)
        n_rows = len(rows)
        if base < min(first, n_valid, sink_end):
            last = (min(sink_end, n_valid) - 1) // self.n_lanes
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
            # Keys go in only while the last query's leave.
            taken = rows if self.n_lanes == 1 else n_valid[0] if n_queries == 1 else rows * self.n_lanes
            select = max(taken, self.spec.top_k)
        return {
            "score": rows * self.beats_a_word("key"),
            "select": select,
            "sum": sum(map(self._sums, kept)) * self.beats_a_word("value"),
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
            return self.part.latency(most, n_rows) + 1 + self.agreement + self.config.n_engines * HOP_LATENCY
        terms = {
            name: term if name == "score" else term // self.n_queries_a_row
            for name, term in self.cycle_terms(n_valid, n_rows).items()
        }
        if self.config.selector == "histogram":
            take = terms["score"]
            groups = self.scan_groups(n_valid if n_rows is None else n_rows * self.n_lanes)
            give = 4 + self.count_stages + self.cut_stages + groups + self._kept(n_valid)
        else:
            take, give = terms["score"] * self.n_lanes, self.spec.top_k + self.waiting_latency
        passes = (self.fold - 1) * max(terms["sum"], terms["divide"]) // self.fold
        division = self.n_macs // self.n_dividers + self.division_latency
        buffers = BUFFER_LATENCY if self.config.bus == "axi" else 0
        before = self.has_row_range + self.has_query_stage + self.config.score_stages
        behind = terms["select"] if self.config.selector == "histogram" else max(2, self.spec.top_k)
        others = (self.n_queries_a_row - 1) * max(behind, terms["sum"], terms["divide"])
        return take + before + give + passes + self.key_latency + division + buffers + others

    def bound(self, n_valid: int | Sequence[int] | None = None, n_rows: int | None = None) -> int:
        """Least cycles a group that lanes and multipliers allow: `max(rows, kept * fold)`, with all kept keys."""
        terms = self.cycle_terms(n_valid, n_rows)
        return max(terms["score"], terms["sum"])
