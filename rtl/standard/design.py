"""A baseline: its spec, how many keys it takes each cycle, and every size that follows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from golden.checks import require_choice, require_int
from golden.standard import StandardSpec
from rtl.config import MEMORIES
from rtl.design import Design

__all__ = ["StandardDesign"]

#: Rows that the score memory holds beyond those of one query: as many as are scored between a query's last row and the
#: first read of its scores.
SLACK_ROWS = 8


@dataclass(frozen=True, kw_only=True)
class StandardDesign:
    """What is computed and how, checked against each other.

    Parameters
    ----------
    spec
        What every output bit is.
    name
        Name of the Verilog module.
    n_lanes
        Keys scored, and weighted, each cycle: a power of two.
    memory
        Key and value memories: `internal` or `external`, as of `rtl.config.EngineConfig`.

    Raises
    ------
    TypeError, ValueError
        A field has the wrong type, is out of range or does not fit the spec.
    """

    spec: StandardSpec
    name: str = "standard_engine"
    n_lanes: int = 1
    memory: str = "internal"

    def __post_init__(self) -> None:
        require_int("n_lanes", self.n_lanes, 1, self.spec.n_keys, why="n_keys")
        if self.n_lanes & (self.n_lanes - 1):
            raise ValueError(
                f"n_lanes must be a power of two, so that an index splits into memory row and lane, not {self.n_lanes}"
            )
        require_choice("memory", self.memory, MEMORIES)

    @classmethod
    def like(cls, design: Design) -> StandardDesign:
        """Return the baseline of a binary design: same shapes, keys a cycle and memories."""
        config = design.config
        return cls(
            spec=StandardSpec.like(design.spec),
            name=f"{config.name}_standard",
            n_lanes=config.n_lanes,
            memory=config.memory,
        )

    @property
    def lane_bits(self) -> int:
        """Bits of an index that say the lane."""
        return self.n_lanes.bit_length() - 1

    @property
    def n_rows(self) -> int:
        """Rows of the key and value memories."""
        return -(-self.spec.n_keys // self.n_lanes)

    @property
    def score_rows(self) -> int:
        """Rows of the score memory."""
        return self.n_rows + SLACK_ROWS

    @cached_property
    def n_outputs(self) -> int:
        """Elements divided, and put out, each cycle: the fewest that let division keep up with a query of all keys."""
        d_value = self.spec.d_value
        return next(n for n in range(1, d_value + 1) if d_value % n == 0 and d_value // n <= self.n_rows)

    @property
    def fold(self) -> int:
        """Beats of an output."""
        return self.spec.d_value // self.n_outputs

    def cycle_terms(self, n_valid: int | None = None) -> dict[str, int]:
        """Cycles a query, back to back, that each part alone needs; the engine's cycles are the largest."""
        n_valid = self.spec.n_keys if n_valid is None else n_valid
        return {"score": max(1, -(-n_valid // self.n_lanes)), "divide": self.fold}

    def latency(self, n_valid: int | None = None) -> int:
        """Most cycles from the first offer of a lone query to the transfer of its last beat, taken at once."""
        terms = self.cycle_terms(n_valid)
        return 2 * terms["score"] + terms["divide"] + self.spec.out_bits + 19

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types; `from_dict` is the inverse."""
        return dataclasses.asdict(self) | {"spec": self.spec.to_dict()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> StandardDesign:
        """Rebuild a design from `to_dict`'s result, with every check."""
        return cls(**{**fields, "spec": StandardSpec.from_dict(fields["spec"])})
