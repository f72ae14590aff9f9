"""The virtual board's program: the design, its serial shell and a main program of our own, by Verilator.

cocotb is not in it: it would call Python in every clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.host_interface.protocol import MIN_CLOCKS_PER_BIT
from hw.serial_design import TOP, emit_serial, memory_ports
from sim.rtl import load_design
from sim.rtl.verilate import build_simulator
from sim.virtual.memory import ports_header

HARNESS = Path(__file__).parent / "harness"


@dataclass(frozen=True)
class VirtualBuild:
    """A built virtual board.

    design_dir: where it runs and finds the memory images. executable: the program. clocks_per_bit: what the
    shell in it was built for.
    """

    design_dir: Path
    executable: Path
    clocks_per_bit: int


def build_board(
    design_dir: Path | str, clocks_per_bit: int = MIN_CLOCKS_PER_BIT, *, build_dir: Path | None = None
) -> VirtualBuild:
    """Make the virtual board of a design, or take the one made before from the same Verilog.

    clocks_per_bit: few make it fast, a board has more. build_dir: where it is kept, by default
    ``sim_virtual`` in the design's folder.
    Raises ``ArtifactError`` without a design, ``ConfigError`` for too few clocks per bit,
    ``ToolNotFound`` and ``ToolFailed`` as from :func:`sim.rtl.verilate.build_simulator`.
    """
    folder = Path(design_dir)
    info = load_design(folder)
    verilog = {
        "design.v": (folder / info.verilog).read_text(encoding="utf-8"),
        "serial.v": emit_serial(info, clocks_per_bit),
    }
    read, host = memory_ports(info)
    target = build_dir or folder / "sim_virtual"
    return build_serial(verilog, folder, target, clocks_per_bit, read_ports=read, host_ports=host)


def build_serial(
    verilog: Mapping[str, str],
    design_dir: Path,
    build_dir: Path,
    clocks_per_bit: int,
    *,
    read_ports: Sequence[str] = (),
    host_ports: Sequence[str] = (),
) -> VirtualBuild:
    """Make the virtual board of any module ``spec2_serial``; ``verilog`` is text by file name.

    read_ports, host_ports: names of its AXI4 ports to memory (:func:`sim.virtual.memory.ports_header`).
    """
    harness = [*HARNESS.glob("*.cpp"), *HARNESS.glob("*.h")]
    files = {**verilog, **{path.name: path.read_text(encoding="utf-8") for path in harness}}
    files["ports.h"] = ports_header(read_ports, host_ports)
    return VirtualBuild(design_dir, build_simulator(build_dir, TOP, files), clocks_per_bit)
