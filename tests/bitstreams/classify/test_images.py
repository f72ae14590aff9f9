"""Images from every kind of file, and a sentence for each file that is none."""

import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from bitstreams.classify.images import read
from hw.util.errors import DataError, Spec2Error

GREY, COLOUR = (1, 5, 7), (3, 4, 6)


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


def test_arrays_and_pictures_in_one_batch(tmp_path):
    a, b, c = pixels(2, 5, 7), pixels(5, 7), pixels(1, 1, 5, 7)
    np.savez(tmp_path / "a.npz", image=a, other=np.zeros(3))
    Image.fromarray(b).save(tmp_path / "b.png")
    np.save(tmp_path / "c.npy", c)
    batch = read([tmp_path / "a.npz", tmp_path / "b.png", tmp_path / "c.npy"], GREY)
    assert np.array_equal(batch.images, np.concatenate([a[:, None], b[None, None], c]))
    assert batch.names == ("a.npz[0]", "a.npz[1]", "b.png", "c.npy") and batch.labels is None
    assert np.array_equal(read([tmp_path], GREY).images, batch.images), "a folder is its files by name"


def test_colour_goes_channel_by_channel(tmp_path):
    picture = pixels(4, 6, 3)
    Image.fromarray(picture).save(tmp_path / "x.png")
    assert np.array_equal(read([tmp_path / "x.png"], COLOUR).images[0], picture.transpose(2, 0, 1))


def test_arrays_may_have_their_channels_last(tmp_path):
    given = pixels(2, 4, 6, 3)
    np.save(tmp_path / "x.npy", given)
    assert np.array_equal(read([tmp_path / "x.npy"], COLOUR).images, given.transpose(0, 3, 1, 2))
    same = pixels(2, 3, 3, 3)
    np.save(tmp_path / "y.npy", same)
    assert np.array_equal(read([tmp_path / "y.npy"], (3, 3, 3)).images, same), "what fits stays as it is"
    np.save(tmp_path / "z.npy", pixels(2, 6, 4, 3))
    with pytest.raises(DataError, match="images must be n×3×4×6"):
        read([tmp_path / "z.npy"], COLOUR)


def test_labels_come_along_when_every_file_has_them(tmp_path):
    for name, labels in (("a", [3, 1]), ("b", [2, 2])):
        np.savez(tmp_path / name, image=pixels(2, 5, 7), label=np.array(labels, np.uint8))
    assert read([tmp_path / "a.npz", tmp_path / "b.npz"], GREY).labels.tolist() == [3, 1, 2, 2]
    np.save(tmp_path / "c.npy", pixels(1, 5, 7))
    assert read([tmp_path], GREY).labels is None


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.png", b"no picture", "no picture and no array"),
        ("x.npz", b"PK\x03\x04 broken", "cannot read"),
        ("x.npy", b"", "cannot read"),
        ("absent.png", None, "there is no file"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        read([tmp_path / name], GREY)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_wrong_sizes_types_and_names_are_named(tmp_path):
    Image.fromarray(pixels(6, 7)).save(tmp_path / "size.png")
    np.save(tmp_path / "type.npy", np.zeros((1, 5, 7)))
    np.savez(tmp_path / "name.npz", x=pixels(1, 5, 7), y=pixels(1, 5, 7))
    np.savez(tmp_path / "label.npz", image=pixels(2, 5, 7), label=np.zeros(3, np.uint8))
    for name, sentence in (
        ("size.png", "n×1×5×7"),
        ("type.npy", "uint8"),
        ("name.npz", "none is called 'image'"),
        ("label.npz", "one each"),
    ):
        with pytest.raises(DataError, match=sentence):
            read([tmp_path / name], GREY)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        read([tmp_path / "empty"], GREY)


def test_a_picture_of_another_size_is_not_unpacked(tmp_path):
    """A few kilobytes may be a picture of a gigabyte."""
    Image.new("L", (6000, 6000)).save(tmp_path / "large.png")
    tracemalloc.start()
    with pytest.raises(DataError, match="images must be n×1×5×7, not 6000×6000"):
        read([tmp_path / "large.png"], GREY)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_labels_and_devices_are_checked_too(tmp_path):
    np.savez(tmp_path / "label.npz", image=pixels(1, 5, 7), label=np.array(["one"]))
    (tmp_path / "zero.npy").symlink_to("/dev/zero")
    for name in ("label.npz", "zero.npy"):
        with pytest.raises(Spec2Error):
            read([tmp_path / name], GREY)


def test_what_is_wrong_with_a_picture_is_said_once(tmp_path):
    """Pillow logs an error that it also raises, and a program without logging would print it."""
    path = tmp_path / "a.tiff"
    Image.fromarray(pixels(4, 6, 3)).save(path)
    three, nineteen = (struct.pack("<HHII", 277, 3, 1, samples) for samples in (3, 19))  # per pixel
    content = path.read_bytes()
    assert content.count(three) == 1
    path.write_bytes(content.replace(three, nineteen))
    imports = "from pathlib import Path; from bitstreams.classify.images import read"
    script = f"{imports}; read([Path({str(path)!r})], {COLOUR})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith("hw.util.errors.DataError: ")
    assert done.stderr.startswith("Traceback"), "something was said before"
