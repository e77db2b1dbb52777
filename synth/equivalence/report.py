"""What a proof of equality found, module by module."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hamming.synth.equivalence.combinational import Difference

__all__ = ["BlockProof", "EquivalenceReport", "ModuleProof"]


@dataclass(frozen=True, kw_only=True)
class ModuleProof:
    """A module of the Verilog beside that of the netlist.

    Attributes
    ----------
    module, blocks
        Its name, and the children of the top that hold it; `(top)` for the top itself.
    registers
        Bits of registers in the Verilog, those behind a memory's reads included.
    matched, merged, constant
        Of those: bits that a flip-flop (or a memory's read register) of the same name holds, that one of another name
        holds, its own or that of an equal register, and that never change.
    free
        Bits that nothing which was compared depends on.
    points
        Pairs of nets proved equal: outputs, pins of children and memories, and next values of registers.
    guarded
        Of those, pairs in which the Verilog may be x, as beyond a memory's last word; there any value is allowed.
    seconds
        Wall time.
    equal
        Whether it is proved; None if that was not decided.
    reason
        Why not, in a line.
    difference
        A case in which the two differ.
    """

    module: str
    blocks: tuple[str, ...]
    registers: int = 0
    matched: int = 0
    merged: int = 0
    constant: int = 0
    points: int = 0
    guarded: int = 0
    seconds: float
    equal: bool | None
    reason: str | None = None
    difference: Difference | None = None

    @property
    def free(self) -> int:
        """Bits that nothing which was compared depends on."""
        return self.registers - self.matched - self.merged - self.constant

    @property
    def how(self) -> str:
        """How registers found their flip-flops, before ABC's `cec`: by `names`, and some by `search`."""
        search = ["search"] if self.merged or self.constant else []
        return ", ".join([*(["names"] if self.matched else []), *search])


@dataclass(frozen=True, kw_only=True)
class BlockProof:
    """A child of the top: its modules' proofs together, with the sums of their counts and seconds."""

    name: str
    modules: tuple[ModuleProof, ...]

    def total(self, count: str) -> Any:
        """Return the sum of a count (or of `seconds`) over the modules."""
        return sum(getattr(module, count) for module in self.modules)

    @property
    def equal(self) -> bool | None:
        """Whether all are proved; False if one is refuted, else None if one is not decided."""
        found = [module.equal for module in self.modules]
        return False if False in found else None if None in found else True

    @property
    def how(self) -> str:
        """How registers found their flip-flops in the module that took most."""
        return max((module.how for module in self.modules), key=len)


@dataclass(frozen=True, kw_only=True)
class EquivalenceReport:
    """Whether a netlist is equal to its Verilog.

    Attributes
    ----------
    top
        Module.
    verilog_sha256, library, yosys_version
        As in the area report of the same netlist.
    modules
        In the order of the hierarchy.
    """

    top: str
    verilog_sha256: str
    library: Mapping[str, str]
    yosys_version: str
    modules: tuple[ModuleProof, ...]

    @property
    def equal(self) -> bool | None:
        """Whether all modules are proved; False if one is refuted, else None if one is not decided."""
        return BlockProof(name=self.top, modules=self.modules).equal

    @property
    def blocks(self) -> tuple[BlockProof, ...]:
        """Children of the top; a module that several hold counts in the first."""
        names = dict.fromkeys(module.blocks[0] for module in self.modules)
        return tuple(
            BlockProof(name=name, modules=tuple(m for m in self.modules if m.blocks[0] == name)) for name in names
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        derived = [{"free": module.free, "how": module.how} for module in self.modules]
        fields = dataclasses.asdict(self)
        fields["modules"] = [{**module, **more} for module, more in zip(fields["modules"], derived, strict=True)]
        return {"format": 1, "equal": self.equal, **fields}
