"""Circuits as AIGER, the form that model checkers read: made of a component, and evaluated to show a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from amaranth.lib import wiring

from hamming.rtl import verilog
from hamming.synth.yosys import process as yosys

__all__ = ["Circuit", "write_aiger"]

#: Verilog to and-inverter graph. Start values are dropped, so that registers and memories start with anything; that of
#: `started`, which knows the first cycle, stays. What is undefined is a free input.
_COMMANDS = (
    "read_verilog proof.v",
    "hierarchy -top proof",
    "proc -noopt -norom",
    "flatten",
    "delete t:$meminit t:$meminit_v2",
    "memory_map",
    "setattr -unset init w:* w:*started %d",
    "opt_clean",
    "dffunmap",
    "techmap",
    "dffunmap",
    "simplemap",
    "setundef -undriven -anyseq",
    "opt_expr",
    "opt_clean",
    "aigmap",
    "write_aiger -zinit -symbols proof.aig",
)


def write_aiger(component: wiring.Component, folder: Path) -> Path:
    """Write `component` to `folder` as `proof.v`, the Verilog that is emitted for it, and return its `proof.aig`."""
    (folder / "proof.v").write_text(verilog.emit(component, "proof"), encoding="utf-8")
    yosys.run(_COMMANDS, folder)
    return folder / "proof.aig"


class Circuit:
    """A circuit of inputs, latches that start at 0, gates and outputs, read from a binary AIGER file.

    Attributes
    ----------
    outputs
        Names of the outputs, bit by bit, in the file's order.
    """

    def __init__(self, path: Path):
        data = path.read_bytes()
        header, _, rest = data.partition(b"\n")
        self.n_inputs, self.n_latches, n_outputs, n_gates = (int(n) for n in header.split()[2:6])
        lines = rest.split(b"\n", self.n_latches + n_outputs)
        self._next = [int(line.split()[0]) for line in lines[: self.n_latches]]
        self._outputs = [int(line) for line in lines[self.n_latches : -1]]
        body = iter(lines[-1])
        first = self.n_inputs + self.n_latches + 1
        self._gates = []
        for gate in range(first, first + n_gates):
            left = 2 * gate - _number(body)
            self._gates.append((left, left - _number(body)))
        symbols = [line.split(" ") for line in bytes(body).decode().splitlines()]
        found = {symbol[0]: symbol[1] for symbol in symbols if len(symbol) > 1}
        self.outputs = [found[f"o{n}"] for n in range(n_outputs)]

    def run(self, inputs: Sequence[Sequence[int]]) -> Iterator[dict[str, int]]:
        """Return the outputs by name, words put together, in each cycle of `inputs`."""
        latches = [0] * self.n_latches
        for cycle in inputs:
            values = [0, *cycle, *latches]
            for left, right in self._gates:
                values.append((values[left >> 1] ^ left & 1) & (values[right >> 1] ^ right & 1))
            words: dict[str, int] = {}
            for name, literal in zip(self.outputs, self._outputs, strict=True):
                word, _, place = name.rstrip("]").partition("[")
                words[word] = words.get(word, 0) | (values[literal >> 1] ^ literal & 1) << int(place or 0)
            yield words
            latches = [values[literal >> 1] ^ literal & 1 for literal in self._next]


def _number(body: Iterator[int]) -> int:
    """Read a number of seven bits a byte, the lowest first; the last byte is below 128."""
    number = shift = 0
    while (byte := next(body)) >= 128:
        number |= (byte & 127) << shift
        shift += 7
    return number | byte << shift
