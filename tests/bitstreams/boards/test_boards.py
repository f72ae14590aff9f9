"""Boards: data that hang together, pins that agree with the device, platforms that elaborate."""

import json
import re
from pathlib import Path

import pytest
from amaranth_boards.test.blinky import Blinky

from bitstreams import boards
from bitstreams.boards import budget
from bitstreams.boards.board import Flash, PcieBlock
from bitstreams.boards.memory import CONTROLLERS, SUSTAINED
from bitstreams.boards.wiring import wiring
from bitstreams.flows.processors import PROCESSORS
from hw.host_interface.protocol import clocks_per_bit
from hw.util.errors import ConfigError

FOLDER = Path(boards.__file__).parent
TCL = FOLDER.parent / "flows" / "tcl"

ALL = pytest.mark.parametrize("board", boards.BOARDS.values(), ids=lambda board: board.name)
PINNED = pytest.mark.parametrize(
    "board", [board for board in boards.BOARDS.values() if board.platform], ids=lambda board: board.name
)
"""Boards with a shell of their own; on the others a processor is the host."""


def test_memories_side_by_side_are_as_fast_as_the_slowest():
    board = boards.find("vc709")
    assert board.bandwidth(1) == pytest.approx((12.8e9, 0.8 * 12.8e9))
    assert board.bandwidth(2) == pytest.approx((2 * 8 * 1.515e9, 0.8 * 2 * 8 * 1.515e9))
    assert boards.find("u200").bandwidth(4) == pytest.approx((76.8e9, 0.9 * 76.8e9))
    for count in (0, 3):
        with pytest.raises(
            ConfigError, match=f"vc709 has 2 memory interfaces, not {count}: lower --memories"
        ):
            board.bandwidth(count)
    with pytest.raises(ConfigError, match="kc705 has 1 memory interface, not 2"):
        boards.find("kc705").bandwidth(2)
    with pytest.raises(ConfigError, match=r"on the basys3 find no memory .*, not 1: let them hold"):
        boards.find("basys3").bandwidth(1)


def test_a_link_that_the_block_does_not_know_is_refused():
    with pytest.raises(ConfigError, match=r"no link has 4 lanes at 8.0 GT/s: name one of 8 lanes at 5.0, "):
        PcieBlock(lanes=4)
    assert PcieBlock(lanes=16).link_bits == 512


def test_finds_boards_whatever_the_case_and_names_the_known_ones():
    assert boards.find("VCU118").part == "xcvu9p-flga2104-2L-e"
    assert boards.find("PYNQ-Z2") is boards.find("pynq_z2")
    with pytest.raises(ConfigError, match=r"vc700.*u200, u250, vc707, vc709, vcu118"):
        boards.find("vc700")


def test_every_file_of_the_folder_that_has_a_board_has_one_of_its_name():
    texts = {path.stem: path.read_text() for path in FOLDER.glob("*.py")}
    assert set(boards.BOARDS) == {name for name, text in texts.items() if "\nBOARD = " in text}
    pins = {name for name, text in texts.items() if "Platform" in text}
    assert {board.name for board in boards.BOARDS.values() if board.platform} == pins - {"board", "wiring"}


@ALL
def test_board_data_are_plausible(board):
    assert set(board.budget) == set(budget.RESOURCES)
    assert board.ff == 2 * board.lut  # both families have two flip-flops per LUT
    assert board.dsp >= 90 and board.bram36 >= 50 and board.source  # the XC7A35T is the smallest
    assert (board.uram > 0) == (board.family == "xcup")
    assert board.dram % (1 << 28) == 0
    for memory in board.memories:
        assert memory.bytes & (memory.bytes - 1) == 0 and memory.source and memory.part
        assert 600e6 < memory.rate < 3.2e9 and memory.kind in SUSTAINED
        assert 0.5 * memory.peak < memory.sustained < memory.peak
    has = {"uart": board.platform, "pcie": board.pcie, "zynq": board.processor}
    assert board.transports == tuple(name for name in has if has[name]) != ()
    assert not board.processor or board.processor in PROCESSORS
    assert json.loads(json.dumps(board.to_json()))["name"] == board.name


@PINNED
def test_the_default_bit_rate_can_be_made_of_the_default_clocks(board):
    assert board.baud <= board.max_baud
    for clock in filter(None, (board.clock, board.open_clock)):
        assert clocks_per_bit(clock, board.baud) > 10


@PINNED
def test_the_part_is_that_of_the_platform(board):
    platform = board.platform()
    assert board.part.replace("-", "").startswith(f"{platform.device}{platform.package}")
    assert board.die == platform.device and board.package == platform.package
    assert f"-{platform.speed}" in board.part and str(board.speed) == platform.speed[0]


@PINNED
def test_pins_are_distinct_and_fit_the_supply_of_their_bank(board):
    pins = wiring(board)
    used = [*pins.clock, pins.reset, pins.uart_rx, pins.uart_tx, *pins.leds]
    assert len({pin.site for pin in used}) == len(used)
    assert {pin.iostandard for pin in pins.clock} <= {"LVDS", "DIFF_SSTL12", "LVCMOS33"}
    high = {"LVCMOS33", "LVCMOS25"}
    if board.die in ("xc7vx485t", "xc7vx690t", "xcvu9p", "xcu200", "xcu250"):  # high-performance banks alone
        assert not high & {pin.iostandard for pin in used}
    assert len(pins.leds) == 2


@PINNED
def test_the_scripts_of_vivado_know_flash_and_memory(board):
    assert re.search(rf"{board.flash.interface[:3]}\w*[x*]", (TCL / "build.tcl").read_text())
    assert board.pins and board.loader and board.cfgbvs
    assert board.flash.mbytes >= 4 and board.flash.images[0].endswith(".mcs")
    made = (TCL / "dram.tcl").read_text()
    for count, controllers in enumerate(board.controllers, 1):
        assert not controllers or sum(len(each.clocks) for each in controllers) == count
        for each in controllers:
            assert each.kind in CONTROLLERS and f"proc make_{each.kind} " in made and each.interfaces


def test_a_flash_that_no_script_can_write_is_refused():
    with pytest.raises(ConfigError, match=r"flash 'paper tape' has the interface 'punched'.*SPIx1, SPIx2"):
        Flash("paper tape", "punched", 1)


def test_corrections_to_the_upstream_platforms():
    """KC705: the fixed clock, not the programmable one; bank 15 has 2.5 V (UG810). Arty: grade -1."""
    pins = wiring(boards.find("kc705"))
    assert [pin.site for pin in pins.clock] == ["AD12", "AD11"] and pins.clock_hz == 200_000_000
    assert pins.uart_tx.iostandard == pins.uart_rx.iostandard == "LVCMOS25"
    led = boards.find("kc705").platform().lookup("led", 5)
    assert led.attrs["IOSTANDARD"] == "LVCMOS25"
    assert boards.find("arty_a7_100").part == "xc7a100tcsg324-1"
    assert wiring(boards.find("arty_a7_100")).reset.inverted
    assert not wiring(boards.find("vc707")).reset.inverted


@PINNED
def test_every_platform_elaborates(board, monkeypatch):
    """A blinking light on every LED, with no tool on the path."""
    monkeypatch.setenv("PATH", "")
    plan = board.platform().build(Blinky(), do_build=False)
    constraints = plan.files["top.xdc"]
    for pin in wiring(board).leds:
        assert pin.site in constraints
