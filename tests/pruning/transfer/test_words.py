"""Word vectors: read from the package's file, and a table of what codes of them find."""

import json

import numpy as np
import pytest

from hw.util.errors import DataError
from pruning.transfer.search import words
from pruning.transfer.search.benchmark import markdown


def file(path, count=300, numbers=16, **changes):
    """As the package has it: behind the numbers of a word its norm and its place."""
    rng = np.random.default_rng(0)
    names = [f"w{n}" for n in range(count)]
    rows = rng.normal(size=(count, numbers)).round(3)
    vectors = {
        name: [*row, float(np.linalg.norm(row)), n]
        for n, (name, row) in enumerate(zip(names, rows, strict=True))
    }
    whole = {
        "precision": 3,
        "size": count,
        "dimensions": numbers,
        "words": names,
        "vectors": vectors,
        "unkVector": [0],
    }
    path.write_text(json.dumps(whole | changes))
    return rows


def test_the_most_frequent_words_are_read_without_what_stands_behind_them(tmp_path):
    rows = file(tmp_path / "words.json")
    found = words.read(tmp_path / "words.json", 20)
    np.testing.assert_array_equal(found, rows[:20].astype(np.float32))


def test_a_row_for_every_code_and_no_precision_of_classes(tmp_path, capsys):
    file(tmp_path / "words.json")
    options = ["--words", "250", "--queries", "30", "--bits", "8", "16", "--seeds", "2", "--removed", "1"]
    words.main([str(tmp_path / "words.json"), *options, "--out", str(tmp_path / "out.json")])
    measured = json.loads((tmp_path / "out.json").read_text())
    assert [(row["method"], row["bits"]) for row in measured["rows"]] == [
        ("float", 0),
        *((method, bits) for bits in (8, 16) for method in ("sign", "itq", "iiq")),
    ]
    assert (measured["words"], measured["dimensions"], measured["queries"]) == (250, 16, 30)
    assert measured["rows"][0]["recall"] == [100, 100], "a word is not its own neighbour, or asked for twice"
    assert all(row["map"] == [] and 0 < row["recall"][0] <= 100 for row in measured["rows"])
    table = capsys.readouterr().out
    assert (
        table == markdown(measured, "word") + "\n"
        and "bytes per word | recall@10" in table
        and "mAP" not in table
    )


@pytest.mark.parametrize(
    ("changes", "count", "sentence"),
    [
        ({}, 301, "has 300 words, not 301"),
        ({"vectors": {}}, 3, "a word has no vector of 16 numbers"),
        ({"dimensions": 19}, 3, "a word has no vector of 19 numbers"),
        ({"vectors": {f"w{n}": [0.0] * 16 for n in range(3)}}, 3, "a word's vector is zero"),
        ({"words": 3}, 3, "words"),
    ],
)
def test_files_that_are_none(tmp_path, changes, count, sentence):
    file(tmp_path / "words.json", **changes)
    with pytest.raises(DataError, match=sentence):
        words.read(tmp_path / "words.json", count)
    with pytest.raises(DataError, match="cannot read"):
        words.read(tmp_path / "other.json", 1)
