"""Features block by block: whatever the blocks, after interruptions, and never with another run's."""

import fcntl
import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hw.contract.artifact import random_artifact
from hw.contract.features import LayerFeatures, features_of, load
from hw.contract.network import tiny
from hw.host.extraction import extract
from hw.util.errors import ArtifactError, DataError
from sim import model

ROOT = Path(__file__).parents[3]
ARTIFACT = random_artifact(tiny(), seed=5)
IMAGES = np.random.default_rng(3).integers(0, 256, (10, *tiny().input), np.uint8)
LABELS = np.arange(10) % 3


class Source:
    """The integer model, which counts its images, and is ended before image ``end``."""

    def __init__(self, end=None):
        self.images, self.end = 0, end

    def __call__(self, images, progress):
        if self.end is not None and self.images + len(images) > self.end:
            raise KeyboardInterrupt
        self.images += len(images)
        progress(len(images) - 1)
        return model.run(ARTIFACT, images, layer="conv1")


def made(out, source, images=IMAGES, labels=LABELS, block=4, form="average", **options):
    options = {"model": ARTIFACT.digest, "name": "integer model", **options}
    return extract(
        source, [(images, labels)], features_of(ARTIFACT, "conv1", form), out, block=block, **options
    )


@pytest.fixture
def out(tmp_path):
    return tmp_path / "f.npz"


@pytest.mark.parametrize("cuts", [[10], [1, 1, 8], [3, 7], [4, 4, 2], [9, 1]])
def test_parts_of_any_size_make_the_same_file(out, cuts):
    ends = np.cumsum(cuts)
    parts = [(IMAGES[end - n : end], LABELS[end - n : end]) for n, end in zip(cuts, ends, strict=True)]
    seen, source = [], Source()
    kind = features_of(ARTIFACT, "conv1", "maps")
    options = {"model": ARTIFACT.digest, "name": "integer model", "command": "spec2 features"}
    about = extract(source, iter(parts), kind, out, block=4, progress=seen.append, **options)
    found = load(out)
    assert found.about == about and about.command == "spec2 features" and seen == [3, 4, 7, 8, 9, 10]
    assert np.array_equal(found.vectors, model.features(ARTIFACT, IMAGES, "conv1", "maps"))
    assert found.labels.tolist() == LABELS.tolist()
    assert [path.name for path in out.parent.iterdir()] == ["f.npz"]
    assert made(out, Source(), block=3).images == about.images, "of the pixels, not of the blocks"


def test_labels_are_dropped_unless_all_images_have_one(out):
    parts = [(IMAGES[:3], LABELS[:3]), (IMAGES[3:], None)]
    options = {"model": ARTIFACT.digest, "name": "integer model"}
    extract(Source(), parts, features_of(ARTIFACT, "conv1"), out, block=3, **options)
    assert load(out).labels is None


def test_a_run_that_was_ended_goes_on_where_it_was(out):
    with pytest.raises(KeyboardInterrupt):
        made(out, Source(end=9))
    assert not out.exists()
    again = Source()
    made(out, again)
    assert again.images == 2, "eight were done"
    assert np.array_equal(load(out).vectors, model.features(ARTIFACT, IMAGES, "conv1"))
    assert not out.with_name("f.npz.partial").exists()


KILLED = """
import os, signal, sys
from tests.hw.host.test_extraction import Source, made

class Killed(Source):
    def __call__(self, images, progress):
        if self.images == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(images, progress)

made(sys.argv[1], Killed())
"""


def test_a_run_that_was_killed_goes_on_where_it_was(out):
    """Nothing of it is cleaned up, and its lock is gone with it."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(out)], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    again = Source()
    made(out, again)
    assert again.images == 6, "four were done"
    assert np.array_equal(load(out).vectors, model.features(ARTIFACT, IMAGES, "conv1"))
    assert [path.name for path in out.parent.iterdir()] == ["f.npz"]


@pytest.mark.parametrize(
    "change",
    [
        {"images": 255 - IMAGES},
        {"form": "flat"},
        {"model": "ab" * 32},
        {"name": "Verilog"},
    ],
    ids=["images", "form", "model", "source"],
)
def test_what_another_run_left_is_not_taken(out, change):
    with pytest.raises(KeyboardInterrupt):
        made(out, Source(end=9))
    again = Source()
    made(out, again, **change)
    assert again.images == 10
    expected = model.features(ARTIFACT, change.get("images", IMAGES), "conv1", change.get("form", "average"))
    assert np.array_equal(load(out).vectors, expected)


def test_only_the_blocks_of_the_images_that_changed_are_made_again(out):
    with pytest.raises(KeyboardInterrupt):
        made(out, Source(end=9))
    other, again = IMAGES.copy(), Source()
    other[5, 0, 0, 0] ^= 1
    made(out, again, other)
    assert again.images == 6
    assert np.array_equal(load(out).vectors, model.features(ARTIFACT, other, "conv1"))


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b[:80] + bytes([b[80] ^ 1]) + b[81:], lambda b: b""]
)
def test_a_damaged_part_is_made_again(out, damage):
    with pytest.raises(KeyboardInterrupt):
        made(out, Source(end=9))
    (first, *_) = sorted(out.with_name("f.npz.partial").iterdir())
    first.write_bytes(damage(first.read_bytes()))
    again = Source()
    made(out, again)
    assert again.images == 6
    assert np.array_equal(load(out).vectors, model.features(ARTIFACT, IMAGES, "conv1"))


def test_two_at_once_are_refused(out):
    folder = out.with_name("f.npz.partial")
    folder.mkdir()
    other = os.open(folder, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(ArtifactError, match="another process is making these features"):
        made(out, Source())
    os.close(other)
    made(out, Source())


def test_a_link_in_place_of_the_parts_is_not_followed(out, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "f.npz.partial").symlink_to(tmp_path / "other")
    with pytest.raises(ArtifactError, match="no folder of ours"):
        made(out, Source())


def test_no_images_are_a_sentence_and_leave_nothing(out):
    with pytest.raises(DataError, match="there are no images"):
        extract(Source(), [], features_of(ARTIFACT, "conv1"), out, model=ARTIFACT.digest, name="x")
    assert not list(out.parent.iterdir())


def test_memory_is_that_of_a_block(out):
    """Not of all maps: those of 400 images take 13 MB."""
    kind, images = (
        LayerFeatures("n", "c", "maps", (32, 32, 32), False, False, None),
        np.zeros((400, 1, 2, 2), np.uint8),
    )
    tracemalloc.start()
    extract(
        lambda block, progress: np.ones((len(block), 32, 32, 32), np.uint8),
        [(images, None)],
        kind,
        out,
        block=8,
        model="ab" * 32,
        name="x",
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert out.stat().st_size > 400 * 32**3 > 5 * peak
