"""Documents whose tables commands write, each between two lines that mark its place."""

from __future__ import annotations

__all__ = ["table_in", "with_table"]


def table_in(page: str, marks: tuple[str, str]) -> str:
    """Return what stands between two marks of a page, the second being the first one of its kind behind the first.

    Raises
    ------
    ValueError
        The page does not have the first mark once, or the second one not behind it.
    """
    return _parts(page, marks)[1]


def with_table(page: str, marks: tuple[str, str], table: str) -> str:
    """Return the page with `table` between the marks, in place of what stood there; otherwise as of `table_in`."""
    before, _, after = _parts(page, marks)
    return before + marks[0] + table + marks[1] + after


def _parts(page: str, marks: tuple[str, str]) -> tuple[str, str, str]:
    before, _, rest = page.partition(marks[0])
    held, end, after = rest.partition(marks[1])
    if page.count(marks[0]) != 1 or not end:
        begin, end = (mark.strip() for mark in marks)
        raise ValueError(f"the page must have {begin!r} once, and {end!r} after it; put them where the table is to be")
    return before, held, after
