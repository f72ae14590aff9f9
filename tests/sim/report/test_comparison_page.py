"""The measured section of a page: written once, replaced in place, equal to its rows."""

import json
import re

import pytest

from hw.util.errors import ArtifactError
from sim.report import comparison
from sim.report.comparison_page import HARDWARE, MEASURED, main, marks, put, section

ROW = {
    "network": "vgg16-cifar",
    "scheme": "kernel",
    "share_pruned": 75.0,
    "accuracy_dense": 93.0,
    "accuracy_float": 92.5,
    "accuracy_integer": 92.25,
    "cycles": 123_456,
    "storage_bits": 8_000,
    "seconds": 3600.4,
    "command": "spec2 prune vgg16-cifar --sparsity kernel",
    "rows": 64,
    "lanes": 10,
    "batch": 1,
    "clocks_from": comparison.MODEL,
}
BEGIN, END = marks(MEASURED)
ROWS = [ROW, {**ROW, "scheme": "block", "command": None}]


def test_the_section_tells_array_source_rows_and_commands():
    text = section(ROWS, "results/a.svg")
    assert text.startswith(f"{BEGIN}\n\n## Measured: vgg16-cifar\n") and text.endswith(END)
    assert "N = 64, P = 10, batch 1, predicted by scheduler and cost model" in text
    assert comparison.markdown(ROWS) in text and "| 3,600 |" in text
    assert "](results/a.svg)" in text
    assert re.findall(r"```sh\n(.*?)```", text, re.DOTALL) == [f"{ROW['command']}\n"]
    assert "```" not in section(ROWS[1:], "a.svg")


def test_a_section_of_the_hardware_tells_no_accuracies():
    text = section(ROWS)
    assert text.startswith(f"{marks(HARDWARE)[0]}\n\n## Clocks and bits: vgg16-cifar\n")
    assert "| 123,456 |" in text and "| 8,000 |" in text and ROW["command"] in text
    for left_out in ("Accurac", "92.25", "93.0", "3,600", "![", "integer %", "training"):
        assert left_out not in text


def test_a_page_gets_its_section_behind_all_else_and_then_in_place():
    page = put("# Kinds\n\ntext\n", "MADE")
    assert page == "# Kinds\n\ntext\n\nMADE\n"
    first = put("# Kinds\n\ntext\n", section(ROWS, "a.svg")) + "\n## Behind\n"
    second = put(first, section(ROWS[:1], "a.svg"))
    assert second.startswith("# Kinds\n\ntext\n\n") and second.endswith(f"{END}\n\n## Behind\n")
    assert "block" in first and "block" not in second and second.count(BEGIN) == 1
    with pytest.raises(ArtifactError, match="measured: end"):
        put(f"text\n{BEGIN}\nmore", "MADE")


def test_the_command_rewrites_a_page_and_says_what_is_missing(tmp_path, capsys):
    page, rows = tmp_path / "docs" / "page.md", tmp_path / "docs" / "results" / "rows.json"
    rows.parent.mkdir(parents=True)
    rows.write_text(json.dumps(ROWS))
    page.write_text("# Kinds\n")
    arguments = [str(rows), str(page), "--picture", str(rows.with_suffix(".svg"))]
    assert main(arguments) == 0
    once = page.read_text()
    assert section(ROWS, "results/rows.svg") in once
    assert main(arguments) == 0 and page.read_text() == once
    assert main(arguments[:2]) == 0 == main(arguments[:2])
    both = page.read_text()
    assert section(ROWS, "results/rows.svg") in both and both.count(section(ROWS)) == 1
    rows.unlink()
    assert main(arguments) == 2 and "rows.json" in capsys.readouterr().err and page.read_text() == both
