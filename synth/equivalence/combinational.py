"""Two modules whose registers are matched, as two circuits without registers, and ABC's proof that these are equal."""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hamming.synth.equivalence.circuits import ONE, ZERO, Circuit
from hamming.synth.yosys import SynthesisError, abc

__all__ = ["Difference", "Pair", "Side"]

#: Random cases that are tried before ABC is asked, as the bits of an integer.
_CASES = 1024

#: In place of a variable: constants.
_ZERO, _ONE = -1, -2


@dataclass
class Side:
    """One circuit: the variable or constant at its inputs and registers, by net, and its gates."""

    circuit: Circuit
    variables: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A case in which the two differ.

    Attributes
    ----------
    where
        Output, pin of a child or of a memory, or next value of a flip-flop.
    verilog, netlist
        Its value in each.
    ones
        Inputs and registers that are 1 in this case, of those that `where` depends on; the others are 0.
    """

    where: str
    verilog: int
    netlist: int
    ones: tuple[str, ...]

    def __str__(self) -> str:
        ones = ", ".join(self.ones[:12]) + (f" and {len(self.ones) - 12} more" if len(self.ones) > 12 else "")
        return (
            f"{self.where} is {self.verilog} in the Verilog and {self.netlist} in the netlist where {self._case(ones)}"
        )

    @staticmethod
    def _case(ones: str) -> str:
        return f"what is 1 is {ones}" if ones else "all is 0"


class Pair:
    """Two circuits over the same variables, and the nets that have to be equal.

    Variables are added by `variable`, and given to nets of a side by `assign`; pairs of nets by `compare`. `guarded`
    are the numbers of the pairs that differ where the Verilog is x, and are proved equal elsewhere alone.
    """

    def __init__(self, source: Circuit, mapped: Circuit):
        self.sides = (Side(source), Side(mapped))
        self.labels: list[str] = []
        self.points: list[tuple[str, int, int, int]] = []
        self.guarded: set[int] = set()

    def variable(self, label: str) -> int:
        """Add a variable and return its number."""
        self.labels.append(label)
        return len(self.labels) - 1

    def assign(self, side: int, net: int, variable: int) -> None:
        """Say which variable a net of a side (0 the Verilog, 1 the netlist) holds."""
        self.sides[side].variables[net] = variable

    def assign_constant(self, side: int, net: int, value: int) -> None:
        """Say that a net of a side is constant."""
        self.sides[side].variables[net] = _ONE if value else _ZERO

    def compare(self, label: str, source: int, mapped: int, defined: int = ONE) -> None:
        """Demand that two nets are equal; if that cannot be, then where the Verilog's net `defined` is 1."""
        self.points.append((label, source, mapped, defined))

    def difference(self, seconds: int) -> Difference | None:
        """Return a case in which two nets that have to be equal differ, None if there is proved to be none.

        Raises
        ------
        TimeoutError
            ABC did not get done.
        """
        rng = random.Random(1)  # seeded: the same counterexample in every run
        case, mask = [rng.getrandbits(_CASES) for _ in self.labels], (1 << _CASES) - 1
        while True:
            n_guarded = len(self.guarded)
            if found := self._evaluate(case, mask):
                return found
            if mask == 1 and len(self.guarded) == n_guarded:
                raise SynthesisError("ABC gives a counterexample that is none")
            if (counterexample := self._ask_abc(seconds)) is None:
                return None
            case, mask = counterexample, 1

    def _evaluate(self, variables: Sequence[int], mask: int) -> Difference | None:
        """Return the first difference in some cases; guard pairs that differ where the Verilog is x."""
        values = [
            side.circuit.values(
                {net: variables[v] if v >= 0 else mask * (v == _ONE) for net, v in side.variables.items()}, mask
            )
            for side in self.sides
        ]
        for number, (label, source_net, mapped_net, defined) in enumerate(self.points):
            source, mapped = values[0][source_net], values[1][mapped_net]
            wrong = source ^ mapped
            if wrong and defined != ONE:
                self.guarded.add(number)
                wrong &= values[0][defined]
            if wrong:
                case = (wrong & -wrong).bit_length() - 1
                support = self._support(0, source_net) | self._support(1, mapped_net)
                return Difference(
                    where=label,
                    verilog=source >> case & 1,
                    netlist=mapped >> case & 1,
                    ones=tuple(self.labels[v] for v in sorted(support) if variables[v] >> case & 1),
                )
        return None

    def _support(self, side: int, net: int) -> set[int]:
        """Return the variables that a net depends on."""
        found, variables = set(), self.sides[side].variables
        driver = {gate.output: gate.inputs for gate in self.sides[side].circuit.gates}
        stack, seen = [net], set()
        while stack:
            net = stack.pop()
            if net not in seen:
                seen.add(net)
                stack += driver.get(net, ())
                if (variable := variables.get(net, _ZERO)) >= 0:
                    found.add(variable)
        return found

    def _ask_abc(self, seconds: int) -> list[int] | None:
        if not self.points:
            return None
        with tempfile.TemporaryDirectory(prefix="hamming-") as name:
            folder = Path(name)
            for side, file in enumerate(("verilog.blif", "netlist.blif")):
                (folder / file).write_text(self._blif(side), encoding="ascii")
            log = abc(f"cec -C 1000000000 -T {seconds} verilog.blif netlist.blif", folder)
        if re.search(r"^Networks are equivalent", log, re.MULTILINE):
            return None
        if pattern := re.search(r"^Input pattern:(.*)$", log, re.MULTILINE):
            ones = {int(number) for number in re.findall(r"\bi(\d+)=1", pattern[1])}
            return [int(number in ones) for number in range(len(self.labels))]
        if re.search(r"^Networks are UNDECIDED", log, re.MULTILINE):
            raise TimeoutError(f"not decided within {seconds} s")
        raise SynthesisError("ABC gives no answer", log[-20_000:])

    def _blif(self, side: int) -> str:
        """Return a side as BLIF; variables and points are numbered, so that no name needs an escape."""
        # Where a guarded pair is x in the Verilog, its side takes the netlist's value, and so has the netlist in it.
        lines = [
            f".model m{side}",
            ".inputs " + " ".join(f"i{number}" for number in range(len(self.labels))),
            ".outputs " + " ".join(f"o{number}" for number in range(len(self.points))),
        ]
        for each in (0, 1) if side == 0 and self.guarded else (side,):
            lines += self._gates(each)
        for number, (_, source, mapped, defined) in enumerate(self.points):
            if side == 1:
                lines.append(f".names b{mapped} o{number}\n1 1")
            elif number not in self.guarded:
                lines.append(f".names a{source} o{number}\n1 1")
            else:
                lines.append(f".names a{source} b{mapped} a{defined} o{number}\n1-1 1\n-10 1")
        return "\n".join([*lines, ".end"]) + "\n"

    def _gates(self, side: int) -> Iterator[str]:
        variables, circuit, prefix = self.sides[side].variables, self.sides[side].circuit, "ab"[side]
        yield f".names {prefix}{ZERO}"
        yield f".names {prefix}{ONE}\n1"
        for net, variable in variables.items():
            if variable == _ZERO:
                yield f".names {prefix}{net}"
            elif variable == _ONE:
                yield f".names {prefix}{net}\n1"
            else:
                yield f".names i{variable} {prefix}{net}\n1 1"
        for output, inputs, table in circuit.gates:
            yield ".names " + " ".join(f"{prefix}{net}" for net in (*inputs, output))
            for index in range(1 << len(inputs)):
                if table >> index & 1:
                    yield "".join(str(index >> place & 1) for place in range(len(inputs))) + " 1"
