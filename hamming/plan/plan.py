"""From a model and its rates to engines, area, power, memory and bandwidth: ours, int8's and bfloat16's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hamming.plan.engine import Engine, candidates, work
from hamming.plan.question import Phase, Question
from hamming.plan.standard import ELEMENTS, standard
from hamming.plan.standard import cycles as standard_cycles
from hamming.synth.memory.sram import SramModel

__all__ = ["Plan", "Side", "plan"]

#: Seconds from a request to the slowest response of a DRAM (docs/long-context.md), and the macro of a buffer.
_RESPONSE_S = 512e-9
_BUFFER = 512, 64


@dataclass(frozen=True, kw_only=True)
class Side:
    """One way of computing a model's attention at its rates.

    Attributes
    ----------
    name, engine, source
        What it is, its engine in words, and where area and energy come from.
    n_lanes
        Keys an engine takes a cycle.
    cycles
        A query, by phase, on average.
    clock
        GHz.
    n_engines, utilisation
        How many, and the share of their cycles that is used.
    logic_mm2, memory_mm2
        Of all engines.
    logic_w, memory_w, dram_w
        At the rates.
    held_bytes, read_bytes
        Keys and values that are held, and bytes of them read a second, from a DRAM or the engines' memories.
    token_s
        Least seconds from a token to the end of its last layer's attention, without what lies between.
    """

    name: str
    engine: str
    source: str
    n_lanes: int
    cycles: Mapping[str, float]
    clock: float
    n_engines: int
    utilisation: float
    logic_mm2: float
    memory_mm2: float
    logic_w: float
    memory_w: float
    dram_w: float
    held_bytes: float
    read_bytes: float
    token_s: float

    @property
    def mm2(self) -> float:
        """Logic and memories."""
        return self.logic_mm2 + self.memory_mm2

    @property
    def watts(self) -> float:
        """Logic and memories, in the engines and outside."""
        return self.logic_w + self.memory_w + self.dram_w


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A question, the engine that answers it, and what standard attention would take.

    `notes` say what is beyond an estimate's range, and what does not fit.
    """

    question: Question
    engine: Engine
    ours: Side
    others: tuple[Side, ...]
    notes: tuple[str, ...]

    @property
    def sides(self) -> tuple[Side, ...]:
        """Ours, then the others."""
        return (self.ours, *self.others)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON's types."""
        return {
            "question": dataclasses.asdict(self.question),
            "engine": {
                "spec": self.engine.design.spec.to_dict(),
                "engine": self.engine.design.config.to_dict(),
                "area_um2": self.engine.area,
                "memory_area_um2": self.engine.memory_area,
                "clock_ghz": self.engine.clock,
                "source": self.engine.source,
                "errors": self.engine.errors,
            },
            "sides": [dataclasses.asdict(side) | {"mm2": side.mm2, "watts": side.watts} for side in self.sides],
            "notes": list(self.notes),
        }


def plan(question: Question) -> Plan:
    """Plan a model's attention: of each way the number of keys a cycle that takes least area.

    Raises
    ------
    ValueError
        There is no engine of the model's sizes, or no estimate of one.
    """
    engine, ours = min(((one, _ours(question, one)) for one in candidates(question)), key=lambda pair: pair[1].mm2)
    others = tuple(
        min(
            (_standard(question, element, 1 << bits) for bits in range(_most_lanes(question))),
            key=lambda side: side.mm2,
        )
        for element in ELEMENTS
    )
    return Plan(question=question, engine=engine, ours=ours, others=others, notes=tuple(_notes(question, engine, ours)))


def _most_lanes(question: Question) -> int:
    return min(8, question.context.bit_length())


def queries(question: Question, phase: Phase) -> float:
    """Return the queries a second of a phase: of every token one for every head of every layer."""
    return phase.tokens * question.layers * question.heads


def _held_bytes(question: Question, n_engines: int, bits_a_key: float) -> float:
    """Return the bytes of keys and values held: of `batch` sequences in a DRAM, or of one head in each engine."""
    heads = question.batch * question.layers * question.kv_heads if question.place == "dram" else n_engines
    return heads * question.context * bits_a_key / 8


def _n_engines(question: Question, busy: float, clock: float) -> tuple[int, float]:
    """Return how many engines are needed for `busy` cycles a second, and the share of their cycles that is used."""
    least = 1
    if question.decode and question.place == "engines":  # each holds a sequence's keys of one head
        least = question.batch * question.layers * question.kv_heads
    found = max(least, math.ceil(busy / (clock * 1e9)))
    return found, busy / (found * clock * 1e9)


def _loading(question: Question, fold: int) -> float:
    """Return cycles a second in which keys and values are written into engines, a key in `fold`."""
    if question.place == "dram":
        return 0.0
    return sum(phase.tokens for phase in question.phases) * question.layers * question.kv_heads * fold


def _ours(question: Question, engine: Engine) -> Side:
    dims, spec = engine.design.dimensions, engine.design.spec
    works = {phase.name: work(question, engine, phase) for phase in question.phases}
    rates = {phase.name: queries(question, phase) for phase in question.phases}
    busy = sum(rates[name] * works[name].cycles for name in works) + _loading(question, dims.fold)
    n_engines, utilisation = _n_engines(question, busy, engine.clock)
    logic = sum(rates[name] * one.energy for name, one in works.items())
    memory = sum(rates[name] * one.memory_energy for name, one in works.items())
    rows = f"{dims.n_queries_a_row} queries a row, " if dims.n_queries_a_row > 1 else ""
    value_bits = question.d_value * question.value_bits
    key_bits = question.d_head / dims.n_queries_a_row
    read = _read_bytes(question, lambda keys: keys * key_bits + min(spec.top_k, keys) * value_bits)
    buffers = _buffers(question, read)
    stages = engine.design.config.score_stages
    return Side(
        name="binary, top-k",
        engine=f"{dims.n_lanes} keys, {dims.n_macs} value elements a cycle, {rows}{stages} stages",
        source=engine.source,
        n_lanes=dims.n_lanes,
        cycles={name: one.cycles for name, one in works.items()},
        clock=engine.clock,
        n_engines=n_engines,
        utilisation=utilisation,
        logic_mm2=n_engines * engine.area / 1e6,
        memory_mm2=n_engines * engine.memory_area / 1e6 + buffers.mm2,
        logic_w=logic / 1e12,
        memory_w=memory / 1e12 + buffers.watts,
        dram_w=_dram_watts(question, read),
        held_bytes=_held_bytes(question, n_engines, question.d_head + value_bits),
        read_bytes=read,
        token_s=question.layers * dims.latency(spec.n_keys) / (engine.clock * 1e9),
    )


class _Buffers(NamedTuple):
    """What is on its way from a DRAM, and waits: area in mm², power in W."""

    mm2: float
    watts: float


def _buffers(question: Question, read_bytes: float) -> _Buffers:
    """Return the memories that hold what is on its way: as much as comes in the time of a response."""
    if question.place != "dram":
        return _Buffers(0.0, 0.0)
    model, (depth, width), bits = SramModel(), _BUFFER, read_bytes * 8
    each_bit = (model.read_energy(depth, width) + model.write_energy(depth, width)) / width
    return _Buffers(bits * _RESPONSE_S * model.area(depth, width) / (depth * width) / 1e6, bits * each_bit / 1e12)


def _read_bytes(question: Question, bits: Callable[[float], float]) -> float:
    return sum(queries(question, phase) * bits(phase.mean_keys) / 8 for phase in question.phases)


def _dram_watts(question: Question, read_bytes: float) -> float:
    return read_bytes * 8 * question.dram_pj_a_bit / 1e12 if question.place == "dram" else 0.0


def _standard(question: Question, element: str, n_lanes: int) -> Side:
    sizes = {"d_head": question.d_head, "d_value": question.d_value, "n_keys": question.context, "n_lanes": n_lanes}
    works = {phase.name: standard(element, mean_keys=phase.mean_keys, **sizes) for phase in question.phases}
    one = next(iter(works.values()))
    takes = {phase.name: standard_cycles(phase.mean_keys, n_lanes) for phase in question.phases}
    rates = {phase.name: queries(question, phase) for phase in question.phases}
    busy = sum(rates[name] * takes[name] for name in works) + _loading(question, 1)
    n_engines, utilisation = _n_engines(question, busy, one.clock)
    is_inside = question.place == "engines"
    shared = 1 if is_inside else question.group
    read = _read_bytes(question, lambda keys: keys * one.bits_a_key / shared)
    buffers = _buffers(question, read)
    memory = sum(rates[name] * (side.score_energy + is_inside * side.memory_energy) for name, side in works.items())
    return Side(
        name=f"standard, {element}",
        engine=f"{n_lanes} keys a cycle",
        source="model",
        n_lanes=n_lanes,
        cycles=takes,
        clock=one.clock,
        n_engines=n_engines,
        utilisation=utilisation,
        logic_mm2=n_engines * one.area / 1e6,
        memory_mm2=n_engines * (one.score_area + is_inside * one.memory_area) / 1e6 + buffers.mm2,
        logic_w=sum(rates[name] * side.energy for name, side in works.items()) / 1e12,
        memory_w=memory / 1e12 + buffers.watts,
        dram_w=_dram_watts(question, read),
        held_bytes=_held_bytes(question, n_engines, one.bits_a_key),
        read_bytes=read,
        token_s=question.layers * 2 * question.context / n_lanes / (one.clock * 1e9),
    )


def _notes(question: Question, engine: Engine, ours: Side) -> list[str]:
    found = list(engine.notes)
    if engine.design.config.n_queries_a_row > 1:
        found.append(
            f"of {engine.design.config.n_queries_a_row} queries that share rows, scores and selectors are counted for "
            "each, and what brings them together is not"
        )
    if question.decode and question.batch / ours.token_s < question.decode:
        most = question.batch / ours.token_s
        found.append(
            f"{question.batch} sequences give {most:,.0f} tokens a second at most, of decode = {question.decode:,.0f}: "
            f"the attention of a token takes {ours.token_s * 1e6:,.0f} µs, layer after layer"
        )
    return found
