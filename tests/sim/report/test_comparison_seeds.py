"""Several trainings as one row: means, standard deviations, and what is not mixed."""

import statistics

import pytest

from sim.report import comparison
from sim.report.comparison_seeds import over_seeds

ROW = {
    "network": "tiny",
    "scheme": "kernel",
    "share_pruned": 75.0,
    "accuracy_dense": 90.0,
    "accuracy_float": 89.0,
    "accuracy_integer": 88.5,
    "cycles": 1000,
    "storage_bits": 8000,
    "seconds": 10,
    "command": "spec2 prune tiny",
    "stream_weights": False,
    "bram36": 2.5,
    "rows": 8,
    "lanes": 4,
    "batch": 1,
    "cycles_batch": None,
    "clocks_from": comparison.MODEL,
    "digest": "0",
    "weight_bits": 8,
    "spectrum_bits": 18,
}


def row(**changes):
    return {**ROW, **changes}


SEEDS = [
    row(),
    row(accuracy_dense=92.0, accuracy_integer=89.0, cycles=1003, share_pruned=75.02, digest="1"),
    row(accuracy_dense=91.0, accuracy_integer=90.5, cycles=1001, share_pruned=75.04, digest="2"),
]


def test_figures_are_means_and_accuracies_and_clocks_have_a_deviation():
    (found,) = over_seeds(SEEDS)
    assert found["seeds"] == 3
    assert (found["accuracy_dense"], found["cycles"], found["share_pruned"]) == (91.0, 1001, 75.02)
    assert found["accuracy_integer"] == pytest.approx(statistics.mean([88.5, 89.0, 90.5]), abs=1e-4)
    # Of every training by itself: its dense network is another.
    assert found["lost"] == pytest.approx(statistics.mean([1.5, 3.0, 0.5]), abs=1e-4)
    assert found["spread"] == {
        "accuracy_dense": 1.0,
        "accuracy_float": 0.0,
        "accuracy_integer": pytest.approx(statistics.stdev([88.5, 89.0, 90.5]), abs=1e-4),
        "lost": pytest.approx(statistics.stdev([1.5, 3.0, 0.5]), abs=1e-4),
        "cycles": pytest.approx(statistics.stdev([1000, 1003, 1001]), abs=1e-4),
    }
    assert (found["stream_weights"], found["lanes"], found["bram36"]) == (False, 4, 2.5)
    assert "command" not in found and "digest" not in found


def test_a_single_training_has_no_deviation():
    (found,) = over_seeds([ROW])
    assert found["seeds"] == 1 and found["spread"] == {} and found["lost"] == 1.5
    assert "±" not in comparison.markdown([found])


def test_patterns_shares_and_widths_are_rows_of_their_own():
    found = over_seeds(
        [
            row(),
            row(share_pruned=75.9),
            row(share_pruned=87.5),
            row(scheme="block"),
            row(scheme="block", weight_bits=6),
            row(scheme="block", spectrum_bits=11),
            row(scheme="adaptive-2:8", share_pruned=75.0),
            row(scheme="adaptive-1:8", share_pruned=75.2),
            row(scheme="adaptive-2:8", share_pruned=75.4),
        ]
    )
    assert [(one["scheme"], one["seeds"]) for one in found] == [
        ("kernel", 2),
        ("kernel", 1),
        ("block", 1),
        ("block", 1),
        ("block", 1),
        ("adaptive-2:8", 2),
        ("adaptive-1:8", 1),
    ]


def test_what_one_training_did_not_measure_is_not_a_mean_of_the_others():
    (found,) = over_seeds([row(), row(accuracy_integer=None), row(seconds=None)])
    assert found["accuracy_integer"] is found["lost"] is found["seconds"] is None
    assert found["accuracy_dense"] == 90.0 and {"accuracy_integer", "lost"}.isdisjoint(found["spread"])


def test_the_table_shows_mean_and_deviation():
    table = comparison.markdown(over_seeds(SEEDS))
    head, _, cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    shown = dict(zip(head, cells, strict=True))
    assert (shown["seeds"], shown["pruned %"], shown["bits"]) == ("3", "75.02", "8,000")
    assert (shown["dense %"], shown["integer %"]) == ("91.00 ± 1.00", "89.33 ± 1.04")
    assert (shown["lost"], shown["clocks"]) == ("1.67 ± 1.26", "1,001 ± 2")
