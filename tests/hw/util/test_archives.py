"""Arrays from files: bounded before they are read, plain numbers only."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hw.contract.artifact import load
from hw.contract.network import tiny
from hw.util import archives
from hw.util.errors import ArtifactError, DataError, Spec2Error

MIB = 1 << 20


def npy(text: str, content: bytes = b"") -> bytes:
    """An array with this header, whatever it says."""
    header = text.encode() + b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def header(shape: object, descr: str = "'|u1'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


def archive(path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)


def peak(call) -> int:
    """Bytes that Python and numpy had at once during a call that fails."""
    tracemalloc.start()
    try:
        with pytest.raises(Spec2Error):
            call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_numpy_writes_is_read(tmp_path):
    arrays = {
        "a": np.arange(24, dtype="<i2").reshape(2, 3, 4),
        "b": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "c": np.zeros((0, 5), np.uint8),
        "d": np.array(7, np.int64),
        "e": np.arange(3, dtype=">i4"),
        "f": np.array([True, False]),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        with archives.opened(tmp_path / "x.npz") as file:
            assert file.names == tuple(arrays)
            for name, expected in arrays.items():
                found = file.take(name, expected.shape)
                np.testing.assert_array_equal(found, expected)
                assert found.dtype == expected.dtype and found.flags.writeable
    np.save(tmp_path / "x.npy", arrays["b"])
    np.testing.assert_array_equal(archives.read_npy(tmp_path / "x.npy"), arrays["b"])


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (npy(header((1 << 40,))), "more than the"),
        (npy(header((1 << 70, 1 << 70))), "more than the"),
        (npy(header((-1, -1)), b"x"), "shape"),
        (npy(header((8,)), b"abc"), "cut off"),
        (npy(header((3,)), b"abcdef"), "followed by more"),
        (npy(header((1,), "'|O'"), b"x"), "not plain numbers"),
        (npy(header((1,), "[('a', '|u1')]"), b"x"), "not plain numbers"),
        (npy(header((1,), "'<U4'"), b"x" * 16), "not plain numbers"),
        (npy(header((1,), "'<M8[s]'"), b"x" * 8), "not plain numbers"),
        (npy(header("(" * 2000)), "damaged"),
        (npy(header("8" * 3000)), "damaged"),
        (npy("x" * 60_000), "too long"),
        (b"\x93NUMPY\x03\x00" + b"\x00" * 60, "version"),
        (b"\x93NUMPY\x09\x00" + b"\x00" * 60, "version"),
        (b"", "damaged"),
        (b"\x80\x04\x95 a pickle", "damaged"),
    ],
)
def test_what_is_no_array_is_a_sentence(member, said, tmp_path):
    archive(tmp_path / "x.npz", a=member)
    with pytest.raises(DataError, match=said), archives.opened(tmp_path / "x.npz") as file:
        file.take("a")
    (tmp_path / "x.npy").write_bytes(member)
    with pytest.raises(DataError):
        archives.read_npy(tmp_path / "x.npy")


def zeros(path, name: str, mib: int, mode: str = "w") -> None:
    """An archive, or a member more of one, that is a thousandth of what it holds."""
    with zipfile.ZipFile(path, mode, zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        with file.open(f"{name}.npy", "w") as member:
            member.write(npy(header((mib * MIB,))))
            for _ in range(mib):
                member.write(bytes(MIB))


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(tmp_path):
    """Nor may two arrays have together what one may not."""
    zeros(tmp_path / "x.npz", "a", 80)

    def take(times: int, **bound: int) -> None:
        with archives.opened(tmp_path / "x.npz") as file:
            for _ in range(times):
                file.take("a", **bound)

    assert peak(lambda: take(1, most=10 * MIB)) < MIB
    assert 80 * MIB < peak(lambda: take(2)) < 84 * MIB


def test_an_artifact_with_a_member_that_no_layer_has_is_refused_unread(tmp_path):
    from hw.contract.artifact import random_artifact

    random_artifact(tiny(), seed=1).save(tmp_path / "model.npz")
    zeros(tmp_path / "model.npz", "unused", 40, "a")
    assert peak(lambda: load(tmp_path / "model.npz")) < 4 * MIB
    with pytest.raises(ArtifactError, match="'unused' belongs to no layer"):
        load(tmp_path / "model.npz")


def test_a_header_of_an_artifact_is_bounded(tmp_path):
    archive(tmp_path / "model.npz", header=npy(header((16 * MIB,)), b" " * (16 * MIB)))
    assert peak(lambda: load(tmp_path / "model.npz")) < 4 * MIB


def test_a_claim_that_the_file_cannot_keep_is_refused_before_memory_is_asked_for(tmp_path):
    """The sizes in the directory are the file's own: edited ones must not reach the allocator."""
    archive(tmp_path / "x.npz", a=npy(header((100 * MIB,)), b"abc"))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24
    content[at : at + 4] = (100 * MIB + 128).to_bytes(4, "little")
    (tmp_path / "x.npz").write_bytes(content)

    def read() -> None:
        with archives.opened(tmp_path / "x.npz") as file:
            file.take("a")

    assert peak(read) < MIB


def test_strange_members_are_refused(tmp_path):
    for names in (["a.txt"], ["a.npy", "a.npy"]):
        with (
            zipfile.ZipFile(tmp_path / "x.npz", "w") as file,
            pytest.warns() if len(names) > 1 else io.BytesIO(),
        ):
            for name in names:
                file.writestr(name, npy(header((1,)), b"x"))
        with (
            pytest.raises(DataError, match="no array, or is there twice"),
            archives.opened(tmp_path / "x.npz"),
        ):
            pass
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("a.npy", npy(header((1,)), b"x"))
    with pytest.raises(DataError, match="packed in a way"), archives.opened(tmp_path / "x.npz") as file:
        file.take("a")


def test_what_is_left_is_an_error_of_the_caller(tmp_path):
    with pytest.raises(FileNotFoundError), archives.opened(tmp_path / "x.npz"):
        pass
    np.savez(tmp_path / "x.npz", a=np.zeros(2))
    with pytest.raises(KeyError), archives.opened(tmp_path / "x.npz") as file:
        file.take("b")
    with (
        pytest.raises(DataError, match=r"is \(2,\), not \(3,\)"),
        archives.opened(tmp_path / "x.npz") as file,
    ):
        file.take("a", (3,))


def test_what_is_saved_is_what_is_read_and_nothing_else(tmp_path):
    """Not one more array called ``allow_pickle``, as numpy's own keyword makes before 2.2."""
    arrays = {"a": np.arange(6, dtype="<i4").reshape(2, 3), "b": np.array([0.5]), "c": np.array([True])}
    for compressed in (False, True):
        archives.save(tmp_path / "x.npz", compressed, **arrays)
        with archives.opened(tmp_path / "x.npz") as file:
            assert file.names == tuple(arrays)
            assert all(np.array_equal(file.take(name), array) for name, array in arrays.items())
    with pytest.raises(TypeError, match="array 'd' is object"):
        archives.save(tmp_path / "x.npz", d=np.array([{}]))
    assert archives.opened(tmp_path / "x.npz").__enter__().names == tuple(arrays)


@pytest.mark.parametrize("package", ["hw", "pruning", "sim", "bitstreams"])
def test_nothing_else_writes_such_files(package):
    root = Path(__file__).parents[3] / package
    found = [p for p in root.rglob("*.py") if "np.savez" in p.read_text() and p.name != "archives.py"]
    assert found == []
