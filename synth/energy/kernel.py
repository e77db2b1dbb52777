"""The gates of a netlist as arrays, and the compiled loops that simulate them (`gates.cpp`)."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hamming.rtl.cache import cache_folder
from hamming.rtl.environment import environment
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.yosys.process import SynthesisError

__all__ = ["ARCS", "PINS", "WORDS", "Gates", "run_transitions"]

#: As in `gates.cpp`: most inputs of a gate, arcs of a gate, words of 64 lanes that are simulated at once.
PINS, ARCS, WORDS = 6, 24, 8

_SOURCE = Path(__file__).with_name("gates.cpp")


@dataclass(frozen=True, kw_only=True, eq=False)
class Gates:
    """Gates of one output each, in topological order; a cell of two outputs is two of them.

    Attributes
    ----------
    n_nets
        Nets of the netlist.
    function
        Which of `functions` each computes, `(n,)`.
    inputs
        Nets at its pins, -1 beyond its last, `(n, PINS)`.
    output
        Its net, `(n,)`.
    functions
        Number of inputs and truth table of each function, bit `i` of the table for inputs `i` (the first lowest).
    places
        Gate of each cell of a type, by type and output pin.
    """

    n_nets: int
    function: NDArray[np.int32]
    inputs: NDArray[np.int32]
    output: NDArray[np.int32]
    functions: tuple[tuple[int, int], ...] = field(repr=False)
    places: dict[tuple[str, str], NDArray[np.intp]] = field(repr=False)

    @classmethod
    def of(cls, netlist: Netlist) -> Gates:
        """Collect the gates of a netlist.

        Raises
        ------
        SynthesisError
            A gate has more than `PINS` inputs.
        """
        functions: dict[tuple[int, int], int] = {}
        parts, keys = [], []
        for group in netlist.of_kind("gate"):
            if group.n_inputs > PINS:
                raise SynthesisError(f"gates of more than {PINS} inputs cannot be simulated: {group.cell.name}")
            inputs = np.full((len(group), PINS), -1, np.int32)
            inputs[:, : group.n_inputs] = group.inputs
            for pin in group.cell.outputs:
                key = (group.n_inputs, group.cell.functions[pin].over(group.cell.inputs))
                number = functions.setdefault(key, len(functions))
                parts.append((group.level, np.full(len(group), number, np.int32), inputs, group.net(pin)))
                keys.append((group.cell.name, pin))
        if not parts:
            parts = [(np.zeros(0), np.zeros(0, np.int32), np.zeros((0, PINS), np.int32), np.zeros(0, np.int32))]
        level, function, inputs, output = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(level, kind="stable")
        place = np.empty(len(order), np.intp)
        place[order] = np.arange(len(order))
        ends = np.cumsum([len(part[0]) for part in parts])[:-1]
        return cls(
            n_nets=netlist.n_nets,
            function=np.ascontiguousarray(function[order]),
            inputs=np.ascontiguousarray(inputs[order]),
            output=np.ascontiguousarray(output[order]),
            functions=tuple(functions),
            places=dict(zip(keys, np.split(place, ends), strict=False)),
        )

    def __len__(self) -> int:
        return len(self.output)

    def settle(self, values: NDArray[np.uint64]) -> None:
        """Compute every gate's output from the other nets' values, in place.

        Parameters
        ----------
        values
            `(n_nets, n_words)`, 64 lanes a word, contiguous.
        """
        if values.shape[0] != self.n_nets or values.dtype != np.uint64 or not values.flags.c_contiguous:
            raise ValueError(f"values must be contiguous uint64 of {self.n_nets} nets, not {values.shape}")
        _library(self.functions).settle(
            len(self), _at(self.function), _at(self.inputs), _at(self.output), _at(values), values.shape[1]
        )

    def fan_out(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return, for each net, where its sinks start, and the gates that are sinks."""
        gate, pin = np.nonzero(self.inputs >= 0)
        net = self.inputs[gate, pin]
        pairs = np.unique(net.astype(np.int64) * max(1, len(self)) + gate)
        net, gate = np.divmod(pairs, max(1, len(self)))
        return np.searchsorted(net, np.arange(self.n_nets + 1)).astype(np.int64), gate.astype(np.int32)


def _at(array: NDArray) -> int:
    return array.ctypes.data


def expression(n_inputs: int, table: int) -> str:
    """Return C++ for a truth table, over words `i[0]` and so on.

    Shannon's expansion about the last input, with the cases where a cofactor is constant or they are complements.
    """
    if n_inputs == 0:
        return "~T{}" if table & 1 else "T{}"
    half = 1 << (n_inputs - 1)
    ones = (1 << half) - 1
    low, high = table & ones, table >> half
    x, n = f"i[{n_inputs - 1}]", n_inputs - 1
    if low == high:
        return expression(n, low)
    if low == ones ^ high:
        return x if low == 0 else f"~{x}" if low == ones else f"({x} ^ {expression(n, low)})"
    if low == 0:
        return f"({x} & {expression(n, high)})"
    if low == ones:
        return f"(~{x} | {expression(n, high)})"
    if high == 0:
        return f"(~{x} & {expression(n, low)})"
    if high == ones:
        return f"({x} | {expression(n, low)})"
    return f"(({x} & {expression(n, high)}) | (~{x} & {expression(n, low)}))"


def _native(compiler: list[str]) -> tuple[list[str], str]:
    """Return flags for this machine's own instructions, and what tells it from others (a cache may be shared).

    Raises
    ------
    SynthesisError
        There is no such compiler.
    """
    flags = ["-march=native"]
    try:
        done = subprocess.run(
            [*compiler, *flags, "-dM", "-E", "-x", "c++", "-"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(),
        )
    except OSError as error:
        raise SynthesisError(
            f"simulating gates needs a C++ compiler: {shlex.join(compiler)}: {error.strerror}"
        ) from error
    return ([], "") if done.returncode else (flags, done.stdout)


@cache
def _library(functions: Sequence[tuple[int, int]]) -> ctypes.CDLL:
    """Compile `gates.cpp` for these functions, or take what was compiled before."""
    cases = "\n".join(f"    case {n}: return {expression(*function)};" for n, function in enumerate(functions))
    source = _SOURCE.read_text(encoding="utf-8").replace("FUNCTIONS\n", cases.lstrip() + "\n", 1)
    compiler = shlex.split(os.environ.get("CXX", "")) or ["c++"]
    command = [*compiler, "-std=c++17", "-O2", "-shared", "-fPIC"]
    native, machine = _native(compiler)
    command += native
    key = hashlib.sha256("\n".join([source, *command, machine]).encode()).hexdigest()
    try:
        path = cache_folder() / "synth" / f"gates-{key}.so"
    except OSError:  # none: it is made for this process alone
        path = Path(f"gates-{key}.so")
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        if not path.is_file():
            built = Path(name) / "gates.so"
            file = Path(name) / "gates.cpp"
            file.write_text(source, encoding="utf-8")
            arguments = [*command, str(file), "-o", str(built)]
            done = subprocess.run(arguments, capture_output=True, text=True, env=environment())
            if done.returncode:
                raise SynthesisError(f"{shlex.join(compiler)} cannot compile {_SOURCE.name}", done.stderr)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                own = path.with_name(f"{path.stem}-{os.getpid()}-{threading.get_ident()}.so")
                shutil.copy(built, own)
                own.replace(path)
            except OSError:
                path = built
        library = ctypes.CDLL(str(path))
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    library.settle.argtypes = [number, pointer, pointer, pointer, pointer, number]
    library.settle.restype = None
    library.transitions.argtypes = [
        *(number, number, number, pointer, pointer, pointer, pointer, ctypes.c_int32),
        *(pointer, pointer, pointer, pointer, pointer, pointer, number),
    ]
    library.transitions.restype = number
    return library


def run_transitions(
    gates: Gates,
    output: NDArray[np.int32],
    delay: NDArray[np.int32],
    fan_out: tuple[NDArray[np.int64], NDArray[np.int32]],
    values: NDArray[np.uint64],
    after: NDArray[np.uint64],
    wanted: NDArray[np.uint64],
    counts: NDArray[np.int64],
    max_steps: int,
) -> int:
    """Simulate a clock cycle of `64 * WORDS` lanes with delays, as `gates.cpp` says.

    Parameters
    ----------
    gates, fan_out
        The gates, and their `fan_out()`.
    output
        Nets of gates, then of sources.
    delay
        Steps, `(len(output), ARCS)`.
    values
        Settled values, `(n_nets, WORDS)`; changed to those after the cycle.
    after
        New values of sources, `(n_sources, WORDS)`.
    wanted
        Lanes that count, `(WORDS,)`.
    counts
        Transitions are added here, `(len(output), ARCS)`.

    Returns
    -------
    int
        Step of the last transition; negative if it does not end within `max_steps`, or an arc is missing.
    """
    arrays = (output, delay, fan_out[0], fan_out[1], values, after, wanted, counts)
    assert all(array.flags.c_contiguous for array in arrays)
    assert delay.shape == counts.shape == (len(output), ARCS)
    return _library(gates.functions).transitions(
        gates.n_nets,
        len(gates),
        len(output) - len(gates),
        _at(gates.function),
        _at(gates.inputs),
        _at(output),
        _at(delay),
        int(delay.max(initial=1)),
        _at(fan_out[0]),
        _at(fan_out[1]),
        _at(values),
        _at(after),
        _at(wanted),
        _at(counts),
        max_steps,
    )
