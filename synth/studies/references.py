"""`python -m hamming.synth.studies.references`: areas of the engine's blocks beside published designs.

The others' figures were made in osu018 with Yosys 0.70 by `RECIPE`. Each of our blocks is mapped three ways, so that
what the design gains and what the mapping gains can be told apart: by the same recipe, by the recipe with the
library's adder cells, and as `synth.mapping.area` does it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
from amaranth.lib import wiring
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.insertion import InsertionSelector
from hamming.rtl.popcount import XnorPopcount
from hamming.rtl.verilog import emit
from hamming.synth.library.libraries import LIBRARIES, Library, LibraryError, load_library
from hamming.synth.mapping.area import synthesize
from hamming.synth.studies.softmax_normalizer import SoftmaxNormalizer
from hamming.synth.yosys import process as yosys

__all__ = ["REFERENCES", "Reference", "areas"]

#: What the published figures were made with, after `read_verilog` and before `stat`.
RECIPE = (
    "synth -flatten -noabc -top {top}",
    "dfflibmap -liberty cells.lib",
    "abc -liberty cells.lib",
    "opt_clean -purge",
)

#: ABC's commands in that recipe, which are Yosys' own.
RECIPE_ABC = "strash; &get -n; &fraig -x; &put; scorr; dc2; dretime; strash; &get -n; &dch -f; &nf; &put"


@dataclass(frozen=True)
class Reference:
    """A block of ours, and what there is to compare it with, in osu018 units.

    Parameters
    ----------
    name, what
        What it computes, in short and in full.
    component
        Makes the block.
    published
        Smallest design of others.
    published_by
        Whose it is.
    aim
        Area that ours is to have at most.
    """

    name: str
    what: str
    component: Callable[[], wiring.Component]
    published: int
    published_by: str
    aim: int


def _references() -> tuple[Reference, ...]:
    def dims(top_k: int, **fields) -> Dimensions:
        spec = AttentionSpec.from_logit_scale(d_head=64, d_value=4, n_keys=64, top_k=top_k, logit_scale=0.125)
        return Dimensions(spec, EngineConfig(**fields))

    # A divider of one value a cycle has done all four well before the next 64 keys, 16 cycles later.
    softmax = partial(SoftmaxNormalizer, dims(64, n_lanes=SoftmaxNormalizer.LANES))
    popcounts = [
        Reference(
            f"popcount {d_head}",
            f"matches of two vectors of {d_head} bits, combinational",
            partial(XnorPopcount, d_head=d_head),
            published,
            "the smallest of several",
            aim,
        )
        for d_head, published, aim in ((64, 14_329, 10_904), (128, 29_756, 22_128))
    ]
    selectors = [
        Reference(
            f"top {top_k} of 64",
            f"the {top_k} best of 64 keys, scores of 7 bits, a key a cycle",
            partial(InsertionSelector, dims(top_k, selector="insertion")),
            published,
            "cell sort",
            published * 3 // 4,
        )
        for top_k, published in ((8, 37_678), (16, 71_517))
    ]
    softmax_reference = Reference(
        "softmax 64",
        "softmax and division, 64 keys in 16 cycles",
        softmax,
        347_566,
        "MASE's fixed_softmax, 64 elements, 4 a cycle",
        347_566,
    )
    return (*popcounts, *selectors, softmax_reference)


REFERENCES = _references()


def areas(reference: Reference, library: Library) -> tuple[float, float, float]:
    """Return the block's area by the recipe, by the recipe with adder cells, and by `synth.mapping.area`."""
    verilog = emit(reference.component(), "block")
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(verilog, encoding="utf-8")
        (folder / "cells.lib").symlink_to(library.path)
        recipe = [command.format(top="block") for command in RECIPE]
        yosys.run(["read_verilog design.v", *recipe, "tee -q -o stat.json stat -json"], folder)
        statistics = json.loads((folder / "stat.json").read_text(encoding="utf-8"))
    by_recipe = library.area(statistics["design"]["num_cells_by_type"])
    with_adders = synthesize(verilog, top="block", library=library, abc_commands=RECIPE_ABC)
    ours = synthesize(verilog, top="block", library=library)
    assert with_adders.flat is not None
    assert ours.flat is not None
    return by_recipe, with_adders.flat.area, ours.flat.area


@click.command()
def main() -> None:
    """Print a table for each library; one that is not installed is left out, with a message."""
    console = Console()
    for name in LIBRARIES:
        try:
            library = load_library(name)
        except LibraryError as error:
            console.print(f"left out: {error}\n")
            continue
        is_published = name == "osu018"
        table = Table("block", title=f"{name}, {library.area_unit}", title_justify="left", box=SIMPLE_HEAD)
        for heading in ("recipe", "+ adders", "synth.area", *(("published", "", "aim") if is_published else ())):
            table.add_column(heading, justify="right")
        for reference in track(REFERENCES, name, console=console, transient=True):
            figures = areas(reference, library)
            row = [reference.name, *(f"{area:,.0f}" for area in figures)]
            if is_published:
                row += [f"{reference.published:,}", f"{figures[-1] / reference.published:.0%}", f"{reference.aim:,}"]
            table.add_row(*row)
        console.print(table)
    for reference in REFERENCES:
        console.print(f"{reference.name}: {reference.what}; published: {reference.published_by}")
    console.print(f"recipe: Yosys {yosys.version()}, {'; '.join(RECIPE).format(top='TOP')}", soft_wrap=True)


if __name__ == "__main__":
    main()
