"""Engines in a chain: several, each with a rising range of keys, as one engine over all of them."""

from __future__ import annotations

import dataclasses
import itertools
from functools import reduce
from operator import and_, or_
from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Shape
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.spec import AttentionSpec
from hamming.rtl import payload
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.division import Division
from hamming.rtl.engine import Engine
from hamming.rtl.errors import errors
from hamming.rtl.fork import Fork
from hamming.rtl.members import shared_members
from hamming.rtl.stage import Stage

__all__ = ["Chain"]


class Chain(wiring.Component):
    """`n_engines` engines that are one over all keys, to the bit; each holds as many keys, in a rising range.

    Queries go to all of them, each row to the one that holds it. Counts run from the last engine to the first and come
    back as totals, by which each knows what it keeps; sums run from the first to the last, and are divided once. The
    engine is a module of its own, `NAME_engine`, written once.

    * **Throughput**: back to back, a query costs the largest of `Dimensions.cycle_terms`, on average: that of one
      engine over its own keys.
    * A stall anywhere holds what is before it; nothing is lost and no bit changes.

    Parameters
    ----------
    spec
        What is computed, to the last bit, over the keys of all engines.
    config
        How: of each engine, and how many there are.

    Members
    -------
    i_row, i_weight, table_read, i_query, o_out, o_partial, o_selected, error
        As of `rtl.engine.Engine`. `error` says what any engine has met.
    i_mask_0, i_mask_1, ... : In(stream of n_lanes bits), if the configuration has a mask
        `i_mask` of each engine: for each row of its keys that a query sees, one at least.
    key_read_0, key_request_0, ...
        Ports and streams of each engine's memories, as of `rtl.engine.Engine`, where they are not inside.

    Raises
    ------
    ValueError
        The configuration does not fit the spec.

    Equals `golden.attention.attend`.
    """

    i_row: stream.Interface
    i_weight: stream.Interface
    table_read: wiring.PureInterface
    i_query: stream.Interface
    o_selected: stream.Interface
    error: Any

    def __init__(self, spec: AttentionSpec, config: EngineConfig):
        self.spec = spec
        self.config = config
        self.dims = dims = Dimensions(spec, config)
        self.engine = Engine(
            spec, dataclasses.replace(config, name=f"{config.name}_engine", chain=True, output="partial")
        )
        members = shared_members(dims, *(f"i_mask_{n}" for n in range(config.n_engines)))
        members["error"] = Out(len(errors(dims)))
        for n in range(config.n_engines):
            members |= {f"{name}_{n}": self.engine.signature.members[name] for name in self._memory_ports}
        super().__init__(members)

    @property
    def _memory_ports(self) -> list[str]:
        """Names of the engine's members by which it reaches memories that are not inside."""
        return [name for name in self.engine.signature.members if name.startswith(("key_", "value_"))]

    @property
    def modules(self) -> dict[str, wiring.Component]:
        """Components that are instantiated by name, to be emitted beside this one."""
        return {self.engine.config.name: self.engine}

    def elaborate(self, platform) -> Module:
        m = Module()
        n_engines = self.config.n_engines
        engines = [self.instance(m, n) for n in range(n_engines)]
        first, last = engines[0], engines[-1]
        n_own = self.dims.part.spec.n_keys
        m.d.comb += [engine.start.eq(n * n_own) for n, engine in enumerate(engines)]

        # Rows: all but the one that holds it let a row go by at once.
        shared = [self.i_row] + ([self.i_weight] if self.config.table == "loadable" else [])
        for whole, name in zip(shared, ("i_row", "i_weight"), strict=False):
            parts = [getattr(engine, name) for engine in engines]
            m.d.comb += whole.ready.eq(reduce(and_, (part.ready for part in parts)))
            m.d.comb += [part.valid.eq(whole.valid) for part in parts]
            m.d.comb += [part.payload.eq(whole.payload) for part in parts]
        # Queries: from a register, since a master may withdraw one that some engines have taken already.
        m.submodules.query = query = Stage(payload.query(self.dims))
        wiring.connect(m, wiring.flipped(self.i_query), query.i)
        m.submodules.fork = fork = Fork(n_engines)
        m.d.comb += [fork.i_valid.eq(query.o.valid), query.o.ready.eq(fork.i_ready)]
        for n, engine in enumerate(engines):
            m.d.comb += [
                engine.i_query.valid.eq(fork.o_valid[n]),
                fork.o_ready[n].eq(engine.i_query.ready),
                engine.i_query.p.eq(query.o.p),
            ]
            if self.config.mask:
                wiring.connect(m, wiring.flipped(getattr(self, f"i_mask_{n}")), engine.i_mask)
            for name in self._memory_ports:
                wiring.connect(m, wiring.flipped(getattr(self, f"{name}_{n}")), getattr(engine, name))
        m.d.comb += self.error.eq(reduce(or_, (engine.error for engine in engines)))

        if self.config.table == "loadable" and self.config.bus == "axi":  # all have the same table
            wiring.connect(m, wiring.flipped(self.table_read), first.table_read)

        # Counts, and back; sums; kept keys.
        for engine, behind in itertools.pairwise(engines):
            wiring.connect(m, behind.o_counts, engine.i_counts)
            wiring.connect(m, engine.o_totals, behind.i_totals)
            wiring.connect(m, engine.o_partial, behind.i_partial)
            if self.config.expose_index:
                wiring.connect(m, engine.o_selected, behind.i_selected)
        m.d.comb += [
            last.i_counts.valid.eq(1),
            first.i_totals.valid.eq(first.o_counts.valid),
            first.i_totals.p.total.eq(first.o_counts.p.count),
            first.o_counts.ready.eq(first.i_totals.ready),
            last.o_totals.ready.eq(1),
            first.i_partial.valid.eq(1),
            first.i_partial.p.is_empty.eq(1),
        ]
        if self.config.expose_index:
            m.d.comb += [
                first.i_selected.valid.eq(1),
                first.i_selected.p.is_empty.eq(1),
                first.i_selected.p.last.eq(1),
            ]
            wiring.connect(m, last.o_selected, wiring.flipped(self.o_selected))
        if self.config.output == "partial":
            wiring.connect(m, last.o_partial, wiring.flipped(self.o_partial))  # type: ignore[attr-defined]
        else:
            m.submodules.division = division = Division(self.dims)
            wiring.connect(m, last.o_partial, division.i)
            wiring.connect(m, division.o, wiring.flipped(self.o_out))  # type: ignore[attr-defined]
        return m

    def instance(self, m: Module, number: int) -> Any:
        """Add an engine as an instance of its module, and return its members."""
        engine: Any = self.engine.signature.create(path=(f"engine_{number}",))
        ports: dict[str, Any] = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        for path, member, value in self.engine.signature.flatten(engine):
            if Shape.cast(member.shape).width:
                ports[f"{'i' if member.flow == In else 'o'}_{'__'.join(map(str, path))}"] = value
        m.submodules[f"engine_{number}"] = Instance(self.engine.config.name, **ports)
        return engine
