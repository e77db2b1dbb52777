"""The baseline that weighs its best keys alone: scores of integers, and all that follows as in the binary engine."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload as engine_payload
from hamming.rtl.histogram import HistogramSelector
from hamming.rtl.memory import BankedMemory, DualPortMemory, value_write_port
from hamming.rtl.normalizer import Normalizer
from hamming.rtl.replay import Replay
from hamming.rtl.softmax import SoftmaxTable
from hamming.rtl.spare import Spare
from hamming.rtl.standard import payload
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.distances import Distances
from hamming.rtl.standard.scorer import Scorer, score_port
from hamming.rtl.standard.sparse_loader import SparseLoader
from hamming.rtl.weighted_sum import WeightedSum

__all__ = ["SparseEngine"]


class SparseEngine(wiring.Component):
    """Softmax attention over the `top_k` keys of best integer scores; wires the components, computes nothing itself.

    Rows of keys are scored, and their levels stored, as where all keys take part. Then they are read once more, and go
    on by their distance from the maximum: to the selector, the replay, the table, the sums and the division of
    `rtl.engine`.

    * **Throughput**: back to back, a query costs the largest of `StandardDesign.cycle_terms`, on average.
    * A stall anywhere holds what is before it; nothing is lost and no bit changes.

    Parameters
    ----------
    design
        What is computed, and how; its spec has a `top_k`.

    Members
    -------
    i_row, i_query, o_out
        As of `StandardEngine`; a row takes a cycle for each slice of its value vector.

    Equals `golden.standard.attend_standard`.
    """

    i_row: stream.Interface
    i_query: stream.Interface
    o_out: stream.Interface

    def __init__(self, design: StandardDesign):
        self.design = design
        super().__init__(
            {
                "i_row": In(stream.Signature(payload.key_row(design))),
                "i_query": In(stream.Signature(payload.query(design))),
                "o_out": Out(stream.Signature(payload.out_slice(design))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        design, name, dims = self.design, self.design.name, self.design.kept
        m.submodules.loader = loader = SparseLoader(design)
        m.submodules.key_memory = keys = DualPortMemory(payload.write_port(design, design.spec.d_head))
        m.submodules.scorer = scorer = Scorer(design, lane=f"{name}_score_lane", register=f"{name}_query_register")
        m.submodules.score_memory = scores = DualPortMemory(score_port(design))
        m.submodules.distances = distances = Distances(design)
        m.submodules.selector = selector = HistogramSelector(dims)
        m.submodules.replay = replay = Replay(dims)
        m.submodules.softmax = softmax = SoftmaxTable(dims)
        place, depths = value_write_port(dims), dims.value_bank_depths
        m.submodules.value_memory = values = BankedMemory(place, depths) if len(depths) > 1 else DualPortMemory(place)
        m.submodules.weighted_sum = weighted_sum = WeightedSum(dims)
        m.submodules.normalizer = normalizer = Normalizer(dims)

        rows, kept = distances.o, selector.o
        if dims.spare_places:
            m.submodules.spare_row = spare_row = Spare(engine_payload.levels(dims))
            m.submodules.spare_key = spare_key = Spare(engine_payload.kept_key(dims))
            wiring.connect(m, rows, spare_row.i)
            wiring.connect(m, kept, spare_key.i)
            rows, kept = spare_row.o, spare_key.o
        m.d.comb += scorer.has_read.eq(distances.scores.en)
        for source, sink in (
            (wiring.flipped(self.i_row), loader.i),
            (wiring.flipped(self.i_query), scorer.i),
            (scorer.o, distances.i),
            (rows, selector.i),
            (kept, replay.i),
            (replay.o, softmax.i),
            (softmax.o, weighted_sum.i),
            (weighted_sum.o, normalizer.i),
            (normalizer.o, wiring.flipped(self.o_out)),
        ):
            if source.signature != sink.signature.flip():  # `connect` itself compares widths alone
                raise TypeError(f"cannot connect {source.signature!r} to {sink.signature!r}")
            wiring.connect(m, source, sink)
        for user, port in (
            (loader.keys, keys.write),
            (scorer.keys, keys.read),
            (scorer.scores, scores.write),
            (distances.scores, scores.read),
            (loader.values, values.write),
            (weighted_sum.values, values.read),
        ):
            wiring.connect(m, user, port)
        return m
