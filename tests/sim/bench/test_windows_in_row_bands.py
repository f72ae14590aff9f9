"""Pooling windows that overlap, in layers made in row bands: edges are those of the map, not of a band."""

import numpy as np

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network
from hw.cost.cycles import total_cycles
from hw.generate import generate
from sim.rtl.verify import verify

NETWORK = Network(
    "bands",
    (3, 120, 24),
    (
        Conv("a", 3, 6, 3, padding=1, pool=2, pool_size=3, pool_padding=1),
        Conv("b", 6, 6, 3, padding=1, pool=1, pool_size=3, pool_padding=1, relu=False),
        Conv("c", 6, 5, 3, padding=1, stride=2),
        Conv("d", 5, 4, 3, padding=1, pool=2, pool_end_padding=1),
    ),
)


def test_bands_change_no_pixel_and_no_clock_of_the_model(tmp_path):
    artifact = random_artifact(NETWORK, seed=1)
    config = AcceleratorConfig(rows=4, lanes=3, batch=1, line_pixels=32, memory_lines=710)
    program = compile_program(artifact, config)
    assert program.numbers == (0, 1, 2) * 4 + (3,)
    generate(artifact, config, tmp_path)
    images = np.random.default_rng(1).integers(0, 256, (3, *NETWORK.input), dtype=np.uint8)
    found = verify(tmp_path, artifact, images, stalls=True, seed=2)
    assert found.mismatches == 0, found.first_mismatch
    assert abs(found.single.cycles - total_cycles(program, 1)) <= 1
