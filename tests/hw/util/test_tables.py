"""Tables in Markdown."""

from hw.util.tables import table


def test_tables_align_numbers_and_leave_unknown_cells_empty():
    text = table(["name", "count"], [("a", 1234), ("b", None), ("c", 0.1 + 0.2)])
    assert text.splitlines() == [
        "| name | count |",
        "| --- | ---: |",
        "| a | 1,234 |",
        "| b |  |",
        "| c | 0.3 |",
    ]
