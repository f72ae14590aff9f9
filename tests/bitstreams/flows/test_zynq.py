"""The plan beside a processor, run under a plain Tcl interpreter with every command of Vivado recorded."""

import re

import pytest

from bitstreams import boards
from bitstreams.flows import vivado_designs
from bitstreams.flows.processors import PROCESSORS, WINDOWS, interrupts
from bitstreams.links.block_design import MARKER
from hw.util.errors import ConfigError
from tests.bitstreams.vivado_design import design, streamed
from tests.bitstreams.vivado_run import run, unpack

SOURCES = {
    "verilog": {"spec2.v": 'module spec2(input clk);\n  initial $readmemb("a.mem", rom);\nendmodule\n'},
    "images": {"a.mem": "0101\n"},
}
ZYNQ = [name for name, board in boards.BOARDS.items() if board.processor]
RELEASES = ["2018.3", "2019.2", "2020.1", "2020.2", "2023.2_AR00001", "2025.1"]


def zynq(board="pynq_z2", stream_bits=32, mhz=125):
    return vivado_designs.zynq_files(boards.find(board), design(stream_bits), mhz=mhz, **SOURCES)


def built(tmp_path, board="pynq_z2", plan=None, **fakes):
    folder = unpack(plan or zynq(board), tmp_path / "plan")
    return run(folder, "build.tcl", board=board, **fakes)


def test_both_boards_are_there():
    assert ZYNQ == ["kv260", "pynq_z2"]


@pytest.mark.parametrize("board", ZYNQ)
@pytest.mark.parametrize("release", RELEASES)
def test_the_plan_runs_to_its_end_on_every_release(tmp_path, board, release):
    result = built(tmp_path, board, version=release)
    assert result.code == 0, result.output + result.errors
    assert result.names("open_run", "opt_design", "place_design", "route_design", "write_bitstream")[-1] == (
        "write_bitstream"
    )
    assert not result.of("write_cfgmem"), "there is no flash of the logic's own"
    assert (tmp_path / "plan" / "spec2.bit").exists() and (tmp_path / "plan" / "spec2.hwh").exists()
    parts = [call[1] for call in result.of("set_property") if call[0] == "board_part"]
    assert parts == [
        {"pynq_z2": "tul.com.tw:pynq-z2:part0:1.0", "kv260": "xilinx.com:kv260_som:part0:1.4"}[board]
    ]
    (external,) = result.of("external")
    assert external == (("DDR", "FIXED_IO") if board == "pynq_z2" else ()), "no pin of the logic is used"


@pytest.mark.parametrize("board", ZYNQ)
def test_the_processor_finds_everything_where_the_table_says(tmp_path, board):
    result = built(tmp_path, board)
    it = PROCESSORS[boards.find(board).processor]
    mapped = {}
    for call in result.of("assign_bd_address"):
        options = dict(zip(call[:6:2], call[1:6:2], strict=True))
        where = (int(options["-offset"], 16), int(options["-range"], 16))
        mapped.setdefault(options["-target_address_space"], {})[call[6].removesuffix("/segment")] = where
    windows = {f"/{one.cell}/{one.bus}": (it.base + one.offset, one.bytes) for one in WINDOWS}
    assert mapped["/processor/Data"] == windows
    assert windows["/marker/S_AXI"][0] - it.base == MARKER, "as behind PCI Express"
    for space in ("/dma/Data_MM2S", "/dma/Data_S2MM"):
        assert mapped[space] == {f"/processor/{it.memory}": (0, it.bytes)}


@pytest.mark.parametrize("board", ZYNQ)
def test_interrupts_are_numbered_as_the_table_has_them(tmp_path, board):
    result = built(tmp_path, board)
    nets = dict(call[::-1] for call in result.of("connect_bd_net"))
    assert interrupts() == ["accelerator/interrupt", "dma/mm2s_introut", "dma/s2mm_introut"]
    assert [nets[f"sources/In{i}"] for i in range(3)] == interrupts()
    assert nets[f"processor/{PROCESSORS[boards.find(board).processor].interrupts}"] == "sources/dout"


@pytest.mark.parametrize(("board", "stream_bits"), [("pynq_z2", 32), ("pynq_z2", 256), ("kv260", 128)])
def test_beats_are_as_wide_as_the_accelerators_and_memory_is_no_narrower(tmp_path, board, stream_bits):
    result = built(tmp_path, board, zynq(board, stream_bits))
    assert result.code == 0, result.output + result.errors
    port = PROCESSORS[boards.find(board).processor].memory_bits
    (dma,) = [call[1] for call in result.of("set_property") if "c_include_sg 0 " in call[1]]
    assert f"c_m_axis_mm2s_tdata_width {stream_bits} " in dma
    for way in ("mm2s", "s2mm"):
        assert f"c_m_axi_{way}_data_width {max(port, stream_bits)} " in dma
    joined = set(result.of("connect_bd_intf_net"))
    assert {("dma/M_AXIS_MM2S", "accelerator/s_axis"), ("accelerator/m_axis", "dma/S_AXIS_S2MM")} < joined


def test_all_of_the_logic_runs_at_the_clock_that_was_asked_for(tmp_path):
    result = built(tmp_path)
    nets = dict(call[::-1] for call in result.of("connect_bd_net"))
    (clocks,) = [call[1] for call in result.of("set_property") if "CLKOUT1_REQUESTED" in call[1]]
    assert "CONFIG.CLKOUT1_REQUESTED_OUT_FREQ 125.000" in clocks
    assert "PRIM_IN_FREQ" not in clocks, "a Kria makes 99.999 MHz of 100, and Vivado refuses a contradiction"
    (own,) = [call[1] for call in result.of("set_property") if "PCW_FPGA0_PERIPHERAL_FREQMHZ" in call[1]]
    assert "CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 100" in own
    driven = {pin: source for pin, source in nets.items() if re.search("aclk|ACLK|slowest_sync_clk", pin)}
    assert nets["clock/clk_in1"] == "processor/FCLK_CLK0" and len(driven) == 10
    assert set(driven.values()) == {"clock/clk_out1"}


@pytest.mark.parametrize(
    ("file", "line", "other", "message"),
    [
        ("zynq.tcl", "    connect_interrupts\n", "", "accelerator/interrupt is not connected"),
        (
            "zynq.tcl",
            "    join_pins sources/dout $settings(interrupts)\n",
            "",
            "IRQ_F2P is not connected",
        ),
        ("zynq.tcl", "[llength $settings(sources)]]", "4]", "sources/In3 is not connected"),
        (
            "zynq.tcl",
            "    join_pins clock/clk_out1 $::settings(registers_clock) $::settings(memory_clock)\n",
            "",
            "ACLK is not connected",
        ),
        (
            "zynq.tcl",
            "join_pins clock/clk_out1 $name/aclk",
            "join_pins $::settings(clock) $name/aclk",
            "without a synchroniser",
        ),
        (
            "block.tcl",
            "join_pins reset_accelerator/peripheral_aresetn accelerator/aresetn",
            "join_pins $resetn accelerator/aresetn",
            "without a synchroniser",
        ),
        (
            "zynq.tcl",
            "    join_buses memory/M00_AXI $settings(memory)\n",
            "",
            "memory/M00_AXI is not connected",
        ),
        (
            "zynq.tcl",
            "foreach space {dma/Data_MM2S dma/Data_S2MM}",
            "foreach space {dma/Data_MM2S}",
            "no address",
        ),
        (
            "zynq.tcl",
            "[get_bd_addr_segs $settings(segment)]",
            "[get_bd_addr_segs processor/DDR]",
            "no segment",
        ),
        ("zynq.tcl", "0x0 $settings(bytes)", "0x0 0x40000000", "has 0x20000000 bytes, not 1073741824"),
        ("zynq.tcl", "$settings(stream_bits) \\", "64 \\", "beats of 64 bits do not fit"),
        ("zynq.tcl", "xilinx.com:bd_rule:$settings(processor)", "xilinx.com:bd_rule:axi4", "is no rule for"),
        ("settings.tcl", " 0x40000000 ", " 0x80000000 ", "is not behind M_AXI_GP0"),
        ("settings.tcl", "CONFIG.PCW_USE_S_AXI_HP0", "CONFIG.PCW_USE_S_AXI_HP9", "no parameter"),
    ],
)
def test_the_recorder_finds_what_vivado_would_not_build(tmp_path, file, line, other, message):
    plan = dict(zynq())
    text = plan[file].decode()
    assert line in text
    plan[file] = text.replace(line, other).encode()
    with pytest.raises(AssertionError, match=message):
        built(tmp_path, plan=plan)


def test_a_preset_that_comes_last_would_bring_ports_that_nobody_connects(tmp_path):
    """The board files of the KV260 switch a second port for registers on."""
    plan = dict(zynq("kv260"))
    text = plan["zynq.tcl"].decode()
    preset = text[
        text.index("    apply_bd_automation") : text.index("    set_property -dict $settings(options)")
    ]
    own = "    set_property -dict $settings(options) [get_bd_cells processor]\n"
    plan["zynq.tcl"] = text.replace(preset + own, own + preset).encode()
    with pytest.raises(AssertionError, match="zynq_ultra_ps_e has no pin saxihp0_fpd_aclk"):
        built(tmp_path, "kv260", plan)


def test_without_a_description_there_is_no_bitstream_for_pynq(tmp_path):
    result = built(tmp_path, description=0)
    assert result.code == 1
    assert (
        "SPEC2 FAIL Vivado left no description of the block design (.hwh): delete checkpoints/"
        in result.output
    )


def test_what_an_earlier_run_left_is_gone_and_a_broken_run_goes_on(tmp_path):
    folder = tmp_path / "plan"
    assert built(tmp_path).code == 0
    (folder / "checkpoints" / "5_post_route.dcp").unlink()
    (folder / "spec2.hwh").write_text("old")
    result = run(folder, "build.tcl", board="pynq_z2")
    assert result.code == 0 and "SPEC2 RESUME route" in result.output
    assert (folder / "spec2.hwh").read_text() == "<EDKSYSTEM/>"
    run(folder, "build.tcl", board="pynq_z2", setup_slack=-1)
    assert not (folder / "spec2.hwh").exists()


def test_a_board_without_a_processor_and_weights_in_memory_are_refused():
    with pytest.raises(
        ConfigError, match="vc709 has no processor, kv260, pynq_z2 have: use --transport uart"
    ):
        zynq("vc709")
    with pytest.raises(
        ConfigError, match="a processor's memory is not connected to designs: generate it without"
    ):
        vivado_designs.zynq_files(boards.find("kv260"), streamed(), mhz=100, **SOURCES)
