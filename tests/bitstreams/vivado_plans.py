"""Plans for Vivado of small designs: behind a serial port, PCI Express, or beside a processor."""

from functools import cache

from bitstreams import boards
from bitstreams.flows import vivado_designs
from bitstreams.shell.block import emit_block_shell
from tests.bitstreams.vivado_design import design, streamed

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
    return vivado_designs.uart_files(
        boards.find(board), top="board", mhz=200, constraints={"board.xdc": XDC}, **sources
    )


@cache
def pcie(board="vc709", mhz=200, memories=1):
    """The plan of a design that reads its weights from so many memories."""
    info = streamed(memories) if memories else design()
    return vivado_designs.pcie_files(boards.find(board), info, mhz=mhz, **SOURCES)


@cache
def serial_memory(board="genesys2", memories=1, mhz=0):
    """The plan of a design behind a serial port that reads its weights from so many memories."""
    chosen, info = boards.find(board), streamed(memories)
    shell = emit_block_shell(chosen, info, round(mhz * 1e6) or chosen.clock, chosen.baud)
    verilog = {**SOURCES["verilog"], "shell.v": shell.verilog}
    sources = {**SOURCES, "verilog": verilog}
    return vivado_designs.memory_files(chosen, info, mhz=shell.clock_hz / 1e6, **sources)


def zynq():
    """The plan of a design beside a processor."""
    return vivado_designs.zynq_files(boards.find("pynq_z2"), design(), mhz=100, **SOURCES)
