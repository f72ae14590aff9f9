"""The block design around a serial port and memory, in a Tcl interpreter that records Vivado's commands."""

import re

import pytest

from bitstreams import boards
from bitstreams.boards.wiring import wiring
from bitstreams.flows import vivado_designs
from bitstreams.flows.memory_map import memory_map
from bitstreams.shell.block import PADS, TOP, emit_block_shell
from hw.util.errors import ConfigError
from tests.bitstreams.vivado_design import streamed
from tests.bitstreams.vivado_plans import serial_memory
from tests.bitstreams.vivado_run import INTERFACES, run, unpack

RELEASES = ["2018.3", "2019.2", "2020.1", "2023.2_AR00001", "2025.1"]

ABLE = [name for name, board in boards.BOARDS.items() if board.platform and board.controllers]

CHOICES = [(name, count) for name in ABLE for count in boards.find(name).connected]
"""Every number of memories that a board has controllers for."""


def built(tmp_path, board="genesys2", memories=1, **fakes):
    """A run of the plan, which has to end well."""
    result = run(unpack(serial_memory(board, memories), tmp_path / "plan"), "build.tcl", board=board, **fakes)
    assert result.code == 0, result.output + result.errors
    return result


def addresses(result):
    """What every space sees at which address, and how much of it."""
    found = {}
    for call in result.of("assign_bd_address"):
        options = dict(zip(call[:6:2], call[1:6:2], strict=True))
        where = (int(options["-offset"], 16), options["-range"])
        found.setdefault(options["-target_address_space"], {})[call[6].removesuffix("/segment")] = where
    return found


def test_boards_with_memory_and_a_serial_port():
    assert ABLE == ["genesys2", "kc705", "u200", "u250", "vc707", "vc709", "vcu118"]


@pytest.mark.parametrize("board", ["genesys2", "vc707"])
@pytest.mark.parametrize("release", RELEASES)
def test_the_plan_runs_to_its_end_on_every_release(tmp_path, board, release):
    result = built(tmp_path, board, version=release)
    ends = [name for name, *_ in result.calls if name.startswith("write_")]
    assert ends[-2:] == ["write_bitstream", "write_cfgmem"]
    parts = [call[1] for call in result.of("set_property") if call[0] == "board_part"]
    known = {"genesys2": "digilentinc.com:genesys2:part0:1.1", "vc707": "xilinx.com:vc707:part0:1.4"}
    assert parts == [known[board]]
    assert ("-type", "module", "-reference", TOP, "accelerator") in result.of("create_bd_cell")


@pytest.mark.parametrize(("board", "memories"), CHOICES)
def test_every_port_reaches_its_memory_and_the_host_all_of_them(tmp_path, board, memories):
    result = built(tmp_path, board, memories)
    (record,) = result.of("ports_of_memory")
    names = [f"accelerator/m_axi_{i}" for i in range(memories)] if memories > 1 else ["accelerator/m_axi"]
    assert list(record[::3]) == names and set(record[1::3]) == {"256"}
    assert len(set(record[2::3])) == memories, "a controller's port each"
    table = memory_map(boards.find(board), streamed(memories))
    found = addresses(result)
    buses = {f"/{route.cell.pins(route.number)['bus']}": route for route in table.routes}
    assert found["/accelerator/m_load"] == {
        bus: (route.base, f"0x{route.memory.bytes:X}") for bus, route in buses.items()
    }
    for bus, route in buses.items():
        for port in route.ports:
            assert found[f"/accelerator/{port}"] == {bus: (0, f"0x{route.memory.bytes:X}")}
    assert len(found) == memories + 1


@pytest.mark.parametrize(("board", "memories"), CHOICES)
def test_the_accelerator_waits_for_every_memory(tmp_path, board, memories):
    result = built(tmp_path, board, memories)
    nets = dict((to, source) for source, to in result.of("connect_bd_net"))
    assert ("CONFIG.C_AUX_RESET_HIGH", "0", "reset_accelerator") in result.of("set_property")
    waiting, found = ["reset_accelerator/aux_reset_in"], set()
    while waiting:
        source = nets[waiting.pop()]
        if source.endswith("/Res"):
            waiting += [source.replace("Res", end) for end in ("Op1", "Op2")]
        else:
            found.add(source)
    table = memory_map(boards.find(board), streamed(memories))
    assert found == {route.cell.pins(route.number)["calibrated"] for route in table.routes}
    # One clock for the design and the host's way, made of the first controller's.
    first = table.routes[0].cell.pins(0)["clock"]
    assert (
        nets["clock/clk_in1"] == first and nets["host/aclk"] == nets["accelerator/aclk"] == "clock/clk_out1"
    )
    assert nets["memory0/aclk1"] == first and nets["memory0/aclk"] == "clock/clk_out1"
    made = "MMCM" if boards.find(board).family == "xcup" else "PLL"
    assert any(f"CONFIG.PRIMITIVE {made} " in call[1] for call in result.of("set_property"))


@pytest.mark.parametrize("board", ABLE)
def test_every_pad_has_a_pin_and_no_path_in_time(tmp_path, board):
    result = built(tmp_path, board)
    (external,) = result.of("external")
    button, polarity = boards.find(board).button
    assert set(PADS) | {button} < set(external)
    assert set(external) - set(PADS) <= set(INTERFACES[board].split())
    placed = {call[2]: call[1] for call in result.of("set_property") if call[0] == "PACKAGE_PIN"}
    pins = wiring(boards.find(board))
    assert placed == {
        "uart_rx": pins.uart_rx.site,
        "uart_tx": pins.uart_tx.site,
        "heartbeat": pins.leds[0].site,
        "traffic": pins.leds[1].site,
        button: pins.reset.site,
    }
    assert {call[2] for call in result.of("set_property") if call[0] == "IOSTANDARD"} == set(placed)
    paths = {name for call in result.of("set_false_path") for name in call[1].split()}
    assert paths == set(placed)
    assert ("CONFIG.POLARITY", polarity, button) in result.of("set_property")
    assert (polarity == "ACTIVE_LOW") == pins.reset.inverted, "the same button as without memory"


def test_a_button_that_is_as_the_controller_wants_it_is_not_inverted(tmp_path):
    """Of the Genesys 2: both are low. An Alveo's button is low, and its controllers want it high."""
    assert ("reset", "dram0/sys_rst") in built(tmp_path).of("connect_bd_net")
    assert ("reset_inverted/Res", "dram0/sys_rst") in built(tmp_path, "u250").of("connect_bd_net")
    with pytest.raises(AssertionError, match="dram0 is in reset while nobody presses reset"):
        built(tmp_path, reset_polarity="ACTIVE_HIGH")


@pytest.mark.parametrize(
    ("line", "other", "message"),
    [
        (
            "    join_pins $calibrated reset_accelerator/aux_reset_in\n",
            "",
            "calibrated_memory1/Res is not connected",
        ),
        ("    connect_pads\n", "", "accelerator/uart_rx is not connected"),
        (
            "connect_memories accelerator/m_load accelerator/m_load",
            "connect_memories {} {}",
            "is not connected",
        ),
        ("[concat $host $settings($memory,ports)]", "$host", "accelerator/m_axi_0 is not connected"),
        ("reset_memory $memory\n", "\n", "no cell reset_memory0"),
        (
            "join_pins $calibrated reset_accelerator/aux_reset_in",
            "join_pins $calibrated accelerator/aresetn",
            "has a driver already",
        ),
        (
            "join_pins $resetn clock/resetn reset_accelerator/ext_reset_in",
            "join_pins $resetn clock/resetn reset_accelerator/ext_reset_in host/aresetn",
            "no cell host",
        ),
        (
            "clock/clk_out1 reset_accelerator/peripheral_aresetn\n",
            "clock/clk_in1 reset_memory0/x\n",
            "no pin x",
        ),
        ("join_pins $pin calibrated_$memory/Op2", "", "calibrated_memory1 has 1 inputs, not 2"),
        ("foreach space $spaces", "foreach space {}", "accelerator/m_load has no address"),
        ("$settings($memory,base) $bytes", "0x0 $bytes", "overlaps"),
        ('ne "clock/clk_out1"', 'eq "clock/clk_out1"', "has a clock twice"),
        ("CONFIG.PRIMITIVE", "CONFIG.PRIMITIVES", "clk_wiz has no parameter"),
        ("-type data $pad", "-type wire $pad", "no such direction or type"),
    ],
)
def test_the_recorder_finds_what_vivado_would_not_build(tmp_path, line, other, message):
    plan = dict(serial_memory("vc709", 2))
    (name,) = [name for name, text in plan.items() if name.endswith(".tcl") and line in text.decode()]
    plan[name] = plan[name].replace(line.encode(), other.encode())
    with pytest.raises(AssertionError, match=message):
        run(unpack(plan, tmp_path / "plan"), "build.tcl", board="vc709")


def test_every_file_that_a_script_names_is_in_the_plan():
    plan = serial_memory()
    named = {"uart.tcl"}
    for name in (name for name in plan if name.endswith(".tcl")):
        named |= {
            source for source in re.findall(r"^source (\S+)$", plan[name].decode(), re.M) if "$" not in source
        }
    assert named < set(plan) and {"program.tcl", "flash.tcl"} < set(plan)


def test_the_clock_is_made_of_the_controllers_own():
    """100 MHz on a Genesys 2, of 800 million transfers; the serial port counts the clocks that there are."""
    board, info = boards.find("genesys2"), streamed()
    shell = emit_block_shell(board, info, 150_000_000, board.baud)
    assert (shell.setting.f_in, shell.clock_hz) == (100e6, 150e6)
    assert boards.find("vc707").memories[0].port_hz == 200_000_000
    with pytest.raises(ConfigError, match="cannot make 1 MHz of 100 MHz"):
        emit_block_shell(board, info, 1_000_000, board.baud)
    with pytest.raises(ConfigError, match="genesys2 does at most 3000000 bit/s, not 4000000"):
        emit_block_shell(board, info, board.clock, 4_000_000)
    with pytest.raises(ConfigError, match="from 2 memories side by side, on the genesys2 it can be 1"):
        vivado_designs.memory_files(board, streamed(2), mhz=100, verilog={}, images={})
