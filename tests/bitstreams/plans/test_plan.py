"""Plans and manifests as values."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from bitstreams import boards
from bitstreams.plans import manifest
from bitstreams.plans.manifest import Manifest
from bitstreams.plans.plan import Plan, combined
from hw.contract import results
from hw.util.errors import ArtifactError

ROOT = Path(__file__).parents[3]

MANIFEST = Manifest("vc707", "xc7vx485tffg1761-2", "openxc7", 50e6, 921_600, "ab" * 32, "cd" * 32)
FILES = {"top.xdc": b"pins\n", "build.sh": b"#!/bin/sh\n", "tcl/a.tcl": b"a\n"}


def plan(**changes):
    return replace(Plan("tiny-vc707", "./build.sh", FILES, ("top.bit",), MANIFEST), **changes)


# --- plans --------------------------------------------------------------------------------------------


def test_equal_plans_are_equal_bytes_whatever_the_order():
    other = plan(files=dict(reversed(FILES.items())))
    assert plan().archive() == other.archive() and plan().digest == other.digest
    changed = plan(files={**FILES, "top.xdc": b"other pins\n"})
    assert changed.digest != plan().digest != plan(manifest=replace(MANIFEST, baud=1)).digest


def test_the_archive_is_sorted_timeless_and_in_one_folder():
    assert plan().archive()[4:8] == bytes(4), "gzip's own time"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(plan().archive()))) as tar:
        members = tar.getmembers()
        assert [m.name for m in members] == [
            f"tiny-vc707/{name}" for name in ("build.sh", "manifest.json", "tcl/a.tcl", "top.xdc")
        ]
        assert {(m.mtime, m.uid, m.uname) for m in members} == {(0, 0, "")}
        assert [m.mode for m in members] == [0o755, 0o644, 0o644, 0o644]
        assert tar.extractfile("tiny-vc707/tcl/a.tcl").read() == b"a\n"


def test_extracting_gives_what_the_archive_holds(tmp_path):
    folder = plan().extract(tmp_path / "out")
    assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == (
        plan().contents
    )
    assert (folder / "build.sh").stat().st_mode & 0o111
    saved = plan().save(tmp_path / "deep" / "plan.tar.gz")
    assert saved.read_bytes() == plan().archive()
    (tmp_path / "file").touch()
    for write in (plan().extract, plan().save):
        with pytest.raises(ArtifactError, match=r"cannot write .*/file/inside"):
            write(tmp_path / "file" / "inside")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up", "a/../../up", "a\\b", "", "a b", "-o", "a\nb", "a//b"]
)
def test_no_file_leaves_the_folder(name):
    with pytest.raises(ArtifactError, match="has no usable name"):
        plan(files={name: b""})
    with pytest.raises(ArtifactError, match="has no usable name"):
        plan(name=name)


def test_no_file_takes_the_place_of_another():
    with pytest.raises(ArtifactError, match=r"has a file 'manifest\.json' of its own"):
        plan(files={"manifest.json": b""})
    assert combined({"a": 1}, {}, {"b": 2}) == {"a": 1, "b": 2}
    with pytest.raises(ArtifactError, match="has a file 'a' of its own"):
        combined({"a": 1}, {"b": 2}, {"a": 1})


@pytest.mark.parametrize("optimise", [[], ["-O"]])
def test_guards_hold_without_assertions(optimise):
    code = (
        "from bitstreams.plans.manifest import Manifest\n"
        "from bitstreams.plans.plan import Plan\n"
        "Plan('x', './build.sh', {'../up': b''}, (), Manifest('', '', '', 1.0, 0, '', ''))\n"
    )
    done = subprocess.run([sys.executable, *optimise, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and "ArtifactError: file '../up' of a plan" in done.stderr


# --- manifests ----------------------------------------------------------------------------------------


def test_the_manifest_comes_back_with_every_digest(tmp_path):
    found = Manifest.load(plan().extract(tmp_path))
    assert found == MANIFEST.with_files(FILES)
    assert set(found.files) == set(FILES) and found.constraints == found.files["top.xdc"]
    assert found.with_tools({"yosys": "0.68"}).tools == {"yosys": "0.68"}


def test_other_manifests_are_refused(tmp_path):
    path = tmp_path / manifest.FILE_NAME
    with pytest.raises(ArtifactError, match="spec2 build"):
        Manifest.load(tmp_path)
    good = MANIFEST.to_json()
    for text, message in (
        ("{", "damaged"),
        ("[]", "schema None"),
        (json.dumps(good | {"schema": 99}), "schema 99"),
        (json.dumps({name: value for name, value in good.items() if name != "part"}), "part"),
        (json.dumps(good | {"colour": "red"}), "colour"),
    ):
        path.write_text(text)
        with pytest.raises(ArtifactError, match=message):
            Manifest.load(path)


def test_a_manifest_describes_the_design(fake_design):
    found = manifest.describe(
        fake_design.design, boards.find("kc705"), "openxc7", clock_hz=50e6, baud=921_600
    )
    assert found.artifact == fake_design.artifact.digest
    assert found.design == results.fingerprint(fake_design.design)
    assert found.tools["amaranth"][0].isdigit()
    with pytest.raises(ArtifactError, match="spec2 generate"):
        manifest.describe(fake_design.folder, boards.find("kc705"), "openxc7", clock_hz=1, baud=1)


@pytest.mark.parametrize("field", ["board", "clock_hz", "baud", "artifact", "tools", "files"])
@pytest.mark.parametrize("value", [None, -1, [], {"a": 1}, float("inf"), "\x1b"], ids=repr)
def test_a_manifest_has_the_types_of_its_fields(tmp_path, field, value):
    """The command line formats and compares them."""
    made = Manifest("kc705", "xc7k325t", "vivado", 100e6, 921_600, "0" * 64, "1" * 64)
    if (field, value) in (("board", "\x1b"), ("artifact", "\x1b")):
        return  # text it is
    (tmp_path / "manifest.json").write_text(json.dumps(made.to_json() | {field: value}))
    with pytest.raises(ArtifactError, match="manifest"):
        Manifest.load(tmp_path)
