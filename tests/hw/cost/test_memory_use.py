"""What design.json says of the feature memory: maps that are there at once share no line, and all fit."""

import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import IMAGES, Conv, Network, lenet, tiny
from hw.contract.network.known import resnet20
from hw.cost.memory_use import memory_use

BESIDE = Network(
    "beside",
    (2, 12, 12),
    (
        Conv("a", 2, 3, 3, padding=1),
        Conv("b", 3 + 2, 4, 3, padding=1, sources=("a", IMAGES)),
        Conv("c", 4, 2, 3, padding=1),
    ),
)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("network", [tiny(), lenet(), BESIDE, resnet20()], ids=lambda network: network.name)
def test_maps_that_are_alive_at_once_share_no_line(network, batch):
    program = compile_program(random_artifact(network, seed=1, kind="dense"), AcceleratorConfig(8, 4, batch))
    found = memory_use(program)
    assert found["lines"] == program.memory_lines
    taken = {}
    for its in found["maps"]:
        lines = {line for base, count in its["parts"] for line in range(base, base + count)}
        assert len(lines) == sum(count for _, count in its["parts"]) and max(lines) < found["lines"]
        taken[its["map"]] = its, lines
    expected = set(range(len(network.maps))) - ({len(network.layers)} if network.classes else set())
    assert set(taken) == expected
    for number, (its, lines) in taken.items():
        layout = program.layers[number - 1].dest if number else program.layers[0].source
        if its["map"]:
            assert its["parts"][0][0] == layout.base
        for other, theirs in taken.values():
            if other["map"] != number and its["made"] <= other["last"] and other["made"] <= its["last"]:
                assert not lines & theirs, (number, other["map"])


def test_a_map_in_row_bands_is_a_ring():
    layers = Conv("a", 1, 8, 3, padding=1), Conv("b", 8, 2, 3, padding=1)
    artifact = random_artifact(Network("narrow", (1, 40, 6), layers), seed=7, kind="adaptive")
    config = AcceleratorConfig(4, 1, 1, 8, memory_lines=270, stream_weights=True)
    program = compile_program(artifact, config)
    (ring,) = [its for its in memory_use(program)["maps"] if its["map"] == 1]
    assert program.layers[0].dest.ring > 0
    assert ring["parts"] == [[program.layers[0].dest.base, 8 * program.layers[0].dest.ring]]
