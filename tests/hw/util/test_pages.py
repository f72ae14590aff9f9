"""Sections between marks: replaced, whatever stands around them, and refused without both marks."""

import pytest

from hw.util.errors import ConfigError
from hw.util.pages import put


@pytest.mark.parametrize(("before", "after"), [("", ""), ("head\n", "\ntail"), ("é < ", " >")])
def test_a_section_is_replaced_and_nothing_else(before, after):
    page = put(f"{before}<a>old<b>{after}", "<a>", "<a>new<b>", "<b>")
    assert page == f"{before}<a>new<b>{after}" == put(page, "<a>", "<a>new<b>", "<b>")


@pytest.mark.parametrize("page", ["", "<a>", "<b>", "<b> <a>"])
def test_a_page_without_both_marks_in_order_is_refused(page):
    with pytest.raises(ConfigError, match="the page has no <a> and <b>: write them"):
        put(page, "<a>", "<a>new<b>", "<b>")
