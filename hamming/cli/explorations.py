"""The command that looks for the best designs: explore."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from hamming.cli.common import FilePath, Mistake, file_option, mistakes, outputs, progress_bar
from hamming.files import check_writable
from hamming.pool import Pool, takes_pool

# Models, hardware and synthesis are imported where they are used: --help answers at once.

__all__ = ["explore"]


def _print_example(ctx: click.Context, param: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        from hamming.explore.study import EXAMPLE

        click.echo(EXAMPLE.read_text(encoding="utf-8"), nl=False)
        ctx.exit()


@click.command()
@click.argument("study", type=FilePath())
@file_option(
    "-o", "--output", "folder", required=True, metavar="DIR", help="Folder of everything that is found and kept."
)
@click.option("--measured", type=click.IntRange(0), metavar="N", help="Designs to measure, in place of the study's.")
@click.option(
    "--example",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_example,
    help="Print a study, to begin with.",
)
@click.option("--page/--no-page", default=True, show_default=True, help="Write front.html, which needs the extra.")
@takes_pool
def explore(study: Path, folder: Path, measured: int | None, page: bool, pool: Pool) -> None:
    """Search the design space for the smallest engines, or those of least energy.

    STUDY is a TOML file: the design to begin with, what may change, what must hold, and what is to be small. Candidates
    are estimated (`hamming estimate`), thousands in a minute; the best of them are synthesized and simulated at the
    gates, and the front is that of the measured ones. Where combinations are more than `candidates`, Optuna chooses
    among them. Whatever was measured is kept in DIR/measured.json at once: broken off, the same command goes on, and
    nothing is measured twice.

    DIR gets front.json with everything, front.html with every design on hover, and a TOML file for each engine on
    the front, ready for `hamming generate`. Optuna and Plotly come with the extra: pip install
    'hamming-attention[explore]'.

    \b
    Examples:
      hamming explore --example > mine.toml               a study with every key, to be edited
      hamming explore mine.toml -o build/mine --measured 0    estimates alone, in seconds
      hamming explore mine.toml -o build/mine
      hamming explore mine.toml -o build/mine --cluster tcp://10.0.0.1:8786
    """
    from hamming.explore.study import read_study

    with mistakes(ValueError):
        question = read_study(study, measured)
        if folder.exists() and not folder.is_dir():
            raise Mistake(f"cannot write into {str(folder)!r}: it is no folder")
        check_writable(folder / "front.json")

    from hamming.explore.candidates import find
    from hamming.explore.exploration import explore as explore_study
    from hamming.explore.kept import FILE, Kept
    from hamming.explore.page import exploration_page, require_plotly
    from hamming.explore.report import engine_toml, exploration_facts, exploration_tables

    if page:
        with mistakes(ValueError):
            require_plotly()
    with mistakes(ValueError):
        kept = Kept(folder / FILE)
        with progress_bar("estimating candidates") as update:
            candidates = find(question, lambda share, step: update(min(share, 1.0), step))
        found = explore_study(question, candidates, kept, pool)
    engines = {name: folder / "front" / f"{name}.toml" for name in found.front if name not in found.presets}
    html_file = folder / "front.html" if page else None
    with outputs(folder / "front.json", html_file, *engines.values(), inputs=[study]) as files:
        files.save_json(folder / "front.json", exploration_facts(found))
        for name, file in engines.items():
            files.save_text(file, engine_toml(found, name))
        if html_file is not None:
            files.save_text(html_file, exploration_page(found))
    _take_away_old(folder / "front", set(engines.values()))
    console, tables = Console(), exploration_tables(found)
    console.width = max(console.width, *(getattr(part, "min_width", None) or 0 for part in tables.renderables))
    console.print(tables)
    if found.failed:
        failed = "; ".join(f"{name}: {reason}" for name, reason in found.failed.items())
        raise Mistake(f"{len(found.failed)} designs could not be measured; the same command tries again: {failed}")


def _take_away_old(folder: Path, new: set[Path]) -> None:
    """Take away the files of an earlier front, which say themselves that they are such files."""
    from hamming.explore.report import ENGINE_COMMENT

    for path in set(folder.glob("*.toml")) - new:
        if path.is_file() and path.read_text(encoding="utf-8", errors="replace").startswith(ENGINE_COMMENT):
            path.unlink()
