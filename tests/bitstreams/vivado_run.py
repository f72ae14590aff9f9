"""Runs a plan's Tcl under a plain interpreter, every command of Vivado recorded (``tcl/recorder.tcl``)."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

RECORDER = Path(__file__).parent / "tcl" / "recorder.tcl"

_ALVEO = "pci_express_x16 pcie_refclk pcie_perstn resetn " + " ".join(
    f"ddr4_sdram_c{i} default_300mhz_clk{i}" for i in range(4)
)
INTERFACES = {
    "genesys2": "ddr3_sdram sys_diff_clock reset",
    "vc707": "ddr3_sdram sys_diff_clock reset",
    "kc705": "pci_express_x8 pcie_refclk pcie_perstn ddr3_sdram sys_diff_clock reset",
    "vc709": "pci_express_x8 pcie_refclk pcie_perstn ddr3_sdram_socket_j1 ddr3_sdram_socket_j3 "
    "ddr3_sdram_socket_j1_j3 sys_diff_clock sys_diff_clock_233 reset",
    "vcu118": "pci_express_x8 pci_express_x16 pcie_refclk pcie_perstn ddr4_sdram_c1_062 ddr4_sdram_c2_062 "
    "default_250mhz_clk1 default_250mhz_clk2 reset",
    "u200": _ALVEO,
    "u250": _ALVEO,
}
"""What the board files have of what the plans use, by board."""

POLARITIES = {
    "genesys2": {"button_polarity": "ACTIVE_LOW", "reset_polarity": "ACTIVE_LOW"},
    "u200": {"button_polarity": "ACTIVE_LOW"},
    "u250": {"button_polarity": "ACTIVE_LOW"},
}
"""Of the button, and of the reset that the preset of a controller has; high where nothing stands here."""

BOARD_PARTS = (
    "xilinx.com:vc707:part0:1.4 xilinx.com:vc709:part0:1.8 xilinx.com:vc709:part0:1.10 "
    "xilinx.com:vcu118:part0:2.4 xilinx.com:kc705:part0:1.6 xilinx.com:au200:part0:1.3 "
    "xilinx.com:au250:part0:1.3 tul.com.tw:pynq-z2:part0:1.0 xilinx.com:kv260_som:part0:1.3 "
    "xilinx.com:kv260_som:part0:1.4 digilentinc.com:genesys2:part0:1.1"
)

# A Tcl interpreter without Tk, in a process of its own because scripts end it.
TKINTER = """
import sys, tkinter
tcl = tkinter.Tcl()
tcl.setvar("argv", tcl.call("list", *sys.argv[2:]))
tcl.eval(f"source {{{sys.argv[1]}}}")
"""


def interpreter() -> list[str]:
    """The command of a Tcl interpreter; skips the test when there is none."""
    if tclsh := shutil.which("tclsh"):
        return [tclsh]
    pytest.importorskip("tkinter", reason="neither tclsh nor Python's tkinter is installed")
    return [sys.executable, "-c", TKINTER]


@dataclass(frozen=True)
class Run:
    """What a script did: its exit code, its output, and the commands it gave to Vivado."""

    code: int
    output: str
    errors: str
    calls: list[tuple[str, ...]]

    def names(self, *wanted: str) -> list[str]:
        """The names of the commands in order, only those of ``wanted``."""
        return [call[0] for call in self.calls if call[0] in wanted]

    def of(self, name: str) -> list[tuple[str, ...]]:
        """Arguments of every call of ``name``."""
        return [call[1:] for call in self.calls if call[0] == name]


def unpack(plan: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in plan.items():
        (folder / name).write_bytes(content)
    return folder


def run(folder: Path, script: str, *arguments: str, board: str = "vc709", **fakes: object) -> Run:
    """Run a script of the plan in ``folder``; ``fakes`` say what Vivado answers."""
    answers = {"interfaces": INTERFACES.get(board, ""), "board_parts": BOARD_PARTS}
    answers |= POLARITIES.get(board, {}) | fakes
    lines = [f"set fake({name}) {{{value}}}" for name, value in answers.items()]
    fake, record = folder / "fakes", folder / "record"
    fake.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [*interpreter(), str(RECORDER), str(fake), str(record), str(folder / script), *arguments],
        capture_output=True,
        text=True,
        env={"PATH": ""},
        cwd=folder.parent,
        timeout=60,
    )
    assert done.returncode != 99, done.stderr
    records = record.read_text().split("\x1e")[:-1]
    return Run(done.returncode, done.stdout, done.stderr, [tuple(text.split("\x1f")) for text in records])
