"""The description of a design and its files: nothing in them is used that is not as it was generated."""

import json
import os
import socket
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitstreams import build
from bitstreams.synthesis.yosys import synthesise
from hw.contract import design_files, results
from hw.contract.config import AcceleratorConfig
from hw.contract.design import FILE_NAME, DesignInfo
from hw.contract.design_files import Content
from hw.contract.network import tiny
from hw.util.errors import ArtifactError, DigestMismatch, Spec2Error
from sim.report.design_figures import design_of
from sim.rtl import load_design
from sim.virtual.build import build_board
from tests.bitstreams.vivado_design import design as described
from tests.design_folder import save_design
from tests.hw.util.test_names import HOSTILE

VERILOG = 'module spec2;\n  initial $readmemb("spec2_steps.mem", rom);\nendmodule\n'
FILES = {"spec2.v": VERILOG, "spec2_steps.mem": "0101\n" * 100}
FIGURES = {"dsp_total": 24, "lut": 100, "ff": 100, "bram36": 1.5, "cycles": 1800}


@pytest.fixture
def folder(tmp_path):
    """A design folder."""
    save_design(tmp_path / "design", replace(described(), estimates=FIGURES), FILES)
    return tmp_path / "design"


DOORS = {
    "build with Vivado": lambda folder: build.plan(folder, "vc709"),
    "build with openXC7": lambda folder: build.plan(folder, "arty_a7_100", toolchain="openxc7"),
    "synth": synthesise,
    "simulate": load_design,
    "board": build_board,
    "report": lambda folder: design_of(described().digest, folder),
    "results": results.fingerprint,
}
"""Whatever reads more of a design than its description."""


def refused(folder, message, error=ArtifactError):
    """Every door refuses the design with the one sentence, and writes nothing."""
    before = {path.name for path in folder.iterdir()}
    for name, use in DOORS.items():
        with pytest.raises(error, match=message) as failed:
            use(folder)
        assert str(failed.value).endswith("generate it again"), name
    assert {path.name for path in folder.iterdir()} == before


# --- edited files ---------------------------------------------------------------------------------------


def test_a_design_as_it_was_generated_passes(folder):
    info = load_design(folder)
    assert info.files == {
        "spec2.v": Content(len(VERILOG), design_files.describe(folder, ["spec2.v"])["spec2.v"].sha256),
        "spec2_steps.mem": info.files["spec2_steps.mem"],
    }
    assert info.read(folder) == {name: text.encode() for name, text in FILES.items()}
    assert results.fingerprint(folder) == info.fingerprint


@pytest.mark.parametrize(
    ("name", "change", "how"),
    [
        ("spec2_steps.mem", lambda content: content[:-5], "it has 495 bytes, not 500"),
        ("spec2_steps.mem", lambda content: b"", "it has 0 bytes, not 500"),
        ("spec2_steps.mem", lambda content: content + b"\n", "it has 501 bytes, not 500"),
        ("spec2_steps.mem", lambda content: b"1" + content[1:], "its content is another one"),
        ("spec2.v", lambda content: content.replace(b"initial", b"Initial"), "its content is another one"),
    ],
    ids=["truncated", "empty", "longer", "another digit", "Verilog"],
)
def test_an_edited_file_is_refused_by_whatever_reads_it(folder, name, change, how):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))
    refused(folder, rf"/{name} was edited or damaged since it was generated, {how}", DigestMismatch)


def test_the_file_of_another_design_is_refused(folder, tmp_path):
    save_design(tmp_path / "other", described(), {**FILES, "spec2_steps.mem": "1010\n" * 100})
    (folder / "spec2_steps.mem").write_bytes((tmp_path / "other" / "spec2_steps.mem").read_bytes())
    refused(folder, r"spec2_steps\.mem was edited", DigestMismatch)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_single_byte_of_any_file_changes_unseen(folder, data):
    name = data.draw(st.sampled_from([*FILES, FILE_NAME]))
    path, whole = folder / name, (folder / name).read_bytes()
    at, value = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    changed = bytearray(whole)
    changed[at] = value
    before = DesignInfo.load(folder)
    try:
        path.write_bytes(changed)
        try:
            assert load_design(folder) == before and bytes(changed).split() == whole.split()
        except Spec2Error as error:
            assert "\n" not in str(error) and bytes(changed) != whole
    finally:
        path.write_bytes(whole)


# --- what is no file of the design ----------------------------------------------------------------------


def replaced(path, by):
    """Something else in the place of ``path``."""
    path.unlink()
    if by == "link":
        (path.parent.parent / "elsewhere").write_text(FILES[path.name])
        path.symlink_to("../elsewhere")
    elif by == "dangling link":
        path.symlink_to("nowhere")
    elif by == "link to a device":
        path.symlink_to("/dev/zero")
    elif by == "folder":
        path.mkdir()
    elif by == "pipe":
        os.mkfifo(path)
    elif by == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            here = os.getcwd()
            os.chdir(path.parent)  # the path of a socket is short
            try:
                server.bind(path.name)
            finally:
                os.chdir(here)


@pytest.mark.parametrize("by", ["link", "dangling link", "link to a device", "folder", "pipe", "socket"])
def test_a_file_is_a_file_of_its_own(folder, by):
    """Even a link to the same content: a plan would carry whatever it leads to on another day."""
    replaced(folder / "spec2_steps.mem", by)
    refused(folder, r"spec2_steps\.mem is no file of its own")


def test_a_missing_file_is_named(folder):
    (folder / "spec2_steps.mem").unlink()
    refused(folder, r"cannot read .*/spec2_steps\.mem \(No such file")


def test_a_file_that_grows_while_it_is_read_is_refused(folder, monkeypatch):
    monkeypatch.setattr(design_files, "PART", 16)
    (folder / "spec2_steps.mem").write_text("0101\n" * 100_000)
    content = design_files.describe(folder, ["spec2_steps.mem"])["spec2_steps.mem"]
    parts = design_files._checked(folder, "spec2_steps.mem", content)
    next(parts)
    with (folder / "spec2_steps.mem").open("r+b") as file:
        file.seek(490_000)
        file.write(b"x" * 100_000)
    with pytest.raises(DigestMismatch, match="its content is another one"):
        list(parts)


def test_text_of_a_design_is_plain(folder):
    content = "module é; endmodule\n".encode()
    (folder / "spec2.v").write_bytes(content)
    info = DesignInfo.load(folder)
    replace(info, files=info.files | design_files.describe(folder, ["spec2.v"])).save(folder)
    refused(folder, r"spec2\.v is no plain text")


@pytest.mark.parametrize(
    "name",
    [*HOSTILE, *(f"{name}.v" for name in HOSTILE if len(name) < 60), "build.sh", "synth.ys", "settings.tcl"],
    ids=ascii,
)
def test_no_name_of_a_file_leaves_the_folder_or_means_anything(folder, name):
    """Absolute paths, ``..``, what a shell, Tcl or yosys would act on, and the plan's own scripts."""
    data = DesignInfo.load(folder).to_json()
    content = data["files"]["spec2.v"]
    with pytest.raises(ArtifactError, match="cannot be part of a design"):
        DesignInfo.from_json({**data, "files": {name: content}})


@pytest.mark.parametrize("name", ["shell.v", "spec2_axi.v", "spec2_sync.v", "spec2_guard.v"])
def test_a_design_does_not_bring_what_the_plan_writes_itself(tmp_path, name):
    folder = tmp_path / "design"
    save_design(folder, replace(described(), estimates=FIGURES), {**FILES, name: "module x; endmodule\n"})
    transport = "uart" if name == "shell.v" else "pcie"
    with pytest.raises(ArtifactError, match=f"a plan has a file '{name}' of its own"):
        build.plan(folder, "vc709", transport=transport)
    if name == "shell.v":
        with pytest.raises(ArtifactError, match=f"a plan has a file '{name}' of its own"):
            build.plan(folder, "arty_a7_100", toolchain="openxc7")


# --- the description ------------------------------------------------------------------------------------


def test_an_edited_description_is_refused(folder):
    path = folder / FILE_NAME
    text = path.read_text()
    for old, new in [('"rows": 8', '"rows": 16'), ('"spec2"', '"other"'), ('"lut": 100', '"lut": 10')]:
        assert old in text
        path.write_text(text.replace(old, new))
        refused(folder, rf"{FILE_NAME} was edited or damaged", DigestMismatch)
    path.write_text(json.dumps(json.loads(text)))  # another layout of the same
    assert load_design(folder)


BAD = [
    ("top", "a b", "must be an identifier"),
    ("top", "spec2; module x", "must be an identifier"),
    ("top", 5, "top: expected str, got int: 5"),
    ("digest", "ab", "digest: expected str matching"),
    ("digest", "AB" * 32, "digest: expected str matching"),
    ("digest", ["ab" * 32], "digest: expected str"),
    ("ports", {"clk": True}, "expected int, got bool"),
    ("ports", {"clk": 0}, "expected int >= 1"),
    ("ports", {"clk": 10**9}, "expected int <= 4096"),
    ("ports", {"clk": 1.0}, "expected int, got float"),
    ("ports", {"a b": 1}, "must be an identifier"),
    ("ports", {"clk); initial $x;": 1}, "must be an identifier"),
    ("files", ["spec2.v"], "files: expected object, got array"),
    ("files", {"spec2.v": {"bytes": -1, "sha256": "ab" * 32}}, "expected int >= 0"),
    ("files", {"spec2.v": {"bytes": 1, "sha256": "ab"}}, "matching"),
    ("files", {"spec2.v": {"bytes": 1}}, "sha256"),
    ("numbers", [0, 1, 2], "must be those of layers 0 to 3"),
    ("numbers", [0, 1, 2, 4], "must be those of layers 0 to 3"),
    ("numbers", [0, 1, 2, 3.0], "expected int, got float"),
    ("numbers", [0, 1, 2, -3], "expected int >= 0"),
    ("numbers", 4, "numbers: expected array"),
    ("estimates", {"cycles": -1}, "cycles: expected int >= 0"),
    ("estimates", {"cycles": None}, "cycles: expected int, got null"),
    ("estimates", {"cycles": 1e99}, "cycles: expected int"),
    ("estimates", {"lut": "many"}, "lut: expected int, got str"),
    ("estimates", {"layers": [{}]}, "are of other layers than it has"),
    ("estimates", {"layers": [{"lanes_filled": 2.0}] * 4}, "lanes_filled: expected float <= 1.0"),
    ("estimates", [], "estimates: expected object"),
    ("config", {"rows": 8.0}, "rows"),
    ("config", {"rowz": 8}, "rowz"),
    ("config", {"rows": 7}, "rows must be"),
    ("config", [], "config: expected object"),
    ("network", [], "network: expected object"),
    ("network", {}, "the network: object missing required field"),
    ("schema", 1, "schema 1, this version reads 4: generate it again"),
    ("schema", "2", "schema '2'"),
    ("more", 1, "more"),
]


@pytest.mark.parametrize(("field", "value", "message"), BAD, ids=lambda value: str(value)[:30])
def test_a_field_of_another_type_or_out_of_range_is_refused(folder, field, value, message):
    """At the door, whether or not somebody has put a right digest beside it."""
    data = {**DesignInfo.load(folder).to_json(), field: value}
    with pytest.raises(Spec2Error, match=message) as failed:
        DesignInfo.from_json(data)
    assert "\n" not in str(failed.value)
    (folder / FILE_NAME).write_text(json.dumps(data))
    with pytest.raises(Spec2Error, match=message):
        DesignInfo.load(folder)


@pytest.mark.parametrize("missing", sorted(described().to_json()))
def test_no_field_may_be_missing(missing):
    data = {name: value for name, value in described().to_json().items() if name != missing}
    with pytest.raises(ArtifactError, match=missing):
        DesignInfo.from_json(data)


def test_a_figure_that_is_missing_is_named():
    info = DesignInfo("spec2", tiny(), AcceleratorConfig(), "ab" * 32, estimates={"cycles": 5})
    assert info.figure("cycles") == 5
    with pytest.raises(ArtifactError, match="has no estimate of dsp_total: generate it again"):
        info.figure("dsp_total")


def test_a_design_without_verilog_is_refused(tmp_path):
    described().save(tmp_path)
    refused(tmp_path, "the design has no Verilog")
