"""`python -m hamming.distill.report.page`: kept results into `docs/hardware-accuracy.md` and its picture."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from hamming.distill.report import picture, price
from hamming.distill.report.tables import all_width_rows, evaluation_rows, verilog_rows
from hamming.pages import with_table

__all__ = ["PAGE", "PICTURE", "updated"]

_DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, PICTURE = _DOCS / "hardware-accuracy.md", _DOCS / "accuracy-energy.svg"


def updated(page: str) -> str:
    """Return the page with each table, from `<!-- NAME -->` to `<!-- end -->`, made anew.

    Raises
    ------
    ValueError
        The page has no place for one of the tables.
    """
    tables: dict[str, Iterable[str]] = {
        "evaluation": evaluation_rows(),
        "widths": all_width_rows(),
        "price": price.markdown(),
        "verilog": verilog_rows(),
    }
    for name, rows in tables.items():
        lines = "\n".join(rows).rstrip()
        page = with_table(page, (f"<!-- {name} -->\n", "<!-- end -->"), f"\n{lines}\n\n")
    return page


def main() -> None:
    """Write the page and the picture."""
    argparse.ArgumentParser(prog="python -m hamming.distill.report.page", description=main.__doc__).parse_args()
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    picture.draw(PICTURE)


if __name__ == "__main__":
    main()
