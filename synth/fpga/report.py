"""What a design takes of a device: plain data. `measure` fills it."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hamming.synth.fpga.devices import RESOURCES

__all__ = ["Implementation", "Run", "Step"]


@dataclass(frozen=True)
class Step:
    """A signal on the critical path: what drives it, ns from the input of that cell, and its wire, ns to the next."""

    signal: str
    logic: float
    wire: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """A placement and routing.

    Attributes
    ----------
    seed
        Of the placer.
    mhz
        The highest clock, by nextpnr's timing; None if the design does not fit.
    path
        The critical path, from a register or memory to what is set up.
    used, available
        Of nextpnr's kinds of site, after packing.
    seconds
        What it took.
    """

    seed: int
    mhz: float | None
    path: tuple[Step, ...]
    used: Mapping[str, int]
    available: Mapping[str, int]
    seconds: float

    @property
    def fits(self) -> bool:
        """Whether the device has what is used."""
        return self.mhz is not None

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Run:
        """Rebuild a run from `dataclasses.asdict`'s result."""
        return cls(**{**fields, "path": tuple(Step(**step) for step in fields["path"])})


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """A design on a device.

    Attributes
    ----------
    design, kind
        Name, and `hamming` or `standard`.
    device
        Key of `devices.DEVICES`.
    mhz_aimed
        Clock that the placer aims at, MHz.
    dsp
        Whether multipliers of the device may be used.
    blocks
        By block, the numbers of `RESOURCES`: children of the top, `(top)`, which is what it holds itself. The shift
        register around the design is not among them.
    cells
        The design's cells, by type.
    runs
        Placements, by seed; none where no free tool places.
    tools
        Versions.
    verilog_sha256
        Of what was synthesized.
    """

    design: str
    kind: str
    device: str
    mhz_aimed: float
    dsp: bool
    blocks: Mapping[str, Mapping[str, float]]
    cells: Mapping[str, int] = field(repr=False)
    runs: tuple[Run, ...]
    tools: Mapping[str, str]
    verilog_sha256: str

    @property
    def total(self) -> dict[str, float]:
        """The whole design's numbers of `RESOURCES`."""
        return {key: sum(block[key] for block in self.blocks.values()) for key in RESOURCES}

    @property
    def fits(self) -> bool | None:
        """Whether the device has what it takes; None where nothing places it."""
        return all(run.fits for run in self.runs) if self.runs else None

    @property
    def best(self) -> Run | None:
        """The run of the highest clock."""
        return max((run for run in self.runs if run.fits), key=lambda run: run.mhz or 0.0, default=None)

    @property
    def mhz_median(self) -> float | None:
        """Median of the runs' clocks, MHz."""
        found = [run.mhz for run in self.runs if run.mhz is not None]
        return statistics.median(found) if found else None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types; `from_dict` is the inverse."""
        best = self.best
        own = {"total": self.total, "fits": self.fits, "mhz": best and best.mhz, "mhz_median": self.mhz_median}
        return dataclasses.asdict(self) | own

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Implementation:
        """Rebuild a report from `to_dict`'s result."""
        names = {field.name for field in dataclasses.fields(cls)}
        own = {key: value for key, value in fields.items() if key in names}
        return cls(**{**own, "runs": tuple(map(Run.from_dict, fields["runs"]))})
