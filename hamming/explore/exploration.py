"""From a study to its front: candidates are estimated, the best synthesized and simulated, and the front is theirs."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hamming.explore.candidates import Candidate, Candidates, look_at
from hamming.explore.front import dominates, front_of, signed, spread
from hamming.explore.kept import CLOCK_GHZ, Kept, key_of
from hamming.explore.quantities import measured
from hamming.explore.study import Study
from hamming.pool import Failed, Pool
from hamming.rtl.design import Design, Sections, design_of, load_design, preset_names
from hamming.rtl.names import require_module_name
from hamming.synth.compare.gates_at_work import Window
from hamming.synth.compare.measure import engine_figures
from hamming.synth.library.libraries import load_library

__all__ = ["Exploration", "Point", "explore", "measure"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """A design that was measured, or, where nothing is, estimated.

    Attributes
    ----------
    name
        The engine's, or a preset's.
    candidate
        Its estimate.
    sections
        Its TOML.
    figures
        What was measured; of a study without measurements the estimate.
    is_measured, was_kept
        Whether it is, and was before this run.
    seconds
        That its synthesis took.
    """

    name: str
    candidate: Candidate
    sections: Sections
    figures: Mapping[str, float]
    is_measured: bool
    was_kept: bool
    seconds: float

    @property
    def errors(self) -> dict[str, float]:
        """By how much, as a share, its estimate was off."""
        found = self.candidate.figures
        return {name: found[name] / value - 1 for name, value in self.figures.items() if value and self.is_measured}


@dataclass(frozen=True, kw_only=True, eq=False)
class Exploration:
    """What a study found.

    Attributes
    ----------
    study, candidates
        What was asked, and what was looked at.
    points
        Designs that were measured, by name.
    front
        Names of those on the front: that meet the constraints, and that no other one is better than.
    presets
        Of the study's shape: what stands in the front's way of each, or `on the front`.
    failed
        What ended the measurement of designs, by name.
    seconds
        The run's time.
    """

    study: Study
    candidates: Candidates
    points: Mapping[str, Point]
    front: tuple[str, ...]
    presets: Mapping[str, str]
    failed: Mapping[str, str]
    seconds: float


def measure(sections: Sections, logit_scale: float) -> dict[str, Any]:
    """Synthesize, time and simulate a design; return the fields of its `DesignFigures`."""
    design = design_of(sections)
    found = engine_figures(
        design, library=load_library(), clock=CLOCK_GHZ, logit_scale=logit_scale, window=Window.of(design)
    )
    return dataclasses.asdict(found)


def explore(study: Study, candidates: Candidates, kept: Kept, pool: Pool) -> Exploration:
    """Measure the best candidates of a study, and find its front.

    Parameters
    ----------
    study, candidates
        The question, and what was looked at.
    kept
        Where measured designs are kept, each as it is done.
    pool
        Where designs are measured.

    Raises
    ------
    ValueError
        No candidate is left.
    """
    began = time.monotonic()
    presets = _presets(study)
    if not candidates.possible and not presets:
        raise ValueError(_none_left(study, candidates))
    chosen = _chosen(study, candidates, {key_of(design) for design, _ in presets.values()})
    designs = {name: design_of(sections) for name, (sections, _) in chosen.items()}
    designs |= {name: design for name, (design, _) in presets.items()}
    before = {name for name, design in designs.items() if kept.get(design) is not None}
    failed = _measure(study, designs, kept, pool) if study.measured else {}

    points = {}
    estimates = {**chosen, **{name: (_sections(design), found) for name, (design, found) in presets.items()}}
    for name, (sections, candidate) in estimates.items():
        found = kept.get(designs[name])
        if found is None and study.measured:
            continue
        points[name] = Point(
            name=name,
            candidate=candidate,
            sections=sections,
            figures=candidate.figures if found is None else measured(designs[name], found, study.logit_scale),
            is_measured=found is not None,
            was_kept=name in before,
            seconds=0.0 if found is None else found.synthesis_seconds or 0.0,
        )
    meeting = [name for name, point in points.items() if not study.missed(point.figures)]
    front = tuple(meeting[n] for n in front_of([points[name].figures for name in meeting], study.objectives))
    return Exploration(
        study=study,
        candidates=candidates,
        points=points,
        front=tuple(sorted(front, key=lambda name: signed(points[name].figures, study.objectives))),
        presets={name: _verdict(study, name, points, front) for name in presets},
        failed=failed,
        seconds=time.monotonic() - began,
    )


def _chosen(study: Study, candidates: Candidates, others: set[str]) -> dict[str, tuple[Sections, Candidate]]:
    """Return those that are measured, by the name of their engine, each engine once, without what is a preset.

    Of a study that measures nothing all are returned that may meet the constraints.
    """
    first: dict[str, Candidate] = {}
    for one in candidates.possible:
        first.setdefault(key_of(one.design), one)
    possible = [one for key, one in first.items() if key not in others]
    objectives = np.array([signed(one.figures, study.objectives) for one in possible])
    numbers = spread(objectives.reshape(len(possible), len(study.objectives)), study.measured or len(possible))
    found = {}
    for n in numbers:
        sections = study.sections_of(possible[n].choice)
        name = engine_name(study, len(found) + 1)
        found[name] = sections | {"engine": {**sections["engine"], "name": name}}, possible[n]
    return found


def engine_name(study: Study, number: int) -> str:
    """Return the name of a study's engine of a number."""
    name = f"{re.sub(r'[^A-Za-z0-9_]', '_', study.name)}_{number}"
    try:
        return require_module_name(name)
    except ValueError:
        return f"engine_{name}"


def _presets(study: Study) -> dict[str, tuple[Design, Candidate]]:
    """Return the presets of the study's shape, and what it begins with."""
    begin = design_of(study.sections)
    shape = _shape(begin)
    designs = {name: load_design(name) for name in preset_names()}
    found = {name: design for name, design in designs.items() if _shape(design) == shape}
    if study.design not in found:
        found = {study.design: begin, **found}
    estimates = {name: (design, _estimate_of(study, design)) for name, design in found.items()}
    return {name: (design, candidate) for name, (design, candidate) in estimates.items() if candidate is not None}


def _estimate_of(study: Study, design: Design) -> Candidate | None:
    try:
        return look_at(study, design, {})
    except ValueError:  # what the study begins with may have an option of which there is no estimate
        return None


def _shape(design: Design) -> tuple[int, int, int]:
    return design.spec.d_head, design.spec.d_value, design.spec.n_keys


def _sections(design: Design) -> Sections:
    return {"spec": design.spec.to_dict(), "engine": design.config.to_dict()}


def _measure(study: Study, designs: Mapping[str, Design], kept: Kept, pool: Pool) -> dict[str, str]:
    """Measure the designs that are not kept; return what failed, in words."""
    todo = {name: design for name, design in designs.items() if kept.get(design) is None}
    if not todo:
        return {}
    jobs = {name: (_sections(design), study.logit_scale) for name, design in todo.items()}
    try:
        with pool.results(measure, jobs, "designs measured") as results:
            for name, figures in results:
                kept.add(todo[name], figures)
    except Failed as error:
        return {name: str(one) for name, one in error.errors.items()}
    return {}


def _verdict(study: Study, name: str, points: Mapping[str, Point], front: tuple[str, ...]) -> str:
    if name in front:
        return "on the front"
    if name not in points:
        return "not measured"
    figures = points[name].figures
    missed = study.missed(figures)
    if missed:
        return f"misses {', '.join(missed)}"
    better = [other for other in front if dominates(points[other].figures, figures, study.objectives)]
    return f"behind {', '.join(better)}" if better else "as good as one on the front"


def _none_left(study: Study, candidates: Candidates) -> str:
    why = f"none of {candidates.n_looked_at:,} candidates "
    if candidates.missing:
        counts = {name: sum(name in one.missed for one in candidates.missing) for name in study.constraints}
        worst = max(counts, key=lambda name: counts[name])
        return why + f"meets the constraints; {worst} is missed by {counts[worst]:,} of them"
    return why + f"is a design: {candidates.refused[0][1]}"
