"""Plans of builds for every board, toolchain and transport: what is in them, what is refused."""

import json
import re
import tarfile
from dataclasses import replace
from io import BytesIO

import pytest

from bitstreams import build
from bitstreams.boards import BOARDS
from bitstreams.plans import manifest
from bitstreams.plans.manifest import Manifest
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import vgg16
from hw.contract.streamed_weights import stream_files
from hw.generate import generate
from hw.util.errors import ArtifactError, ConfigError, DoesNotFit
from tests.bitstreams import vivado_run
from tests.bitstreams.plan_folder import ESTIMATES, FILES, save, save_streamed
from tests.bitstreams.vivado_design import design as described
from tests.bitstreams.vivado_design import streamed
from tests.design_folder import save_design


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    return save(tmp_path_factory.mktemp("designs") / "design")


CHOICES = [
    *((name, "vivado", transport) for name, board in BOARDS.items() for transport in board.transports),
    *((name, "openxc7", "uart") for name, board in BOARDS.items() if board.open_clock),
]


@pytest.mark.parametrize(("board", "toolchain", "transport"), CHOICES)
def test_plans_need_no_tool(design, board, toolchain, transport, monkeypatch):
    monkeypatch.setenv("PATH", "")
    plan = build.plan(design, board, toolchain=toolchain, transport=transport)
    with tarfile.open(fileobj=BytesIO(plan.archive())) as tar:
        names = {name.removeprefix(f"{plan.name}/") for name in tar.getnames()}
    assert {"spec2.v", "a.mem", manifest.FILE_NAME} < names
    assert all(re.fullmatch(r"[\w.]+", name) for name in names)
    assert board in plan.name and plan.manifest.flow == toolchain
    assert plan.products[0].endswith(".bit") and plan.manifest.transport == transport
    here = str(build.__file__).rsplit("/bitstreams/", 1)[0].encode()
    assert not any(here in content for content in plan.contents.values()), "a path of this machine"


@pytest.mark.parametrize(
    ("board", "transport"), [("vc709", "uart"), ("vc709", "pcie"), ("pynq_z2", ""), ("kv260", "zynq")]
)
def test_the_archive_runs_under_the_recorder(design, tmp_path, board, transport):
    plan = build.plan(design, board, transport=transport)
    with tarfile.open(fileobj=BytesIO(plan.archive())) as tar:
        tar.extractall(tmp_path, filter="data")
    result = vivado_run.run(tmp_path / plan.name, "build.tcl", board=board)
    assert result.code == 0, result.output + result.errors
    for product in plan.products:
        assert (tmp_path / plan.name / product).exists()


@pytest.mark.parametrize("board", [name for name, board in BOARDS.items() if board.platform])
def test_every_port_of_the_serial_top_has_a_pin(design, tmp_path, board):
    plan = build.plan(design, board)
    result = vivado_run.run(plan.extract(tmp_path / "plan"), "build.tcl", board=board)
    shell = plan.files["shell.v"].decode()
    ports = set(re.search(r"^module top\((.*?)\);", shell, re.M | re.S)[1].replace("\n", "").split(", "))
    placed, standards = set(), set()
    for call in result.of("set_property"):
        if call[0] == "PACKAGE_PIN":
            placed.add(call[2])
        elif call[0] == "IOSTANDARD":
            standards.add(call[2])
    assert ports == placed == standards
    assert {port for port in ports if port.startswith("clock")} & {
        call[-1] for call in result.of("create_clock")
    }


def test_the_clock_of_the_plan_is_in_its_settings_and_manifest(design):
    plan = build.plan(design, "vc709", transport="pcie", mhz=125)
    assert b"settings(mhz) {125.000}" in plan.files["settings.tcl"]
    assert (plan.manifest.clock_hz, plan.manifest.baud) == (125e6, 0)
    plan = build.plan(design, "vc709", mhz=100, baud=115_200)
    assert (plan.manifest.clock_hz, plan.manifest.baud) == (100e6, 115_200)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"board": "vc999"}, ConfigError, "there is no board 'vc999'"),
        ({"toolchain": "ise"}, ConfigError, "there is no toolchain 'ise': known are vivado, openxc7"),
        ({"board": "genesys2", "transport": "pcie"}, ConfigError, "the genesys2 has no transport 'pcie'"),
        (
            {"transport": "pcie", "toolchain": "openxc7"},
            ConfigError,
            "open tools cannot build transport 'pcie'",
        ),
        ({"toolchain": "openxc7"}, ConfigError, "no database"),
        ({"dsp": False}, ConfigError, "Vivado needs no plan without DSP slices: leave --no-dsp out"),
        ({"mhz": 0}, ConfigError, "must be positive, not 0 MHz"),
        ({"mhz": 900, "transport": "pcie"}, ConfigError, "must be 10 to 600 MHz, not 900 MHz"),
        ({"board": "kv260", "mhz": 300}, ConfigError, "must be 10 to 250 MHz, not 300 MHz"),
        ({"board": "kv260", "transport": "uart"}, ConfigError, "no transport 'uart': it has zynq"),
        ({"board": "pynq_z2", "toolchain": "openxc7"}, ConfigError, "cannot build transport 'zynq'"),
        ({"baud": -1}, ConfigError, "bit rate must be positive"),
    ],
)
def test_refuses_what_cannot_be_built(design, options, error, message):
    with pytest.raises(error, match=message):
        build.plan(design, **{"board": "vc709", **options})


def test_the_budget_comes_first(tmp_path):
    folder = save(tmp_path / "large", dsp_total=5000)
    with pytest.raises(DoesNotFit, match="5,000 DSP slices of 3,600"):
        build.plan(folder, "vc709", toolchain="no such toolchain")


def test_packed_products_need_slices_that_are_wide_enough(tmp_path):
    folder = save(tmp_path / "wide", wide_port=26)
    with pytest.raises(DoesNotFit, match="port of 26 bits, the DSP48E1 of the vc709 has 25"):
        build.plan(folder, "vc709")
    build.plan(folder, "vcu118")


def test_a_design_whose_weights_are_elsewhere_needs_memory(tmp_path):
    folder = save_streamed(tmp_path / "design")
    refused = r"which builds with Vivado connect on genesys2, kc705, u200, .*without --stream-weights"
    for board, options in (
        ("vc707", {"toolchain": "openxc7"}),
        ("arty_a7_100", {}),
        ("pynq_z2", {"transport": "zynq"}),
    ):
        with pytest.raises(ConfigError, match=refused):
            build.plan(folder, board, **options)
    for board, transport in (("kc705", "pcie"), ("genesys2", "uart")):
        with pytest.raises(ConfigError, match=f"on the {board} it can be 1: generate it with --memories"):
            build.plan(folder, board, transport=transport)


def test_over_a_serial_port_streams_are_narrow(tmp_path):
    folder = tmp_path / "design"
    save_design(
        folder, replace(streamed(stream_bits=128), estimates=ESTIMATES), FILES | {"spec2_weights.bin": b"0"}
    )
    with pytest.raises(ConfigError, match="streams are 128 bits wide, and a serial port takes 32"):
        build.plan(folder, "vc707")


CONNECTED = [("vc709", 2), ("vcu118", 2), ("u200", 4), ("u250", 1), ("kc705", 1), ("vc707", 1)]
"""Boards that are reached by PCI Express and by a serial port, and numbers of their memories."""


@pytest.mark.parametrize(
    ("board", "memories", "transport"),
    [
        *((board, memories, "pcie") for board, memories in CONNECTED),
        *((board, memories, "uart") for board, memories in CONNECTED),
        ("genesys2", 1, "uart"),
    ],
)
def test_a_plan_says_where_every_part_of_the_weights_goes(tmp_path, board, memories, transport, monkeypatch):
    monkeypatch.setenv("PATH", "")
    plan = build.plan(save_streamed(tmp_path / "design", memories), board, transport=transport)
    assert (plan.manifest.baud > 0) == (transport == "uart") and plan.manifest.transport == transport
    rows = Manifest.from_json(json.loads(plan.contents[manifest.FILE_NAME])).memory
    assert [row["ports"] for row in rows] == [
        [f"m_axi_{i}" if memories > 1 else "m_axi"] for i in range(memories)
    ]
    known = BOARDS[board].memories
    for row, memory in zip(rows, known, strict=False):
        assert (row["memory"], row["part"], row["bytes"]) == (memory.name, memory.part, memory.bytes)
        assert row["bits"] == [256] and row["sustained"] < row["peak"]
    assert [row["base"] for row in rows] == [i * known[0].bytes for i in range(memories)]
    assert [row["file"] for row in rows] == list(stream_files("spec2", memories))
    assert not any(name.endswith(".bin") for name in plan.contents), "weights are no part of the device"
    result = vivado_run.run(plan.extract(tmp_path / "plan"), "build.tcl", board=board)
    assert result.code == 0, result.output + result.errors
    assert json.loads(plan.contents[manifest.FILE_NAME])["memory"] == [dict(row) for row in rows]


@pytest.mark.parametrize(
    ("board", "toolchain", "transport"),
    [("arty_a7_100", "openxc7", "uart"), ("vc709", "vivado", "uart"), ("vc709", "vivado", "pcie")],
)
def test_plans_take_a_design_of_any_name(tmp_path, board, toolchain, transport):
    """Files under their names, and a shell that has its top module inside."""
    names = {name.replace("spec2", "digits"): text.replace("spec2", "digits") for name, text in FILES.items()}
    info = streamed(2) if transport == "pcie" else described()
    weights = stream_files("digits", 2) if transport == "pcie" else ()
    saved = replace(info, estimates=ESTIMATES, top="digits")
    save_design(tmp_path / "design", saved, names | {name: b"\xf7" for name in weights})
    plan = build.plan(tmp_path / "design", board, toolchain=toolchain, transport=transport)
    assert "digits.v" in plan.files and "spec2.v" not in plan.files
    around = "".join(text.decode() for name, text in plan.files.items() if name.endswith(".v"))
    assert len(re.findall(r"^ +digits (core|accelerator) \(", around, re.M)) == 1
    assert not re.search(r"^ +spec2 ", around, re.M)
    assert [row["file"] for row in plan.manifest.memory] == list(weights)


VGG16 = {
    "vc709": AcceleratorConfig(
        64,
        10,
        1,
        64,
        30720,
        stream_weights=True,
        bus_bits=512,
        memories=2,
        weight_steps=16384,
        stream_bits=256,
    ),
    "vcu118": AcceleratorConfig(
        64, 20, 1, 128, 15360, stream_weights=True, bus_bits=1024, memories=2, stream_bits=256
    ),
    "u200": AcceleratorConfig(
        64, 20, 1, 128, 15360, stream_weights=True, bus_bits=1024, memories=4, stream_bits=256
    ),
}
"""Designs of VGG16 at 224 × 224 for boards: the VC709's is what ``spec2 explore`` chooses."""


@pytest.mark.slow
@pytest.mark.parametrize("board", VGG16)
def test_vgg16_reaches_a_plan_that_runs_to_its_end(tmp_path, board, monkeypatch):
    made = generate(random_artifact(vgg16(), weight_bits=8), VGG16[board], tmp_path / "design")
    monkeypatch.setenv("PATH", "")
    plan = build.plan(tmp_path / "design", board, transport="pcie")
    result = vivado_run.run(plan.extract(tmp_path / "plan"), "build.tcl", board=board)
    assert result.code == 0, result.output + result.errors
    (record,) = result.of("ports_of_memory")
    memories, bus = VGG16[board].memories, VGG16[board].bus_bits
    assert len(record) == 3 * memories and len(set(record[2::3])) == memories
    assert record[1::3] == (str(bus // memories),) * memories
    assert [row["file"] for row in plan.manifest.memory] == [
        name for name in made.files if name.endswith(".bin")
    ]


def test_a_design_that_lacks_a_file(tmp_path):
    folder = save(tmp_path / "design")
    (folder / "a.mem").unlink()
    with pytest.raises(ArtifactError, match=r"a\.mem.*generate it again"):
        build.plan(folder, "vc709")


def test_multipliers_of_luts_can_be_asked_for(design):
    assert b" -nodsp" in build.plan(design, "arty_a7_100", toolchain="openxc7", dsp=False).files["synth.ys"]
