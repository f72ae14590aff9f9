"""Small accelerators, whole: results are those of the integer model, clocks those of the cost model."""

import numpy as np
import pytest

from hw.contract.artifact import random_artifact
from hw.contract.network import Conv, Dense, Network
from sim import model
from tests.hw.gateware.whole import Bench, compiled, predicted

SCORES = Network(
    "scores",
    (2, 7, 9),
    (
        Conv("a", 2, 5, 3, padding=1, pool=2, relu=False),
        Conv("b", 5, 3, 1),
        Dense("c", 3 * 3 * 4, 3, relu=False),
    ),
)
MAPS = Network("maps", (3, 4, 11), (Conv("a", 3, 5, 3, padding=1), Conv("b", 5, 3, 3, padding=1, relu=False)))
BESIDE = Network(
    "beside", (2, 4, 4), (Conv("a", 2, 9, 3, padding=1), Conv("b", 9, 4, 3, padding=1, relu=False))
)
CASES = {
    "scores": (SCORES, "adaptive", {"rows": 4, "lanes": 2, "batch": 2, "line_pixels": 8}, {}),
    "maps": (MAPS, "adaptive", {"rows": 4, "lanes": 3, "batch": 1, "line_pixels": 16}, {}),
    "beside": (BESIDE, "kernel", {"rows": 4, "lanes": 2, "batch": 2, "line_pixels": 16}, {}),
    "streamed": (
        SCORES,
        "adaptive",
        {"rows": 4, "lanes": 2, "batch": 2, "stream_weights": True, "bus_bits": 64, "memories": 2},
        {"a": 5, "c": 3},
    ),
}


def made(name):
    network, kind, options, bits = CASES[name]
    artifact = random_artifact(network, seed=3, kind=kind, layer_bits=bits)
    return artifact, compiled(artifact, **options)


def pictures(network, count, seed=0):
    rng = np.random.default_rng(seed)
    out = rng.integers(0, 256, (count, *network.input), dtype=np.uint8)
    out[0] = 255
    return out


@pytest.mark.parametrize("name", list(CASES))
def test_results_and_clocks(name):
    artifact, program = made(name)
    batch = program.config.batch
    images = pictures(artifact.network, batch)

    async def test(link, driver):
        found = await driver.run(images)
        return found, await driver.counters()

    found, counters = Bench(program).run(test)
    np.testing.assert_array_equal(found, model.run(artifact, images))
    layers, total = predicted(program, batch)
    if not program.config.stream_weights:
        assert [layer.cycles for layer in counters.layers] == layers
    assert abs(counters.cycles - total) <= max(8, 0.02 * total)
    assert counters.weight_beats == (sum(program.stream.layer_beats) if program.config.stream_weights else 0)
