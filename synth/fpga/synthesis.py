"""Yosys for a device: Verilog in; a flat netlist, and what each block takes, out."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamming.synth.fpga.blocks import Source, cell_blocks, source_names
from hamming.synth.fpga.devices import RESOURCES, Device
from hamming.synth.fpga.harness import DESIGN, TOP, harness
from hamming.synth.fpga.output_registers import absorb_output_registers
from hamming.synth.yosys import process as yosys
from hamming.synth.yosys.memories import without_contents

__all__ = ["Netlist", "synthesize"]


@dataclass(frozen=True)
class Netlist:
    """A flat design in a device's cells.

    Attributes
    ----------
    text
        As nextpnr reads it, with the shift register around it.
    names
        Of `nets` and of `cells`: what they are in the source, as `block.signal`.
    blocks, cells
        As of `report.Implementation`.
    """

    text: str
    names: dict[str, dict[str, str]]
    blocks: dict[str, dict[str, float]]
    cells: dict[str, int]


def synthesize(
    verilog: str,
    manifest: Mapping[str, Any],
    device: Device,
    *,
    dsp: bool = False,
    lut_ram_words: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Netlist:
    """Synthesize a design for a device, flat.

    Yosys is told that no answer depends on a word that is read and written in one cycle (`no_rw_check`), as is the
    contract of the engine's memories. Registers behind block RAM are made its own (`output_registers`).

    Parameters
    ----------
    verilog, manifest
        The design, and its manifest, which names its ports and memories.
    device
        The device.
    dsp
        Whether products may become the device's multipliers.
    lut_ram_words
        Memories of at most so many words are LUT RAM, whatever Yosys would choose.
    progress
        Called with the share that is done.

    Raises
    ------
    SynthesisError
        Yosys refuses the design.
    """
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(without_contents(verilog) + harness(manifest), encoding="utf-8")
        commands = [
            "read_verilog design.v",
            f"hierarchy -top {TOP}",
            "proc",
            "write_json modules.json",
            "setattr -set no_rw_check 1 */m:*",
            *(f'setattr -set ram_style "distributed" {memory}' for memory in _small(manifest, lut_ram_words)),
            f"{device.synthesis} {device.dsp[0 if dsp else 1]} -top {TOP}",
            "autoname",
            "write_json netlist.json",
        ]
        steps = len(commands)
        yosys.run(commands, folder, progress=lambda n: progress(n / steps) if progress else None)
        whole = json.loads((folder / "netlist.json").read_text(encoding="utf-8"))
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))["modules"]
    netlist = whole["modules"][TOP]
    absorb_output_registers(netlist)
    sources = source_names(netlist, modules, TOP)
    owners = cell_blocks(netlist, sources, DESIGN)
    return Netlist(json.dumps(whole), _signals(netlist, sources, owners, device), *_count(netlist, owners, device))


def _small(manifest: Mapping[str, Any], words: int) -> list[str]:
    """Name memories of at most so many words, as Yosys selects them, whatever is around the engine."""
    return [
        f"*.{memory['name']}/m:*"
        for memory in manifest["memories"]
        if memory["location"] == "internal" and memory["depth"] <= words
    ]


def _signals(
    netlist: Mapping[str, Any], sources: Mapping[int, Source], owners: Mapping[str, str], device: Device
) -> dict[str, dict[str, str]]:
    """Return what nets and cells are in the source, by the names that nextpnr has for them.

    A net without a name is of the block of the cell that drives it. A cell is what its first output is, or what the
    flip-flop is that it drives, with which nextpnr may make it one.
    """
    by_bit = {bit: source.within(DESIGN) for bit, source in sources.items()}
    drivers = {
        bit: name
        for name, cell in netlist["cells"].items()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for bit in bits
        if bit not in by_bit
    }
    cells: dict[str, str] = {}
    for cell in netlist["cells"].values():
        if device.resource(cell["type"]) == ("ff", 1):
            (after,) = cell["connections"]["Q"]
            before = [bits[0] for port, bits in cell["connections"].items() if port in ("D", "DI")]
            cells |= {drivers[bit]: by_bit[after] for bit in before if bit in drivers and after in by_bit}
    for name, cell in netlist["cells"].items():
        outputs = [bits for port, bits in cell["connections"].items() if cell["port_directions"][port] == "output"]
        for bit in itertools.chain(*outputs):
            if name in owners:
                by_bit.setdefault(bit, f"{owners[name]}, logic")
            cells.setdefault(name, by_bit.get(bit) or name)
    nets = {}
    for name, net in netlist["netnames"].items():
        for place, bit in enumerate(net["bits"]):
            if bit in by_bit:
                nets[f"{name}[{place}]" if len(net["bits"]) > 1 else name] = by_bit[bit]
    return {"nets": nets, "cells": cells}


def _count(
    netlist: Mapping[str, Any], owners: Mapping[str, str], device: Device
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Count cells: what they take, by block, and their types."""
    blocks: dict[str, dict[str, float]] = {}
    types: Counter[str] = Counter()
    for name, block in owners.items():
        kind = netlist["cells"][name]["type"]
        types[kind] += 1
        taken = device.resource(kind)
        if taken is not None:
            numbers = blocks.setdefault(block, dict.fromkeys(RESOURCES, 0))
            numbers[taken[0]] += taken[1]
    ordered = sorted(blocks, key=lambda block: -blocks[block]["lut"])
    return {block: blocks[block] for block in ordered}, dict(sorted(types.items()))
