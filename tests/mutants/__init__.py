"""Mutants of the hardware, by part of the engine; `python -m tests.mutants` runs them."""

from tests.mutants import axi, chain, groups, memories, output, ranges, requests, scores, selection, standard, weights
from tests.mutants.mutant import ROOT, Mutant

__all__ = ["MUTANTS", "ROOT", "Mutant"]

MUTANTS = [
    *scores.MUTANTS,
    *ranges.MUTANTS,
    *selection.MUTANTS,
    *weights.MUTANTS,
    *output.MUTANTS,
    *memories.MUTANTS,
    *requests.MUTANTS,
    *axi.MUTANTS,
    *chain.MUTANTS,
    *groups.MUTANTS,
    *standard.MUTANTS,
]
