"""Plots for documents: matplotlib's, as SVG whose colours follow the reader's light or dark scheme.

A picture in a page cannot be told the page's colours, but its own style sheet knows what the reader prefers. So plots
are drawn in the colours of `COLOURS`, and `save` puts a variable with two values in place of each.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "FAINT", "INK", "SERIES", "drawn", "save"]

INK, FAINT, CARD = "#24292f", "#d0d7de", "#ffffff"

#: Colours of series, which differ in lightness as well: for readers who see few colours, and for paper.
SERIES = ("#0969da", "#bc4c00", "#8250df")

#: Each colour on a light ground, and what stands for it on a dark one.
COLOURS: dict[str, str] = dict(
    zip((INK, FAINT, CARD, *SERIES), ("#e6edf3", "#444c56", "#0d1117", "#58a6ff", "#f0883e", "#bc8cff"), strict=True)
)


@contextmanager
def drawn(
    path: Path, title: str, *, width: float, height: float, columns: int = 1, rows: Sequence[float] = (1,)
) -> Iterator[list[Axes]]:
    """Give the axes of a new figure, row by row; at the end, write it to `path`.

    Parameters
    ----------
    path
        Of the SVG file.
    title
        What is read out in place of the picture.
    width, height
        In inches.
    columns
        Axes side by side, which share their heights.
    rows
        Heights of the rows, in any unit; the axes of a column share their x.
    """
    import matplotlib as mpl

    mpl.use("svg")
    style: dict[Any, Any] = {
        "svg.hashsalt": "hamming",  # the same file for the same points
        "font.size": 10,
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), INK),
        **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), CARD),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": FAINT,
        "grid.linewidth": 0.6,
    }
    with mpl.rc_context(style):
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(
            len(rows),
            columns,
            figsize=(width, height),
            squeeze=False,
            layout="constrained",
            sharex="col",
            height_ratios=rows,
        )
        try:
            yield list(axes.flat)
            save(figure, path, title)
        finally:
            pyplot.close(figure)


def save(figure: Figure, path: Path, title: str) -> None:
    """Write `figure` as SVG, its colours variables."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    text = buffer.getvalue()
    names = {colour: f"--c{number}" for number, colour in enumerate(COLOURS)}
    for colour, name in names.items():
        text = text.replace(colour, f"var({name})")
    light, dark = (
        "".join(f"{name}:{values[colour]};" for colour, name in names.items())
        for values in ({colour: colour for colour in COLOURS}, COLOURS)
    )
    sheet = f"svg{{{light}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}"
    text = text.replace("<defs>", f"<style>{sheet}</style>\n <defs>", 1)
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    path.write_text(text[text.index("<svg") :], encoding="utf-8")
