"""The files of a Vivado plan: scripts, those beside this module in ``tcl/``, and ``settings.tcl``, which has
all that differs between designs and boards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.resources import files as resources

from bitstreams.boards import Board
from bitstreams.boards.board import PCIE, UART, ZYNQ, Flash
from bitstreams.plans.plan import combined
from hw.util import quote

_ALWAYS = ("build.tcl", "common.tcl", "versions.tcl", "verilog.tcl")

_JTAG = ("program.tcl", "flash.tcl", "hardware.tcl")
"""What loads a device that no processor loads."""

_TO_MEMORY = ("board.tcl", "dram.tcl", "memory.tcl")

_PLAIN = ("synth_uart.tcl", *_JTAG)

_OF_BLOCK = {
    UART: ("synth_block.tcl", "block.tcl", "uart.tcl", *_TO_MEMORY, *_JTAG),
    PCIE: ("synth_block.tcl", "block.tcl", "pcie.tcl", *_TO_MEMORY, *_JTAG),
    ZYNQ: ("synth_block.tcl", "block.tcl", "zynq.tcl"),
}
"""Scripts by the transport of a block design."""

Texts = Mapping[str, str]
"""File names to contents."""


def plan_files(
    board: Board,
    transport: str,
    top: str,
    mhz: float,
    verilog: Texts,
    images: Texts,
    constraints: Texts,
    block: Mapping[str, str | Iterable[str]] | None = None,
) -> dict[str, bytes]:
    """Everything that Vivado needs for module ``top`` at a clock of ``mhz``.

    ``images`` are contents of memories. block: settings of a block design around ``top``; without them it is
    plain Verilog.
    """
    scripts = [*_ALWAYS, *(_PLAIN if block is None else _OF_BLOCK[transport])]
    texts = combined(verilog, images, constraints, {name: script(name) for name in scripts})
    plan = {name: text.encode() for name, text in texts.items()}
    settings: dict[str, str | Iterable[str]] = {
        "board": board.name,
        "part": board.part,
        "transport": transport,
        "synthesis": "uart" if block is None else "block",
        "top": top,
        "mhz": f"{mhz:.3f}",
        "verilog": verilog,
        "images": images,
        "constraints": constraints,
        **_flash(board.flash),
        **(block or {}),
    }
    # Checkpoints are stamped with what they were made from: these files and settings.
    text = _settings(settings)
    stamp = _digest({**plan, "settings.tcl": text.encode()})
    plan["settings.tcl"] = (text + _settings({"inputs": stamp})).encode()
    return plan


def _flash(flash: Flash | None) -> dict[str, str | Iterable[str]]:
    if flash is None:
        return {"flash_interface": ""}
    return {
        "flash_interface": flash.interface,
        "flash_mbytes": str(flash.mbytes),
        "flash_offset": f"0x{flash.offset:08X}",
        "flash_parts": [name for name in (flash.name, flash.alias) if name],
    }


def script(name: str) -> str:
    """The text of one of the Tcl files beside this module."""
    return resources("bitstreams.flows").joinpath("tcl", name).read_text(encoding="utf-8")


def _settings(values: Mapping[str, str | Iterable[str]]) -> str:
    """Tcl that sets ``settings(name)`` to a word or a list of words."""
    lines = []
    for name, value in values.items():
        word = quote.tcl(value) if isinstance(value, str) else quote.tcl_list(value)
        lines.append(f"set settings({name}) {word}\n")
    return "".join(lines)


def _digest(plan: Mapping[str, bytes]) -> str:
    sha = hashlib.sha256()
    for name in sorted(plan):
        sha.update(f"{name}:{len(plan[name])}:".encode())
        sha.update(plan[name])
    return sha.hexdigest()
