"""Emitted Verilog as it is simulated: the same module, of which nothing is known that hardware does not promise.

An emitted file infers its memories and gives every register and memory an initial value. Simulated as it is, a word
that is read and written in one cycle reads as what it was, and everything begins at 0: what depends on either works,
and fails as a macro or in silicon. So what is simulated is the file with two changes, and nothing else.
"""

from __future__ import annotations

import re

from hamming.rtl.memory_wrapper import RAM

__all__ = ["POWER_UPS", "require_power_up", "with_macros", "without_initial_values"]

#: What registers and memories hold before the first reset: anything, or the initial values that the file states.
POWER_UPS = ("unknown", "zero")

#: A name, plain or escaped.
_NAME = r"(?:\\\S+ |\w+)"
_MODULE = re.compile(r"^module (.*?)\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_MEMORY = re.compile(r"^  reg (?:\[(\d+):0\] )?memory \[(\d+):0\];\n", re.MULTILINE)
_INITIAL = re.compile(r"^(?:  integer word;\n)?  initial for [^\n]*;\n", re.MULTILINE)
_WRITES = re.compile(
    r"^  always @\(posedge clk\) begin\n((?:    if \([^\n]*\)\n      memory\[[^\n]*\n)+)  end\n", re.MULTILINE
)
_WRITE = re.compile(r"    if \((.*)\)\n      memory\[(.*?)\](?:\[(\d+)(?::(\d+))?\])? <= (.*);\n")
_READ = re.compile(
    r"^  reg (?:\[\d+:0\] )?(_\d+_);\n"
    r"  always @\(posedge clk\) begin\n    if \((.*)\) begin\n      _\d+_ <= memory\[(.*)\];\n    end\n  end\n",
    re.MULTILINE,
)


def require_power_up(power_up: str) -> None:
    """Raise `ValueError` if `power_up` is none of `POWER_UPS`."""
    if power_up not in POWER_UPS:
        raise ValueError(f"power_up must be one of {', '.join(POWER_UPS)}, not {power_up!r}")


def with_macros(verilog: str) -> str:
    """Replace each inferred memory of two ports by an instance of `sim/verilog/hamming_ram_1r1w.v`.

    Those are the memories of `rtl.memory.DualPortMemory`, each in a module of its own, of which the ports stay. Lists
    and tables, which are read at once, remain what they are: registers.

    Raises
    ------
    ValueError
        A module has such a memory in a form that is not known here.
    """
    return _MODULE.sub(_with_macro, verilog)


def _with_macro(module: re.Match[str]) -> str:
    text = module[0]
    declared = _MEMORY.search(text)
    if declared is None:
        return text
    initial, writes, read = (pattern.search(text) for pattern in (_INITIAL, _WRITES, _READ))
    parts = [] if writes is None else _WRITE.findall(writes[1])
    if initial is None or writes is None or read is None or not parts or len({addr for _, addr, *_ in parts}) > 1:
        raise ValueError(f"the memory of module {module[1].strip()} has a form that sim.worst_case does not know")

    width, depth = int(declared[1] or 0) + 1, int(declared[2]) + 1
    lows = [int(low or high or 0) for _, _, high, low, _ in parts]
    lane_bits = width // len(parts)
    if lows != [lane_bits * lane for lane in range(len(parts))]:
        raise ValueError(
            f"the memory of module {module[1].strip()} is written in parts that sim.worst_case does not know"
        )
    data, enable, read_addr = read[1], read[2], read[3]
    parameters = {
        "DEPTH": depth,
        "ADDR_BITS": max(1, (depth - 1).bit_length()),
        "WIDTH": width,
        "LANE_BITS": lane_bits,
    }
    connections = {
        "clk": "clk",
        "read_addr": read_addr,
        "read_en": enable,
        "read_data": data,
        "write_addr": parts[0][1],
        "write_en": _joined([part[0] for part in parts]),
        "write_data": _joined([part[4] for part in parts]),
    }
    settings = ", ".join(f".{name}({value})" for name, value in parameters.items())
    wires = ", ".join(f".{port}({wire})" for port, wire in connections.items())
    macro = f"  wire [{width - 1}:0] {data};\n  {RAM} #({settings}) macro ({wires});\n"
    for found in (declared, initial, writes):
        text = text.replace(found[0], "", 1)
    return text.replace(read[0], macro, 1)


def _joined(parts: list[str]) -> str:
    """Return the concatenation of expressions, the first one lowest."""
    return f"{{ {', '.join(reversed(parts))} }}"


def without_initial_values(verilog: str) -> str:
    """Drop the initial values of registers, and the zeroing of memories: at power-up they hold anything.

    A memory with other contents than zeros is a table, and keeps them.
    """
    verilog = re.sub(rf"^(  reg (?:\[\d+:0\] )?{_NAME}) = \d+'[bdh][0-9a-f]+;$", r"\1;", verilog, flags=re.MULTILINE)
    return _INITIAL.sub("", verilog)
