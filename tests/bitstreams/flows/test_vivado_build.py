"""Scripts that build a bitstream, in a Tcl interpreter that records Vivado's commands."""

import re
from dataclasses import replace

import pytest

from bitstreams import boards
from bitstreams.flows import vivado_designs
from bitstreams.shell import constraints as shell_constraints
from hw.contract.config import AcceleratorConfig
from hw.gateware.pcie import wrapper
from hw.util.errors import ConfigError
from tests.bitstreams.vivado_design import STREAM, design
from tests.bitstreams.vivado_plans import SHELL, SOURCES, XDC, pcie, uart, zynq
from tests.bitstreams.vivado_run import run, unpack

STAGES = ["synth_design", "opt_design", "place_design", "phys_opt_design", "route_design", "phys_opt_design"]


@pytest.fixture(params=["uart", "pcie"])
def folder(request, tmp_path):
    """An unpacked plan of either transport."""
    return unpack(uart() if request.param == "uart" else pcie(), tmp_path / "a plan")


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


def test_refuses_unknown_arguments_ports_and_boards(folder):
    assert "unknown argument --fast" in run(folder, "build.tcl", "--fast").output
    with pytest.raises(ConfigError, match="genesys2 has no PCI Express shell"):
        pcie("genesys2")
    with pytest.raises(ConfigError, match="port 'm_video_tdata'"):
        wrapper.wrapper(design(m_video=STREAM))
    with pytest.raises(ConfigError, match="s_axis_tdata, m_axis_tdata of the design is not 64 bits wide"):
        wrapper.wrapper(replace(design(), config=AcceleratorConfig(stream_bits=64)))
    with pytest.raises(ConfigError, match="no m_axis port"):
        info = design()
        rest = {name: width for name, width in info.ports.items() if not name.startswith("m_axis")}
        wrapper.wrapper(replace(info, ports=rest))


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
    plan = vivado_designs.uart_files(
        boards.find("vc709"),
        top="board",
        mhz=200,
        constraints={"board.xdc": XDC.replace("5.0", "6.0")},
        verilog={**SOURCES["verilog"], "shell.v": SHELL},
        images=SOURCES["images"],
    )
    result = run(unpack(plan, folder), "build.tcl")
    assert result.names(*STAGES) == STAGES and "RESUME" not in result.output


def test_cards_stop_where_they_get_hot_whatever_the_transport():
    for text in (
        vivado_designs.pcie_constraints(boards.find("u250")),
        shell_constraints.vivado(boards.find("u250")),
    ):
        assert "set_property BITSTREAM.CONFIG.OVERTEMPSHUTDOWN ENABLE [current_design]" in text
        assert "set_property CONFIG_VOLTAGE 1.8 [current_design]" in text and "CFGBVS" not in text
    assert "OVERTEMP" not in vivado_designs.pcie_constraints(boards.find("vc709"))
    assert "set_property CFGBVS GND [current_design]" in vivado_designs.pcie_constraints(boards.find("vc709"))
