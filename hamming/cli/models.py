"""Commands that make a model ready for the engine, and measure it: distill, evaluate, export."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from hamming.cli.common import FilePath, Mistake, file_option, mistakes, outputs, progress_bar
from hamming.pool import Failed, Pool, takes_pool
from hamming.tables import run_table

if TYPE_CHECKING:
    from rich.table import Table

    from hamming.distill.method.quantize import Widths
    from hamming.distill.training.config import RunConfig
    from hamming.distill.training.runs import Run
    from hamming.distill.training.trainer import Progress

# PyTorch and the golden model are imported where they are used: --help answers at once.

__all__ = ["distill", "evaluate", "export", "load_student", "takes_widths"]


@contextlib.contextmanager
def needs_torch() -> Iterator[None]:
    """Say what to install where PyTorch, which distillation alone needs, is not."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise Mistake("PyTorch is not installed: pip install 'hamming-attention[distill]'") from error


def takes_widths(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument RUN, and the options of `Widths`."""
    options = (
        click.option("--weight-bits", type=click.IntRange(1, 32), default=12, show_default=True, help="Table entries."),
        click.option("--value-bits", type=click.IntRange(2, 16), default=8, show_default=True, help="Value elements."),
        click.option(
            "--out-frac-bits",
            type=click.IntRange(0, 58),
            default=8,
            show_default=True,
            help="Fraction bits of outputs.",
        ),
        click.option(
            "--weight-form",
            type=click.Choice(["exponential", "power_of_two"]),
            help="Form of the tables (default: as trained).",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return click.argument("run_folder", metavar="RUN", type=FilePath())(command)


def load_student(folder: Path) -> Run:
    """Return a finished student's run, in a folder or in the package; what is wrong with it is the user's mistake."""
    with needs_torch():
        from hamming.distill.tasks.task import MissingData
        from hamming.distill.training.runs import DATA, load_run

    if not folder.exists() and (DATA / folder / "run.json").exists():
        folder = DATA / folder
    with mistakes(ValueError, MissingData):
        run = load_run(folder)
    if run.config.student is None:
        raise Mistake(f"{folder} is a teacher's run; a student's is needed")
    return run


@click.command()
@takes_widths
@click.option("--limit", type=click.IntRange(1), help="Test items, from the first on (default: all).")
@click.option("--context", "contexts", multiple=True, type=click.IntRange(2), help="Tokens of a window. Repeatable.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(["teacher", "teacher_top_n", "untrained", "student", "integer"]),
    help="Of a language model, whose perplexities. Repeatable (default: all).",
)
@click.option("--top-n", "top_ns", multiple=True, type=click.IntRange(0), help="Kept keys; 0: all. Repeatable.")
@file_option("--json", "json_file", metavar="FILE", help="Write the figures as JSON.")
def evaluate(
    run_folder: Path,
    limit: int | None,
    contexts: tuple[int, ...],
    kinds: tuple[str, ...],
    top_ns: tuple[int, ...],
    json_file: Path | None,
    **widths: Any,
) -> None:
    """Count a distilled model's right answers through the hardware's arithmetic.

    RUN is the folder of a student that `hamming distill` left, or `sample_student`, which comes with the package. Its
    test items are classified by its teacher, if that run lies beside it; by the student in floating point; and by the
    student with every attention computed by the golden model, each head with its own softmax table: what the hardware
    would say, to the last bit.

    Of a language model it is perplexities, with their standard errors by document: of the teacher, with all keys and
    with its best; of signs without training; of the student; and of the student through the integers, for each
    --context and --top-n (default: those of the run).

    \b
    Examples:
      hamming evaluate sample_student
      hamming evaluate runs/language-0 --context 256 --context 1024 --top-n 32 --top-n 64 --limit 36
      hamming evaluate runs/fashion_mnist-0 --value-bits 6 --weight-form power_of_two --json six.json
    """
    with outputs(json_file) as files:
        run = load_student(run_folder)

        from hamming.distill.hardware.evaluate import evaluate_run
        from hamming.distill.method.quantize import Widths
        from hamming.distill.report.evaluation import evaluation_table
        from hamming.distill.tasks.language import Language
        from hamming.distill.training.runs import versions

        if isinstance(run.task, Language):
            report, facts = _perplexities(run, limit, contexts, top_ns, kinds, Widths(**widths))
            if json_file is not None:
                files.save_json(
                    json_file, {"run": run.config.to_dict()} | facts | {"versions": versions("transformers")}
                )
            Console().print(report)
            return
        if contexts or top_ns or kinds:
            raise Mistake(
                f"--context, --top-n and --kind are for language models; {run_folder} is of {run.config.task.name}"
            )
        with progress_bar("measuring values") as update, mistakes(ValueError):
            found = evaluate_run(
                run,
                widths=Widths(**widths),
                limit=limit,
                progress=lambda step, done, total: update(done / total, f"{step}: {done} of {total} items"),
            )
        if json_file is not None:
            files.save_json(json_file, {"run": run.config.to_dict()} | found.to_dict() | {"versions": versions()})
    Console().print(evaluation_table(found))


def _perplexities(
    run: Run,
    limit: int | None,
    contexts: tuple[int, ...],
    top_ns: tuple[int, ...],
    kinds: tuple[str, ...],
    widths: Widths,
) -> tuple[Table, dict[str, Any]]:
    """Return a language model's perplexities as a table, and as JSON's types."""
    from hamming.distill.hardware.perplexity import KINDS, perplexities, to_json
    from hamming.distill.report.language import perplexity_table

    assert run.config.student is not None
    with progress_bar("measuring values") as update, mistakes(ValueError):
        found = perplexities(
            run,
            contexts=contexts or (run.config.task.n_tokens,),
            top_ns=[top_n or None for top_n in top_ns] or [run.config.student.top_n],
            kinds=kinds or KINDS,
            widths=widths,
            limit=limit,
            progress=lambda step, done, total: update(done / total, step),
        )
    return perplexity_table(found), {"points": to_json(found)}


@click.command()
@takes_widths
@file_option("-o", "--output", "folder", required=True, metavar="DIR", help="A new folder.")
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
    run = load_student(run_folder)

    from hamming.distill.hardware.export import export_run
    from hamming.distill.method.quantize import Widths

    with mistakes(ValueError, TypeError):
        found = export_run(run, folder, items=items, widths=Widths(**widths), name=name)
    for layer, paths in found.heads.items():
        click.echo(f"{folder / layer}: {len(paths)} heads, {found.n_items} items of {found.n_queries} queries each")
    first = next(iter(found.heads.values()))[0]
    click.echo(f"{folder / 'engine.toml'}: the engine of all of them")
    click.echo(f"{folder / 'export.json'}: what is where")
    click.echo(f"Next: hamming simulate {first} --vectors {first.with_suffix('.npz')}")


@click.command()
@click.argument("configs", metavar="CONFIG...", nargs=-1, required=True)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key, as in seed=1 or student.top_n=5. Repeatable.",
)
@file_option(
    "-o", "--output", "runs", default=Path("runs"), show_default=True, metavar="DIR", help="Folder that holds runs."
)
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Threads of PyTorch.")
@takes_pool
def distill(pool: Pool, configs: tuple[str, ...], overrides: tuple[str, ...], runs: Path, threads: int) -> None:
    """Train a teacher, or distill a student from one.

    CONFIG is the path of a TOML file or the name of a run file in the package. Everything goes into DIR/NAME-SEED:
    configuration, log, weights, metrics. An interrupted run goes on from its last checkpoint, to the same metrics.

    Of several, the teachers are trained side by side, and then the students; with --cluster, DIR must be one folder on
    all machines.

    \b
    Examples:
      hamming distill fashion_mnist_teacher
      hamming distill fashion_mnist
      hamming distill fashion_mnist --set student.top_n=5 --set name=top5 --set seed=1
      hamming distill fashion_mnist_teacher fashion_mnist reviews_teacher reviews
    """
    with needs_torch():
        import torch  # noqa: F401  (what needs it is imported later)

        from hamming.distill.training.run_file import load_run_file

    with mistakes(ValueError):
        asked = [load_run_file(config, overrides) for config in configs]
    names = [f"{run.name}-{run.seed}" for run in asked]
    if twice := [name for name in names if names.count(name) > 1]:
        raise Mistake(f"two runs are {twice[0]}; a run is asked for once")
    if len(asked) == 1:
        run = asked[0]
        with progress_bar(f"{run.name}: data") as update:
            metrics = train_alone(run, runs, threads, lambda now: update(now.done / now.steps, now.text))
        _tell(runs / names[0], metrics)
        return
    errors: dict[str, Exception] = {}
    for what, are_students in (("teachers", False), ("students", True)):
        jobs = {
            f"{run.name}-{run.seed}": (run, runs.resolve(), threads)
            for run in asked
            if (run.student is not None) == are_students
        }
        if not jobs:
            continue
        try:
            with pool.results(train_alone, jobs, what) as results:
                for name, metrics in results:
                    _tell(runs / name, metrics)
        except Failed as failed:
            errors |= failed.errors
    if errors:
        raise Failed(errors, len(asked))


def train_alone(
    run: RunConfig, runs: Path, threads: int, progress: Callable[[Progress], None] = lambda now: None
) -> dict[str, Any]:
    """Do a run with as many threads as it may have: a job of `distill`."""
    import torch

    from hamming.distill.tasks.task import MissingData
    from hamming.distill.training.run import train
    from hamming.distill.training.trainer import Diverged

    torch.set_num_threads(threads)
    with mistakes(ValueError, MissingData, Diverged):
        return train(run, runs, progress=progress)


def _tell(folder: Path, metrics: dict[str, Any]) -> None:
    click.echo(f"{folder}: {metrics['steps']} steps in {metrics['seconds']:.0f} s, {metrics['peak_mib']:,} MiB at most")
    Console().print(run_table(metrics))
