"""`python -m hamming.formal`: carry the proofs out, side by side, and say what came of each."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from hamming.formal import report
from hamming.formal.proof import Outcome
from hamming.formal.registry import PROOFS, chosen, prove
from hamming.pool import Failed, Pool, takes_pool

COLOURS = {True: "green", False: "bold red", None: "yellow"}


def _tell(outcome: Outcome, console: Console) -> None:
    colour = COLOURS[outcome.holds]
    result = report.as_json(outcome)["result"]
    console.print(f"{outcome.proof.name}: [{colour}]{result}[/], {outcome.seconds:.1f} s")
    for claim in outcome.claims:
        if claim.holds is None:
            console.print(f"  not known: {claim.text}", markup=False)
        elif not claim.holds:
            text = report.trace_text(claim) if claim.trace else f"broken: {claim.text}"
            console.print(text, markup=False, soft_wrap=True)


@click.command()
@click.option("--list", "lists", is_flag=True, help="Say what there is, and prove nothing.")
@click.option("--only", multiple=True, metavar="NAME", help="Proofs whose names begin so; any number.")
@click.option("--small", is_flag=True, help="The small ones, which are tests too.")
@click.option("--timeout", default=240.0, show_default=True, help="Seconds for a claim, at most.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Where to write the results.")
@click.option("--keep", is_flag=True, help="Put the results into formal/results.json and docs/proofs.md.")
@takes_pool
def main(
    pool: Pool, lists: bool, only: tuple[str, ...], small: bool, timeout: float, path: Path | None, keep: bool
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

    by_name = {proof.name: proof for proof in proofs}
    outcomes: dict[str, Outcome] = {}
    failed = None
    try:
        with pool.results(prove, {name: (name, timeout) for name in by_name}, "proofs") as results:
            for name, (claims, seconds) in results:
                outcomes[name] = Outcome(by_name[name], claims, seconds)
                _tell(outcomes[name], console)
    except Failed as error:
        failed = error
    told = [report.as_json(outcomes[name]) for name in by_name if name in outcomes]
    if path is not None:
        report.write(told, path)
    if keep:
        report.keep(told, [proof.name for proof in PROOFS])
    if failed is not None:
        raise failed
    if not all(outcome.holds for outcome in outcomes.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
