"""Images of one's own to train on: a file or arrays, which part is held out, and what is refused."""

import numpy as np
import pytest

from hw.contract.network import Conv, Dense, Network, tiny
from hw.util.errors import DataError
from pruning import data
from pruning.data import own_images

NETWORK = tiny()
SHAPE, CLASSES = NETWORK.input, NETWORK.classes
COUNT = 50
PIXELS = np.random.default_rng(7).integers(0, 256, (COUNT, *SHAPE), np.uint8)
LABELS = np.arange(COUNT) % CLASSES


def test_every_fifth_image_is_held_out():
    found = own_images.of_arrays(NETWORK, PIXELS, LABELS)
    held = np.arange(0, COUNT, 5)
    rest = np.setdiff1d(np.arange(COUNT), held)
    assert np.array_equal(found.test_images, PIXELS[held]) and np.array_equal(found.test_labels, LABELS[held])
    assert np.array_equal(found.train_images, PIXELS[rest]) and np.array_equal(
        found.train_labels, LABELS[rest]
    )
    assert found.test_labels.dtype == found.train_images.dtype == np.uint8


def test_test_images_are_what_the_file_says(tmp_path):
    path = tmp_path / "mine.npz"
    channels_last = PIXELS.transpose(0, 2, 3, 1)
    test = (PIXELS[:20] // 2).astype(np.float32) / 255
    np.savez(path, train_images=channels_last, train_labels=LABELS, test_images=test, test_labels=LABELS[:20])
    found = data.load_for(NETWORK, str(path))
    assert np.array_equal(found.train_images, PIXELS) and np.array_equal(found.test_images, PIXELS[:20] // 2)
    assert np.array_equal(found.train_labels, LABELS) and np.array_equal(found.test_labels, LABELS[:20])


def test_the_name_tells_sets_apart_that_are_called_alike():
    """Checkpoints hold the name: one of other pixels, or of other labels, is not continued."""
    names = {
        own_images.of_arrays(NETWORK, pixels, labels).name
        for pixels, labels in (
            (PIXELS, LABELS),
            (PIXELS ^ 1, LABELS),
            (PIXELS, LABELS[::-1]),
            (PIXELS, LABELS),
        )
    }
    assert len(names) == 3


REFUSED = {
    "no labels": ({"images": PIXELS}, "and no array 'labels'"),
    "no images": ({"labels": LABELS}, "and no array 'images'"),
    "size": ({"images": PIXELS[:, :, 1:], "labels": LABELS}, "do not fit a network whose input is"),
    "few": (
        {"images": PIXELS[:15], "labels": LABELS[:15]},
        "there are 15 images, and at least 16 are needed",
    ),
    "class": ({"images": PIXELS, "labels": LABELS + 1}, f"has classes 0 to {CLASSES - 1}"),
    "count": ({"images": PIXELS, "labels": LABELS[1:]}, "one class per image"),
    "floats": ({"images": PIXELS * 2.0, "labels": LABELS}, "pixels are 0 to 255, or 0 to 1"),
    "lonely images": (
        {"images": PIXELS, "labels": LABELS, "test_images": PIXELS},
        "test_images stands alone",
    ),
    "lonely labels": (
        {"images": PIXELS, "labels": LABELS, "test_labels": LABELS},
        "test_labels stands alone",
    ),
    "test size": (
        {"images": PIXELS, "labels": LABELS, "test_images": PIXELS[..., 1:], "test_labels": LABELS},
        r"\(test_images\): images of shape",
    ),
    "text": ({"images": PIXELS.astype(str), "labels": LABELS}, "cannot read"),
    "flat": ({"images": PIXELS[:, 0, 0], "labels": LABELS}, "images of shape"),
}


@pytest.mark.parametrize("arrays, sentence", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(tmp_path, arrays, sentence):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=sentence) as error:
        data.load_for(NETWORK, str(path))
    assert "mine.npz" in str(error.value)


def test_a_file_that_is_not_there_is_called_so(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*numpy\.savez"):
        data.load_for(NETWORK, str(tmp_path / "mine.npz"))


def test_networks_that_cannot_be_trained_are_refused():
    mapped = Network("map", (1, 8, 8), (Conv("c", 1, 4, 3),))
    pixels = np.zeros((20, 1, 8, 8), np.uint8)
    with pytest.raises(DataError, match="gives no class scores"):
        own_images.of_arrays(mapped, pixels, np.zeros(20, int))
    many = Network("many", (1, 8, 8), (Dense("d", 64, 300, relu=False),))
    with pytest.raises(DataError, match="at most 256 classes, not 300"):
        own_images.of_arrays(many, pixels, np.zeros(20, int))
