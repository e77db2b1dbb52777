"""What `hamming evaluate` prints."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from hamming.distill.hardware.evaluate import Evaluation

__all__ = ["evaluation_table"]

_NAMES = {
    "teacher": "teacher",
    "float": "student, floating point",
    "integer": "student, integers",
}


def evaluation_table(found: Evaluation) -> Group:
    """A row for each way of computing attention, then how alike the last two are."""
    accuracies = Table("attention", box=SIMPLE_HEAD)
    for heading in ("accuracy, %", "seconds a thousand items", "peak, MiB"):
        accuracies.add_column(heading, justify="right")
    for name, accuracy in found.accuracy.items():
        accuracies.add_row(
            _NAMES[name], f"{100 * accuracy:.2f}", f"{found.seconds[name]:.2f}", f"{found.peak_mib[name]:.0f}"
        )
    facts = Table(box=SIMPLE_HEAD, show_header=False)
    facts.add_row("test items", f"{found.items}")
    if found.drop is not None:
        lost = f"{100 * found.drop.mean:.2f} ± {100 * found.drop.error:.2f} points"
        facts.add_row("the teacher's accuracy, less that through integers", lost)
    facts.add_row("kept keys a query", "all" if found.top_n is None else f"{found.top_n}")
    widths = found.widths
    form = "" if widths.weight_form is None else f", {widths.weight_form}"
    facts.add_row(
        "bits", f"weights {widths.weight_bits}{form}, values {widths.value_bits}, fraction {widths.out_frac_bits}"
    )
    facts.add_row("same class, integers and floating point", f"{found.agreement:.2%}")
    facts.add_row("cosine of a token's attention", f"{found.attention.mean:.5f}, worst {found.attention.worst:.5f}")
    facts.add_row("cosine of an item's logits", f"{found.logits.mean:.5f}, worst {found.logits.worst:.5f}")
    flipped = ", ".join(f"{share:.2%}" for share in found.flipped.values())
    facts.add_row("flipped bits of queries and keys, by layer", flipped)
    return Group(accuracies, facts)
