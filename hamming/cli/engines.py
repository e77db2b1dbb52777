"""Commands that make an engine and show that it is right: presets, generate, run, simulate."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from hamming.cli.common import (
    Update,
    check_trace,
    design_facts,
    file_option,
    load_vectors,
    mistakes,
    outputs,
    progress_bar,
    read_design,
    read_files,
    takes_design,
)
from hamming.rtl.design import Design, load_design, preset_names, preset_text
from hamming.rtl.memory_wrapper import RAM, memory_wrapper, ram_verilog
from hamming.tables import manifest_table, presets_table, simulation_table
from hamming.vector_file import Vectors

if TYPE_CHECKING:
    from hamming.sim.regression import RegressionReport
    from hamming.sim.simulate import SimulationResult

# Golden model, hardware and simulator are imported where they are used: --help and presets answer at once.

__all__ = ["fusesoc", "generate", "presets", "run", "simulate"]


@click.command()
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the presets, or print one's TOML.

    \b
    Examples:
      hamming presets
      hamming presets minilm > mine.toml
    """
    if name is not None:
        with mistakes(ValueError):
            click.echo(preset_text(name), nl=False)
        return
    designs = {preset: load_design(preset) for preset in preset_names()}
    Console().print(presets_table(designs))
    for preset in designs:
        click.echo(f"{preset:<10}{preset_text(preset).splitlines()[0].removeprefix('# ')}")


@click.command()
@takes_design
@file_option("-o", "--output", "folder", required=True, metavar="DIR", help="Folder for the files.")
@click.option("--core", "has_core", is_flag=True, help="Add a FuseSoC core, with targets lint, sim and synth.")
def generate(config: str, overrides: tuple[str, ...], folder: Path, has_core: bool) -> None:
    """Write an engine's Verilog and manifest.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. The Verilog is Verilog-2005; the
    manifest, JSON, states spec, configuration, ports, memories, cycles and tool versions. They are NAME.v and
    NAME.json in DIR. With external memories there are NAME_memories.v, which connects one to each memory port, and
    hamming_ram_1r1w.v, a model of it whose place macros take; one that is there already is left as it is. Behind AXI
    (engine.bus=axi) there is NAME.rdl: its registers as SystemRDL.

    With --core there are NAME.core, a FuseSoC core; NAME.vlt, which waives what Verilator -Wall need not say; and
    NAME_tb.sv, a testbench that checks itself against the golden model, in any simulator (not behind AXI, with memories
    of requests, groups of queries, partial outputs or several engines).

    \b
    Examples:
      hamming generate tiny -o build
      hamming generate tiny --core -o build
      hamming generate minilm --set engine.n_lanes=8 --set engine.name=minilm_fast -o build
    """
    design = read_design(config, overrides)
    name = design.config.name
    targets = [folder / f"{name}.v", folder / f"{name}.json"]
    wrapper, ram = folder / f"{name}_memories.v", folder / f"{RAM}.v"
    is_external = "external" in design.config.memories
    rdl = [folder / f"{name}.rdl"] if design.config.bus == "axi" else []
    targets += rdl
    if has_core:
        from hamming.fusesoc.core import core_names

        targets += [folder / file for file in core_names(design)]
    if is_external:
        # Whoever has put macros in place of the model keeps them.
        targets += [wrapper] if ram.is_file() else [wrapper, ram]
    with outputs(*targets, inputs=read_files(config)) as files:
        from hamming.rtl.axi.systemrdl import systemrdl
        from hamming.rtl.manifest import manifest
        from hamming.rtl.top import top
        from hamming.rtl.verilog import emit

        was_there = targets[0].read_text(encoding="utf-8", errors="replace") if targets[0].is_file() else None
        engine = top(design.spec, design.config)
        verilog = emit(engine, name)
        facts = manifest(engine, verilog)
        files.save_text(targets[0], verilog)
        files.save_json(targets[1], facts)
        for target in rdl:
            files.save_text(target, systemrdl(facts))
        if is_external:
            files.save_text(wrapper, memory_wrapper(facts))
        if ram in targets:
            files.save_text(ram, ram_verilog())
        if has_core:
            from hamming.fusesoc.core import core_files

            for file, text in core_files(design, facts).items():
                files.save_text(folder / file, text)
    click.echo(f"{targets[0]}: {len(verilog.splitlines())} lines of Verilog")
    click.echo(f"{targets[1]}: the manifest")
    for target in rdl:
        click.echo(f"{target}: the registers, as SystemRDL")
    if has_core:
        is_played = f"{name}_tb.sv" in core_names(design)
        click.echo(f"{folder / f'{name}.core'}: the core, with targets lint{', sim' if is_played else ''} and synth")
    if is_external:
        click.echo(f"{wrapper}: the engine with a memory at each memory port")
        click.echo(f"{ram}: {'the memory, a model' if ram in targets else 'left as it was'}")
    elif wrapper.is_file():
        click.echo(f"Note: {wrapper} is of an engine with external memories; this one has none", err=True)
    for end, what in ((".rdl", "its registers"), (".core", "a core"), (".vlt", "waivers"), ("_tb.sv", "a testbench")):
        old = folder / f"{name}{end}"
        if old not in targets and old.is_file() and (end == ".rdl" or has_core or verilog != was_there):
            click.echo(f"Note: {old}, {what}, is of an engine that was here before", err=True)
    Console().print(manifest_table(facts))


@click.command()
@file_option("-o", "--output", "folder", required=True, metavar="DIR", help="Folder of the library.")
def fusesoc(folder: Path) -> None:
    """Write a FuseSoC library whose generator makes engines.

    Another project's .core names the generator `hamming` and gives it a preset or a TOML file, and settings; FuseSoC
    calls it, and keeps what it made until these, or the version of this package, change. After an update of the
    package, run this again.

    \b
    Example:
      hamming fusesoc -o hamming_library
      fusesoc library add hamming ./hamming_library
    """
    from hamming.fusesoc.library import library_files

    texts = library_files()
    with outputs(*(folder / file for file in texts)) as files:
        for file, text in texts.items():
            files.save_text(folder / file, text)
    for file in texts:
        click.echo(folder / file)
    click.echo(shlex.join(["fusesoc", "library", "add", "hamming", str(folder)]))


@click.command()
@takes_design
@file_option("--vectors", required=True, metavar="FILE.npz", help="Arrays q, k, v; optionally n_valid, first, ...")
@file_option("--output", required=True, metavar="OUT.npz", help="Gets out, index, weight and is_empty.")
def run(config: str, overrides: tuple[str, ...], vectors: Path, output: Path) -> None:
    """Compute attention by the golden model.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. The model equals the engine to the
    last bit. The vector file is NumPy's .npz: bits q (queries, d_head) and k (keys, d_head), integers v (keys,
    d_value), each with leading axes, as of heads, that broadcast. Optional: first and n_valid, from which key on and
    below which key a query sees them; base, where its sinks begin; table, which softmax table it uses; mask, true where
    it does not see a key. With leading axes they need every axis, of which any may have length 1. Other arrays are left
    alone, and named.

    \b
    Example:
      hamming run minilm --vectors vectors.npz --output outputs.npz
    """
    design = read_design(config, overrides)
    given = load_vectors(vectors, design)
    with outputs(output, inputs=read_files(config, vectors)) as files:
        from hamming.golden.attention import attend

        with mistakes(TypeError, ValueError, where=str(vectors)):
            found = attend(design.spec, given.q, given.k, given.v, **given.limits)
        files.save_arrays(output, out=found.out, index=found.index, weight=found.weight, is_empty=found.is_empty)
    click.echo(f"{output}: {found.is_empty.size} queries, {found.is_empty.sum()} of them without a key")


@click.command()
@takes_design
@file_option("--vectors", metavar="FILE.npz", help="Send these, not random queries; see `hamming run --help`.")
@file_option("--output", metavar="OUT.npz", help="Gets out, index (if exposed), is_empty and cycles; with --vectors.")
@file_option("--json", "json_file", metavar="FILE", help="Write the report as JSON.")
@file_option("--waves", metavar="FILE", help="Leave a trace of the signals: .vcd of Verilator, .fst of Icarus.")
@click.option("--queries", type=click.IntRange(1, 1_000_000), help="Random queries (default: 1000); without --vectors.")
@click.option("--stalls/--no-stalls", default=None, help="Pause streams at random (default: no); with --vectors.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of queries and stalls.")
@click.option("--simulator", type=click.Choice(["verilator", "icarus"]), default="verilator", show_default=True)
def simulate(
    config: str,
    overrides: tuple[str, ...],
    vectors: Path | None,
    output: Path | None,
    json_file: Path | None,
    waves: Path | None,
    queries: int | None,
    stalls: bool | None,
    seed: int,
    simulator: str,
) -> None:
    """Check an engine's Verilog by simulation.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. Every output is held against the
    golden model, and the cycles of queries back to back against the manifest; the exit status is 1 if anything
    differs. Without --vectors, random queries are sent, with stalls and without.

    \b
    Examples:
      hamming simulate tiny --queries 5000 --seed 7
      hamming simulate minilm --vectors vectors.npz --output outputs.npz
    """
    if vectors is None and output is not None:
        raise click.UsageError("--output goes with --vectors")
    if vectors is None and stalls is not None:
        raise click.UsageError("--stalls and --no-stalls go with --vectors; random queries are sent both ways")
    if vectors is not None and queries is not None:
        raise click.UsageError("--queries goes without --vectors")
    design = read_design(config, overrides)
    inputs = read_files(config, vectors)
    given = None if vectors is None else load_vectors(vectors, design)
    if waves is not None:
        from hamming.sim.runner import check_waves

        with mistakes(ValueError):
            check_waves(simulator, waves)
        check_trace(waves, [output, json_file], inputs)
    with outputs(output, json_file, inputs=inputs) as files, progress_bar(f"building {design.config.name}") as update:
        from hamming.sim.runner import SimulationFailed, SimulatorMissing

        settings = {"seed": seed, "simulator": simulator, "waves": waves}
        with mistakes(SimulationFailed, SimulatorMissing):
            if given is None:
                outcome = _simulate_random(design, queries or 1000, update, settings)
                report, passed, missing, facts = outcome.report, outcome.passed, outcome.missing, outcome.to_dict()
            else:
                with mistakes(TypeError, ValueError, where=str(vectors)):
                    found = _simulate_vectors(design, given, update, settings | {"stalls": bool(stalls)})
                report, passed, missing = found.report, found.report.passed, None
                facts = design_facts(design) | report.to_dict()
                if output is not None:
                    index = {} if found.index is None else {"index": found.index}
                    files.save_arrays(output, out=found.out, **index, is_empty=found.is_empty, cycles=found.cycles)
        if json_file is not None:
            files.save_json(json_file, facts)
    Console().print(simulation_table(report, passed=passed, missing=missing))
    if not passed:
        raise SystemExit(1)


def _simulate_random(design: Design, n_queries: int, update: Update, settings: dict[str, Any]) -> RegressionReport:
    from hamming.sim.regression import regress

    def progress(done: int) -> None:
        update(done / n_queries, f"{done} of {n_queries} queries")

    return regress(design, n_queries, progress=progress, **settings)


def _simulate_vectors(design: Design, given: Vectors, update: Update, settings: dict[str, Any]) -> SimulationResult:
    from hamming.sim.simulate import simulate as simulate_vectors

    def progress(done: int, total: int) -> None:
        update(done / max(1, total), f"{done} of {total} queries")

    return simulate_vectors(
        design.spec, design.config, given.q, given.k, given.v, **given.limits, progress=progress, **settings
    )
