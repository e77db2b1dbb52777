"""What linters say of the emitted Verilog that is meant so: each rule, which of its warnings, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["WAIVERS", "Waiver", "verilator_waivers", "waiver_of"]


@dataclass(frozen=True)
class Waiver:
    """Warnings of a rule that are explained.

    Attributes
    ----------
    tool
        `verilator`, `slang` or `verible`; `icarus` warns of nothing.
    rule
        The rule's name in the tool.
    message
        What the warning must contain: text in which `*` stands for anything.
    reason
        Why what it warns of is meant so.
    """

    tool: str
    rule: str
    message: str
    reason: str

    def covers(self, tool: str, rule: str, message: str) -> bool:
        """Whether a warning is one of these."""
        pattern = ".*".join(map(re.escape, self.message.split("*")))
        return (tool, rule) == (self.tool, self.rule) and re.search(pattern, message, re.DOTALL) is not None


_POWER_UP = (
    "A register's value in its declaration is what it has when an FPGA is configured and when a simulation begins; its "
    "reset gives it the same one."
)
_NAMES = "Yosys keeps the name of every signal of the source, for traces; one that is an alias drives nothing."
_EXTENDED = (
    "An operand that is narrower than the result is extended, by zeros, or by its sign where it is signed, as "
    "Amaranth means it; Yosys leaves it to Verilog's own rules, which are the same."
)
_PICKED = "A word is picked out of several by a shift, and is the low bits of what comes out."
_TABLE = "The table's value is set before the case, so that what is not listed has it too: no latch."
_STYLE = "The text is Verilog-2005, which every tool reads; the rule asks for SystemVerilog."

WAIVERS = (
    Waiver("verilator", "PROCASSINIT", "Procedural assignment to declaration with initial value", _POWER_UP),
    Waiver("verilator", "UNUSEDSIGNAL", "is not used", _NAMES),
    Waiver("verilator", "UNUSEDSIGNAL", "are not used", _NAMES),
    Waiver("verilator", "WIDTHEXPAND", "Operator * expects", _EXTENDED),
    Waiver(
        "verilator",
        "WIDTHTRUNC",
        "Logical operator LOGNOT expects 1 bit",
        "`! word` is how Yosys writes that a word is 0: no bit is cut off.",
    ),
    Waiver("verilator", "WIDTHTRUNC", "Assign RHS's SHIFTR generates", _PICKED),
    Waiver("verilator", "CASEINCOMPLETE", "Case values incompletely covered", _TABLE),
    Waiver(
        "verilator",
        "DECLFILENAME",
        "does not match MODULE name",
        "One file has all modules; each has the engine's name before its own, so that engines do not clash.",
    ),
    Waiver("slang", "case-default", "missing 'default' label", _TABLE),
    Waiver(
        "slang",
        "arith-op-mismatch",
        "arithmetic between operands of different types",
        "Both are unsigned; the type of one is written with a range, that of the other, of one bit, without.",
    ),
    Waiver(
        "slang",
        "sign-conversion",
        "implicit conversion changes signedness",
        "The bits of a difference are meant, and taken as they are, as in Amaranth's own rules.",
    ),
    Waiver("slang", "width-trunc", "implicit conversion truncates", _PICKED),
    Waiver("verible", "always-comb", "Use 'always_comb' instead of 'always @*'", _STYLE),
    Waiver("verible", "case-missing-default", "Explicitly define a default case", _TABLE),
    Waiver("verible", "line-length", "Line length exceeds max", "Machines wrote the lines, and read them."),
    Waiver(
        "verible",
        "no-trailing-spaces",
        "Remove trailing spaces",
        "An escaped name ends with a blank, at the end of a line too.",
    ),
    Waiver("verible", "unpacked-dimensions-range-ordering", "Unpacked dimension range", _STYLE),
)


def waiver_of(tool: str, rule: str, message: str) -> Waiver | None:
    """Return the waiver that covers a warning."""
    return next((waiver for waiver in WAIVERS if waiver.covers(tool, rule, message)), None)


def verilator_waivers(file: str) -> str:
    """Return a configuration file for Verilator, with which `-Wall` says nothing of the Verilog in `file`."""
    lines = ["`verilator_config", "// Warnings of Verilator -Wall that are meant so, and why (hamming, docs/lint.md)."]
    for waiver in WAIVERS:
        if waiver.tool == "verilator":
            lines.append(f"// {waiver.reason}")
            lines.append(f'lint_off -rule {waiver.rule} -file "*{file}" -match "*{waiver.message}*"')
    return "\n".join(lines) + "\n"
