"""What limits the clock of whole tops: LeNet on every board, and a slice of VGG16.

The accelerator is mapped once for a family and a width of streams, the shell around it for every board; then
both are joined and looked at as one: paths and nets go through.
"""

import pytest

from bitstreams import boards
from bitstreams.flows import vivado
from bitstreams.shell import top
from bitstreams.synthesis import netlist, yosys
from bitstreams.synthesis.paths import HOST_LOADS, excesses
from hw.contract.artifact import random_artifact
from hw.contract.config import STREAM_BITS, AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import lenet
from hw.gateware.pcie import wrapper
from hw.generate import generate

MAP = "synth_xilinx -family {family} -top {top} -noiopad -noclkbuf"
ACCELERATOR = f"read_verilog spec2.v; {MAP}; write_rtlil -selected mapped.il"
AROUND = (
    f"; design -reset; read_verilog -lib spec2.v; read_verilog {{name}}.v; {MAP}; "
    "delete =spec2* =A:blackbox %i; read_rtlil mapped.il; hierarchy -check -top {top}; flatten; opt_clean; "
    "write_json {name}.json"
)
TIMEOUT = 1800


def serial(info, board):
    """The shell of ``board``, and its top."""
    return top.emit_shell(board, info, board.clock, board.baud).verilog, top.TOP


def pcie(info, _board):
    """What lies between PCI Express and the accelerator, the same on every board."""
    texts = [wrapper.wrapper(info), *vivado.shell_modules(info).values()]
    return "\n".join(texts), wrapper.WRAPPER


def tops():
    """(family, width of streams, shell): which boards have it."""
    found = {}
    for board in boards.BOARDS.values():
        found.setdefault((board.family, STREAM_BITS[0], serial), []).append(board)
        if board.pcie:
            found.setdefault((board.family, board.stream_bits, pcie), []).append(board)
    return found


def exceeded(folder, family, shells):
    """What exceeds the limits in a design with each of ``shells`` around it: name to (Verilog, top)."""
    script = ACCELERATOR.format(family=family, top=DesignInfo.load(folder).top)
    for name, (text, around) in shells.items():
        (folder / f"{name}.v").write_text(text)
        script += AROUND.format(name=name, family=family, top=around)
    yosys._run(folder, script, folder / yosys.LOG, TIMEOUT, None)
    mapped = {name: netlist.read(folder / f"{name}.json", netlist.Netlist) for name in shells}
    return {name: excesses(mapped[name], around, loads=HOST_LOADS) for name, (_, around) in shells.items()}


def test_every_board_is_looked_at():
    assert sum(map(len, tops().values())) == len(boards.BOARDS) + sum(
        bool(b.pcie) for b in boards.BOARDS.values()
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "bits", "shell"),
    [pytest.param(*key, id=f"{key[0]}-{key[1]}-{key[2].__name__}") for key in tops()],
)
def test_no_board_has_long_paths_or_wide_nets(tmp_path, family, bits, shell):
    config = AcceleratorConfig(8, 4, 4, stream_bits=bits)
    info = generate(random_artifact(lenet(), seed=1, kind="adaptive"), config, tmp_path / "design")
    shells = {board.name: shell(info, board) for board in tops()[family, bits, shell]}
    if shell is pcie:  # one is like the other
        shells = dict(list(shells.items())[:1])
    found = exceeded(tmp_path / "design", family, shells)
    assert found == {name: [] for name in found}
