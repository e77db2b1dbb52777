"""What a design is judged by: figures with a name, a unit and a better side, estimated or measured."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hamming.golden.accuracy import cosine
from hamming.golden.attention import attend
from hamming.golden.ideal import had_attention
from hamming.golden.spec import AttentionSpec
from hamming.rtl.design import Design
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.energy.workload import real_vectors
from hamming.synth.estimate import Estimate

__all__ = ["QUANTITIES", "Quantity", "estimated", "likely_error", "measured"]


class Quantity(NamedTuple):
    """Its unit, what it is, and whether more of it is better."""

    unit: str
    meaning: str
    more_is_better: bool = False


#: By the name that a study has for it.
QUANTITIES = {
    "area": Quantity("µm²", "logic, memories out"),
    "energy": Quantity("pJ", "of a query, memories out"),
    "memory_area": Quantity("µm²", "memories"),
    "memory_energy": Quantity("pJ", "memories, of a query"),
    "total_area": Quantity("µm²", "logic and memories"),
    "total_energy": Quantity("pJ", "logic and memories, of a query"),
    "memory_bits": Quantity("bits", "that memories store"),
    "cycles": Quantity("", "cycles of a query, back to back, over all keys"),
    "latency": Quantity("", "cycles from a lone query to its last output"),
    "clock": Quantity("GHz", "highest clock", more_is_better=True),
    "time": Quantity("ns", "of a query, back to back, at the highest clock"),
    "cosine": Quantity("", "of outputs to those over all keys, nothing rounded", more_is_better=True),
}

#: Queries behind a cosine, of each of so many streams; of many keys fewer, which have as many in all.
_QUERIES, _STREAMS, _KEYS = 4, 32, 1 << 16


def estimated(design: Design, found: Estimate, logit_scale: float) -> dict[str, float]:
    """Return every quantity, as estimated; cycles, latency, bits and cosine are exact."""
    return {
        "area": found.area,
        "energy": found.energy,
        **_of_memories(found.memory_area, found.memory_energy, found.area, found.energy),
        "memory_bits": sum(memory.bits for memory in found.memories),
        "cycles": found.cycles,
        **_of_time(design, found.cycles, found.period, logit_scale),
    }


def measured(design: Design, found: DesignFigures, logit_scale: float) -> dict[str, float]:
    """Return every quantity, as synthesis and gates at work have it."""
    return {
        "area": found.area,
        "energy": found.energy,
        **_of_memories(found.memory_area, found.memory_energy, found.area, found.energy),
        "memory_bits": found.memory_bits,
        "cycles": found.cycles,
        **_of_time(design, found.cycles, found.timings[0].period, logit_scale),
    }


def likely_error(found: Estimate) -> Mapping[str, float]:
    """Return the mean error of estimates, as a share, by quantity; what is not here is exact, or a model's."""
    area, energy, period = (found.errors[name]["mean"] for name in ("area", "energy", "period"))
    logic, all_energy = found.area + found.memory_area, found.energy + found.memory_energy
    return {
        "area": area,
        "energy": energy,
        "total_area": area * found.area / logic,
        "total_energy": energy * found.energy / all_energy,
        "clock": period,
        "time": period,
    }


def _of_memories(area: float, energy: float, logic: float, logic_energy: float) -> dict[str, float]:
    return {
        "memory_area": area,
        "memory_energy": energy,
        "total_area": area + logic,
        "total_energy": energy + logic_energy,
    }


def _of_time(design: Design, cycles: float, period: float, logit_scale: float) -> dict[str, float]:
    return {
        "latency": design.dimensions.latency(),
        "clock": 1 / period,
        "time": cycles * period,
        "cosine": cosine_to_all_keys(design.spec, logit_scale),
    }


def _vectors(d_head: int, d_value: int, n_keys: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sizes = {"d_head": d_head, "d_value": d_value, "n_keys": n_keys}
    n_streams = max(1, min(_STREAMS, _KEYS // n_keys))
    return real_vectors(**sizes, n_queries=_QUERIES, n_streams=n_streams, value_bits=16)


@functools.lru_cache(maxsize=1024)
def _cosine(spec: AttentionSpec, scale: float) -> float:
    q, k, v = _vectors(spec.d_head, spec.d_value, spec.n_keys)
    high, fine = (2 ** (bits - 1) - 1 for bits in (spec.value_bits, 16))
    out = attend(spec, q, k, np.rint(v * (high / fine)).astype(np.int64)).out / (high * 2**spec.out_frac_bits)
    return float(cosine(out, _ideal(spec.d_head, spec.d_value, spec.n_keys, scale)).mean())


@functools.lru_cache(maxsize=16)
def _ideal(d_head: int, d_value: int, n_keys: int, scale: float) -> np.ndarray:
    q, k, v = _vectors(d_head, d_value, n_keys)
    return had_attention(q, k, v / (2**15 - 1), scale, n_keys)


def cosine_to_all_keys(spec: AttentionSpec, logit_scale: float) -> float:
    """Return the mean cosine of the outputs to attention of the same bits over all keys, in floating point.

    So it has in it what `top_k` leaves out, and what rounding does; not what binary queries and keys cost a model,
    which its training makes up for (docs/distillation.md).
    """
    return _cosine(spec, logit_scale)
