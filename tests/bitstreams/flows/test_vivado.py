"""The Vivado plan, run under a plain Tcl interpreter with every command of Vivado recorded."""

import re
from dataclasses import replace
from functools import cache

import pytest

from bitstreams import boards
from bitstreams.flows import vivado
from bitstreams.flows.memory_map import WINDOWS, memory_map
from bitstreams.links.block_design import MARKER
from bitstreams.shell import constraints as shell_constraints
from hw.contract.config import AcceleratorConfig
from hw.gateware.pcie import wrapper
from hw.util.errors import ConfigError
from tests.bitstreams.vivado_design import AXI, STREAM, design, streamed
from tests.bitstreams.vivado_run import INTERFACES, run, unpack

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
def pcie(board="vc709", mhz=200, memories=1):
    """The plan of a design that reads its weights from so many memories."""
    info = streamed(memories) if memories else design()
    return vivado.pcie_files(boards.find(board), info, mhz=mhz, **SOURCES)


def zynq():
    """The plan of a design beside a processor."""
    return vivado.zynq_files(boards.find("pynq_z2"), design(), mhz=100, **SOURCES)


PCIE = [name for name, board in boards.BOARDS.items() if board.pcie]
CHOICES = [
    (name, count + 1)
    for name in PCIE
    for count, controllers in enumerate(boards.find(name).pcie.controllers)
    if controllers
]
"""Every number of memories that a board has controllers for."""


@pytest.fixture(params=["uart", "pcie"])
def folder(request, tmp_path):
    """An unpacked plan of either transport."""
    return unpack(uart() if request.param == "uart" else pcie(), tmp_path / "a plan")


# --- the whole run -------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", [name for name, board in boards.BOARDS.items() if board.platform])
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


@pytest.mark.parametrize("board", PCIE)
@pytest.mark.parametrize("release", RELEASES)
def test_pcie_plan_runs_to_its_end_on_every_release(tmp_path, board, release):
    folder = unpack(pcie(board, memories=1 + (len(boards.find(board).memories) > 1)), tmp_path / "plan")
    result = run(folder, "build.tcl", board=board, version=release)
    assert result.code == 0, result.output + result.errors
    assert result.names("open_run", *STAGES) == ["open_run", *STAGES[1:]]
    assert result.of("create_project")[0][:2] == ("spec2", "project")
    assert boards.find(board).part in result.of("create_project")[0]
    assert ("top", "spec2_block_wrapper", "sources_1") in result.of("set_property")
    board_parts = [call[1] for call in result.of("set_property") if call[0] == "board_part"]
    # The newest of the board files, by number and not by letter.
    newest = {"vc709": "vc709:part0:1.10", "vcu118": "vcu118:part0:2.4", "kc705": "kc705:part0:1.6"}
    newest |= {card: f"a{card}:part0:1.3" for card in ("u200", "u250")}
    assert board_parts == [f"xilinx.com:{newest[board]}"]


@pytest.mark.parametrize(
    ("board", "memories", "names"),
    [
        ("vc709", 0, {"pci_express_x8"}),
        ("vc709", 1, {"pci_express_x8", "ddr3_sdram_socket_j1", "sys_diff_clock", "reset"}),
        ("vcu118", 1, {"pci_express_x8", "ddr4_sdram_c1_062", "default_250mhz_clk1", "reset"}),
        (
            "vcu118",
            2,
            {"pci_express_x8", "reset"}
            | {
                f"{name}{i}{end}"
                for i in "12"
                for name, end in (("ddr4_sdram_c", "_062"), ("default_250mhz_clk", ""))
            },
        ),
        ("kc705", 1, {"pci_express_x8", "ddr3_sdram", "sys_diff_clock", "reset"}),
        (
            "u200",
            4,
            {"pci_express_x16", "resetn"}
            | {f"{name}{i}" for i in "0123" for name in ("ddr4_sdram_c", "default_300mhz_clk")},
        ),
    ],
)
def test_every_pin_of_the_block_design_comes_from_the_board_files(tmp_path, board, memories, names):
    result = run(unpack(pcie(board, memories=memories), tmp_path / "plan"), "build.tcl", board=board)
    (external,) = result.of("external")
    assert len(set(external)) == len(external)
    assert set(external) == names | {"pcie_refclk", "pcie_perstn"} <= set(INTERFACES[board].split())
    placed = {call[1] for call in result.of("set_property") if call[0].endswith("_BOARD_INTERFACE")}
    assert placed == {"pcie_perstn", *(names & {"reset", "resetn"})}
    # The clock that no IP creates, and the accelerator's.
    assert ("-name", "pcie_refclk", "-period", "10.000", "pcie_refclk_clk_p*") in result.of("create_clock")
    clock_settings = next(call[1] for call in result.of("set_property") if "CLKOUT1_REQUESTED" in call[1])
    assert "CONFIG.CLKOUT1_REQUESTED_OUT_FREQ 200.000" in clock_settings
    # What comes in beside all clocks.
    assert {("-from", "reset*"), ("-from", "pcie_perstn*")} <= set(result.of("set_false_path"))


def test_a_memory_clock_is_connected_where_the_preset_does_not_bring_it(tmp_path):
    """Of two modules each by its own oscillator."""
    result = run(unpack(pcie(memories=2), tmp_path / "plan"), "build.tcl", memory_clock_comes_along=0)
    assert result.code == 0, result.output
    brought = {call[1]: call[3] for call in result.of("apply_board_connection")}
    assert brought["sys_diff_clock"] == "dram0/C0_SYS_CLK"
    assert brought["sys_diff_clock_233"] == "dram0/C1_SYS_CLK"


def test_a_memory_that_vivado_leaves_open_ends_the_run(tmp_path):
    result = run(unpack(pcie(memories=2), tmp_path / "plan"), "build.tcl", memory_comes_along=0)
    assert result.code == 1 and "Vivado did not connect dram0/C0_DDR3 to the board" in result.output


# --- memory --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("board", "memories"), CHOICES)
def test_every_memory_port_reaches_a_controller_of_its_own(tmp_path, board, memories):
    result = run(unpack(pcie(board, memories=memories), tmp_path / "plan"), "build.tcl", board=board)
    assert result.code == 0, result.output + result.errors
    (record,) = result.of("ports_of_memory")
    found = [record[i : i + 3] for i in range(0, len(record), 3)]
    names = [f"accelerator/m_axi_{i}" for i in range(memories)] if memories > 1 else ["accelerator/m_axi"]
    assert [port for port, _, _ in found] == names and {bits for _, bits, _ in found} == {"256"}
    controllers = [controller for _, _, controller in found]
    assert len(set(controllers)) == memories and all("DRAM" in name.upper() for name in controllers)


@pytest.mark.parametrize(("board", "memories"), CHOICES)
def test_the_host_reaches_every_memory_where_the_table_says(tmp_path, board, memories):
    info = streamed(memories)
    table = memory_map(boards.find(board), info)
    result = run(unpack(pcie(board, memories=memories), tmp_path / "plan"), "build.tcl", board=board)
    mapped = {}
    for call in result.of("assign_bd_address"):
        options = dict(zip(call[:6:2], call[1:6:2], strict=True))
        where = (int(options["-offset"], 16), options["-range"])
        mapped.setdefault(options["-target_address_space"], {})[call[6].removesuffix("/segment")] = where
    assert len(table.routes) == memories
    for route in table.routes:
        bus, size = f"/{route.cell.pins(route.number)['bus']}", f"0x{route.memory.bytes:X}"
        assert route.base % route.memory.bytes == 0
        for space in ("/loader/Data_S2MM", "/loader/Data_MM2S"):
            assert mapped[space][bus] == (route.base, size)
        for port in route.ports:
            assert mapped[f"/accelerator/{port}"] == {bus: (0, size)}, "all ports begin at the same address"
    assert mapped["/xdma/M_AXI_LITE"] == {f"/{bus}": (offset, "4K") for bus, offset in WINDOWS.items()}
    assert mapped["/xdma/M_AXI_LITE"]["/marker/S_AXI"][0] == MARKER


def test_no_memory_is_made_for_a_design_that_holds_its_weights(tmp_path):
    result = run(unpack(pcie(memories=0), tmp_path / "plan"), "build.tcl")
    assert result.code == 0, result.output + result.errors
    made = [" ".join(call) for call in result.of("create_bd_cell")]
    assert not any("mig_7series" in call or "axi_dma" in call for call in made)
    assert any("CONFIG.xdma_rnum_chnl 1 " in call[1] for call in result.of("set_property"))


@pytest.mark.parametrize(
    ("board", "lanes", "bits"), [("kc705", 8, 128), ("vc709", 8, 256), ("u250", 16, 512)]
)
def test_the_link_is_as_wide_as_the_board_has_it(tmp_path, board, lanes, bits):
    result = run(unpack(pcie(board), tmp_path / "plan"), "build.tcl", board=board)
    settings = [call[1] for call in result.of("set_property") if call[0] == "-dict"]
    (xdma,) = [text for text in settings if "functional_mode" in text]
    assert f"max_link_width X{lanes} " in xdma and f"axi_data_width {bits}_bit" in xdma
    assert "xdma_rnum_chnl 2 CONFIG.xdma_wnum_chnl 2" in xdma
    (loader,) = [text for text in settings if "c_include_sg" in text]
    assert f"c_m_axis_mm2s_tdata_width {bits} " in loader and f"c_m_axi_s2mm_data_width {bits} " in loader
    (down,) = [text for text in settings if f"S_TDATA_NUM_BYTES {bits // 8} " in text]
    assert "M_TDATA_NUM_BYTES 4 " in down


def test_a_button_that_is_low_when_pressed_is_inverted_for_the_controllers(tmp_path):
    result = run(unpack(pcie("u200", memories=2), tmp_path / "plan"), "build.tcl", board="u200")
    nets = set(result.of("connect_bd_net"))
    assert {
        ("resetn", "reset_high/Op1"),
        ("reset_high/Res", "dram0/sys_rst"),
        ("reset_high/Res", "dram1/sys_rst"),
    } <= nets
    assert ("CONFIG.POLARITY", "ACTIVE_LOW", "resetn") in result.of("set_property")


@pytest.mark.parametrize(
    ("line", "other", "message"),
    [
        ("    join_pins clock/clk_out1 $memory/aclk2\n", "", "NUM_CLKS is not 2"),
        (
            "join_pins clock/clk_out1 $memory/aclk2",
            "join_pins xdma/axi_aclk $memory/aclk2",
            "has a clock twice",
        ),
        (
            "join_pins $settings($memory,clock) $memory/aclk1",
            "join_pins clock/clk_in1 $memory/aclk1",
            "clock in common",
        ),
        (
            "join_pins $reset/peripheral_aresetn $settings($memory,reset_in)",
            "join_pins xdma/axi_aresetn $settings($memory,reset_in)",
            "without a synchroniser",
        ),
        (
            "join_pins $settings($memory,reset_out) $reset/ext_reset_in",
            "",
            "c0_ui_clk_sync_rst is not connected",
        ),
        ("    join_buses $memory/M00_AXI $settings($memory,bus)\n", "", "is not connected"),
        ("[concat $host $ports]", "$host", "accelerator/m_axi_0 is not connected"),
        ("map_segment [get_bd_addr_spaces $port] $segment 0x0 $bytes", "", "m_axi_0 has no address"),
        ("$settings($memory,base) $bytes", "0x0 $bytes", "overlaps"),
        ("$segment 0x0 $bytes", "$segment 0x1000 $bytes", "no multiple of its range"),
        ("CONFIG.c_sg_length_width", "CONFIG.c_length_width", "axi_dma has no parameter"),
        ("CONFIG.c_mm2s_burst_size 64", "CONFIG.c_mm2s_burst_size 60", "cannot be '60'"),
        ("set_property CONFIG.$property", "set_property -silent CONFIG.$property", "no option -silent"),
    ],
)
def test_the_recorder_finds_what_vivado_would_not_build(tmp_path, line, other, message):
    plan = dict(pcie(memories=2))
    text = plan["pcie.tcl"].decode()
    assert line in text
    plan["pcie.tcl"] = text.replace(line, other).encode()
    with pytest.raises(AssertionError, match=message):
        run(unpack(plan, tmp_path / "plan"), "build.tcl")


def test_more_memories_than_a_board_joins_are_refused():
    with pytest.raises(
        ConfigError, match="from 4 memories side by side, on the vc709 it can be 1, 2: generate"
    ):
        pcie("vc709", memories=4)


def test_buses_of_other_names_are_joined_too(tmp_path):
    info = design(m_axi=AXI, m_axi_weights=AXI)
    plan = vivado.pcie_files(boards.find("vc709"), info, mhz=200, **SOURCES)
    result = run(unpack(plan, tmp_path / "plan"), "build.tcl")
    assert result.code == 0, result.output + result.errors
    joined = set(result.of("connect_bd_intf_net"))
    assert ("lite/M00_AXI", "accelerator/s_axil") in joined
    assert ("h2c_clock/M_AXIS", "accelerator/s_axis") in joined
    assert ("accelerator/m_axis", "c2h_clock/S_AXIS") in joined
    assert ("host/M00_AXI", "memory0/S00_AXI") in joined
    assert ("accelerator/m_axi", "memory0/S01_AXI") in joined
    assert ("accelerator/m_axi_weights", "memory1/S01_AXI") in joined
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
    # Three windows of registers, one memory for the loader's two ways and for the accelerator.
    assert len(result.of(used)) == 6 and not result.of(unused)


# --- files ----------------------------------------------------------------------------------------------


def test_every_file_that_a_script_names_is_in_the_plan():
    for plan in (uart(), pcie(), pcie("vcu118"), zynq()):
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
        assert ({"program.tcl", "flash.tcl"} < set(plan)) == (plan != zynq()), "a processor is no programmer"


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
        wrapper.wrapper(design(m_video=STREAM))
    with pytest.raises(ConfigError, match="s_axis_tdata, m_axis_tdata of the design is not 64 bits wide"):
        wrapper.wrapper(replace(design(), config=AcceleratorConfig(stream_bits=64)))
    with pytest.raises(ConfigError, match="no m_axis port"):
        info = design()
        rest = {name: width for name, width in info.ports.items() if not name.startswith("m_axis")}
        wrapper.wrapper(replace(info, ports=rest))


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


def test_cards_stop_where_they_get_hot_whatever_the_transport():
    for text in (vivado.pcie_constraints(boards.find("u250")), shell_constraints.vivado(boards.find("u250"))):
        assert "set_property BITSTREAM.CONFIG.OVERTEMPSHUTDOWN ENABLE [current_design]" in text
        assert "set_property CONFIG_VOLTAGE 1.8 [current_design]" in text and "CFGBVS" not in text
    assert "OVERTEMP" not in vivado.pcie_constraints(boards.find("vc709"))
    assert "set_property CFGBVS GND [current_design]" in vivado.pcie_constraints(boards.find("vc709"))
