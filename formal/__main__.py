"""`python -m hamming.formal`: carry the proofs out, side by side, and say what came of each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from hamming.formal import report
from hamming.formal.registry import PROOFS, chosen

COLOURS = {True: "green", False: "bold red", None: "yellow"}


@click.command()
@click.option("--list", "lists", is_flag=True, help="Say what there is, and prove nothing.")
@click.option("--only", multiple=True, metavar="NAME", help="Proofs whose names begin so; any number.")
@click.option("--small", is_flag=True, help="The small ones, which are tests too.")
@click.option("--timeout", default=240.0, show_default=True, help="Seconds for a claim, at most.")
@click.option("--workers", default=2, show_default=True, help="Proofs at the same time.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Where to write the results.")
@click.option("--keep", is_flag=True, help="Put the results into formal/results.json and docs/proofs.md.")
def main(
    lists: bool, only: tuple[str, ...], small: bool, timeout: float, workers: int, path: Path | None, keep: bool
) -> None:
    """Prove what is stated of the components. The exit status is 0 if everything is proved."""
    try:
        proofs = [proof for proof in chosen(only) if proof.is_small or not small]
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    console = Console()
    if lists:
        for proof in proofs:
            console.print(f"{proof.name}: {proof.component} ({proof.size}): {proof.what}", markup=False)
        return

    outcomes = {}
    with Progress(console=console) as progress, ThreadPoolExecutor(workers) as pool:
        task = progress.add_task("proofs", total=len(proofs))
        for done in as_completed(pool.submit(proof.run, timeout) for proof in proofs):
            outcome = done.result()
            outcomes[outcome.proof.name] = outcome
            progress.advance(task)
            result = report.as_json(outcome)
            colour = COLOURS[outcome.holds]
            progress.console.print(f"{outcome.proof.name}: [{colour}]{result['result']}[/], {outcome.seconds:.1f} s")
            for claim in outcome.claims:
                if claim.holds is None:
                    progress.console.print(f"  not known: {claim.text}", markup=False)
                elif not claim.holds:
                    text = report.trace_text(claim) if claim.trace else f"broken: {claim.text}"
                    progress.console.print(text, markup=False, soft_wrap=True)

    results = [report.as_json(outcomes[proof.name]) for proof in proofs]
    if path is not None:
        report.write(results, path)
    if keep:
        report.keep(results, [proof.name for proof in PROOFS])
    if not all(outcome.holds for outcome in outcomes.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
