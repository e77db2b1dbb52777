"""One design measured: its Verilog synthesized, timed and simulated at the gates in, its `DesignFigures` out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from hamming.rtl.design import Design
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.manifest import standard_manifest
from hamming.rtl.standard.verilog import emit_standard, standard_engine
from hamming.rtl.verilog import emit
from hamming.synth.checks import opensta
from hamming.synth.checks.abc_timer import time_with_abc
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.figures import Accuracy, Contrast, TimingFigures, Verification
from hamming.synth.compare.from_reports import (
    ENGINE_ROLES,
    STANDARD_ROLES,
    block_figures,
    critical_path,
    memory_figures,
    timing_figures,
)
from hamming.synth.compare.gates_at_work import DEFAULT_WINDOW, Tell, Window, at_work
from hamming.synth.compare.likeness import engine_accuracy, standard_accuracy
from hamming.synth.energy.standard_workload import standard_workload
from hamming.synth.energy.workload import VECTORS, Workload, engine_workload
from hamming.synth.library.libraries import Library
from hamming.synth.memory.sram import SramModel
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.timing.report import Environment

__all__ = ["NONE_KNOWN", "engine_figures", "standard_figures"]

#: No figures of before.
NONE_KNOWN: Mapping[tuple[str, str], DesignFigures] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """A design, ready to be measured."""

    key: str
    title: str
    kind: str
    note: str
    top: str
    verilog: str
    facts: Mapping[str, Any]
    spec: Mapping[str, Any]
    engine: Mapping[str, Any]
    roles: Mapping[str, str]
    workload: Callable[[str], Workload]
    accuracy: tuple[Accuracy, ...]


def engine_figures(
    design: Design,
    *,
    library: Library,
    clock: float,
    logit_scale: float,
    vectors: str = "real",
    key: str = "hamming",
    title: str = "binary, top-k",
    contrast: bool = False,
    known: Mapping[tuple[str, str], DesignFigures] = NONE_KNOWN,
    window: Window = DEFAULT_WINDOW,
    tell: Tell = lambda share, step: None,
) -> DesignFigures:
    """Measure an engine.

    Parameters
    ----------
    design, library, clock, vectors
        As of `compare`.
    logit_scale
        Of the softmax that it stands for.
    key, title
        What the figures are called.
    contrast
        Whether to simulate it with the other kind of vectors too.
    known
        Figures by keys and digests of Verilog; those of the design's own are returned as they are.
    window
        Queries that are simulated; the default is for those of many rows of keys.
    tell
        Called with the share that is done, and the step.
    """
    engine = Engine(design.spec, design.config)
    name = design.config.name
    verilog = emit(engine, name)
    facts = manifest(engine, verilog)
    if (key, facts["verilog_sha256"]) in known:
        return known[key, facts["verilog_sha256"]]
    accuracy = engine_accuracy(design.spec, logit_scale, vectors)
    subject = _Subject(
        key=key,
        title=title,
        kind="hamming",
        note="" if key == "hamming" else f"mean cosine {accuracy.mean_cosine:.5f} to {accuracy.against}",
        top=name,
        verilog=verilog,
        facts=facts,
        spec=design.spec.to_dict(),
        engine=design.config.to_dict(),
        roles=ENGINE_ROLES,
        workload=lambda kind: engine_workload(design, facts, vectors=kind, n_queries=window.n_all),
        accuracy=(accuracy,),
    )
    return _measure(subject, library, clock, vectors, contrast, tell, window)


def standard_figures(
    design: StandardDesign,
    *,
    library: Library,
    clock: float,
    logit_scale: float,
    vectors: str = "real",
    contrast: bool = False,
    known: Mapping[tuple[str, str], DesignFigures] = NONE_KNOWN,
    tell: Tell = lambda share, step: None,
) -> DesignFigures:
    """Measure a baseline; parameters as of `engine_figures`."""
    engine = standard_engine(design)
    verilog = emit_standard(engine)
    facts = standard_manifest(engine, verilog)
    key = f"standard-{design.element}"
    if (key, facts["verilog_sha256"]) in known:
        return known[key, facts["verilog_sha256"]]
    subject = _Subject(
        key=key,
        title=f"standard, {design.element.replace('_', ' ')}",
        kind="standard",
        note="",
        top=design.name,
        verilog=verilog,
        facts=facts,
        spec=design.spec.to_dict(),
        engine={name: value for name, value in design.to_dict().items() if name != "spec"},
        roles=STANDARD_ROLES,
        workload=lambda kind: standard_workload(design, facts, vectors=kind),
        accuracy=(standard_accuracy(design, logit_scale, vectors),),
    )
    return _measure(subject, library, clock, vectors, contrast, tell)


def _measure(
    subject: _Subject,
    library: Library,
    clock: float,
    vectors: str,
    contrast: bool,
    tell: Tell,
    window: Window = DEFAULT_WINDOW,
) -> DesignFigures:
    kinds = [vectors, *(kind for kind in VECTORS if contrast and kind != vectors)]
    gates = at_work(
        subject.verilog,
        subject.top,
        {kind: partial(subject.workload, kind) for kind in kinds},
        library=library,
        clock=clock,
        window=window,
        title=subject.title,
        tell=tell,
    )
    mapped, netlist, timing, report = gates.mapped, gates.netlist, gates.timing, gates.report
    energies, n_checked = gates.energies, gates.n_checked
    energy = energies[0]
    return DesignFigures(
        key=subject.key,
        title=subject.title,
        kind=subject.kind,
        note=subject.note,
        spec=subject.spec,
        engine=subject.engine,
        blocks=block_figures(mapped.report, energy, subject.roles),
        memories=memory_figures(energy, subject.roles, SramModel()),
        timings=tuple(_timings(netlist, timing.cells, library, timing.environment, timing_figures(report))),
        critical_path=critical_path(report),
        cycles=energy.cycles_a_query,
        cycles_by_formula=subject.facts["cycles"]["a_query"],
        cycles_counted_over=energy.n_queries,
        energy_queries=energy.n_queries,
        glitch_share=energy.total.glitch_share,
        contrast=tuple(Contrast(vectors=other.vectors, energy=other.total.total) for other in energies[1:]),
        accuracy=subject.accuracy,
        verification=Verification(queries=n_checked, mismatches=0),  # a wrong answer is an error
        synthesis_seconds=mapped.seconds,
        peak_memory_mib=mapped.peak_memory_mib,
        verilog_sha256=mapped.report.verilog_sha256,
    )


def _timings(
    netlist: Netlist, cells: Any, library: Library, environment: Environment, own: TimingFigures
) -> Iterator[TimingFigures]:
    """Yield the least period by each timer: this project's, ABC's, and OpenSTA's where it is installed."""
    yield own
    yield dataclasses.replace(own, tool="ABC", period=time_with_abc(netlist, cells, library, environment).period)
    if opensta.is_installed():
        theirs = opensta.time_with_opensta(netlist, cells, library, environment)
        yield dataclasses.replace(own, tool=f"OpenSTA {theirs.version}", period=theirs.period)
