"""The virtual board's program: the design, its serial shell and a main program of our own, by Verilator.

cocotb is not in it: it would call Python in every clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.compile.weight_stream import stream_ports
from hw.contract.config import STREAM_BITS
from hw.contract.design import DesignInfo
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
    shell in it was built for; 0 of a card, which has no serial port.
    """

    design_dir: Path
    executable: Path
    clocks_per_bit: int = 0


UART, PCIE = "uart", "pcie"
"""What a virtual board has towards its host."""


def transport_of(info: DesignInfo) -> str:
    """What a host reaches the design by, unless told otherwise: a serial port takes narrow streams alone, and
    loads weights a thousand times as slowly."""
    narrow = info.config.stream_bits == STREAM_BITS[0]
    return UART if narrow and not info.config.stream_weights else PCIE


def build_virtual(design_dir: Path | str, transport: str = "") -> VirtualBuild:
    """The virtual board of a design with ``transport``, by default the one that :func:`transport_of` says.

    Raises what :func:`build_board` and :func:`build_card` raise.
    """
    chosen = transport or transport_of(DesignInfo.load(design_dir))
    return build_board(design_dir) if chosen == UART else build_card(design_dir)


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
    files = {**verilog, **_harness("serial"), "ports.h": ports_header(read_ports, host_ports)}
    return VirtualBuild(design_dir, build_simulator(build_dir, TOP, files), clocks_per_bit)


def build_card(design_dir: Path | str, *, build_dir: Path | None = None) -> VirtualBuild:
    """Make the virtual card of a design, PCI Express and memory included; otherwise as :func:`build_board`.

    build_dir: where it is kept, by default ``sim_pcie`` in the design's folder.
    """
    from hw.emit import emit_module
    from hw.gateware.pcie import wrapper

    folder = Path(design_dir)
    info = load_design(folder)
    verilog = {
        "design.v": (folder / info.verilog).read_text(encoding="utf-8"),
        "wrapper.v": wrapper.wrapper(info),
        **{
            f"{name}.v": emit_module(part, name, ports) for name, (part, ports) in wrapper.parts(info).items()
        },
    }
    reads = stream_ports(info.config.memories) if info.config.stream_weights else ()
    files = {**verilog, **_harness("pcie"), "ports.h": ports_header(reads)}
    executable = build_simulator(build_dir or folder / "sim_pcie", wrapper.WRAPPER, files)
    return VirtualBuild(folder, executable)


def _harness(transport: str) -> dict[str, str]:
    """The C++ files of a program, text by name: its own, and those that all programs share."""
    folders = (HARNESS, HARNESS / transport)
    paths = [path for folder in folders for path in folder.iterdir() if path.suffix in (".h", ".cpp")]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}
