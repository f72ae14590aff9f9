"""Images for a network of somebody's own: what is taken, and a sentence for everything else."""

import numpy as np
import pytest

from hw.contract.network import Conv, Network, tiny
from hw.util.errors import DataError
from pruning.data.calibration_file import read
from pruning.data.labelled_images import LEAST

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (20, 2, 9, 11), np.uint8)
SHAPE = (2, 9, 11)


@pytest.fixture
def stored(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "images.npz", **arrays)
        return read(tmp_path / "images.npz")

    return save


@pytest.mark.parametrize(
    "images",
    [
        PIXELS,
        PIXELS.transpose(0, 2, 3, 1),
        np.asfortranarray(PIXELS),
        PIXELS.astype(np.int64),
        PIXELS.astype(np.float32),
        PIXELS.astype(np.float64) / 255,
        PIXELS.astype(np.float32) / 255,
        PIXELS.astype(np.float32) + np.float32(0.4),
    ],
    ids=["uint8", "nhwc", "fortran", "int64", "float 255", "double 1", "float 1", "between two steps"],
)
def test_all_of_these_are_the_same_images(stored, images):
    if images.max() > 255:
        images = np.minimum(images, 255)
    found = stored(images=images).images_for(SHAPE)
    assert found.dtype == np.uint8 and np.array_equal(found, PIXELS)


def test_names_of_arrays(stored):
    """Those of the plural before those of the singular, which other files of images have; one needs none."""
    labels = np.arange(20) % 5
    for names in (("images", "labels"), ("image", "label")):
        found = stored(**dict(zip(names, (PIXELS, labels), strict=True)))
        assert np.array_equal(found.images_for(SHAPE), PIXELS) and np.array_equal(found.labels, labels)
    assert stored(anything=PIXELS).labels is None
    assert np.array_equal(stored(image=PIXELS[:1], images=PIXELS).images_for(SHAPE), PIXELS)


def test_one_channel_may_be_left_out_and_the_usual_layout_counts_first(stored):
    assert stored(images=PIXELS[:, 0]).images_for((1, 9, 11)).shape == (20, 1, 9, 11)
    square = RNG.integers(0, 256, (20, 3, 3, 3), np.uint8)
    assert np.array_equal(stored(images=square).images_for((3, 3, 3)), square)


def test_labels_of_classes(stored):
    network = tiny()
    labels = np.arange(20, dtype=np.uint8) % network.classes
    found = stored(images=PIXELS, labels=labels).labels_for(network)
    assert found.dtype == np.int64 and np.array_equal(found, labels)
    assert stored(images=PIXELS).labels_for(network) is None
    maps = Network("maps", SHAPE, (Conv("conv", 2, 4, 3),))
    assert stored(images=PIXELS, labels=labels + 200).labels_for(maps) is None


NAN = PIXELS.astype(np.float32)
NAN[3, 1, 2, 5] = np.nan
INFINITE = PIXELS.astype(np.float16)
INFINITE[3] = np.inf
MISTAKES = {
    "wrong size": (
        {"images": PIXELS[:, :, :8]},
        r"shape \(20, 2, 8, 11\) do not fit .*: give \(n, 2, 9, 11\)",
    ),
    "one image": ({"images": PIXELS[0]}, r"shape \(2, 9, 11\) do not fit"),
    "flat": ({"images": PIXELS.reshape(20, -1)}, r"shape \(20, 198\) are none"),
    "none": ({"images": PIXELS[:0]}, r"shape \(0, 2, 9, 11\) are none"),
    "few": ({"images": PIXELS[: LEAST - 1]}, f"there are 15 images, and at least {LEAST} are needed"),
    "not a number": ({"images": NAN}, "NaN or infinity"),
    "infinite": ({"images": INFINITE}, "NaN or infinity"),
    "normalised": ({"images": (PIXELS - 127.5) / 60}, "reach from -2.125 to 2.125, .* no mean subtracted"),
    "16 bits": ({"images": PIXELS.astype(np.uint16) * 200}, "reach from 0 to 51000"),
    "truth": ({"images": PIXELS > 5}, "images are bool"),
    "text": ({"images": np.full((20, 2, 9, 11), "x")}, "not plain numbers"),
    "other names": ({"x": PIXELS, "y": PIXELS}, "it holds 'x', 'y', and no array 'images'"),
    "nothing": ({}, "it holds nothing, and no array 'images'"),
}


@pytest.mark.parametrize(("arrays", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_a_sentence(stored, arrays, says):
    with pytest.raises(DataError, match=says):
        stored(**arrays).images_for(SHAPE)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros(19, int), r"labels are int64 \(19,\), not integers of shape \(20,\)"),
        (np.zeros((20, 5), int), r"\(20, 5\)"),
        (np.zeros(20), "labels are float64"),
        (np.arange(20), "reach from 0 to 19, and network 'tiny' has classes 0 to "),
        (np.arange(20) - 1, "reach from -1"),
    ],
)
def test_labels_that_are_none(stored, labels, says):
    with pytest.raises(DataError, match=says):
        stored(images=PIXELS, labels=labels).labels_for(tiny())


def test_no_file_another_file_and_a_folder(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*: give a \.npz with an array"):
        read(tmp_path / "images.npz")
    (tmp_path / "images.npz").write_text("images")
    np.save(tmp_path / "one.npy", PIXELS)
    for name in ("images.npz", "one.npy", "."):
        with pytest.raises(
            DataError, match=r"cannot read .*numpy\.savez\(path, images=images, labels=labels\)"
        ):
            read(tmp_path / name)
