"""Accelerators for the bench tests: networks that together touch every mode and every edge."""

from pathlib import Path

import numpy as np

from hw.contract.artifact import Artifact, random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import IMAGES, Conv, Dense, Network, tiny
from hw.generate import TOP, generate

NETWORKS = {
    "tiny": tiny(),
    # A feature map as the result; maps wider than a line; S = 4, then S = 6; signed pixels in between.
    "map": Network(
        "map",
        (3, 11, 37),
        (Conv("a", 3, 7, 5, padding=2, relu=False), Conv("b", 7, 5, 3, padding=1, pool=2, relu=False)),
    ),
    # Narrow maps in sections: two and three rows to a line, padded and not, pooled and not.
    "sections": Network(
        "sections",
        (2, 26, 26),
        (
            Conv("two", 2, 9, 3, padding=1, pool=2),
            Conv("three", 9, 6, 3, padding=1),
            Conv("again", 6, 4, 3, padding=1, relu=False),
            Conv("plain", 4, 5, 5, padding=2),
        ),
    ),
    # Maps of several images side by side: of two tile rows and of one, pooled and not, in front of one
    # that is alone.
    "beside": Network(
        "beside",
        (24, 8, 8),
        (
            Conv("two", 24, 9, 3, padding=1, pool=2),
            Conv("one", 9, 6, 3, padding=1, relu=False),
            Conv("pooled", 6, 12, 3, padding=1, pool=2),
            Conv("tiny", 12, 7, 3, padding=1),
            Dense("scores", 28, 5, relu=False),
        ),
    ),
    # Maps large enough to be made in bands, several lines to a row, under pooling, then in sections.
    "bands": Network(
        "bands",
        (2, 61, 45),
        (
            Conv("a", 2, 12, 5, padding=2),
            Conv("b", 12, 6, 3, padding=1, pool=2),
            Conv("c", 6, 9, 3, padding=1, pool=2),
            Conv("d", 9, 5, 3, padding=1, relu=False),
        ),
    ),
    # More lines than the words of an UltraRAM block, and channels for more spectra than LUTs hold.
    "deep": Network(
        "deep",
        (3, 40, 40),
        (
            Conv("a", 3, 40, 3, padding=1),
            Conv("b", 40, 8, 3, padding=1, pool=2),
            Dense("c", 3200, 5, relu=False),
        ),
    ),
    # Two segments in bands: in front of each, and after its first layer, the other sign than its last
    # layer makes.
    "signs": Network(
        "signs",
        (1, 30, 13),
        (
            Conv("a", 1, 1, 3, padding=1),
            Conv("b", 1, 2, 3, padding=1, relu=False),
            Conv("c", 2, 8, 3, padding=1, relu=False),
            Conv("d", 8, 2, 3, padding=1),
            Conv("e", 2, 8, 3, padding=1),
            Conv("f", 8, 2, 3, padding=1, relu=False),
        ),
    ),
    # Channels enough for rows to run ahead, words of one and of several blocks, a short last one.
    "channels": Network(
        "channels",
        (1, 16, 16),
        (
            Conv("a", 1, 20, 5, pool=2),
            Conv("b", 20, 36, 3, padding=1, pool=2),
            Dense("scores", 36 * 9, 10, relu=False),
        ),
    ),
    # The extreme kernels: S = 2 and S = 8; an odd stride under pooling (k = 4: 5, rounded to 4).
    "kernels": Network(
        "kernels",
        (1, 20, 18),
        (
            Conv("seven", 1, 4, 7, padding=3),
            Conv("one", 4, 9, 1),
            Conv("four", 9, 6, 4, padding=1, pool=2),
            Conv("six", 6, 3, 6, padding=2),
            Dense("scores", 3 * 8 * 7, 3, relu=False),
        ),
    ),
    # A graph: a map that is added, maps that are joined, the images read again, both signs in one layer, a
    # stride, paddings of two sizes.
    "graph": Network(
        "graph",
        (2, 13, 12),
        (
            Conv("a", 2, 9, 3, padding=1),
            Conv("b", 9, 11, 3, padding=1, relu=False),
            Conv("sum", 11 + 9, 9, 2, padding=1, end_padding=0, sources=("b", "a"), added=True),
            Conv("half", 9 + 2, 12, 3, padding=1, stride=2, relu=False, sources=("sum", IMAGES)),
            Conv("again", 12, 10, 3, padding=1),
            Dense("scores", (12 + 10) * 7 * 6, 9, relu=False, sources=("half", "again")),
        ),
    ),
}


def save_accelerator(
    folder: Path,
    network: str,
    kind: str,
    rows: int,
    lanes: int,
    batch: int,
    line_pixels: int = 0,
    narrow: tuple[tuple[str, int], ...] = (),
    name: str = TOP,
    **options,
) -> tuple[Path, Artifact]:
    """Design folder (inside ``folder``) and artifact of a network with random weights.

    narrow: layers of fewer than 8 bits. name: of the top module. options: more of the configuration.
    """
    artifact = random_artifact(NETWORKS[network], seed=7, kind=kind, layer_bits=dict(narrow))
    design = folder / "design"
    generate(artifact, AcceleratorConfig(rows, lanes, batch, line_pixels, **options), design, name=name)
    return design, artifact


def images(network: str, count: int, seed: int = 0) -> np.ndarray:
    """Random images, with extreme ones among them."""
    rng = np.random.default_rng(seed)
    out = rng.integers(0, 256, (count, *NETWORKS[network].input), dtype=np.uint8)
    out[0] = 255
    if count > 2:
        out[2] = 255 * rng.integers(0, 2, out[2].shape)
    return out
