"""The command line of a study that measures point by point, keeps each as it is done, and has a table in a document."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamming.pages import with_table

__all__ = ["KeptPoints", "read"]

Rows = list[dict[str, Any]]


def read(path: Path) -> Rows:
    """Return the rows that a file keeps, none if there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


@dataclass(frozen=True, kw_only=True)
class KeptPoints:
    """A study.

    Attributes
    ----------
    program, description
        Of the command line.
    points
        All of them, in the order in which their rows are kept.
    point_of
        Returns the point of a row.
    measure
        Returns the row of a point.
    results
        The file of rows.
    markdown
        Lays rows out for the document.
    page, marks
        The document, and the lines between which the table stands.
    plot
        Draws rows into the picture beside the document, if it has one.
    """

    program: str
    description: str
    points: Sequence[Any]
    point_of: Callable[[dict[str, Any]], Hashable]
    measure: Callable[[Any], dict[str, Any]]
    results: Path
    markdown: Callable[[Rows], str]
    page: Path
    marks: tuple[str, str]
    plot: Callable[[Rows, Path], None] | None = None

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the command line: measure what is not kept, unless only asked to print."""
        what = "the table" if self.plot is None else "table and picture"
        parser = argparse.ArgumentParser(prog=self.program, description=self.description)
        parser.add_argument(
            "--print", dest="only_print", action="store_true", help="print what is kept; measure nothing"
        )
        parser.add_argument("--keep", action="store_true", help=f"put {what} into docs/{self.page.name}, too")
        parser.add_argument("--again", action="store_true", help="measure also what is kept")
        options = parser.parse_args(arguments)
        kept = {self.point_of(row): row for row in read(self.results)}
        if not options.only_print:
            for point in self.points:
                if point not in kept or options.again:
                    kept[point] = self.measure(point)
                    self.results.write_text(json.dumps(self._rows(kept), indent=1) + "\n", encoding="utf-8")
        rows = self._rows(kept)
        if options.keep:
            self._keep(rows)
        print(self.markdown(rows), end="")
        return 0

    def _rows(self, kept: dict[Any, dict[str, Any]]) -> Rows:
        return [kept[point] for point in self.points if point in kept]

    def _keep(self, rows: Rows) -> None:
        """Put table and picture into the document."""
        text = with_table(self.page.read_text(encoding="utf-8"), self.marks, self.markdown(rows))
        self.page.write_text(text, encoding="utf-8")
        if self.plot is not None:
            self.plot(rows, self.page.with_suffix(".svg"))
