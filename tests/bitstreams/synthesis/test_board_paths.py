"""What limits the clock of whole tops: LeNet behind the serial port of every 7-series board.

The accelerator is mapped once, the shell around it for every board; then both are joined and looked at as
one, since paths and nets go through.
"""

import pytest

from bitstreams import boards
from bitstreams.shell.top import TOP, emit_shell
from bitstreams.synthesis import netlist, yosys
from bitstreams.synthesis.paths import HOST_LOADS, excesses
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import lenet
from hw.generate import generate

MAP = "synth_xilinx -family xc7 -top {top} -noiopad -noclkbuf"
ACCELERATOR = f"read_verilog spec2.v; {MAP}; write_rtlil -selected mapped.il".format(top="spec2")
AROUND = (
    f"; design -reset; read_verilog -lib spec2.v; read_verilog {{name}}.v; {MAP}; "
    "delete =spec2* =A:blackbox %i; read_rtlil mapped.il; hierarchy -check -top {top}; flatten; opt_clean; "
    "write_json {name}.json"
)
TIMEOUT = 1800


@pytest.mark.slow
def test_no_board_has_long_paths_or_wide_nets(tmp_path):
    """No net of any kind has more than the loads that are allowed to resets and between host and core."""
    folder, config = tmp_path / "design", AcceleratorConfig(8, 4, 4)
    info = generate(random_artifact(lenet(), seed=1, kind="adaptive"), config, folder)
    # A board without a platform is run by its processor, and has no shell.
    script = ACCELERATOR
    names = [name for name, board in boards.BOARDS.items() if board.family == "xc7" and board.platform]
    for name in names:
        board = boards.find(name)
        (folder / f"{name}.v").write_text(emit_shell(board, info, board.clock, board.baud).verilog)
        script += AROUND.format(name=name, top=TOP)
    yosys._run(folder, script, folder / yosys.LOG, TIMEOUT, None)
    assert len(names) == 7
    for name in names:
        found = excesses(netlist.read(folder / f"{name}.json", netlist.Netlist), TOP, loads=HOST_LOADS)
        assert found == [], name
