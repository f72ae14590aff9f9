"""Images per second of boards behind a queue: what is counted, and how boards work beside each other."""

import pytest

from bitstreams.commands import pool_benchmark as benchmark
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import tiny
from hw.generate import generate


def test_a_row_is_held_against_one_board():
    rows = [(1, 2.0, 0.1), (4, 7.6, 0.25)]
    found = {"rows": [dict(zip(("boards", "images_per_second", "host"), row, strict=True)) for row in rows]}
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in benchmark.markdown(found).splitlines()
    ]
    assert lines[2:] == [["1", "2.00", "1.000", "10 %"], ["4", "7.60", "0.950", "25 %"]]


@pytest.mark.slow
@pytest.mark.verilator
def test_boards_take_their_time_beside_each_other(tmp_path):
    """Of a slow clock, so that this holds on two processors with other work."""
    artifact, said = random_artifact(tiny(), seed=1), []
    generate(artifact, AcceleratorConfig(rows=4, lanes=1, batch=1), tmp_path / "design")
    found = benchmark.measure(tmp_path / "design", (1, 2), 60_000, said.append)
    one, two = (row["images_per_second"] for row in found["rows"])
    assert two > 1.6 * one and len(said) == 2 * benchmark.ROUNDS
    artifact = random_artifact(tiny(), seed=2)
    artifact.save(tmp_path / "design" / "model.npz")
    with pytest.raises(AssertionError, match="not those of the integer model"):
        benchmark.measure(tmp_path / "design", (1,), 0, said.append)
