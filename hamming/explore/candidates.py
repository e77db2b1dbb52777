"""Candidates: designs of a study, estimated."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hamming.explore.front import signed
from hamming.explore.quantities import estimated, likely_error
from hamming.explore.study import Study
from hamming.rtl.design import Design
from hamming.synth.estimate import estimate

__all__ = ["Candidate", "Candidates", "NoSampler", "find"]

Choice = dict[str, int]

#: Proposals of a sampler for each candidate that is asked for, at most: it may come back to what it knows.
_MOST_PROPOSALS = 5


class NoSampler(ValueError):
    """Optuna is not installed; the message says what to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A design, by the number of each parameter's setting, and what it is estimated to be.

    Attributes
    ----------
    choice, design
        What it is.
    figures, errors
        Its quantities, and the mean error of those that are not exact, as shares.
    notes
        What is beyond the estimate's range, in words.
    missed
        By how much it misses constraints, its estimate's error let.
    """

    choice: Mapping[str, int]
    design: Design
    figures: Mapping[str, float]
    errors: Mapping[str, float]
    notes: tuple[str, ...]
    missed: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What was looked at: designs that meet the constraints, or may, those that do not, and choices that are none.

    `refused` has the reason of each choice that is no design, or of which there is no estimate.
    """

    possible: tuple[Candidate, ...]
    missing: tuple[Candidate, ...]
    refused: tuple[tuple[Choice, str], ...]

    @property
    def n_looked_at(self) -> int:
        """All of them."""
        return len(self.possible) + len(self.missing) + len(self.refused)


def find(study: Study, tell: Callable[[float, str], None] = lambda share, step: None) -> Candidates:
    """Look at a study's candidates: at all combinations, where they are no more than asked for, or those of a sampler.

    Raises
    ------
    NoSampler
        A sampler is needed, and Optuna is not installed.
    ValueError
        All are asked for, and there are too many.
    """
    if study.sampler == "all" and study.size > study.candidates:
        raise ValueError(f"sampler 'all' means {study.size:,} candidates, and candidates = {study.candidates:,}")
    is_small = study.size <= study.candidates
    found: dict[tuple[int, ...], Candidate | str] = {}
    for choice, answer in _all(study) if is_small else _sampled(study):
        key = tuple(choice.values())
        if key not in found:
            found[key] = _look(study, choice)
            tell(len(found) / min(study.size, study.candidates), f"{len(found):,} candidates estimated")
        answer(found[key])
        if len(found) >= study.candidates:
            break
    looked_at = [one for one in found.values() if isinstance(one, Candidate)]
    names = list(study.free)
    return Candidates(
        possible=tuple(one for one in looked_at if not one.missed),
        missing=tuple(one for one in looked_at if one.missed),
        refused=tuple(
            (dict(zip(names, key, strict=True)), one) for key, one in found.items() if not isinstance(one, Candidate)
        ),
    )


def look_at(study: Study, design: Design, choice: Mapping[str, int]) -> Candidate:
    """Estimate a design; `ValueError` if there is no estimate of it."""
    found = estimate(design)
    figures, errors = estimated(design, found, study.logit_scale), likely_error(found)
    return Candidate(
        choice=choice,
        design=design,
        figures=figures,
        errors=errors,
        notes=found.notes,
        missed=study.missed(figures, errors),
    )


def _look(study: Study, choice: Choice) -> Candidate | str:
    try:
        return look_at(study, study.design_of(choice), choice)
    except (TypeError, ValueError) as error:
        return str(error)


Answer = Callable[["Candidate | str"], None]


def _all(study: Study) -> Iterator[tuple[Choice, Answer]]:
    for numbers in itertools.product(*(range(len(settings)) for settings in study.free.values())):
        yield dict(zip(study.free, numbers, strict=True)), lambda found: None


def _sampled(study: Study) -> Iterator[tuple[Choice, Answer]]:
    """Yield what the sampler proposes, and what tells it of each."""
    try:
        optuna: Any = importlib.import_module("optuna")
    except ModuleNotFoundError:
        raise NoSampler(
            f"{study.size:,} combinations are more than candidates = {study.candidates:,}, and what chooses among "
            "them, Optuna, is not installed: pip install 'hamming-attention[explore]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = _sampler(optuna, study)
    search = optuna.create_study(sampler=sampler, directions=["minimize"] * len(study.objectives))
    for _ in range(_MOST_PROPOSALS * study.candidates):
        trial = search.ask()
        choice = {name: trial.suggest_int(name, 0, len(settings) - 1) for name, settings in study.free.items()}

        def answer(found: Candidate | str, trial: Any = trial) -> None:
            if isinstance(found, Candidate):
                trial.set_constraint("missed", sum(found.missed.values()))
                search.tell(trial, signed(found.figures, study.objectives))
            else:
                search.tell(trial, state=optuna.trial.TrialState.FAIL)

        yield choice, answer


def _sampler(optuna: Any, study: Study) -> Any:
    if study.sampler == "random":
        return optuna.samplers.RandomSampler(seed=study.seed)
    if study.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=study.seed)
    generation = max(10, min(50, study.candidates // 10))
    return optuna.samplers.NSGAIISampler(seed=study.seed, population_size=generation)
