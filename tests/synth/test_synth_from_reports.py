"""Reports of area, energy and timing become the figures of a comparison."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from amaranth.hdl import Fragment

from hamming.rtl.engine import Engine
from hamming.sim.stimulus import random_design
from hamming.synth.compare.figures import ROLES, Energy
from hamming.synth.compare.from_reports import (
    ENGINE_ROLES,
    block_figures,
    critical_path,
    memory_figures,
    timing_figures,
)
from hamming.synth.energy.report import BlockEnergy, EnergyReport
from hamming.synth.energy.trace import Accesses
from hamming.synth.mapping.area import AreaReport, Block, Figures
from hamming.synth.memory.sram import SramModel
from hamming.synth.timing.report import Environment, Step, TimingPath, TimingReport


def area_report(*names: str) -> AreaReport:
    def figures(size: float) -> Figures:
        return Figures(area=size, cells=round(size / 2), sequential_area=size / 4, cells_by_type={})

    fields = {field.name: None for field in dataclasses.fields(AreaReport)}
    blocks = tuple(
        Block(name=name, figures=figures(100.0 * (number + 1)), mapping="abc", candidates={})
        for number, name in enumerate(names)
    )
    return AreaReport(**{**fields, "blocks": blocks})  # pyright: ignore[reportArgumentType]


def energy_report(*names: str) -> EnergyReport:
    return EnergyReport(
        top="engine",
        library={},
        blocks={name: BlockEnergy(switching=4, internal=3, clock=2, leakage=1, settled=5) for name in names},
        cycles_a_query=16.0,
        clock_ns=2.0,
        settling_ns=0.9,
        accesses={
            "key_memory": Accesses(reads=16.0, writes=0.0, width=128, depth=64),
            "selector.scores": Accesses(reads=16.0, writes=16.0, width=14, depth=32),
        },
        n_cycles=100,
        n_streams=64,
        n_queries=400,
        n_samples=6400,
        vectors="random",
    )


def test_area_and_energy_meet_in_a_block():
    found = block_figures(area_report("score", "fork", "(top)"), energy_report("score", "(top)"), ENGINE_ROLES)
    assert [(block.name, block.role, block.area) for block in found] == [
        ("score", "scores", 100.0),
        ("fork", "control", 200.0),
        ("(top)", "control", 300.0),
    ]
    assert found[0].energy == Energy(switching=4, internal=3, clock=2, leakage=1)
    assert (found[0].cells, found[0].sequential_area) == (50, 25.0)
    assert found[1].energy.total == 0  # it spent nothing


def test_what_a_memory_drives_has_energy_and_no_area():
    found = block_figures(area_report("score"), energy_report("score", "key_memory"), ENGINE_ROLES)
    assert [(block.name, block.role, block.area, block.cells) for block in found] == [
        ("score", "scores", 100.0, 50),
        ("key_memory", "keys", 0.0, 0),
    ]
    assert found[1].energy.total > 0


def test_blocks_without_role_are_refused():
    with pytest.raises(ValueError, match="'extra' has no role; known: key_memory, "):
        block_figures(area_report("extra"), energy_report(), ENGINE_ROLES)


def test_every_part_of_every_engine_has_a_role():
    rng = np.random.default_rng(1)
    names = {"(top)"}
    for _ in range(30):
        design = random_design(rng)
        fragment = Fragment.get(Engine(design.spec, design.config), None)
        names |= {name for _, name, _ in fragment.subfragments}
    assert names == ENGINE_ROLES.keys()
    assert set(ENGINE_ROLES.values()) <= set(ROLES)


def test_memories_cost_what_they_were_seen_to_do():
    model = SramModel()
    keys, scores = memory_figures(energy_report(), ENGINE_ROLES, model)
    assert (keys.name, keys.role, scores.name, scores.role) == ("key_memory", "keys", "selector.scores", "selection")
    assert keys.read_energy == pytest.approx(16 * model.read_energy(64, 128))
    assert keys.write_energy == 0
    assert scores.write_energy == pytest.approx(16 * model.write_energy(32, 14))
    assert scores.leakage_energy == pytest.approx(32.0 * model.leakage(32, 14))  # 16 cycles of 2 ns


def test_timing_is_a_period_and_a_path():
    step = Step(
        instance="score.a",
        cell="FA_X1",
        block="score",
        from_pin="A",
        to_pin="S",
        edge="rise",
        delay=0.2,
        arrival=0.7,
        slew=0.05,
        fan_out=2,
        load=4.0,
    )
    path = TimingPath(start_block="fetch", end_block="score", end="x/D", arrival=0.7, setup=0.1, steps=(step,))
    report = TimingReport(
        top="engine",
        library={},
        environment=Environment(driving_cell=None, wire_load=None),
        paths=(path,),
        n_cells=1,
        n_levels=1,
        n_ends=1,
        n_overloaded=0,
    )
    found = timing_figures(report)
    assert (found.tool, found.period, found.fmax) == ("synth.timing", pytest.approx(0.8), pytest.approx(1.25))
    assert found.assumptions == "inputs with 0.02 ns slew, 5 fF at outputs, no wires"
    assert [(s.block, s.instance, s.cell, s.delay, s.arrival) for s in critical_path(report)] == [
        ("score", "score.a", "FA_X1", 0.2, 0.7)
    ]
