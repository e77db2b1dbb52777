"""A comparison with made-up figures, of the size of real ones, for the tests of what shows it."""

from __future__ import annotations

from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.figures import (
    Accuracy,
    BlockFigures,
    Contrast,
    Energy,
    MemoryFigures,
    PathStep,
    TimingFigures,
    Verification,
)
from hamming.synth.memory.sram import SramModel

MODEL = SramModel()


def block(name: str, role: str, area: float, energy: float, *, sequential: float = 0.3) -> BlockFigures:
    parts = Energy(switching=0.4 * energy, internal=0.35 * energy, clock=0.2 * energy, leakage=0.05 * energy)
    return BlockFigures(
        name=name, role=role, area=area, sequential_area=sequential * area, cells=round(area / 1.6), energy=parts
    )


def memory(
    name: str, role: str, depth: int, width: int, reads: float, writes: float = 0.0, *, cycles: int = 64
) -> MemoryFigures:
    sizes = {"depth": depth, "width": width, "reads": reads, "writes": writes}
    return MemoryFigures.of(MODEL, name=name, role=role, **sizes, query_time=float(cycles))


def accuracy(mean: float, worst: float) -> Accuracy:
    return Accuracy(
        against="float attention of the same bits and keys",
        data="MiniLM, 24 heads",
        mean_cosine=mean,
        worst_cosine=worst,
        rms_error=0.0041,
    )


PATH = (
    PathStep(block="weighted_sum", instance="weighted_sum.row_4", cell="DFF_X1", delay=0.094, arrival=0.094),
    PathStep(block="weighted_sum", instance="weighted_sum._0412_", cell="FA_X1", delay=0.131, arrival=0.225),
    PathStep(block="weighted_sum", instance="weighted_sum._0977_", cell="NAND2_X2", delay=0.502, arrival=0.727),
    PathStep(block="normalizer", instance="normalizer._0101_", cell="AOI21_X1", delay=0.118, arrival=0.845),
)


def sample() -> Comparison:
    """A flagship and two baselines, with a variant of the engine that is less exact."""
    ours = DesignFigures(
        key="hamming",
        title="this engine",
        kind="hamming",
        spec={"d_head": 64, "n_keys": 1024, "top_k": 32, "weight_bits": 12},
        engine={"n_lanes": 16, "n_macs": 32, "selector": "histogram"},
        blocks=(
            block("weighted_sum", "weighted sum", 20100.0, 310.0),
            block("normalizer", "division", 8900.0, 95.0, sequential=0.6),
            block("selector", "selection", 9800.0, 255.0),
            block("score", "scores", 5900.0, 280.0, sequential=0.05),
            block("replay", "selection", 2400.0, 60.0, sequential=0.7),
            block("fetch", "scores", 700.0, 20.0, sequential=0.7),
            block("loader", "control", 490.0, 4.0),
            block("softmax", "softmax", 230.0, 9.0),
            block("(top)", "control", 20.0, 1.0),
        ),
        memories=(
            memory("key_memory", "keys", 64, 1024, 64.0),
            memory("value_memory", "values", 2048, 256, 64.0),
            memory("selector.scores", "selection", 64, 224, 64.0, 64.0),
        ),
        timings=(
            TimingFigures(tool="this project", period=0.93, assumptions="5 fF at outputs, BUF_X2 at inputs"),
            TimingFigures(tool="ABC", period=0.96),
            TimingFigures(tool="OpenSTA 2.0.17", period=0.931),
        ),
        critical_path=PATH,
        cycles=64.02,
        cycles_by_formula=64.0,
        cycles_counted_over=512,
        energy_queries=64,
        glitch_share=0.31,
        contrast=(Contrast(vectors="random", energy=1101.5),),
        accuracy=(accuracy(0.99978, 0.95916),),
        verification=Verification(queries=64, mismatches=0),
        synthesis_seconds=212.0,
        peak_memory_mib=812.0,
        verilog_sha256="ab" * 32,
    )
    shift = DesignFigures(
        key="hamming-pow2",
        title="this engine, weights powers of two",
        kind="hamming",
        note="weights are powers of two: 0.9931 instead of 0.9998 mean cosine",
        blocks=(
            block("weighted_sum", "weighted sum", 9100.0, 140.0),
            *(part for part in ours.blocks if part.name != "weighted_sum"),
        ),
        memories=ours.memories,
        cycles=64.02,
        cycles_by_formula=64.0,
        cycles_counted_over=512,
        energy_queries=64,
        accuracy=(accuracy(0.9931, 0.871),),
    )
    int8 = DesignFigures(
        key="standard-int8",
        title="standard attention, int8",
        kind="standard",
        spec={"d_head": 64, "n_keys": 1024, "element_bits": 8},
        engine={"n_lanes": 16},
        blocks=(
            block("score", "scores", 561000.0, 34200.0, sequential=0.1),
            block("weighted_sum", "weighted sum", 742000.0, 41900.0, sequential=0.1),
            block("softmax", "softmax", 31200.0, 1010.0),
            block("normalizer", "division", 16100.0, 130.0, sequential=0.6),
            block("rows", "control", 21000.0, 905.0, sequential=0.8),
        ),
        memories=(
            memory("key_memory", "keys", 64, 8192, 64.0),
            memory("value_memory", "values", 64, 8192, 64.0),
            memory("score_memory", "softmax", 64, 256, 64.0, 64.0),
        ),
        timings=(TimingFigures(tool="this project", period=0.97), TimingFigures(tool="ABC", period=1.01)),
        critical_path=(),
        cycles=64.03,
        cycles_by_formula=64.0,
        cycles_counted_over=128,
        energy_queries=16,
        glitch_share=0.37,
        contrast=(Contrast(vectors="random", energy=88110.0),),
        accuracy=(accuracy(0.99991, 0.9981),),
        verification=Verification(queries=16, mismatches=0),
        synthesis_seconds=1650.0,
        peak_memory_mib=2410.0,
    )
    bf16 = DesignFigures(
        key="standard-bf16",
        title="standard attention, bf16",
        kind="standard",
        note="multiplies and adds in BF16, as HAD's group does for values",
        blocks=(
            block("score", "scores", 1410000.0, 70300.0),
            block("weighted_sum", "weighted sum", 1530000.0, 80900.0),
            block("softmax", "softmax", 62000.0, 1910.0),
            block("normalizer", "division", 40100.0, 420.0),
            block("rows", "control", 41000.0, 1600.0),
        ),
        memories=(
            memory("key_memory", "keys", 64, 16384, 64.0),
            memory("value_memory", "values", 64, 16384, 64.0),
            memory("score_memory", "softmax", 64, 256, 64.0, 64.0),
        ),
        cycles=64.03,
        cycles_by_formula=64.0,
        cycles_counted_over=128,
        energy_queries=16,
    )
    return Comparison(
        title="flagship",
        shape={"d_head": 64, "d_value": 64, "n_keys": 1024, "top_k": 32, "n_lanes": 16},
        clock=1.0,
        designs=(ours, shift, int8, bf16),
        vectors="real: all-MiniLM-L6-v2, first and fifth layer, tiled to 1,024 keys",
        memory_model=MODEL.to_dict(),
        library={"name": "nangate45", "path": "stdcells.lib", "sha256": "0123456789abcdef" * 4, "area_unit": "µm²"},
        tools={"yosys": "0.70", "amaranth": "0.5.10", "opensta": "2.0.17"},
        flags={"mapping": "auto", "wire_load": "5K_hvratio_1_1", "corner": "typical, 1.1 V, 25 °C"},
    )
