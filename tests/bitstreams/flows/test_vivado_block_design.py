"""The block design around a PCI Express core, in a Tcl interpreter that records Vivado's commands."""

import re

import pytest

from bitstreams import boards
from bitstreams.flows import vivado_designs
from bitstreams.flows.memory_map import WINDOWS, memory_map
from bitstreams.links.block_design import MARKER
from hw.util.errors import ConfigError
from tests.bitstreams.vivado_design import AXI, design, streamed
from tests.bitstreams.vivado_plans import SOURCES, pcie, uart
from tests.bitstreams.vivado_run import INTERFACES, run, unpack

STAGES = ["synth_design", "opt_design", "place_design", "phys_opt_design", "route_design", "phys_opt_design"]


RELEASES = ["2018.3", "2019.1.1", "2019.2", "2020.1", "2021.2", "2023.2_AR00001", "2025.1"]


PCIE = [name for name, board in boards.BOARDS.items() if board.pcie]


CHOICES = [
    (name, count + 1)
    for name in PCIE
    for count, controllers in enumerate(boards.find(name).controllers)
    if controllers
]
"""Every number of memories that a board has controllers for."""


@pytest.fixture(params=["uart", "pcie"])
def folder(request, tmp_path):
    """An unpacked plan of either transport."""
    return unpack(uart() if request.param == "uart" else pcie(), tmp_path / "a plan")


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
    newest |= {card: f"a{card}:part0:1.3" for card in ("u200", "u250")} | {"vc707": "vc707:part0:1.4"}
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


def test_pins_that_the_board_files_do_not_have_are_in_the_constraints(tmp_path):
    result = run(unpack(pcie("vc707"), tmp_path / "plan"), "build.tcl", board="vc707")
    assert result.code == 0, result.output + result.errors
    (external,) = result.of("external")
    here = {"pcie_refclk", "pci_express_x8", "pcie_perstn"}
    assert set(external) - here == set(INTERFACES["vc707"].split()) and here < set(external)
    placed = {call[2]: call[1] for call in result.of("set_property") if call[0] == "PACKAGE_PIN"}
    assert placed["pcie_refclk_clk_p*"] == "AB8" and placed["pcie_perstn"] == "AV35"
    lanes = {f"pci_express_x8_{wire}[{i}]" for wire in ("rxp", "rxn", "txp", "txn") for i in range(8)}
    assert placed.keys() == lanes | {"pcie_refclk_clk_p*", "pcie_refclk_clk_n*", "pcie_perstn"}
    assert len(set(placed.values())) == len(placed)
    assert ("IOSTANDARD", "LVCMOS18", "pcie_perstn") in result.of("set_property")
    # A property of the IP would name an interface that the board does not have.
    assert not [call for call in result.of("set_property") if "SYS_RST_N_BOARD_INTERFACE" in call[0]]
    with pytest.raises(AssertionError, match="the board has an interface pcie_refclk"):
        known = f"{INTERFACES['vc707']} pcie_refclk"
        run(unpack(pcie("vc707"), tmp_path / "known"), "build.tcl", board="vc707", interfaces=known)


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
    ("board", "lanes", "bits"), [("kc705", 8, 128), ("vc707", 8, 128), ("vc709", 8, 256), ("u250", 16, 512)]
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
        ("resetn", "reset_inverted/Op1"),
        ("reset_inverted/Res", "dram0/sys_rst"),
        ("reset_inverted/Res", "dram1/sys_rst"),
    } <= nets
    assert ("CONFIG.POLARITY", "ACTIVE_LOW", "resetn") in result.of("set_property")


@pytest.mark.parametrize(
    ("line", "other", "message"),
    [
        ("        lappend clocks clock/clk_out1\n", "", "have no clock in common"),
        ("lappend clocks clock/clk_out1", "lappend clocks xdma/axi_aclk", "has a clock twice"),
        (
            "[list $clock $settings($memory,clock)]",
            "[list $clock clock/clk_in1]",
            "clock in common",
        ),
        ("NUM_CLKS [llength $clocks]", "NUM_CLKS 2", "NUM_CLKS is not 3"),
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
        ("[concat $host $settings($memory,ports)]", "$host", "accelerator/m_axi_0 is not connected"),
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
    (name,) = [name for name, text in plan.items() if name.endswith(".tcl") and line in text.decode()]
    plan[name] = plan[name].replace(line.encode(), other.encode())
    with pytest.raises(AssertionError, match=message):
        run(unpack(plan, tmp_path / "plan"), "build.tcl")


def test_more_memories_than_a_board_joins_are_refused():
    with pytest.raises(
        ConfigError, match="from 4 memories side by side, on the vc709 it can be 1, 2: generate"
    ):
        pcie("vc709", memories=4)


def test_buses_of_other_names_are_joined_too(tmp_path):
    info = design(m_axi=AXI, m_axi_weights=AXI)
    plan = vivado_designs.pcie_files(boards.find("vc709"), info, mhz=200, **SOURCES)
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
    plan = vivado_designs.pcie_files(boards.find("vc709"), design(bits), mhz=200, **SOURCES)
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
