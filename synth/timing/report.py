"""What a static timing analysis assumes and what it finds. `analysis` makes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PORTS", "Environment", "Step", "TimingPath", "TimingReport"]

#: What stands for a block where a path starts or ends at a port.
PORTS = "(ports)"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What is assumed around a design. Times are in ns, capacitances in fF.

    Attributes
    ----------
    clock_slew
        Slew of the clock, which reaches every flip-flop, clock gate or not, at the same moment.
    driving_cell
        Cell that drives every input; None for an ideal source.
    input_slew
        Slew at the driving cell's input, or of the ideal source.
    input_delay, output_delay
        How long after the clock edge inputs arrive, and how long before the next outputs must.
    output_load
        Capacitance at every output.
    wire_load
        Name of a wire-load model in the library; `default` is the library's choice, None is no wires.
    untimed
        Inputs that do not change while it matters.
    memory_delay, memory_slew
        When a memory's read data arrive after the clock edge, and their slew.
    memory_delays
        The same for single memories, by the name of `synth.netlist.netlist.Macro`; the others take `memory_delay`.
    memory_setup
        How long before the edge a memory's inputs must arrive.
    memory_pin
        Capacitance of a memory's input.
    """

    clock_slew: float = 0.02
    driving_cell: str | None = "BUF_X2"
    input_slew: float = 0.02
    input_delay: float = 0.0
    output_delay: float = 0.0
    output_load: float = 5.0
    wire_load: str | None = "default"
    untimed: tuple[str, ...] = ("rst",)
    memory_delay: float = 0.35
    memory_delays: Mapping[str, float] = field(default_factory=dict)
    memory_slew: float = 0.03
    memory_setup: float = 0.05
    memory_pin: float = 1.0

    def __post_init__(self) -> None:
        for name, value in {**dataclasses.asdict(self), **self.memory_delays}.items():
            if isinstance(value, float | int) and not value >= 0:
                raise ValueError(f"{name} must be 0 or more, not {value!r}")

    def delay_of(self, memory: str) -> float:
        """Return when a memory's read data arrive."""
        return self.memory_delays.get(memory, self.memory_delay)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A cell on a path, or where the path starts (then `cell` is empty, or a memory's or flip-flop's).

    Attributes
    ----------
    instance, cell, block
        Its name in the hierarchy, its type, and the child of the top that it is in.
    from_pin, to_pin, edge
        Through which pins, and whether `to_pin` rises or falls.
    delay, arrival, slew
        Of `to_pin`, ns.
    fan_out, load
        Pins that it drives, and what it sees, fF.
    """

    instance: str
    cell: str
    block: str
    from_pin: str
    to_pin: str
    edge: str
    delay: float
    arrival: float
    slew: float
    fan_out: int
    load: float


@dataclass(frozen=True, kw_only=True)
class TimingPath:
    """The slowest path to a block's flip-flops and memories, or to the outputs (block `(ports)`).

    Attributes
    ----------
    start_block, end_block
        Where the path starts and ends.
    end
        Pin or port that it ends at.
    steps
        What it goes through.
    arrival, setup
        ns: when the signal arrives, and how long before the edge it must.
    """

    start_block: str
    end_block: str
    end: str
    arrival: float
    setup: float
    steps: tuple[Step, ...]

    @property
    def period(self) -> float:
        """Shortest clock period that the path allows, ns."""
        return self.arrival + self.setup


@dataclass(frozen=True, kw_only=True)
class TimingReport:
    """Timing of a design.

    Attributes
    ----------
    top
        Module.
    library
        Name and hash of the library.
    environment
        What was assumed.
    paths
        For each block that something ends in, its slowest path; slowest first.
    n_cells, n_levels, n_ends
        Cells, gates on the longest chain, pins and ports where paths end.
    n_overloaded
        Outputs that drive more than the library allows, and whose delay therefore lies beyond its tables.
    """

    top: str
    library: Mapping[str, str]
    environment: Environment
    paths: tuple[TimingPath, ...] = field(repr=False)
    n_cells: int
    n_levels: int
    n_ends: int
    n_overloaded: int

    @property
    def critical_path(self) -> TimingPath:
        """The slowest path of all."""
        return self.paths[0]

    @property
    def period(self) -> float:
        """Shortest clock period, ns."""
        return self.critical_path.period

    @property
    def fmax(self) -> float:
        """Highest clock frequency, MHz."""
        return 1e3 / self.period

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types; `from_dict` is the inverse."""
        fields = dataclasses.asdict(self)
        for path, mine in zip(fields["paths"], self.paths, strict=True):
            path["period"] = mine.period
        return {"format": 1, "period": self.period, "fmax": self.fmax, **fields}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> TimingReport:
        """Rebuild a report from `to_dict`'s result."""
        if fields.get("format") != 1:
            raise ValueError(f"a timing report has format 1, not {fields.get('format')!r}")
        own = {key: value for key, value in fields.items() if key not in ("format", "period", "fmax")}
        environment = {**fields["environment"], "untimed": tuple(fields["environment"]["untimed"])}
        own["environment"] = Environment(**environment)
        own["paths"] = tuple(
            TimingPath(**{k: v for k, v in path.items() if k not in ("period", "steps")}, steps=_steps(path["steps"]))
            for path in fields["paths"]
        )
        return cls(**own)


def _steps(steps: list[dict[str, Any]]) -> tuple[Step, ...]:
    return tuple(Step(**step) for step in steps)
