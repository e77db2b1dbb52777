"""The baseline's engine: wires the components, and computes nothing itself."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.standard import StandardSpec
from hamming.rtl.memory import DualPortMemory
from hamming.rtl.standard import payload
from hamming.rtl.standard.bf16_divider import Bf16Divider
from hamming.rtl.standard.bf16_weigher import Bf16Weigher
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.divider import StandardDivider
from hamming.rtl.standard.loader import StandardLoader
from hamming.rtl.standard.scorer import Scorer, score_port
from hamming.rtl.standard.weigher import Weigher, shared_sums

__all__ = ["StandardEngine"]


class StandardEngine(wiring.Component):
    """Softmax attention of int8, int4 or bfloat16: queries in, exactly rounded outputs out; keys, values in memories.

    Its lanes and columns are instances of modules that `rtl.standard.verilog.emit_standard` writes beside it.

    * **Throughput**: back to back, a query costs the largest of `StandardDesign.cycle_terms`.
    * A stall anywhere holds what is before it; nothing is lost and no bit changes.

    Parameters
    ----------
    design
        What is computed, and how.

    Members
    -------
    i_row : In(stream of payload.key_row)
        A key and its value vector. From its transfer on, every query that is offered sees it. No row may be
        written while a query is in flight: a memory may be read and written at one word.
    i_query : In(stream of payload.query)
        A query and the number of keys that it sees; transferred as its last keys are read.
    o_out : Out(stream of payload.out_slice)
        `fold` beats a query.
    key_read, key_write, value_read, value_write : Out(ReadPort, WritePort), if the memory is external

    Equals `golden.standard.attend_standard`, or `golden.standard.bf16.attend_bf16`.
    """

    i_row: stream.Interface
    i_query: stream.Interface
    o_out: stream.Interface

    def __init__(self, design: StandardDesign):
        self.design = design
        members = {
            "i_row": In(stream.Signature(payload.key_row(design))),
            "i_query": In(stream.Signature(payload.query(design))),
            "o_out": Out(stream.Signature(payload.out_slice(design))),
        }
        if design.memory == "external":
            for name, n_elements in (("key", design.spec.d_head), ("value", design.spec.d_value)):
                members[f"{name}_read"] = Out(payload.read_port(design, n_elements))
                members[f"{name}_write"] = Out(payload.write_port(design, n_elements))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        design, name = self.design, self.design.name
        m.submodules.loader = loader = StandardLoader(design)
        m.submodules.scorer = scorer = Scorer(design, lane=f"{name}_score_lane", register=f"{name}_query_register")
        m.submodules.score_memory = scores = DualPortMemory(score_port(design))
        lanes = {"lane": f"{name}_weight_lane", "column": f"{name}_value_column"}
        if isinstance(design.spec, StandardSpec):
            weigher, divider = Weigher(design, **lanes), StandardDivider(design, subtractor=f"{name}_subtractor")
        else:
            weigher = Bf16Weigher(design, **lanes, register=f"{name}_weight_register")
            divider = Bf16Divider(design, adder=f"{name}_adder")
        m.submodules.weigher = weigher
        m.submodules.divider = divider

        wiring.connect(m, wiring.flipped(self.i_row), loader.i)
        wiring.connect(m, wiring.flipped(self.i_query), scorer.i)
        wiring.connect(m, scorer.o, weigher.i)
        wiring.connect(m, divider.o, wiring.flipped(self.o_out))
        m.d.comb += [
            scorer.has_read.eq(weigher.scores.en),
            divider.i_valid.eq(weigher.o_valid),
            weigher.o_ready.eq(divider.i_ready),
            *(getattr(divider, sums).eq(getattr(weigher, sums)) for sums in shared_sums(design)),
            divider.is_empty.eq(weigher.is_empty),
            divider.held.eq(weigher.held),
        ]

        if design.memory == "external":
            ports = (self.key_read, self.key_write, self.value_read, self.value_write)
            memories = tuple(wiring.flipped(port) for port in ports)
        else:
            m.submodules.key_memory = keys = DualPortMemory(payload.write_port(design, design.spec.d_head))
            m.submodules.value_memory = values = DualPortMemory(payload.write_port(design, design.spec.d_value))
            memories = (keys.read, keys.write, values.read, values.write)
        users = (scorer.keys, loader.keys, weigher.values, loader.values, scorer.scores, weigher.scores)
        for user, memory in zip(users, (*memories, scores.write, scores.read), strict=True):
            wiring.connect(m, user, memory)
        return m
