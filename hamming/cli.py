"""The command line: every part of the project, on one preset or TOML file."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hamming.files import Vectors, check_writable, read_vectors, staged
from hamming.tables import manifest_table, presets_table, run_table, simulation_table
from rtl.design import Design, load_design, preset_names, preset_text

if TYPE_CHECKING:
    from distill.runs import Run
    from sim.regression import RegressionReport
    from sim.simulate import SimulationResult

# Golden model, hardware, simulator and synthesis are imported where they are used: --help and presets answer at once.

__all__ = ["main"]

#: Shows the share done, and the step.
_Update = Callable[[float, str], None]


class _Mistake(click.ClickException):
    """A user's mistake: one line on standard error, exit status 1, no traceback."""


@contextlib.contextmanager
def _mistakes(*kinds: type[Exception], where: str = "") -> Iterator[None]:
    """Turn what checking a user's input raises into the user's mistake."""
    try:
        yield
    except kinds as error:
        raise _Mistake(f"{where}: {error}" if where else str(error)) from error


@contextlib.contextmanager
def _needs_torch() -> Iterator[None]:
    """Say what to install where PyTorch, which distillation alone needs, is not."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise _Mistake("PyTorch is not installed: pip install 'hamming-attention[distill]'") from error


def _design(config: str, overrides: tuple[str, ...]) -> Design:
    with _mistakes(ValueError):
        return load_design(config, overrides)


def _design_facts(design: Design) -> dict[str, Any]:
    return {"spec": design.spec.to_dict(), "engine": design.config.to_dict()}


def _vectors(path: Path) -> Vectors:
    with _mistakes(ValueError):
        return read_vectors(path)


@contextlib.contextmanager
def _outputs(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """`staged`, where a target that cannot be written is the user's mistake."""
    with contextlib.ExitStack() as stack:
        with _mistakes(ValueError):
            temporary = stack.enter_context(staged(*targets))
        yield temporary


def _save_arrays(path: Path, **arrays: Any) -> None:
    with path.open("wb") as file:  # NumPy would add .npz to a name
        np.savez_compressed(file, **arrays)


def _save_json(path: Path, facts: dict[str, Any]) -> None:
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _progress(first_step: str) -> Iterator[_Update]:
    """Show a bar on standard error, if that is a terminal; gives what updates it."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(first_step, total=1.0)
        yield lambda done, step: bars.update(task, completed=done, description=step)


def _takes_design(command: Callable[..., None]) -> Callable[..., None]:
    change = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a key, as in spec.top_k=16 or engine.selector=insertion. Repeatable.",
    )
    return click.argument("config")(change(command))


def _file_option(*names: str, **settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(*names, type=click.Path(path_type=Path), **settings)


@click.group("hamming", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="hamming-attention")
def main() -> None:
    """Generate, check and measure hardware for attention with binary queries and keys.

    \b
    A first round, on the smallest preset:
      hamming presets                    what there is
      hamming generate tiny -o build     Verilog and manifest
      hamming simulate tiny              the Verilog against the golden model
      hamming synthesize tiny            its area, block by block
      hamming compare tiny               and against standard attention

    \b
    An engine of your own:
      hamming presets bert > mine.toml   a preset as the start
      hamming generate mine.toml --set spec.top_k=16 -o build
    """


@main.command()
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the presets, or print one's TOML.

    \b
    Examples:
      hamming presets
      hamming presets minilm > mine.toml
    """
    if name is not None:
        with _mistakes(ValueError):
            click.echo(preset_text(name), nl=False)
        return
    designs = {preset: load_design(preset) for preset in preset_names()}
    Console().print(presets_table(designs))
    for preset in designs:
        click.echo(f"{preset:<10}{preset_text(preset).splitlines()[0].removeprefix('# ')}")


@main.command()
@_takes_design
@_file_option("-o", "--output", "folder", required=True, metavar="DIR", help="Folder for NAME.v and NAME.json.")
def generate(config: str, overrides: tuple[str, ...], folder: Path) -> None:
    """Write an engine's Verilog and manifest.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. The Verilog is Verilog-2005; the
    manifest, JSON, states spec, configuration, ports, memories, cycles and tool versions.

    \b
    Examples:
      hamming generate tiny -o build
      hamming generate minilm --set engine.n_lanes=8 --set engine.name=minilm_fast -o build
    """
    design = _design(config, overrides)
    name = design.config.name
    targets = folder / f"{name}.v", folder / f"{name}.json"
    with _outputs(*targets) as (verilog_path, manifest_path):
        from rtl.engine import Engine
        from rtl.manifest import manifest
        from rtl.verilog import emit

        engine = Engine(design.spec, design.config)
        verilog = emit(engine, name)
        facts = manifest(engine, verilog)
        verilog_path.write_text(verilog, encoding="utf-8")
        _save_json(manifest_path, facts)
    click.echo(f"{targets[0]}: {len(verilog.splitlines())} lines of Verilog")
    click.echo(f"{targets[1]}: the manifest")
    Console().print(manifest_table(facts))


@main.command()
@_takes_design
@_file_option("--vectors", required=True, metavar="FILE.npz", help="Arrays q, k, v; optionally n_valid and mask.")
@_file_option("--output", required=True, metavar="OUT.npz", help="Gets out, index, weight and is_empty.")
def run(config: str, overrides: tuple[str, ...], vectors: Path, output: Path) -> None:
    """Compute attention by the golden model.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. The model equals the engine to the
    last bit. The vector file is NumPy's .npz: bits q (queries, d_head) and k (keys, d_head), integers v (keys,
    d_value), each with an optional leading axis of heads. Optional: n_valid, how many keys a query sees, and mask,
    true where it does not see a key.

    \b
    Example:
      hamming run minilm --vectors vectors.npz --output outputs.npz
    """
    design = _design(config, overrides)
    given = _vectors(vectors)
    with _outputs(output) as (path,):
        from golden.attention import attend

        with _mistakes(TypeError, ValueError, where=str(vectors)):
            found = attend(design.spec, given.q, given.k, given.v, n_valid=given.n_valid, mask=given.mask)
        _save_arrays(path, out=found.out, index=found.index, weight=found.weight, is_empty=found.is_empty)
    click.echo(f"{output}: {found.is_empty.size} queries, {found.is_empty.sum()} of them without a key")


@main.command()
@_takes_design
@_file_option("--vectors", metavar="FILE.npz", help="Send these, not random queries; see `hamming run --help`.")
@_file_option("--output", metavar="OUT.npz", help="Gets out, index (if exposed), is_empty and cycles; with --vectors.")
@_file_option("--json", "json_file", metavar="FILE", help="Write the report as JSON.")
@_file_option("--waves", metavar="FILE", help="Leave a trace of the signals: .vcd of Verilator, .fst of Icarus.")
@click.option("--queries", type=click.IntRange(1), help="Random queries (default: 1000); without --vectors.")
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
    design = _design(config, overrides)
    given = None if vectors is None else _vectors(vectors)
    if waves is not None:
        from sim.runner import check_waves

        with _mistakes(ValueError):
            check_waves(simulator, waves)
            check_writable(waves)  # and not staged: the trace of a run that failed is the one to look at
    targets = [path for path in (output, json_file) if path is not None]
    with _outputs(*targets) as temporary, _progress(f"building {design.config.name}") as update:
        from sim.runner import SimulationFailed, SimulatorMissing

        path_of = dict(zip(targets, temporary, strict=True))
        settings = {"seed": seed, "simulator": simulator, "waves": waves}
        with _mistakes(SimulationFailed, SimulatorMissing):
            if given is None:
                outcome = _simulate_random(design, queries or 1000, update, settings)
                report, passed, missing, facts = outcome.report, outcome.passed, outcome.missing, outcome.to_dict()
            else:
                with _mistakes(TypeError, ValueError, where=str(vectors)):
                    found = _simulate_vectors(design, given, update, settings | {"stalls": bool(stalls)})
                report, passed, missing = found.report, found.report.passed, None
                facts = _design_facts(design) | report.to_dict()
                if output is not None:
                    index = {} if found.index is None else {"index": found.index}
                    _save_arrays(path_of[output], out=found.out, **index, is_empty=found.is_empty, cycles=found.cycles)
        if json_file is not None:
            _save_json(path_of[json_file], facts)
    Console().print(simulation_table(report, passed=passed, missing=missing))
    if not passed:
        raise SystemExit(1)


def _simulate_random(design: Design, n_queries: int, update: _Update, settings: dict[str, Any]) -> RegressionReport:
    from sim.regression import regress

    def progress(done: int) -> None:
        update(done / n_queries, f"{done} of {n_queries} queries")

    return regress(design, n_queries, progress=progress, **settings)


def _simulate_vectors(design: Design, given: Vectors, update: _Update, settings: dict[str, Any]) -> SimulationResult:
    from sim.simulate import simulate as simulate_vectors

    def progress(done: int, total: int) -> None:
        update(done / total, f"{done} of {total} queries")

    arrays = {"n_valid": given.n_valid, "mask": given.mask}
    return simulate_vectors(
        design.spec, design.config, given.q, given.k, given.v, **arrays, progress=progress, **settings
    )


@main.command()
@_takes_design
@click.option("--library", default="nangate45", show_default=True, help="nangate45, osu018, or a Liberty file's path.")
@click.option(
    "--mapping",
    type=click.Choice(["auto", "abc", "adders", "ripple"]),
    default="auto",
    show_default=True,
    help="How adders are made: by ABC, of adder cells, as ripple chains of these; auto: what is smallest.",
)
@click.option("--clock", type=click.FloatRange(0, min_open=True), help="GHz to size gates for; the smallest without.")
@_file_option("--json", "json_file", metavar="FILE", help="Write the report as JSON.")
def synthesize(
    config: str,
    overrides: tuple[str, ...],
    library: str,
    mapping: str,
    clock: float | None,
    json_file: Path | None,
) -> None:
    """Print an engine's area, block by block.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. It is synthesized to the cells of a
    library; memories are counted apart, in bits.

    \b
    Examples:
      hamming synthesize tiny
      hamming synthesize bert --set engine.selector=insertion --json bert.json
      hamming synthesize tiny --clock 0.5
      hamming synthesize tiny --library my_cells.lib
    """
    design = _design(config, overrides)
    targets = [path for path in (json_file,) if path is not None]
    with _outputs(*targets) as temporary:
        from rtl.engine import Engine
        from rtl.verilog import emit
        from synth.area import SynthesisError
        from synth.area import synthesize as synthesize_verilog
        from synth.library import load_library
        from synth.report import area_table

        with _mistakes(ValueError):
            cells = load_library(library)
        name = design.config.name
        with _progress(f"emitting {name}") as update, _mistakes(SynthesisError, ValueError):
            verilog = emit(Engine(design.spec, design.config), name)
            report = synthesize_verilog(
                verilog,
                top=name,
                library=cells,
                mapping=mapping,
                clock_ns=None if clock is None else 1 / clock,
                progress=lambda now: update(now.done, now.step),
            )
        for path in temporary:
            _save_json(path, _design_facts(design) | {"area": report.to_dict()})
    Console().print(area_table(report))


@main.command()
@_takes_design
@click.option(
    "--clock",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="GHZ",
    help="Clock at which power is stated; of the energy only leakage depends on it.",
)
@click.option(
    "--vectors",
    type=click.Choice(["real", "random"]),
    default="real",
    show_default=True,
    help="Queries behind the energy: a transformer's, or random bits.",
)
@click.option(
    "--baseline",
    type=click.Choice(["int8", "bf16"]),
    default="int8",
    show_default=True,
    help="Elements of the standard attention: integers, or floating point, which meets 0.3 GHz.",
)
@click.option("--library", default="nangate45", show_default=True, help="nangate45, or a Liberty file's path.")
@_file_option("--json", "json_file", metavar="FILE", help="Write everything as JSON.")
@_file_option("--html", "html_file", metavar="FILE", help="Write a page with pictures, which needs no other file.")
def compare(
    config: str,
    overrides: tuple[str, ...],
    clock: float,
    vectors: str,
    baseline: str,
    library: str,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Set an engine beside standard attention of the same throughput.

    CONFIG is a preset's name (see `hamming presets`) or the path of a TOML file. Both designs, with the same keys a
    cycle, are synthesized, timed and simulated at the gates; area, energy and time are shown by block, memories apart,
    beside what others publish. A large engine takes minutes.

    \b
    Examples:
      hamming compare tiny
      hamming compare bert --html bert.html --json bert.json
      hamming compare bert --set spec.n_keys=256 --vectors random
    """
    design = _design(config, overrides)
    targets = [path for path in (json_file, html_file) if path is not None]
    with _outputs(*targets) as temporary:
        from synth.area import SynthesisError
        from synth.compare import compare as compare_designs
        from synth.comparison_page import comparison_page
        from synth.comparison_table import comparison_tables
        from synth.library import load_library

        with _mistakes(ValueError):
            cells = load_library(library)
        with _progress(f"emitting {design.config.name}") as update, _mistakes(SynthesisError):
            found = compare_designs(
                design,
                library=cells,
                clock=clock,
                vectors=vectors,
                baseline=baseline,
                progress=lambda now: update(now.done, now.step),
            )
        path_of = dict(zip(targets, temporary, strict=True))
        if json_file is not None:
            _save_json(path_of[json_file], found.to_dict())
        if html_file is not None:
            path_of[html_file].write_text(comparison_page(found), encoding="utf-8")
    console = Console()
    console.width = max(console.width, 120)  # its tables are wide
    console.print(comparison_tables(found))


def _takes_widths(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option("--weight-bits", type=click.IntRange(1, 32), default=12, show_default=True, help="Table entries."),
        click.option("--value-bits", type=click.IntRange(2, 16), default=8, show_default=True, help="Value elements."),
        click.option(
            "--out-frac-bits", type=click.IntRange(0), default=8, show_default=True, help="Fraction bits of outputs."
        ),
        click.option(
            "--weight-form",
            type=click.Choice(["exponential", "power_of_two"]),
            help="Form of the tables (default: as trained).",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))(command)


def _load_student(folder: Path) -> Run:
    from distill.runs import DATA, load_run
    from distill.tasks.task import MissingData

    if not folder.exists() and (DATA / folder / "run.json").exists():
        folder = DATA / folder
    with _mistakes(ValueError, MissingData):
        run = load_run(folder)
    if run.config.student is None:
        raise _Mistake(f"{folder} is a teacher's run; a student's is needed")
    return run


@main.command()
@_takes_widths
@click.option("--limit", type=click.IntRange(1), help="Test items, from the first on (default: all).")
@_file_option("--json", "json_file", metavar="FILE", help="Write the figures as JSON.")
def evaluate(run_folder: Path, limit: int | None, json_file: Path | None, **widths: Any) -> None:
    """Count a distilled model's right answers through the hardware's arithmetic.

    RUN is the folder of a student that `hamming distill` left, or `sample_student`, which comes with the package. Its
    test items are classified by its teacher, if that run lies beside it; by the student in floating point; and by the
    student with every attention computed by the golden model, each head with its own softmax table: what the hardware
    would say, to the last bit.

    \b
    Examples:
      hamming evaluate sample_student
      hamming evaluate runs/fashion_mnist-0 --value-bits 6 --weight-form power_of_two --json six.json
    """
    targets = [path for path in (json_file,) if path is not None]
    with _outputs(*targets) as temporary:
        run = _load_student(run_folder)

        from distill.evaluate import evaluate_run
        from distill.quantize import Widths
        from distill.report import evaluation_table
        from distill.runs import versions

        with _progress("measuring values") as update, _mistakes(ValueError):
            found = evaluate_run(
                run,
                widths=Widths(**widths),
                limit=limit,
                progress=lambda step, done, total: update(done / total, f"{step}: {done} of {total} items"),
            )
        for path in temporary:
            _save_json(path, {"run": run.config.to_dict()} | found.to_dict() | {"versions": versions()})
    Console().print(evaluation_table(found))


@main.command()
@_takes_widths
@_file_option("-o", "--output", "folder", required=True, metavar="DIR", help="A new folder.")
@click.option("--items", type=click.IntRange(1), default=4, show_default=True, help="Test items behind the vectors.")
@click.option("--name", help="Name of the engine (default: the run's).")
def export(run_folder: Path, folder: Path, items: int, name: str | None, **widths: Any) -> None:
    """Write a distilled model's heads for the hardware.

    RUN is the folder of a student that `hamming distill` left, or `sample_student`, which comes with the package. For
    each head DIR gets a TOML file, with its softmax table and an engine that is the same for all heads, and an .npz
    file with its queries, keys and values of some test items; for each layer its matrices, with the values' scales
    folded in.

    \b
    Example:
      hamming export sample_student -o heads
      hamming simulate heads/blocks.0.attention/head_0.toml --vectors heads/blocks.0.attention/head_0.npz
    """
    run = _load_student(run_folder)

    from distill.export import export_run
    from distill.quantize import Widths

    with _mistakes(ValueError, TypeError):
        found = export_run(run, folder, items=items, widths=Widths(**widths), name=name)
    for layer, paths in found.heads.items():
        click.echo(f"{folder / layer}: {len(paths)} heads, {found.n_items} items of {found.n_queries} queries each")
    first = next(iter(found.heads.values()))[0]
    click.echo(f"{folder / 'engine.toml'}: the engine of all of them")
    click.echo(f"{folder / 'export.json'}: what is where")
    click.echo(f"Next: hamming simulate {first} --vectors {first.with_suffix('.npz')}")


@main.command()
@click.argument("config")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key, as in seed=1 or student.top_n=5. Repeatable.",
)
@_file_option(
    "-o", "--output", "runs", default=Path("runs"), show_default=True, metavar="DIR", help="Folder that holds runs."
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of PyTorch.")
def distill(config: str, overrides: tuple[str, ...], runs: Path, threads: int) -> None:
    """Train a teacher, or distill a student from one.

    CONFIG is the path of a TOML file or the name of a run file in the package. Everything goes into DIR/NAME-SEED:
    configuration, log, weights, metrics. An interrupted run goes on from its last checkpoint, to the same metrics.

    \b
    Examples:
      hamming distill fashion_mnist_teacher
      hamming distill fashion_mnist
      hamming distill fashion_mnist --set student.top_n=5 --set name=top5 --set seed=1
    """
    with _needs_torch():
        import torch

        from distill.method import train
        from distill.run_file import load_run_file
        from distill.tasks.task import MissingData
        from distill.trainer import Diverged

    with _mistakes(ValueError):
        run = load_run_file(config, overrides)
    torch.set_num_threads(threads)
    with _progress(f"{run.name}: data") as update, _mistakes(ValueError, MissingData, Diverged):
        metrics = train(run, runs, progress=lambda now: update(now.done / now.steps, now.text))
    click.echo(f"{runs / f'{run.name}-{run.seed}'}: {metrics['steps']} steps in {metrics['seconds']:.0f} s")
    Console().print(run_table(metrics))
