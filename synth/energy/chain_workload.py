"""What one engine of a chain is given while its gates are simulated, and what it must hand on: by `golden.parts`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamming.golden.checks import require_int
from hamming.golden.parts import Partial, agree, level_counts, partial
from hamming.golden.spec import AttentionSpec
from hamming.rtl.design import Design
from hamming.sim.payloads import read_streams
from hamming.sim.steps import Steps
from hamming.sim.stimulus import Vectors
from hamming.synth.energy.workload import Workload, to_bits

__all__ = ["chain_workload"]

Beats = dict[str, NDArray]


def chain_workload(
    design: Design, manifest: Mapping[str, Any], *, number: int, n_queries: int = 8, n_streams: int = 64, seed: int = 0
) -> Workload:
    """Return full-rate queries for one engine of a chain, with its neighbours' beats, over all keys of the chain.

    Queries, keys and values are uniform: of a real transformer there are not so many keys at hand. A neighbour's beat
    is offered as soon as the one before it is taken, and every beat that the engine hands on is held against golden's.

    Parameters
    ----------
    design, manifest
        The engine, with `chain = true` and `output = "partial"`.
    number
        Which one of the chain it is, from 0 up.
    n_queries, n_streams
        As of `synth.energy.workload.engine_workload`.
    seed
        Of the vectors.
    """
    spec, config = design.spec, design.config
    if not config.chain or config.output != "partial":
        raise ValueError("the engine must be one of a chain that hands its sums on: chain = true, output = 'partial'")
    if config.mask or config.range or config.expose_index or config.table == "loadable" or spec.n_tables > 1:
        raise ValueError("the engine must have no mask, range, kept keys put out, loadable table or several tables")
    require_int("number", number, 0, config.n_engines - 1)
    require_int("n_queries", n_queries, 1)
    channels = read_streams(manifest["streams"])
    n_own = spec.n_keys // config.n_engines
    own = slice(number * n_own, (number + 1) * n_own)
    parts = (slice(0, own.start), own, slice(own.stop, spec.n_keys))
    alone = _alone(design)
    names = ("i_query", "i_counts", "i_totals", "i_partial", "o_counts", "o_totals", "o_partial")
    found: dict[str, list] = {name: [] for name in (*names, "keys", "values")}
    for stream in range(n_streams):
        rng = np.random.default_rng([seed, stream])
        q, k = (rng.integers(0, 2, (n, spec.d_head), np.uint8) for n in (n_queries, spec.n_keys))
        half = 1 << (spec.value_bits - 1)
        v = rng.integers(-half, half, (spec.n_keys, spec.d_value), np.int16)
        beats = {"i_query": {"query": q, "n_valid": np.full(n_queries, spec.n_keys)}}
        beats |= _exchanged(spec, q, k, v, parts, n_beats=spec.d_value // design.dimensions.n_dividers)
        for name in names:
            found[name].append(to_bits(channels[name].encode(**beats[name]), channels[name].bits))
        vectors = Vectors(q=q[None], k=k[None, own], v=v[None, own], n_valid=np.full((1, n_queries), n_own))
        steps = Steps(alone, vectors, rng)
        found["keys"].append(to_bits(steps.key_rows(), alone.dimensions.n_lanes * spec.d_head))
        found["values"].append(to_bits(steps.value_slices(), alone.dimensions.n_macs * spec.value_bits))
    arrays = {name: np.stack(bits) for name, bits in found.items()}
    banks = alone.dimensions.value_memories
    values = np.split(arrays["values"], np.cumsum(list(banks.values()))[:-1], axis=1)
    return Workload(
        channels=channels,
        n_streams=n_streams,
        inputs={name: arrays[name] for name in names if name.startswith("i_")},
        expected={name: arrays[name] for name in names if name.startswith("o_")},
        constants={"start": own.start},
        memories={"key_memory": arrays["keys"]} | dict(zip(banks, values, strict=True)),
        description=f"random vectors, seed {seed}, engine {number} of {config.n_engines}",
    )


def _alone(design: Design) -> Design:
    """Return an engine by itself with the memories of one of the chain."""
    config = dataclasses.replace(design.config, n_engines=1, chain=False, output="quotient")
    return Design(design.dimensions.part.spec, config)


def _exchanged(
    spec: AttentionSpec, q: NDArray, k: NDArray, v: NDArray, parts: tuple[slice, slice, slice], *, n_beats: int
) -> dict[str, Beats]:
    """Return the beats between an engine and its neighbours; `parts` are the keys before it, its own, those behind."""
    counts = [level_counts(spec, q, k[part], start=part.start) for part in parts]
    before, own, behind = (_from_above(spec, count) for count in counts)
    everything = _from_above(spec, sum(counts, np.zeros_like(counts[0])))
    cuts = agree(spec, counts)
    sums_before, sums = (
        partial(spec, q, k[part], v[part], cut, start=part.start) for part, cut in zip(parts[:2], cuts[:2], strict=True)
    )
    together = Partial(
        acc=sums_before.acc + sums.acc,
        weight_sum=sums_before.weight_sum + sums.weight_sum,
        max_level=sums.max_level,
    )
    most = spec.top_k
    return {
        "i_counts": {"count": behind},
        "o_counts": {"count": np.minimum(behind + own, most)},
        "i_totals": {"total": everything, "before": before},
        "o_totals": {"total": everything, "before": np.minimum(before + own, most)},
        "i_partial": _sums(spec, sums_before, n_beats),
        "o_partial": _sums(spec, together, n_beats),
    }


def _from_above(spec: AttentionSpec, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, of each query in turn, the keys at a level or above, `top_k` at most: the highest level first."""
    return np.minimum(counts[..., :0:-1].cumsum(axis=-1), spec.top_k).reshape(-1)


def _sums(spec: AttentionSpec, sums: Partial, n_beats: int) -> Beats:
    """Return partial results as `rtl.payload.partial` has them: of offset values, some elements a beat."""
    n_queries = len(sums.weight_sum)
    acc = sums.acc + (sums.weight_sum << (spec.value_bits - 1))[:, None]
    return {
        "acc": acc.reshape(n_queries * n_beats, -1),
        "weight_sum": np.repeat(sums.weight_sum, n_beats),
        "max_level": np.repeat(sums.max_level, n_beats),
        "is_empty": np.repeat(sums.weight_sum == 0, n_beats),
        "last": np.arange(n_queries * n_beats) % n_beats == n_beats - 1,
    }
