"""CIFAR-10 files in both forms, and refusals. The pictures are made here."""

import io

import numpy as np
import pytest
from PIL import Image

from hw.util.errors import ConfigError, DataError
from pruning import data
from pruning.data import cifar10

LABELS = np.array([3, 9, 0, 1, 5, 7, 2], np.uint8)


def gradients(count: int) -> np.ndarray:
    """(count, 3, 32, 32): smooth pictures, so that JPEG hardly changes them."""
    rows, columns = np.mgrid[0:32, 0:32]
    planes = [[4 * rows + 3 * n, 4 * columns + n, 2 * (rows + columns)] for n in range(count)]
    return np.array(planes, dtype=np.uint8)


def write_npz(folder, images, labels, **change):
    files = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(file, "JPEG", quality=98, subsampling=0)
        files.append(np.frombuffer(file.getvalue(), np.uint8))
    offset = np.cumsum([0, *map(len, files)])
    arrays = {"jpeg": np.concatenate(files), "offset": offset, "label": labels, **change}
    for part in ("train", "test"):
        np.savez(folder / f"cifar10_{part}.npz", **arrays)


def write_binary(folder, images, labels):
    (folder / cifar10.BINARY).mkdir()
    records = np.concatenate([labels[:, None], images.reshape(len(images), -1)], axis=1)
    for number, name in enumerate((*cifar10.TRAIN_FILES, *cifar10.TEST_FILES)):
        records[number : number + 2].tofile(folder / cifar10.BINARY / name)


def test_jpeg_pictures_keep_their_planes_and_order(tmp_path):
    images = gradients(7)
    write_npz(tmp_path, images, LABELS)
    found = data.load("cifar10", tmp_path)
    assert found.name == "cifar10" and found.shape == (3, 32, 32) and found.train_images.dtype == np.uint8
    assert np.abs(found.test_images.astype(int) - images).max() <= 3
    assert np.array_equal(found.train_labels, LABELS)


def test_the_authors_binary_version_is_read_exactly(tmp_path):
    images = gradients(7)
    write_binary(tmp_path, images, LABELS)
    found = data.load("cifar10", tmp_path)
    order = [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert np.array_equal(found.train_images, images[order])
    assert np.array_equal(found.train_labels, LABELS[order])
    assert np.array_equal(found.test_images, images[5:7])


def test_what_is_missing_or_damaged_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="no data set 'imagenet': choose from mnist, cifar10"):
        data.load("imagenet")
    with pytest.raises(DataError, match="comes with no package: give a data directory"):
        data.load("cifar10")
    with pytest.raises(DataError, match=r"no cifar10_train\.npz \(and no cifar-10-batches-bin\)"):
        data.load("cifar10", tmp_path)
    images = gradients(3)
    for change, message in (
        ({"offset": np.array([0, 5, 4, 9])}, "'offset' does not cut"),
        ({"jpeg": np.zeros(30, np.uint8), "offset": np.array([0, 10, 20, 30])}, "cannot be read"),
        ({"label": np.array([1, 2, 10], np.uint8)}, "label is 10"),
        ({"label": LABELS[:2]}, r"\(2,\), not uint8 \(3,\)"),
    ):
        write_npz(tmp_path, images, LABELS[:3], **change)
        with pytest.raises(DataError, match=message):
            data.load("cifar10", tmp_path)
    write_binary(tmp_path, gradients(7), LABELS)
    (tmp_path / cifar10.BINARY / "test_batch.bin").write_bytes(b"cut")
    with pytest.raises(DataError, match="3 bytes, not a multiple of 3073"):
        data.load("cifar10", tmp_path)


def test_sets_are_found_by_the_shape_of_their_images():
    assert data.name_for((1, 28, 28)) == "mnist" and data.name_for((3, 32, 32)) == "cifar10"
    assert data.name_for((3, 224, 224)) is None
