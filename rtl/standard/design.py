"""A baseline: its spec, how many keys it takes each cycle, and every size that follows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hamming.golden.checks import require_choice, require_int
from hamming.golden.spec import AttentionSpec
from hamming.golden.standard import StandardSpec, logit_scale_of
from hamming.golden.standard.bf16 import Bf16Spec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.standard.bf16 import Bf16Adder, Bf16Multiplier

__all__ = ["ELEMENTS", "StandardDesign", "tree_depth"]

#: Baselines, by their elements, and whether they weigh but as many keys as the binary engine.
ELEMENTS = ("int8", "int4", "bf16", "sparse_int8", "sparse_int4")


def tree_depth(n_words: int) -> int:
    """Return the additions on the longest way through a tree that sums `n_words`."""
    return (n_words - 1).bit_length()


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
        Key and value memories: `internal` or `external`, as of `rtl.config.EngineConfig`; internal with a `top_k`.
    n_macs, value_banks
        Of a spec with a `top_k`, as of `rtl.config.EngineConfig`: what follows the scores is the binary engine's.

    Raises
    ------
    TypeError, ValueError
        A field has the wrong type, is out of range or does not fit the spec.
    """

    spec: StandardSpec | Bf16Spec
    name: str = "standard_engine"
    n_lanes: int = 1
    memory: str = "internal"
    n_macs: int | None = None
    value_banks: int = 1

    def __post_init__(self) -> None:
        require_int("n_lanes", self.n_lanes, 1, self.spec.n_keys, why="n_keys")
        if self.n_lanes & (self.n_lanes - 1):
            raise ValueError(
                f"n_lanes must be a power of two, so that an index splits into memory row and lane, not {self.n_lanes}"
            )
        require_choice("memory", self.memory, ("internal", "external"))
        if isinstance(self.spec, Bf16Spec) and self.spec.n_lanes != self.n_lanes:
            raise ValueError(f"n_lanes must be the spec's, {self.spec.n_lanes}, by which it sums, not {self.n_lanes}")
        if isinstance(self.spec, Bf16Spec) and self.spec.n_sums != Bf16Adder.latency:
            raise ValueError(f"n_sums must be {Bf16Adder.latency}, the adder's stages, not {self.spec.n_sums}")
        if self.selects:
            require_choice("memory", self.memory, ("internal",))
            _ = self.kept
        elif (self.n_macs, self.value_banks) != (None, 1):
            raise ValueError("n_macs and value_banks are of a spec with a top_k; leave them out where all keys count")

    @classmethod
    def like(cls, design: Design, *, element: str = "int8") -> StandardDesign:
        """Return the baseline of a binary design: same shapes, keys a cycle and memories.

        Parameters
        ----------
        design
            The binary one.
        element
            One of `ELEMENTS`.
        """
        config, binary = design.config, design.spec
        require_choice("element", element, ELEMENTS)
        if binary.n_tables > 1:
            raise ValueError(
                f"standard attention has one softmax table; compare a design of one, not of {binary.n_tables}"
            )
        suffix = "standard" if element == "int8" else f"standard_{element}"
        selects, kept = element.startswith("sparse"), {}
        if element != "bf16":
            spec = StandardSpec.like(binary, element_bits=int(element[-1]), selects=selects)
        else:
            spec = Bf16Spec.from_logit_scale(
                d_head=binary.d_head,
                d_value=binary.d_value,
                n_keys=binary.n_keys,
                n_lanes=config.n_lanes,
                n_sums=Bf16Adder.latency,
                logit_scale=logit_scale_of(binary.tables[0]),
            )
        if selects:
            kept = {"n_macs": config.n_macs, "value_banks": config.value_banks}
        return cls(spec=spec, name=f"{config.name}_{suffix}", n_lanes=config.n_lanes, memory=config.memory, **kept)

    @property
    def element(self) -> str:
        """One of `ELEMENTS`."""
        if isinstance(self.spec, Bf16Spec):
            return "bf16"
        return f"{'sparse_' if self.selects else ''}int{self.spec.element_bits}"

    @property
    def selects(self) -> bool:
        """Whether only the best keys are weighed."""
        return isinstance(self.spec, StandardSpec) and self.spec.top_k is not None

    @cached_property
    def kept(self) -> Dimensions:
        """Sizes of what follows the scores, of a spec with a `top_k`: an engine's, whose deficits are distances."""
        spec = self.spec
        if not isinstance(spec, StandardSpec) or spec.top_k is None:
            raise ValueError("all keys are weighed; only a spec with a top_k keeps some")
        binary = AttentionSpec(
            d_head=len(spec.weights) - 1,
            d_value=spec.d_value,
            n_keys=spec.n_keys,
            top_k=spec.top_k,
            weights=spec.weights,
            value_bits=spec.element_bits,
            weight_bits=spec.weight_bits,
            out_frac_bits=spec.out_frac_bits,
        )
        config = EngineConfig(
            name=self.name,
            n_lanes=self.n_lanes,
            n_macs=self.n_macs,
            value_banks=self.value_banks,
            expose_index=False,
        )
        return Dimensions(binary, config)

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
        """Rows of the score memory: a query's, and those scored until its maximum is known and its first row read."""
        return self.n_rows + self.lane_bits + 4

    @property
    def n_sums(self) -> int:
        """Partial sums that rows of keys are added to, in turn."""
        return 1 if isinstance(self.spec, StandardSpec) else self.spec.n_sums

    @cached_property
    def n_outputs(self) -> int:
        """Elements divided, and put out, each cycle: the fewest that let division keep up with a query of all keys."""
        if self.selects:
            return self.kept.n_dividers
        d_value = self.spec.d_value
        most = max(1, self.n_rows - self.n_sums + 1)
        return next(n for n in range(1, d_value + 1) if d_value % n == 0 and d_value // n <= most)

    @property
    def fold(self) -> int:
        """Beats of an output."""
        return self.spec.d_value // self.n_outputs

    def cycle_terms(self, n_valid: int | None = None) -> dict[str, int]:
        """Cycles a query, back to back, that each part alone needs; the engine's cycles are the largest."""
        n_valid = self.spec.n_keys if n_valid is None else n_valid
        if self.selects:
            return self.kept.cycle_terms(n_valid)
        n_rows = max(1, -(-n_valid // self.n_lanes))
        return {"score": max(self.least_score, n_rows), "divide": self.fold + min(self.n_sums, n_rows) - 1}

    @property
    def least_score(self) -> int:
        """Cycles in which a query of one row is read: in bfloat16 it waits until it is registered."""
        return 1 if isinstance(self.spec, StandardSpec) else 2

    @property
    def score_stages(self) -> int:
        """Cycles from a row of keys to its levels."""
        if isinstance(self.spec, StandardSpec):
            return 3
        return 1 + Bf16Multiplier.latency + Bf16Adder.latency * tree_depth(self.spec.d_head)

    @property
    def weigh_stages(self) -> int:
        """Cycles from a row of levels to its weights."""
        return 2 if isinstance(self.spec, StandardSpec) else 4 + Bf16Adder.latency

    @property
    def sum_stages(self) -> int:
        """Cycles from a row of weights, and values, to their sums."""
        if isinstance(self.spec, StandardSpec):
            return 2
        return Bf16Multiplier.latency + Bf16Adder.latency * (tree_depth(self.n_lanes) + 1)

    @property
    def divide_stages(self) -> int:
        """Cycles from sums to the first beat."""
        if isinstance(self.spec, StandardSpec):
            return self.spec.out_bits + 3
        return 13 + Bf16Adder.latency * tree_depth(self.n_sums)

    def latency(self, n_valid: int | None = None) -> int:
        """Most cycles from the first offer of a lone query to the transfer of its last beat, taken at once."""
        terms = self.cycle_terms(n_valid)
        if self.selects:
            return terms["score"] + self.score_stages + self.lane_bits + 5 + self.kept.latency(n_valid)
        stages = self.score_stages + self.weigh_stages + self.sum_stages + self.divide_stages
        return 2 * terms["score"] + terms["divide"] + stages + self.lane_bits + 7

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types; `from_dict` is the inverse."""
        fields = dataclasses.asdict(self) | {"spec": self.spec.to_dict()}
        unsaid = () if self.selects else ("n_macs", "value_banks")
        return {name: value for name, value in fields.items() if name not in unsaid}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> StandardDesign:
        """Rebuild a design from `to_dict`'s result, with every check."""
        kind = Bf16Spec if "first" in fields["spec"] else StandardSpec
        return cls(**{**fields, "spec": kind.from_dict(fields["spec"])})
