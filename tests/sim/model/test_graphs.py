"""Graphs in the integer model: what every layer reads, and for how long maps are kept."""

import numpy as np

from hw.contract.artifact import Artifact, random_artifact
from hw.contract.network import IMAGES, Conv, Dense, Network
from sim import model, reference
from sim.model import accelerator

SEED = 4

GRAPH = Network(
    "graph",
    (2, 9, 8),
    (
        Conv("stem", 2, 3, 3, padding=1),
        Conv("signed", 3, 4, 3, padding=1, relu=False),
        Conv("sum", 4 + 3, 3, 3, padding=1, relu=False, sources=("signed", "stem"), added=True),
        Conv("half", 3 + 2, 4, 3, padding=1, stride=2, sources=("sum", IMAGES)),
        Conv("again", 4, 3, 3, padding=1),
        Dense("scores", (4 + 3) * 5 * 4, 6, relu=False, sources=("half", "again")),
    ),
)
"""Maps that are read once and twice, at once and much later; signed and unsigned ones side by side."""

READ = {
    "stem": [IMAGES],
    "signed": ["stem"],
    "sum": ["signed", "stem"],
    "half": ["sum", IMAGES],
    "again": ["half"],
    "scores": ["half", "again"],
}


def images(count: int) -> np.ndarray:
    return np.random.default_rng(SEED).integers(0, 256, (count, *GRAPH.input)).astype(np.uint8)


def by_name(artifact: Artifact, batch: np.ndarray) -> dict[str, np.ndarray]:
    """The map of every layer: each computed by itself, from those that :data:`READ` names."""
    found: dict[str, np.ndarray] = {IMAGES: batch.astype(np.int64)}
    for engine in accelerator.engines(artifact):
        read = np.concatenate([found[name] for name in READ[engine.layer.name]], axis=1)
        given = np.moveaxis(read, 0, -1).astype(np.int16)
        pixels = engine.stitch([pixels for _, _, pixels in engine.tile_rows(given)])
        found[engine.layer.name] = np.moveaxis(pixels, -1, 0).astype(np.int64)
    return found


def test_every_layer_reads_the_maps_that_it_names(monkeypatch):
    artifact, batch = random_artifact(GRAPH, seed=SEED), images(5)
    expected = by_name(artifact, batch)
    assert expected["sum"].min() < 0 and expected["half"].max() > 127
    np.testing.assert_array_equal(model.run(artifact, batch), expected["scores"])
    for layer, made in zip(GRAPH.layers, accelerator.maps(artifact, batch), strict=True):
        np.testing.assert_array_equal(made, expected[layer.name])
    for name, traced in accelerator.trace(artifact, batch).items():
        np.testing.assert_array_equal(traced.output, expected[name])
    # In blocks and chunks of other sizes it is the same.
    monkeypatch.setattr(accelerator, "CHUNK_WORDS", 3 * 32 * 50)
    monkeypatch.setattr(accelerator, "BLOCK_BYTES", 2 * max(c * h * w for c, h, w in GRAPH.maps))
    np.testing.assert_array_equal(model.run(artifact, batch), expected["scores"])


def test_maps_are_kept_until_their_last_reader():
    kept = accelerator.Maps(GRAPH, np.zeros((2, 9, 8, 1), np.uint8))
    alive = []
    for layer, shape in zip(GRAPH.layers, GRAPH.maps[1:], strict=True):
        assert kept.read().shape[0] == GRAPH.inputs[GRAPH.layers.index(layer)][0]
        kept.made(np.zeros((*shape, 1), np.int8 if layer.signed else np.uint8))
        alive.append(sorted(kept.alive))
    assert alive == [[0, 1], [0, 1, 2], [0, 3], [4], [4, 5], []]


def test_signed_and_unsigned_maps_together_keep_their_values():
    both = {1: np.full((1, 2, 2, 1), 255, np.uint8), 2: np.full((1, 2, 2, 1), -128, np.int8)}
    network = Network(
        "both",
        (1, 2, 2),
        (Conv("a", 1, 1, 1), Conv("b", 1, 1, 1, relu=False), Conv("c", 2, 1, 1, sources=("b", "a"))),
    )
    joined = accelerator.joined(network, 2, both)
    assert joined[:, 0, 0, 0].tolist() == [-128, 255]
    assert accelerator.joined(network, 1, both) is both[1]


def test_the_reference_reads_the_same_maps():
    """Calm layers, in which nothing saturates: a few levels apart after five layers, where a wrong map would
    be a hundred."""
    artifact, batch = random_artifact(GRAPH, seed=SEED, kind="dense"), images(3)
    scores, truth = model.run(artifact, batch), reference.run(artifact, batch, rounded=True)
    assert np.sqrt(((scores - truth) ** 2).mean()) < 0.1 * truth.std()
