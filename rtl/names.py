"""Names that a module may have in every tool that reads Verilog."""

from __future__ import annotations

import re
from typing import Any

from hamming.golden.words import shown

__all__ = ["RESERVED_WORDS", "require_module_name"]

MAX_NAME_LENGTH = 64

#: Reserved words of SystemVerilog, IEEE 1800-2017, annex B, which are those of Verilog (IEEE 1364-2005) and more: most
#: tools read a .v file as SystemVerilog.
RESERVED_WORDS = frozenset(
    "accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind "
    "bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config "
    "const constraint context continue cover covergroup coverpoint cross deassign default defparam design disable "
    "dist do edge else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup "
    "endinterface endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask "
    "enum event eventually expect export extends extern final first_match for force foreach forever fork forkjoin "
    "function generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import "
    "incdir include initial inout input inside instance int integer interconnect interface intersect join join_any "
    "join_none large let liblist library local localparam logic longint macromodule matches medium modport module "
    "nand negedge nettype new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed "
    "parameter pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup "
    "pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg "
    "reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime "
    "s_until s_until_with scalared sequence shortint shortreal showcancelled signed small soft solve specify "
    "specparam static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table "
    "tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg "
    "type typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait "
    "wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor".split()
)

_BESIDE = "a module that a simulation, or memories outside, put beside the engine"

#: Other names that something else has.
_TAKEN = {
    "std": "a package of SystemVerilog's own",
    "TOP": "a module of Verilator's own",
    "hamming_harness": _BESIDE,
    "hamming_ram_1r1w": _BESIDE,
    "hamming_request_memory": _BESIDE,
    "hamming_stream_monitor": _BESIDE,
    "hamming_waves": _BESIDE,
}


def require_module_name(name: Any) -> str:
    """Return `name` if it may be a module's in every tool; raise `TypeError` or `ValueError` otherwise."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, not {shown(name)}")
    if not re.fullmatch(rf"[A-Za-z_][A-Za-z0-9_]{{0,{MAX_NAME_LENGTH - 1}}}", name):
        raise ValueError(
            "name must be a Verilog identifier "
            f"(letters, digits, underscores; {MAX_NAME_LENGTH} at most), not {shown(name)}"
        )
    if name in RESERVED_WORDS:
        raise ValueError(f"name must not be a reserved word of SystemVerilog (IEEE 1800-2017), as {name!r} is")
    if name in _TAKEN:
        raise ValueError(f"name must not be {name!r}, which is {_TAKEN[name]}")
    return name
