"""Scripts that program a device or write its flash, in a Tcl interpreter that records Vivado's commands."""

import pytest

from tests.bitstreams.vivado_plans import pcie, uart
from tests.bitstreams.vivado_run import run, unpack


@pytest.fixture(params=["uart", "pcie"])
def folder(request, tmp_path):
    """An unpacked plan of either transport."""
    return unpack(uart() if request.param == "uart" else pcie(), tmp_path / "a plan")


@pytest.mark.parametrize(
    ("board", "width", "long", "offset"),
    [
        ("vc709", None, False, "0x00000000"),
        ("arty_a7_100", "4", False, "0x00000000"),  # 16 MB: three bytes of address
        ("genesys2", "4", True, "0x00000000"),
        ("vcu118", "8", True, "0x00000000"),  # a pair of 128 MB
        ("u200", "4", True, "0x01002000"),  # behind the card's own design
    ],
)
def test_the_bitstream_is_one_that_the_flash_can_give(tmp_path, board, width, long, offset):
    result = run(unpack(uart(board), tmp_path / "plan"), "build.tcl", board=board)
    said = {call[0]: call[1] for call in result.of("set_property") if call[0].startswith("BITSTREAM")}
    assert said.get("BITSTREAM.CONFIG.SPI_BUSWIDTH") == width
    assert said.get("BITSTREAM.CONFIG.SPI_32BIT_ADDR") == ("YES" if long else None)
    (flash,) = result.of("write_cfgmem")
    assert f"up {offset} spec2.bit" in flash


CABLES = "localhost:3121/xilinx_tcf/1 xc7k325t_0 localhost:3121/xilinx_tcf/2 xc7vx690t_0"


@pytest.mark.parametrize("release", ["2018.3", "2019.1.3", "2019.2", "2023.2"])
def test_programs_the_device_of_the_plan(folder, release):
    run(folder, "build.tcl")
    result = run(folder, "program.tcl", devices=CABLES, version=release)
    assert result.code == 0, result.output + result.errors
    assert result.of("program_hw_devices") == [("xc7vx690t_0",)]
    assert ("PROGRAM.FILE", str(folder / "spec2.bit"), "xc7vx690t_0") in result.of("set_property")


@pytest.mark.parametrize(
    ("arguments", "fakes", "message"),
    [
        ([], {"server": 0}, "no hardware server answers at localhost:3121"),
        (["--server", "lab:3121"], {"server": 0}, "no hardware server answers at lab:3121"),
        (["--target", "tcf/1"], {}, "no device like xc7vx690tffg1761-2"),
        ([], {"done": 0}, "DONE pin stays low"),
        (["--cable", "x"], {}, "unknown argument --cable"),
    ],
)
def test_programming_says_what_is_wrong(folder, arguments, fakes, message):
    run(folder, "build.tcl")
    result = run(folder, "program.tcl", *arguments, devices=CABLES, **fakes)
    assert result.code == 1 and message in result.output, result.output


def test_nothing_is_programmed_before_it_is_built(folder):
    assert "there is no spec2.bit" in run(folder, "program.tcl", devices=CABLES).output
    assert "there is no spec2.mcs" in run(folder, "flash.tcl", devices=CABLES).output


@pytest.mark.parametrize(
    ("board", "device", "known", "files"),
    [
        ("vc709", "xc7vx690t_0", "28f00ag18f-bpi-x16", ["spec2.mcs"]),
        ("vcu118", "xcvu9p_0", "mt25qu01g-spi-x1_x2_x4_x8", ["spec2_primary.mcs", "spec2_secondary.mcs"]),
        ("arty_a7_100", "xc7a100t_0", "s25fl128sxxxxxx0-spi-x1_x2_x4", ["spec2.mcs"]),
    ],
)
def test_writes_the_flash_of_the_board(tmp_path, board, device, known, files):
    folder = unpack(uart(board), tmp_path / "plan")
    run(folder, "build.tcl")
    result = run(folder, "flash.tcl", devices=f"cable {device}", cfgmem_parts=known)
    assert result.code == 0, result.output + result.errors
    assert result.of("create_hw_cfgmem") == [("-hw_device", device, "-mem_dev", known)]
    settings = next(call[1] for call in result.of("set_property") if "PROGRAM.FILES" in call[1])
    assert all(str(folder / name) in settings for name in files)
    assert result.names("program_hw_cfgmem", "boot_hw_device") == ["program_hw_cfgmem", "boot_hw_device"]
    assert run(folder, "flash.tcl", devices=f"cable {device}", cfgmem_parts="other").code == 1
