"""What a proof is, what came of it, and how one is carried out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hamming.formal.abc import ask
from hamming.formal.aiger import Circuit, write_aiger
from hamming.formal.harness import Harness

__all__ = ["Claim", "Outcome", "Proof"]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Claims about a component at one size, and how they are proved.

    Parameters
    ----------
    name
        `component.property`, by which it is asked for.
    component
        Class or function of `rtl` that it is about.
    what
        What is proved, in a sentence.
    size
        The sizes that it is proved at.
    build
        Makes the component and its surroundings.
    engine
        One of `formal.abc.ENGINES`.
    depth
        Cycles that `bmc` looks at.
    is_small
        Whether it takes a few seconds at most, and is one of the tests.
    """

    name: str
    component: str
    what: str
    size: str
    build: Callable[[], Harness]
    engine: str = "pdr"
    depth: int = 0
    is_small: bool = False

    def run(self, timeout: float) -> Outcome:
        """Carry it out, with at most `timeout` seconds for each claim."""
        start = time.monotonic()
        harness = self.build()
        claims = []
        with tempfile.TemporaryDirectory() as name:
            path = write_aiger(harness.finished(), Path(name))
            circuit = Circuit(path)

            def answered(text: str, output: str, engine: str) -> Claim:
                place = circuit.outputs.index(output)
                answer = ask(path, place, engine=engine, depth=self.depth, timeout=timeout)
                trace = [] if answer.inputs is None else _trace(circuit, harness, answer.inputs)
                if trace and not trace[-1][output]:
                    raise RuntimeError(f"{self.name}: the trace of ABC does not lead to {output}")
                return Claim(text, answer.holds, answer.seconds, trace)

            for n, text in enumerate(harness.claims):
                claims.append(answered(text, f"bad_{n}", self.engine))
            for n, text in enumerate(harness.reached):
                claim = answered(text, f"reached_{n}", self.engine if self.engine in ("cec", "bdd") else "pdr")
                holds = None if claim.holds is None else not claim.holds
                claims.append(Claim(f"reached: {text}", holds, claim.seconds, []))
        return Outcome(self, claims, time.monotonic() - start)


@dataclass(frozen=True)
class Claim:
    """One claim: whether it holds (None: not known in time), the seconds it took, and a trace that breaks it."""

    text: str
    holds: bool | None
    seconds: float
    trace: list[dict[str, int]]


@dataclass(frozen=True)
class Outcome:
    """What came of a proof."""

    proof: Proof
    claims: list[Claim]
    seconds: float

    @property
    def holds(self) -> bool | None:
        """True if all claims hold, False if one does not, None if one is not known."""
        found = {claim.holds for claim in self.claims}
        return False if False in found else None if None in found else True


def _trace(circuit: Circuit, harness: Harness, inputs: list[list[int]]) -> list[dict[str, int]]:
    """Return what the harness shows in each cycle, by name, and every `bad_N`."""
    names = {f"out_{n}": name for n, name in enumerate(harness.shown)}
    return [{names.get(word, word): value for word, value in words.items()} for words in circuit.run(inputs)]
