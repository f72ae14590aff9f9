"""The Vivado plan, run under a plain Tcl interpreter with every command of Vivado recorded."""

import re
from dataclasses import replace
from functools import cache

import pytest

from bitstreams import boards
from bitstreams.flows import vivado, vivado_block
from hw.contract.config import AcceleratorConfig
from hw.util.errors import ConfigError
from tests.bitstreams.vivado_design import AXI, STREAM, design
from tests.bitstreams.vivado_run import run, unpack

STAGES = ["synth_design", "opt_design", "place_design", "phys_opt_design", "route_design", "phys_opt_design"]
RELEASES = ["2018.3", "2019.1.1", "2019.2", "2020.1", "2021.2", "2023.2_AR00001", "2025.1"]

SOURCES = {
    "verilog": {"spec2.v": 'module spec2(input clk);\n  initial $readmemb("a.mem", rom);\nendmodule\n'},
    "images": {"a.mem": "0101\n"},
}
SHELL = "module board(input clk_p, clk_n, input uart_rx, output uart_tx);\nendmodule\n"
XDC = (
    "create_clock -name board -period 5.0 [get_ports clk_p]\n"
    "set_property PACKAGE_PIN H19 [get_ports clk_p]\n"
    "set_property -dict {PACKAGE_PIN AU33 IOSTANDARD LVCMOS18} [get_ports uart_rx]\n"
)


def uart(board="vc709"):
    sources = {**SOURCES, "verilog": {**SOURCES["verilog"], "shell.v": SHELL}}
    return vivado.uart_files(
        boards.find(board), top="board", mhz=200, constraints={"board.xdc": XDC}, **sources
    )


@cache
def pcie(board="vc709", mhz=200):
    return vivado.pcie_files(boards.find(board), design(), mhz=mhz, **SOURCES)


@pytest.fixture(params=["uart", "pcie"])
def folder(request, tmp_path):
    """An unpacked plan of either transport."""
    return unpack(uart() if request.param == "uart" else pcie(), tmp_path / "a plan")


# --- the whole run -------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", boards.BOARDS)
def test_serial_plan_runs_to_its_end_in_order(tmp_path, board):
    folder = unpack(uart(board), tmp_path / "plan")
    result = run(folder, "build.tcl", board=board)
    assert result.code == 0, result.output + result.errors
    assert result.names(*STAGES) == STAGES
    ends = [name for name, *_ in result.calls if name.startswith(("write_", "report_"))]
    assert ends[:6] == ["write_checkpoint"] * 6
    assert ends[-2:] == ["write_bitstream", "write_cfgmem"]
    assert {"report_timing_summary", "report_utilization", "report_route_status", "report_drc"} < set(ends)
    assert ("-hierarchical", "-file", "reports/utilization_hierarchical.rpt") in result.of(
        "report_utilization"
    )
    part = boards.find(board).part
    assert result.of("create_project") == [("-in_memory", "-part", part)]
    assert result.of("synth_design") == [("-top", "board", "-part", part)]
    assert ("-name", "board", "-period", "5.0", "clk_p") in result.of("create_clock")
    assert (folder / "spec2.bit").exists()


@pytest.mark.parametrize("board", [name for name, board in boards.BOARDS.items() if board.pcie])
@pytest.mark.parametrize("release", RELEASES)
def test_pcie_plan_runs_to_its_end_on_every_release(tmp_path, board, release):
    folder = unpack(pcie(board), tmp_path / "plan")
    result = run(folder, "build.tcl", board=board, version=release)
    assert result.code == 0, result.output + result.errors
    assert result.names("open_run", *STAGES) == ["open_run", *STAGES[1:]]
    assert result.of("create_project")[0][:2] == ("spec2", "project")
    assert boards.find(board).part in result.of("create_project")[0]
    assert ("top", "spec2_block_wrapper", "sources_1") in result.of("set_property")
    board_parts = [call[1] for call in result.of("set_property") if call[0] == "board_part"]
    # The newest of the board files, by number and not by letter.
    assert board_parts == [f"xilinx.com:{board}:part0:{'1.10' if board == 'vc709' else '2.4'}"]


@pytest.mark.parametrize(
    ("board", "memory", "clock"),
    [
        ("vc709", "ddr3_sdram_socket_j1", "sys_diff_clock"),
        ("vcu118", "ddr4_sdram_c1_062", "default_250mhz_clk1"),
    ],
)
def test_every_pin_of_the_block_design_comes_from_the_board_files(tmp_path, board, memory, clock):
    result = run(unpack(pcie(board), tmp_path / "plan"), "build.tcl", board=board)
    (external,) = result.of("external")
    board_interfaces = {call[1] for call in result.of("apply_board_connection")} | {clock}
    placed = {call[1] for call in result.of("set_property") if call[0].endswith("_BOARD_INTERFACE")}
    assert set(external) == board_interfaces | placed
    assert set(external) == {memory, clock, "pci_express_x8", "pcie_refclk", "pcie_perstn", "reset"}
    # The clock that no IP creates, and the accelerator's.
    assert ("-name", "pcie_refclk", "-period", "10.000", "pcie_refclk_clk_p*") in result.of("create_clock")
    clock_settings = next(call[1] for call in result.of("set_property") if "CLKOUT1_REQUESTED" in call[1])
    assert "CONFIG.CLKOUT1_REQUESTED_OUT_FREQ 200.000" in clock_settings


def test_memory_clock_is_connected_where_the_preset_does_not_bring_it(tmp_path):
    result = run(unpack(pcie(), tmp_path / "plan"), "build.tcl", memory_clock_comes_along=0)
    assert result.code == 0, result.output
    assert ("-board_interface", "sys_diff_clock", "-ip_intf", "dram/SYS_CLK", "-diagram", "spec2_block") in (
        result.of("apply_board_connection")
    )


def test_every_axi_port_of_the_accelerator_has_its_place(tmp_path):
    info = design(m_axi=AXI, m_axi_weights=AXI)
    plan = vivado.pcie_files(boards.find("vc709"), info, mhz=200, **SOURCES)
    result = run(unpack(plan, tmp_path / "plan"), "build.tcl")
    assert result.code == 0, result.output + result.errors
    joined = set(result.of("connect_bd_intf_net"))
    assert ("lite/M00_AXI", "accelerator/s_axil") in joined
    assert ("h2c_clock/M_AXIS", "accelerator/s_axis") in joined
    assert ("accelerator/m_axis", "c2h_clock/S_AXIS") in joined
    assert ("xdma/M_AXI_BYPASS", "memory/S00_AXI") in joined
    assert ("accelerator/m_axi", "memory/S01_AXI") in joined
    assert ("accelerator/m_axi_weights", "memory/S02_AXI") in joined
    spaces = {call[5] for call in result.of("assign_bd_address")}
    assert {"/accelerator/m_axi", "/accelerator/m_axi_weights", "/xdma/M_AXI_LITE"} < spaces


@pytest.mark.parametrize("bits", [32, 128, 256])
def test_streams_change_their_width_where_they_are_narrower_than_pcie(tmp_path, bits):
    plan = vivado.pcie_files(boards.find("vc709"), design(bits), mhz=200, **SOURCES)
    result = run(unpack(plan, tmp_path / "plan"), "build.tcl")
    assert result.code == 0, result.output + result.errors
    joined = set(result.of("connect_bd_intf_net"))
    ways = {("xdma/M_AXIS_H2C_0", "h2c_clock/S_AXIS"), ("c2h_clock/M_AXIS", "xdma/S_AXIS_C2H_0")}
    assert ways & joined == (ways if bits == 256 else set())
    assert ("h2c_clock/M_AXIS", "accelerator/s_axis") in joined
    assert ("accelerator/m_axis", "c2h_clock/S_AXIS") in joined
    settings = [" ".join(call) for call in result.of("set_property")]
    for there, back in ((32, bits // 8), (bits // 8, 32)):
        wanted = f"CONFIG.S_TDATA_NUM_BYTES {there} CONFIG.M_TDATA_NUM_BYTES {back} "
        assert any(wanted in one for one in settings) == (bits != 256)


@pytest.mark.parametrize(
    ("release", "used", "unused"),
    [
        ("2019.2", "create_bd_addr_seg", "assign_bd_address"),
        ("2020.1", "assign_bd_address", "create_bd_addr_seg"),
    ],
)
def test_addresses_are_mapped_as_the_release_knows_it(tmp_path, release, used, unused):
    result = run(unpack(pcie(), tmp_path / "plan"), "build.tcl", version=release)
    assert len(result.of(used)) == 3 and not result.of(unused)


# --- files ----------------------------------------------------------------------------------------------


def test_every_file_that_a_script_names_is_in_the_plan():
    for plan in (uart(), pcie(), pcie("vcu118")):
        settings = plan["settings.tcl"].decode()
        named = set()
        for key in ("verilog", "images", "constraints"):
            named |= set(re.search(rf"^set settings\({key}\) {{(.*)}}$", settings, re.M)[1].split())
        for name in (name for name in plan if name.endswith(".tcl")):
            text = plan[name].decode()
            assert text.isascii(), "Vivado reads scripts in the machine's encoding"
            for source in re.findall(r"^source (\S+)$", text, re.M):
                for key, value in re.findall(r"^set settings\((\w+)\) {(\S*)}$", settings, re.M):
                    source = source.replace(f"$settings({key})", value)
                named.add(source)
        assert named <= set(plan)
        assert {"build.tcl", "program.tcl", "flash.tcl"} < set(plan)


def test_memory_images_are_found_from_any_folder(folder):
    assert run(folder, "build.tcl").code == 0
    text = (folder / "sources" / "spec2.v").read_text()
    assert f'$readmemb("{folder}/a.mem", rom)' in text


def test_equal_inputs_give_equal_plans_and_another_clock_another_stamp():
    assert uart() == uart()
    stamps = {re.search(rb"inputs\) {(\w{64})}", pcie(mhz=mhz)["settings.tcl"])[1] for mhz in (100, 200)}
    assert len(stamps) == 2


# --- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fakes", "message"),
    [
        ({"setup_slack": -0.123}, r"timing is missed, setup slack is -0\.123 ns.*--allow-timing-fail"),
        ({"hold_slack": -0.01}, r"timing is missed, hold slack is -0\.01 ns"),
        ({"unrouted": 3}, "3 nets are not routed"),
        ({"route_errors": 2, "unrouted": 1}, "3 nets are not routed"),
        ({"timed": 0}, "no max path is timed: a clock constraint is missing"),
        ({"setup_slack": ""}, "no max path is timed: a clock constraint is missing"),
        ({"hold_slack": "inf"}, "no min path is timed: a clock constraint is missing"),
        ({"version": "2017.4"}, r"this is Vivado 2017\.4, the plan needs 2018\.3"),
    ],
)
def test_fails_with_a_message_and_without_a_bitstream(folder, fakes, message):
    result = run(folder, "build.tcl", **fakes)
    assert result.code == 1
    assert re.search(f"^SPEC2 FAIL .*{message}", result.output, re.M), result.output
    assert not result.of("write_bitstream")
    assert not (folder / "spec2.bit").exists()


def test_missed_timing_can_be_allowed_but_open_nets_cannot(folder):
    result = run(folder, "build.tcl", "--allow-timing-fail", setup_slack=-0.5)
    assert result.code == 0 and "SPEC2 MISSED setup -0.5" in result.output
    assert run(folder, "build.tcl", "--allow-timing-fail", unrouted=1).code == 1


def test_reports_are_written_before_the_checks(folder):
    run(folder, "build.tcl", setup_slack=-1)
    assert (folder / "reports" / "timing.rpt").exists()


@pytest.mark.parametrize(
    ("fakes", "message"),
    [
        (
            {"board_parts": "xilinx.com:kc705:part0:1.6"},
            "no board files that match xilinx.com:vc709.*Vivado Store",
        ),
        ({"interfaces": "pci_express_x8 pcie_refclk reset"}, "the board file has none of these interfaces"),
        ({"synthesis_progress": "40%"}, "synthesis failed"),
    ],
)
def test_block_design_refuses_what_it_cannot_build(tmp_path, fakes, message):
    result = run(unpack(pcie(), tmp_path / "plan"), "build.tcl", **fakes)
    assert result.code == 1
    assert re.search(f"^SPEC2 FAIL .*{message}", result.output, re.M), result.output


def test_refuses_unknown_arguments_ports_and_boards(folder):
    assert "unknown argument --fast" in run(folder, "build.tcl", "--fast").output
    with pytest.raises(ConfigError, match="vc707 has no PCI Express shell"):
        pcie("vc707")
    with pytest.raises(ConfigError, match="port 'm_video_tdata'"):
        vivado_block.ports(design(m_video=STREAM))
    with pytest.raises(ConfigError, match="s_axis_tdata, m_axis_tdata of the design is not 64 bits wide"):
        vivado_block.ports(replace(design(), config=AcceleratorConfig(stream_bits=64)))
    with pytest.raises(ConfigError, match="no m_axis port"):
        info = design()
        rest = {name: width for name, width in info.ports.items() if not name.startswith("m_axis")}
        vivado_block.wrapper(replace(info, ports=rest))


# --- running again --------------------------------------------------------------------------------------


def test_a_run_that_was_broken_off_goes_on_behind_its_last_checkpoint(folder):
    assert run(folder, "build.tcl").code == 0
    for stage in ("4_route", "5_post_route"):
        (folder / "checkpoints" / f"{stage}.dcp").unlink()
    (folder / "checkpoints" / "unfinished.dcp").write_text("half")
    result = run(folder, "build.tcl")
    assert result.code == 0, result.output + result.errors
    assert "SPEC2 RESUME phys_opt" in result.output
    assert result.of("open_checkpoint") == [("checkpoints/3_phys_opt.dcp",)]
    assert result.names("open_run", *STAGES) == ["route_design", "phys_opt_design"]
    assert (folder / "spec2.bit").exists()


def test_checkpoints_of_another_plan_are_not_used(tmp_path):
    folder = unpack(uart(), tmp_path / "plan")
    assert run(folder, "build.tcl").code == 0
    plan = vivado.uart_files(
        boards.find("vc709"),
        top="board",
        mhz=200,
        constraints={"board.xdc": XDC.replace("5.0", "6.0")},
        verilog={**SOURCES["verilog"], "shell.v": SHELL},
        images=SOURCES["images"],
    )
    result = run(unpack(plan, folder), "build.tcl")
    assert result.names(*STAGES) == STAGES and "RESUME" not in result.output


# --- programming ----------------------------------------------------------------------------------------

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
