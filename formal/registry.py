"""All proofs, by component in the order of the data path."""

from __future__ import annotations

from hamming.formal import (
    arithmetic,
    axi,
    chain,
    engine,
    fetch,
    fork,
    loader,
    normalizer,
    replay,
    requests,
    row_range,
    score,
    selectors,
    sender,
    shared_rows,
    softmax,
    spare,
    turns,
    weighted_sum,
)
from hamming.formal.proof import Claim, Proof

__all__ = ["PROOFS", "chosen", "prove"]

PROOFS: tuple[Proof, ...] = (
    *arithmetic.PROOFS,
    *loader.PROOFS,
    *sender.PROOFS,
    *fetch.PROOFS,
    *row_range.PROOFS,
    *turns.PROOFS,
    *score.PROOFS,
    *spare.PROOFS,
    *selectors.PROOFS,
    *shared_rows.PROOFS,
    *fork.PROOFS,
    *replay.PROOFS,
    *requests.PROOFS,
    *softmax.PROOFS,
    *weighted_sum.PROOFS,
    *normalizer.PROOFS,
    *chain.PROOFS,
    *engine.PROOFS,
    *axi.PROOFS,
)


def chosen(words: tuple[str, ...]) -> tuple[Proof, ...]:
    """Return the proofs whose names begin with one of `words`; all of them where there is none.

    Raises
    ------
    ValueError
        No name begins with a word.
    """
    for word in words:
        if not any(proof.name.startswith(word) for proof in PROOFS):
            known = ", ".join(dict.fromkeys(proof.name.partition(".")[0] for proof in PROOFS))
            raise ValueError(f"no proof's name begins with {word!r}; --list shows them, of {known}")
    return tuple(proof for proof in PROOFS if not words or proof.name.startswith(words))


def prove(name: str, timeout: float) -> tuple[list[Claim], float]:
    """Carry out the proof of this name, and return its claims and seconds: a job, for which a `Proof` is no luggage."""
    outcome = next(proof for proof in PROOFS if proof.name == name).run(timeout)
    return outcome.claims, outcome.seconds
