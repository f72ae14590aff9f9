"""Pictures, arrays of images, data sets."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz import mutate
from tests.fuzz.readers.row import Reader


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


def picture(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from PIL import Image

        Image.fromarray(pixels(9, 11, 3)).save(folder / name)

    return make


def images(name: str, shape: tuple[int, int, int]) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        from bitstreams.classify.images import read

        read([folder / name], shape)

    return read


def make_npz(folder: Path) -> None:
    np.savez_compressed(folder / "images.npz", image=pixels(3, 1, 9, 11), label=np.array([1, 2, 3]))


def make_calibration(folder: Path) -> None:
    np.savez_compressed(
        folder / "calibration.npz",
        images=pixels(16, 2, 9, 11).astype(np.float32) / 255,
        labels=np.arange(16) % 3,
    )


def read_calibration(folder: Path) -> None:
    from hw.contract.network import tiny
    from pruning.data.calibration_file import read

    found = read(folder / "calibration.npz")
    found.images_for(tiny().input), found.labels_for(tiny())


def make_own(folder: Path) -> None:
    labels = np.arange(16) % 3
    np.savez_compressed(
        folder / "own.npz",
        images=pixels(16, 2, 9, 11),
        labels=labels,
        test_images=pixels(16, 9, 11, 2),
        test_labels=labels,
    )


def read_own(folder: Path) -> None:
    from hw.contract.network import tiny
    from pruning.data.own_images import load

    load(folder / "own.npz", tiny())


def make_npy(folder: Path) -> None:
    np.save(folder / "images.npy", pixels(3, 9, 11))


def make_mnist(folder: Path) -> None:
    for part in ("train", "test"):
        np.savez(folder / f"mnist_{part}.npz", image=pixels(3, 28, 28), label=np.array([1, 2, 3], np.uint8))


def make_pneumonia(folder: Path) -> None:
    for part in ("train", "test"):
        np.savez(
            folder / f"pneumonia_{part}.npz", image=pixels(3, 28, 28), label=np.array([0, 1, 1], np.uint8)
        )


def make_csv(folder: Path) -> None:
    lines = "\n".join(",".join(map(str, [*row, 5])) for row in pixels(10, 784))
    (folder / "mnist_5k.csv.gz").write_bytes(gzip.compress(lines.encode()))


def read_csv(folder: Path) -> None:
    from pruning.data.mnist import _read_csv

    _read_csv(folder / "mnist_5k.csv.gz")


def inside_gzip(content: bytes, rng: Random) -> bytes:
    """The text in a gzip file, or the file's bytes."""
    if rng.random() < 0.3:
        return mutate.octets(content, rng)
    return gzip.compress(mutate.text(gzip.decompress(content), rng), 1)


def make_cifar(folder: Path) -> None:
    from PIL import Image

    files = []
    for image in pixels(3, 32, 32, 3):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG")
        files.append(np.frombuffer(file.getvalue(), np.uint8))
    arrays = {"jpeg": np.concatenate(files), "offset": np.cumsum([0, *map(len, files)])}
    for part in ("train", "test"):
        np.savez(folder / f"cifar10_{part}.npz", label=np.array([1, 2, 3], np.uint8), **arrays)


def make_binary(folder: Path) -> None:
    (folder / "cifar-10-batches-bin").mkdir()
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        (folder / "cifar-10-batches-bin" / name).write_bytes((b"\x03" + bytes(3072)) * 2)


def read_set(name: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        from pruning import data

        data.load(name, folder)

    return read


READERS = [
    *(
        Reader(
            f"picture.{kind}",
            picture(f"picture.{kind}"),
            mutate.octets,
            images(f"picture.{kind}", (3, 9, 11)),
        )
        for kind in ("png", "jpg", "gif", "bmp", "tiff", "webp")
    ),
    Reader("images.npz", make_npz, mutate.archive, images("images.npz", (1, 9, 11))),
    Reader("calibration.npz", make_calibration, mutate.archive, read_calibration),
    Reader("own.npz", make_own, mutate.archive, read_own),
    Reader("images.npy", make_npy, mutate.npy, images("images.npy", (1, 9, 11))),
    Reader("mnist_train.npz", make_mnist, mutate.archive, read_set("mnist")),
    Reader("pneumonia_train.npz", make_pneumonia, mutate.archive, read_set("pneumonia"), 0.5),
    Reader("mnist_5k.csv.gz", make_csv, inside_gzip, read_csv, 0.5),
    Reader("cifar10_train.npz", make_cifar, mutate.archive, read_set("cifar10")),
    Reader("cifar-10-batches-bin/data_batch_2.bin", make_binary, mutate.octets, read_set("cifar10")),
]
