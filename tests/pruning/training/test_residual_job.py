"""A whole job of a network with branches, pointwise and depthwise layers, from random weights to integers."""

import numpy as np
from msgspec.structs import replace

from hw.contract import artifact
from hw.contract.network import Conv, Dense, Network
from pruning import data
from pruning.training import recipe
from pruning.training.recipe_file import Schedule
from pruning.training.run import run
from sim import model

RESIDUAL = Network(
    "residual",
    (1, 12, 12),
    (
        Conv("stem", 1, 8, 3, padding=1),
        Conv("a", 8, 16, 3, padding=1, stride=2),
        Conv("s", 8, 16, 1, relu=False, stride=2, pointwise=True, sources=("stem",)),
        Conv("b", 32, 16, 1, added=True, pointwise=True, sources=("a", "s")),
        Conv("depthwise", 16, 16, 3, padding=1, groups=16),
        Conv("point", 16, 24, 1, pointwise=True, pool=2),
        Dense("fc", 24 * 9, 4, relu=False),
    ),
)


def test_a_job_ends_in_integers_that_hold_their_sets(monkeypatch, tmp_path):
    """Four kinds of images: a bright quarter each. Kernels of one word take another pattern."""
    rng = np.random.default_rng(7)
    labels = np.arange(256) % 4
    images = rng.integers(0, 120, (256, 1, 12, 12), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, label // 2 * 6 :, label % 2 * 6 :][:6, :6] += 120
    pictures = data.ImageSet(images[:192], labels[:192], images[192:], labels[192:], "quarters")
    monkeypatch.setattr(data, "load", lambda name, data_dir: pictures)
    plan = recipe.find("lenet", network=RESIDUAL, epochs=Schedule(4, 2, 2, 1), batch=16, sparsity="kernel")
    plan = replace(plan, prune_first=(), training=replace(plan.training, batch_norm=True, average=True))
    result = run(plan, out=tmp_path / "out", cache=tmp_path / "cache")
    made = artifact.load(result.artifact)
    assert {name: one.kind for name, one in made.sparsity.items()} == {
        "stem": "dense",
        "a": "kernel",
        "s": "adaptive",
        "b": "adaptive",
        "depthwise": "dense",
        "point": "adaptive",
        "fc": "dense",
    }
    for name, inputs in (("s", 8), ("b", 16), ("point", 16)):
        assert made.layers[name].mask[:, :inputs].mean() <= 0.25
    assert (made.layers["b"].mask[:, 16:, 0] == np.eye(16, dtype=bool)).all()
    scores = model.run(made, pictures.test_images)
    accuracy = 100 * (scores.argmax(1) == pictures.test_labels).mean()
    assert accuracy > 80 and abs(accuracy - result.accuracy["mirror"]) < 5
