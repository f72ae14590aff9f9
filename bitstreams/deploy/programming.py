"""Loads a bitstream into a board over JTAG.

Two programs can load: openFPGALoader, which needs nothing of the vendor, and Vivado through its hardware
server, which needs the folder that Vivado built in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bitstreams import boards
from bitstreams.boards import Board
from bitstreams.plans.request import Progress
from bitstreams.tools import programs
from bitstreams.tools.execution import because, execute
from hw.util import quote
from hw.util.errors import ArtifactError, ConfigError, ToolFailed
from hw.util.files import temporary

PROGRAMMERS = ("openfpgaloader", "vivado")

TIMEOUT = 600
"""Seconds that loading may take; JTAG needs up to a minute for the largest device."""

SUFFIX = ".bit"

SYNC = bytes.fromhex("AA995566")
"""What the devices synchronise to (AMD UG470, UG570: sync word), after a header and padding."""

FAIL = "SPEC2 FAIL "
"""How the scripts for Vivado begin the line of a failure."""

HEAD = 4096
"""Bytes in which it has to come: header and padding take a few hundred."""


def find_bitstream(build: Path | str) -> Path:
    """The bitstream in the folder that :func:`bitstreams.build.build` wrote, or the file itself.

    Raises ``ArtifactError`` when there is none, or more than one, or the file is something else.
    """
    path = Path(build)
    if path.suffix == SUFFIX and not path.is_file():
        raise ArtifactError(f"there is no bitstream {path}: build it with 'spec2 build'")
    if path.is_file():
        return _checked(path)
    found = sorted(path.glob("*.bit"))
    if len(found) != 1:
        what = f"are {len(found)} bitstreams" if found else "is no bitstream"
        raise ArtifactError(f"there {what} in {path}: name the file, or build it with 'spec2 build'")
    return _checked(found[0])


def _checked(path: Path) -> Path:
    if path.suffix != SUFFIX:
        raise ArtifactError(
            f"{path} is no bitstream, whose names end in {SUFFIX}: name one, or the folder that "
            "'spec2 build' wrote"
        )
    with path.open("rb") as file:
        head = file.read(HEAD)
    if SYNC not in head:
        raise ArtifactError(
            f"{path} is no bitstream: the word that every device waits for is not in its first {HEAD} bytes; "
            "build it again"
        )
    return path


def program(
    bitstream: Path | str,
    board: Board | str,
    *,
    programmer: str = "openfpgaloader",
    cable: str | None = None,
    flash: bool = False,
    progress: Progress | None = None,
) -> str:
    """Load ``bitstream`` into ``board``; returns the command that did it.

    cable: serial number of the JTAG adapter (openFPGALoader), or ``HOST:PORT`` of a hardware server (Vivado).
    flash: write the configuration memory, from which the board starts with its power; it takes minutes.
    Raises ``ToolNotFound`` without the program, ``ToolFailed`` with its reason, ``ConfigError`` for a flash
    that the programmer cannot write.
    """
    board = boards.find(board) if isinstance(board, str) else board
    if board.processor:
        raise ConfigError(
            f"the {board.name} is not loaded over JTAG, its processor does it: use --link pynq there"
        )
    path = find_bitstream(bitstream)
    if programmer == "openfpgaloader":
        command, folder = _loader(path, board, cable, flash), path.parent
    elif programmer == "vivado":
        command, folder = _vivado(path, cable, flash)
    else:
        raise ConfigError(f"there is no programmer {programmer!r}: known are {', '.join(PROGRAMMERS)}")
    if progress:
        progress("flash" if flash else "program")
    _run(command, folder, f"loading {path.name} into the {board.name}")
    return quote.shell(*command)


def _loader(path: Path, board: Board, cable: str | None, flash: bool) -> list[str]:
    if flash and board.flash and (board.flash.offset or len(board.flash.images) > 1):
        why = "holds the card's own design first" if board.flash.offset else "is a pair"
        raise ConfigError(
            f"the flash of the {board.name} {why}, which openFPGALoader would not know: "
            "use --programmer vivado"
        )
    options = [
        *board.loader,
        *(["--ftdi-serial", cable] if cable else []),
        *(["--write-flash"] if flash else []),
    ]
    return [*programs.loader(), *options, str(path.resolve())]


def _vivado(path: Path, server: str | None, flash: bool) -> tuple[list[str], Path]:
    """Vivado's command, and the folder of the plan that made the bitstream."""
    script = "flash.tcl" if flash else "program.tcl"
    folders = [path.parent, *sorted(child for child in path.parent.iterdir() if (child / script).is_file())]
    folder = next((folder for folder in folders if (folder / script).is_file()), None)
    if folder is None:
        raise ArtifactError(
            f"there is no {script} beside {path}: Vivado loads what it built itself, use openfpgaloader"
        )
    if (folder / path.name).read_bytes() != path.read_bytes():
        raise ArtifactError(f"{path} is not what lies in {folder}: build it again")
    batch = [str(programs.find("vivado").path), "-mode", "batch", "-nojournal", "-nolog", "-notrace"]
    options = ["-tclargs", "--server", server] if server else []
    return [*batch, "-source", script, *options], folder


def _run(command: Sequence[str], folder: Path, what: str) -> None:
    with temporary() as scratch:
        log = scratch / "log"
        code = execute(command, folder, log, timeout=TIMEOUT)
        text = log.read_text(encoding="utf-8", errors="replace")
    if code:
        raise ToolFailed(f"{what} failed: {_reason(text, code)}")


_LIBRARIES = "openFPGALoader needs libusb and libftdi1: 'apt install libusb-1.0-0 libftdi1-2'"

# What openFPGALoader 1.1.1 prints, and the codes of libftdi1 (ftdi_usb_open_desc_index) in it.
_ADVICE = (
    (r"error while loading shared libraries: lib(usb|ftdi)", _LIBRARIES),
    (r"unable to open ftdi device: -3\b", "there is no JTAG adapter: check the cable and the board's power"),
    (
        r"unable to open ftdi device: -4\b",
        "the JTAG adapter is there, but not yours to use: install openFPGALoader's udev rule "
        "(99-openfpgaloader.rules) and plug the adapter in again",
    ),
    (
        r"unable to open ftdi device: -5\b",
        "the JTAG adapter is in use: end the other program (Vivado's hw_server, another openFPGALoader)",
    ),
    (r"unable to open ftdi device|JTAG init failed", "no JTAG adapter answers: check cable and power"),
)


def _reason(log: str, code: int) -> str:
    """What to do about it, and what the program itself said, in one sentence."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[\d;]*m", "", log).splitlines() if line.strip()]
    for sign, advice in _ADVICE:
        said = next((line for line in lines if re.search(sign, line, re.I)), None)
        if said:
            return f"{advice} (it said: {said.rstrip('.')})"
    ours = [line.removeprefix(FAIL) for line in lines if line.startswith(FAIL)]
    blamed = [line for line in lines if re.search("error|fail", line, re.I)]
    last = (ours or blamed or lines or [""])[-1].rstrip(".")
    return f"{last} (it {because(code)})" if last and not ours else last or f"the program {because(code)}"
