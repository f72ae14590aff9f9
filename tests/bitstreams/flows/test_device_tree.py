"""The device-tree overlay: it says what the table says, compiles, and fits the trees of Linux."""

import re
import shutil
import subprocess

import pytest

from bitstreams import boards
from bitstreams.flows import device_tree, vivado_designs
from bitstreams.flows.processors import PROCESSORS, WINDOWS
from bitstreams.links import pynq
from tests.bitstreams.vivado_design import design

ZYNQ = [name for name, board in boards.BOARDS.items() if board.processor]

BASES = {
    "pynq_z2": """\
/dts-v1/;
/ {
  #address-cells = <1>; #size-cells = <1>;
  fpga_full: fpga-full { compatible = "fpga-region"; };
  intc: interrupt-controller { #interrupt-cells = <3>; interrupt-controller; };
  clkc: clkc { #clock-cells = <1>; };
  amba: axi { #address-cells = <1>; #size-cells = <1>; ranges; compatible = "simple-bus"; };
};
""",
    "kv260": """\
/dts-v1/;
/ {
  #address-cells = <2>; #size-cells = <2>;
  fpga_full: fpga-full { compatible = "fpga-region"; };
  gic: interrupt-controller { #interrupt-cells = <3>; interrupt-controller; };
  zynqmp_clk: clock-controller { #clock-cells = <1>; };
  amba: axi { #address-cells = <2>; #size-cells = <2>; ranges; compatible = "simple-bus"; };
};
""",
}
"""What an overlay needs of the tree that a board boots with: labels of zynq-7000.dtsi and zynqmp.dtsi."""


def text(board):
    return device_tree.overlay(boards.find(board), design())


def node(board, window):
    """The lines of a window's node."""
    found = re.search(rf"^\tspec2_{window.cell}: .*?^\t}};$", text(board), re.M | re.S)
    return found[0]


@pytest.mark.parametrize("board", ZYNQ)
@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.cell)
def test_every_window_has_a_node_at_its_address(board, window):
    it = PROCESSORS[boards.find(board).processor]
    address, lines = it.base + window.offset, node(board, window)
    high = "0x0 " if it.cells == 2 else ""
    assert f"@{address:x} {{" in lines
    assert f"\treg = <{high}0x{address:x} {high}0x{window.bytes:x}>;" in lines
    assert len(re.findall("interrupts =", lines)) == len(window.interrupts)


@pytest.mark.parametrize(("board", "numbers"), [("pynq_z2", [29, 30, 31]), ("kv260", [89, 90, 91])])
def test_interrupts_are_the_first_shared_ones_of_the_logic(board, numbers):
    """UG585: IRQ_F2P begins at 61; UG1085: pl_ps_irq0 at 121. Shared ones are counted from 32."""
    found = [int(number) for number in re.findall(r"interrupts = <0 (\d+) 4>", text(board))]
    assert found == numbers and numbers[0] + 32 in (61, 121)


def test_it_is_part_of_the_plan_and_pynq_does_not_find_it():
    """PYNQ inserts what is called like the bitstream."""
    plan = vivado_designs.zynq_files(
        boards.find("kv260"), design(), mhz=100, verilog={"spec2.v": "module spec2; endmodule"}, images={}
    )
    assert plan[device_tree.FILE_NAME].decode() == text("kv260")
    assert not device_tree.FILE_NAME.startswith(pynq.BITSTREAM.removesuffix(".bit"))


def compiled(folder, name, source):
    """What ``dtc`` says of a source."""
    if not shutil.which("dtc"):
        pytest.skip(
            "dtc is not installed ('apt-get install device-tree-compiler'): the text alone is checked"
        )
    (folder / f"{name}.dts").write_text(source)
    done = said(folder, "dtc", "-@", "-I", "dts", "-O", "dtb", "-o", f"{name}.dtb", f"{name}.dts")
    assert done.returncode == 0, done.stderr
    return done.stderr


def said(folder, *command):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def applied(folder):
    return said(folder, "fdtoverlay", "-i", "base.dtb", "-o", "both.dtb", "overlay.dtb")


@pytest.mark.parametrize("board", ZYNQ)
def test_it_compiles_and_applies_to_the_tree_of_a_board(board, tmp_path):
    assert compiled(tmp_path, "overlay", text(board)) == "", "no warning"
    compiled(tmp_path, "base", BASES[board])
    done = applied(tmp_path)
    assert done.returncode == 0, done.stderr
    it = PROCESSORS[boards.find(board).processor]

    def got(path, name):
        return said(tmp_path, "fdtget", "both.dtb", path, name).stdout.split()

    assert got("/fpga-full", "firmware-name") == [device_tree.FIRMWARE]
    dma, accelerator = f"/axi/dma-controller@{it.base + 0x2000:x}", f"/axi/accelerator@{it.base:x}"
    assert got(dma, "compatible") == ["xlnx,axi-dma-1.00.a"] and len(got(dma, "clock-names")) == 3
    high = [] if it.cells == 1 else ["0"]
    assert got(dma, "reg") == [*high, str(it.base + 0x2000 - (it.base >> 31 << 32)), *high, "4096"]
    controller = got(*got("/__symbols__", it.controller), "phandle")
    assert controller and got(accelerator, "interrupt-parent") == controller
    assert got(f"{dma}/s2mm-channel", "interrupts") == ["0", str(it.first_interrupt + 2), "4"]


def test_a_label_that_a_board_does_not_have_would_be_seen(tmp_path):
    """As of an overlay for another board."""
    compiled(tmp_path, "overlay", text("kv260"))
    compiled(tmp_path, "base", BASES["pynq_z2"])
    assert applied(tmp_path).returncode != 0
