"""Documents from outside: every wrong type is a sentence that names the field, and nothing else."""

import os
from dataclasses import dataclass

import msgspec
import pytest

from hw.util import documents
from hw.util.errors import ArtifactError, ConfigError


@dataclass(frozen=True)
class Part:
    name: str
    size: int
    on: bool = True
    share: float = 0.5

    def __post_init__(self) -> None:
        documents.check_fields(self, "part", ConfigError)
        if self.size < 1:
            raise ConfigError(f"size must be at least 1, not {self.size}")


class Whole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    parts: tuple[Part, ...]


def test_a_document_of_the_right_types_is_read():
    found = documents.decode(b'{"parts": [{"name": "a", "size": 2, "share": 1}]}', Whole, "x.json")
    assert found == Whole((Part("a", 2, True, 1.0),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"parts": [{"name": "a", "size": 2, "on": 0.5}]}', "parts[0].on: expected bool, got float: 0.5"),
        ('{"parts": [{"name": "a", "size": 2, "on": "false"}]}', "parts[0].on"),
        ('{"parts": [{"name": "a", "size": 9.0}]}', "parts[0].size: expected int, got float: 9.0"),
        ('{"parts": [{"name": "a", "size": true}]}', "parts[0].size"),
        ('{"parts": [{"name": "a", "size": NaN}]}', "damaged"),
        ('{"parts": [{"name": "a", "size": 1e999}]}', "damaged"),
        ('{"parts": [{"name": null, "size": 1}]}', "parts[0].name"),
        ('{"parts": [{"size": 1}]}', "name"),
        ('{"parts": {}}', "parts: expected array, got object"),
        ("[]", "expected object, got array"),
        ("[" * 100_000, "damaged"),
        ('{"parts": ' + "9" * 5000 + "}", "damaged"),
        ('{"parts": [], "\\u001b[31m": 1}', "unknown field \\x1b[31m"),
        ('"\\ud800"', "damaged"),
        ("", "damaged"),
    ],
)
def test_a_wrong_one_is_a_sentence_with_the_field(text, said):
    with pytest.raises(ArtifactError) as caught:
        documents.decode(text.encode(), Whole, "x.json")
    message = str(caught.value)
    assert message.startswith("x.json") and said in message
    assert message.isprintable() and len(message) < 400


def test_what_a_type_refuses_itself_keeps_its_error():
    with pytest.raises(ConfigError, match=r"x\.json: size must be at least 1, not -3"):
        documents.decode(b'{"parts": [{"name": "a", "size": -3}]}', Whole, "x.json")


def test_a_dataclass_takes_no_field_that_it_does_not_have():
    for name in ("sizes", ""):
        with pytest.raises(ConfigError, match=f"unknown field '{name}', known are name, size"):
            documents.convert({"name": "a", "size": 1, name: 1}, Part, "part", error=ConfigError)


def test_toml_is_read_the_same_way():
    assert documents.decode(b'name = "a"\nsize = 2', Part, "x", form="toml") == Part("a", 2)
    for text in (
        b"name = ",
        b"\xff",
        b"name = 'a'\nsize = inf",
        b"name = 'a'\nsize = 1\nshare = nan",
        b"a = " + b"[" * 5000,
    ):
        with pytest.raises(ArtifactError, match="x"):
            documents.decode(text, Part, "x", form="toml")


@pytest.mark.parametrize(
    "fields", [{"size": 1.0}, {"size": True}, {"size": "1"}, {"on": 1}, {"share": "0.5"}, {"name": 5}]
)
def test_a_caller_in_python_gets_the_same_sentences(fields):
    with pytest.raises(ConfigError, match=f"part: {next(iter(fields))}: expected"):
        Part(**{"name": "a", "size": 1, **fields})


def test_what_is_no_number_is_none_from_python_either():
    with pytest.raises(ConfigError, match="part: share must be finite, not nan"):
        Part("a", 1, share=float("nan"))


def test_a_file_is_read_up_to_its_bound(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert documents.read(tmp_path / "x", 5) == b"12345"
    with pytest.raises(ArtifactError, match="more than 4 bytes"):
        documents.read(tmp_path / "x", 4)
    with pytest.raises(FileNotFoundError):
        documents.read(tmp_path / "y")


def test_a_device_or_pipe_in_a_folder_is_not_read(tmp_path):
    """Reading either may never end."""
    (tmp_path / "zero").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    for name in ("zero", "pipe"):
        with pytest.raises(ArtifactError, match="a device or a pipe"):
            documents.read(tmp_path / name)


def test_a_file_that_is_needed_is_missed_in_one_sentence(tmp_path):
    (tmp_path / "a").write_bytes(b"{}")
    assert documents.needed(tmp_path / "a") == b"{}"
    for path, reason in (("b", "No such file or directory"), (".", "Is a directory")):
        with pytest.raises(ArtifactError, match=f"^cannot read {tmp_path / path}: {reason}$"):
            documents.needed(tmp_path / path)
    with pytest.raises(ConfigError, match=f"^cannot read the sweep {tmp_path}/b: .* directory; write one$"):
        documents.needed(tmp_path / "b", "the sweep", remedy="write one", error=ConfigError)
