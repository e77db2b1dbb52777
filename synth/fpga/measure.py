"""A design on a device: emission, synthesis, and a placement a seed, those of several designs on one pool."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hamming.golden.checks import require_choice, require_int
from hamming.pool import Pool
from hamming.rtl.design import Design
from hamming.rtl.manifest import manifest
from hamming.rtl.memory_wrapper import memory_wrapper, ram_verilog, wrapper_name, wrapper_ports
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.manifest import standard_manifest
from hamming.rtl.standard.verilog import emit_standard, standard_engine
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.synth import cache
from hamming.synth.fpga.devices import DEVICES
from hamming.synth.fpga.place import place, version
from hamming.synth.fpga.report import Implementation, Run
from hamming.synth.fpga.synthesis import Netlist, synthesize
from hamming.synth.yosys import process as yosys

__all__ = ["MHZ", "implement"]

#: Clock that placers aim at unless told, MHz.
MHZ = 150.0


def implement(
    designs: Sequence[Design | StandardDesign],
    device: str,
    *,
    seeds: Sequence[int] = (1,),
    mhz: float = MHZ,
    dsp: bool = False,
    lut_ram_words: int = 0,
    pool: Pool | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> list[Implementation]:
    """Synthesize designs for a device, and place and route each once a seed.

    Parameters
    ----------
    designs
        Engines and baselines.
    device
        Key of `DEVICES`.
    seeds
        Of the placer. Where no free tool places, none is used.
    mhz
        Clock that the placer aims at.
    dsp
        Whether products may become the device's multipliers.
    lut_ram_words
        Memories of at most so many words are LUT RAM, whatever Yosys would choose.
    pool
        Where the placements run.
    progress
        Called with the share of the synthesis that is done, and its step; placements tell of themselves.

    Raises
    ------
    ValueError
        There is no such device, it has no LUT RAM and is to have some, or the clock is not positive.
    SynthesisError
        Yosys refuses a design.
    pool.Failed
        Placements failed.
    """
    require_choice("device", device, tuple(DEVICES))
    require_int("lut_ram_words", lut_ram_words, 0)
    if lut_ram_words and not DEVICES[device].has_lut_ram:
        raise ValueError(
            f"lut_ram_words must be 0 for {device}, whose LUTs are no memories, not {lut_ram_words}: no --lut-ram"
        )
    if not mhz > 0:
        raise ValueError(f"mhz must be positive, not {mhz}")
    placer = DEVICES[device].placer
    tools = {"pyosys": yosys.version()}
    if placer is not None:
        tools[placer.distribution] = version(placer)
    netlists, facts = [], []
    for number, design in enumerate(designs):

        def tell(share: float, number: int = number, design: Design | StandardDesign = design) -> None:
            if progress is not None:
                progress((number + share) / len(designs), f"synthesizing {_name(design)}")

        tell(0.0)
        verilog, own = _emitted(design)
        netlists.append(synthesize(verilog, own, DEVICES[device], dsp=dsp, lut_ram_words=lut_ram_words, progress=tell))
        facts.append(own)
    runs = _placed(netlists, device, mhz, seeds if placer else (), pool or Pool(), tools)
    return [
        Implementation(
            design=own["name"],
            kind="standard" if isinstance(design, StandardDesign) else "hamming",
            device=device,
            mhz_aimed=mhz,
            dsp=dsp,
            blocks=netlist.blocks,
            cells=netlist.cells,
            runs=tuple(placed),
            tools=tools,
            verilog_sha256=own["verilog_sha256"],
        )
        for design, own, netlist, placed in zip(designs, facts, netlists, runs, strict=True)
    ]


def _name(design: Design | StandardDesign) -> str:
    return design.name if isinstance(design, StandardDesign) else design.config.name


def _emitted(design: Design | StandardDesign) -> tuple[str, dict[str, Any]]:
    """Return a design's Verilog, with memories at the ports for them, and its manifest."""
    if isinstance(design, StandardDesign):
        engine = standard_engine(design)
        verilog = emit_standard(engine)
        return verilog, standard_manifest(engine, verilog)
    engine = top(design.spec, design.config)
    verilog = emit(engine, design.config.name)
    facts = manifest(engine, verilog)
    if not facts["memory_ports"]:
        return verilog, facts
    whole = "\n".join((verilog, memory_wrapper(facts), ram_verilog()))
    return whole, facts | {"name": wrapper_name(facts), "ports": wrapper_ports(facts)}


def _placed(
    netlists: Sequence[Netlist], device: str, mhz: float, seeds: Sequence[int], pool: Pool, tools: dict[str, str]
) -> list[list[Run]]:
    """Place each netlist once a seed; what was placed before is known."""
    found: dict[str, Run] = {}
    requests: dict[str, dict[str, Any]] = {}
    jobs: dict[str, tuple[Any, ...]] = {}
    for number, netlist in enumerate(netlists):
        for seed in seeds:
            job = f"design {number + 1}, seed {seed}"
            requests[job] = {
                "netlist": hashlib.sha256(netlist.text.encode()).hexdigest(),
                "device": repr(DEVICES[device]),
                "mhz": mhz,
                "seed": seed,
                "tools": tools,
                "code": hashlib.sha256(Path(__file__).with_name("place.py").read_bytes()).hexdigest(),
            }
            if known := cache.load("fpga", requests[job]):
                found[job] = Run.from_dict(known)
            else:
                jobs[job] = (netlist.text, netlist.names, device, mhz, seed)
    if jobs:
        with pool.results(place, jobs, "placements") as results:
            for job, run in results:
                found[job] = run
                cache.store("fpga", requests[job], dataclasses.asdict(run))
    return [[found[f"design {number + 1}, seed {seed}"] for seed in seeds] for number in range(len(netlists))]
