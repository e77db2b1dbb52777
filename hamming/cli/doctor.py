"""The command that says what is missing: doctor."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hamming.cli.common import file_option, outputs, progress_bar

if TYPE_CHECKING:
    from hamming.doctor import Finding

__all__ = ["doctor"]


@click.command()
@file_option("--json", "json_file", metavar="FILE", help="Write the findings as JSON.")
def doctor(json_file: Path | None) -> None:
    """Say what is installed, what is missing, and which command mends it.

    Programs are called and packages imported, each for itself: what is broken or does not answer is found as well as
    what is missing. The exit status is 0 if engines can be generated, simulated and synthesized, and 1 if not; what
    distillation, cross-checks and plots need does not count.

    \b
    Examples:
      hamming doctor
      hamming doctor --json doctor.json
    """
    from hamming.doctor import AREAS, examine, works

    with outputs(json_file) as files:
        with progress_bar("engine") as update:
            found = examine(update)
        is_working = works(found)
        if json_file is not None:
            facts = {area: [dataclasses.asdict(finding) for finding in findings] for area, findings in found.items()}
            files.save_json(json_file, {"works": is_working, "findings": facts})
    Console().print(_table(found, AREAS))
    for area, findings in found.items():
        if mends := [finding.mend for finding in findings if finding.mend]:
            click.echo(f"For {area}:")
            for mend in dict.fromkeys(mends):
                click.echo(f"  {mend}")
    click.echo(f"Engines can{'' if is_working else 'not'} be generated, simulated and synthesized.")
    if not is_working:
        click.get_current_context().exit(1)


def _table(found: Mapping[str, Sequence[Finding]], areas: Mapping[str, str]) -> Table:
    table = Table("", "part", box=SIMPLE_HEAD)
    table.add_column("found", overflow="fold")
    for area, purpose in areas.items():
        table.add_section()
        table.add_row("", f"[bold]{area}[/bold]", f"[bold]{escape(purpose)}[/bold]")
        for finding in found[area]:
            table.add_row("ok" if finding.is_ok else "[red]no[/red]", finding.name, escape(finding.found))
    return table
