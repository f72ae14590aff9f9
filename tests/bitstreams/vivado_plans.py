"""Plans for Vivado of small designs: behind a serial port, PCI Express, or beside a processor."""

from functools import cache

from bitstreams import boards
from bitstreams.flows import vivado
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
