"""Families of FPGAs: how Yosys maps memories for each, and which cells are its RAMs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAMILIES", "Family"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """FPGAs of one kind, as Yosys knows them.

    Attributes
    ----------
    title
        Its name for a reader.
    command
        Yosys' synthesis command, without a top module.
    label
        The part of that command that maps memories.
    block_ram, lut_ram
        Cells of the two kinds of RAM, as regular expressions of a whole name.
    """

    title: str
    command: str
    label: str
    block_ram: str
    lut_ram: str


FAMILIES = {
    "ecp5": Family(
        title="ECP5",
        command="synth_ecp5",
        label="map_ram",
        block_ram="DP16KD",
        lut_ram="TRELLIS_DPR16X4",
    ),
    "ice40": Family(
        title="iCE40",
        command="synth_ice40",
        label="map_ram",
        block_ram="SB_RAM40_4K.*",
        lut_ram="-",
    ),
    "gowin": Family(
        title="Gowin",
        command="synth_gowin",
        label="map_ram",
        block_ram="SDP[BX]9?B?",
        lut_ram="RAM16S.*",
    ),
    "xc7": Family(
        title="7-series",
        command="synth_xilinx -flatten",
        label="map_memory",
        block_ram="RAMB.*",
        lut_ram="RAM[0-9].*",
    ),
    "xc7-block": Family(
        title="7-series without LUT RAM",
        command="synth_xilinx -flatten -nolutram",
        label="map_memory",
        block_ram="RAMB.*",
        lut_ram="-",
    ),
}
