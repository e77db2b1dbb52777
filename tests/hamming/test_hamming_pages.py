"""Tables that commands put into documents: in their place, and nowhere else."""

from __future__ import annotations

import pytest

from hamming.pages import table_in, with_table

MARKS = ("<!-- cost -->\n", "<!-- end -->")
PAGE = "# A page\n<!-- cost -->\nold\n<!-- end -->\nmore\n<!-- other -->\nelse\n<!-- end -->\n"


def test_a_table_comes_in_the_place_of_the_one_that_was_there():
    assert table_in(PAGE, MARKS) == "old\n"
    assert with_table(PAGE, MARKS, "new\n") == PAGE.replace("old", "new")


@pytest.mark.parametrize(
    "page",
    ["no mark\n", "<!-- cost -->\nno end\n", "<!-- end -->\n<!-- cost -->\n", PAGE + PAGE],
    ids=["none", "no end", "end before", "twice"],
)
def test_a_page_without_its_place_is_left_alone(page):
    with pytest.raises(ValueError, match=r"the page must have '<!-- cost -->' once, and '<!-- end -->' after it"):
        with_table(page, MARKS, "new\n")
