"""Tasks: classes numbered anew, draws that contain one another."""

import numpy as np
import pytest

from hw.contract.network import Conv, Network, lenet
from hw.util.errors import ConfigError, DataError
from pruning.data import ImageSet
from pruning.transfer.tasks import drawn, of_classes, with_outputs

LABELS = np.array([0, 1, 2, 3, 0, 1, 2, 3, 3, 3], np.uint8)


def image_set():
    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    return ImageSet(images, LABELS, images[:4], LABELS[:4], "set")


def test_only_images_of_the_classes_are_left_and_numbered_from_0():
    found = of_classes(image_set(), (1, 3))
    assert found.train_images[:, 0, 0, 0].tolist() == [1, 3, 5, 7, 8, 9]
    assert found.train_labels.tolist() == [0, 1, 0, 1, 1, 1] and found.test_labels.tolist() == [0, 1]
    assert found.name == "set, classes 1, 3"
    with pytest.raises(DataError, match="set has no image of class 7"):
        of_classes(image_set(), (1, 7))


def test_a_larger_draw_has_the_smaller_one_in_it():
    labels = np.arange(300) % 3
    small, large = (drawn(labels, count, 5).reshape(3, count) for count in (4, 30))
    assert np.array_equal(large[:, :4], small) and (labels[large] == np.arange(3)[:, None]).all()
    assert not np.array_equal(drawn(labels, 4, 6).reshape(3, 4), small)
    with pytest.raises(DataError, match="class 0 has 100 images, not 101"):
        drawn(labels, 101, 0)


def test_a_network_gets_other_outputs():
    assert (
        with_outputs(lenet(), 6).classes == 6 and with_outputs(lenet(), 6).layers[:-1] == lenet().layers[:-1]
    )
    with pytest.raises(ConfigError, match="gives no class scores"):
        with_outputs(Network("flat", (1, 8, 8), (Conv("conv", 1, 4, 3),)), 2)
