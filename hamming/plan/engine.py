"""The engine of a plan: which design, and what it costs for a model's queries, by estimate, or as it was measured."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass

from hamming.golden.spec import AttentionSpec
from hamming.plan.question import Phase, Question
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.results import read
from hamming.synth.estimate import estimate

__all__ = ["Engine", "Work", "candidates", "group_estimate", "work"]

#: Most keys that an engine takes a cycle.
_MOST_LANES = 128

_STAGES = (0, 1, 2, 3, 4)

#: Words under way, where keys and values come from a DRAM: its slowest response is 400 cycles late
#: (docs/long-context.md).
_OUTSTANDING = 512


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A design, and its cost: areas in µm², clock in GHz.

    Attributes
    ----------
    design
        It holds, or sees, a sequence of the model.
    area, clock
        Of its logic.
    memory_area
        Of what it holds: of keys and values in a DRAM its scores alone.
    source
        `measured`, or `estimated`.
    notes
        What is beyond the estimate's range.
    errors
        The estimate's mean errors of area, energy and period, as shares; of what was measured 0.
    """

    design: Design
    area: float
    clock: float
    memory_area: float
    source: str
    notes: tuple[str, ...]
    errors: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Work:
    """A query of a phase, on average: cycles, and pJ of logic and of memories in the engine."""

    cycles: float
    energy: float
    memory_energy: float


def candidates(question: Question) -> Iterator[Engine]:
    """Yield an engine for each number of lanes: as few multipliers as keep up, and stages for the clock."""
    n_lanes = 1
    while n_lanes <= min(question.n_lanes or _MOST_LANES, question.context):
        if question.n_lanes in (None, n_lanes):
            engines = [_engine(question, _design(question, n_lanes, stages)) for stages in _STAGES]
            fast = [engine for engine in engines if engine.clock >= 1.0]
            if fast:
                yield min(fast, key=lambda engine: (engine.source != "measured", engine.area))
            else:
                yield max(engines, key=lambda engine: engine.clock)
        n_lanes *= 2


def _engine(question: Question, design: Design) -> Engine:
    alone = _alone(design)
    found = estimate(alone)
    measured = _kept().get(_key(alone)) if design == alone else None
    if measured is not None:
        return Engine(
            design=design,
            area=measured.area,
            clock=min(1.0, 1 / measured.timings[0].period),
            memory_area=measured.memory_area,
            source="measured",
            notes=(),
            errors={"area": 0.0, "energy": 0.0, "period": 0.0},
        )
    n_others = design.config.n_queries_a_row - 1
    memory = sum(one.area for one in found.memories if question.place == "engines" or one.role == "selection")
    memory += n_others * sum(one.area for one in found.memories if one.role == "selection")
    return Engine(
        design=design,
        area=group_estimate(design)[0],
        clock=min(1.0, 1 / found.period),
        memory_area=memory,
        source="estimated",
        notes=found.notes,
        errors={name: found.errors[name]["mean"] for name in ("area", "energy", "period")},
    )


def work(question: Question, engine: Engine, phase: Phase) -> Work:
    """Return what a query of a phase costs an engine."""
    design, n_queries = engine.design, engine.design.config.n_queries_a_row
    mean = max(1, round(phase.mean_keys))
    alone = _alone(_sized(question, design, mean))
    measured = _kept().get(_key(alone)) if engine.source == "measured" and mean == question.context else None
    cycles = _mean_cycles(design, phase) / n_queries
    if measured is not None:
        return Work(cycles=cycles, energy=measured.energy, memory_energy=measured.memory_energy)
    found = estimate(alone)
    memory = sum(one.energy for one in found.memories if question.place == "engines" or one.role == "selection")
    return Work(cycles=cycles, energy=found.energy, memory_energy=memory)


def group_estimate(design: Design) -> tuple[float, float]:
    """Return area, µm², and energy, pJ a query, of an engine's logic, whose queries may share rows."""
    found = estimate(_alone(design))
    each_query = sum(block.area for block in found.blocks if block.name in _EACH_QUERY)
    return found.area + (design.config.n_queries_a_row - 1) * each_query, found.energy


#: Blocks that each query of a group has its own of, where queries share rows (`rtl.shared_rows`).
_EACH_QUERY = ("score", "selector", "spare_row")


def _alone(design: Design) -> Design:
    """Return the design with a query a row, of which there are estimates, all else as the group needs it."""
    if design.config.n_queries_a_row == 1:
        return design
    dims = design.dimensions
    changes = {"n_queries_a_row": 1, "n_dividers": dims.n_dividers, "scan_rows": dims.scan_rows}
    return Design(design.spec, dataclasses.replace(design.config, **changes))


def _sized(question: Question, design: Design, n_keys: int) -> Design:
    """Return the design for fewer keys, all else the same."""
    if n_keys == design.spec.n_keys:
        return design
    config = design.config
    return _design(question, config.n_lanes, config.score_stages, n_keys=n_keys, n_macs=config.n_macs)


def _mean_cycles(design: Design, phase: Phase) -> float:
    """Return cycles a group, on average over the numbers of keys that its queries see."""
    first, last = phase.least_keys, phase.most_keys
    step = max(1, (last - first + 1) // _MOST_SAMPLES)
    numbers = range(last, first - 1, -step)
    return sum(max(design.dimensions.cycle_terms(n).values()) for n in numbers) / len(numbers)


#: Numbers of keys at which cycles are looked at, of those that a phase's queries see.
_MOST_SAMPLES = 256


@functools.cache
def _kept() -> dict[str, DesignFigures]:
    """Return the engines of the kept comparisons."""
    found = {}
    for comparison in read().values():
        if comparison.clock == 1.0:
            ours = comparison.hamming
            found[_key(Design(AttentionSpec.from_dict(ours.spec), EngineConfig.from_dict(ours.engine)))] = ours
    return found


def _key(design: Design) -> str:
    engine = {name: value for name, value in design.config.to_dict().items() if name != "name"}
    return json.dumps([design.spec.to_dict(), engine], sort_keys=True)


def _design(
    question: Question, n_lanes: int, score_stages: int, n_keys: int | None = None, n_macs: int | None = None
) -> Design:
    n_keys = question.context if n_keys is None else n_keys
    rows, d_value = -(-n_keys // n_lanes), question.d_value
    if n_macs is None:
        divisors = [n for n in range(1, d_value + 1) if d_value % n == 0]
        n_sums = question.top_k * d_value * (question.group if question.place == "dram" else 1)
        n_macs = next((n for n in divisors if n_sums // n <= rows), d_value)
    spec = AttentionSpec.from_logit_scale(
        d_head=question.d_head,
        d_value=d_value,
        n_keys=n_keys,
        top_k=min(question.top_k, n_keys),
        logit_scale=question.logit_scale,
        value_bits=question.value_bits,
        weight_bits=question.weight_bits,
    )
    config = EngineConfig(
        name="planned",
        n_lanes=min(n_lanes, 1 << (n_keys.bit_length() - 1)),
        n_macs=n_macs,
        score_stages=score_stages,
        key_memory=None if question.place == "engines" else "request",
        value_memory=None if question.place == "engines" else "request",
        outstanding=None if question.place == "engines" else _OUTSTANDING,
        n_queries_a_row=question.group if question.place == "dram" else 1,
    )
    return Design(spec, config)
