"""A build into a board, and the check that the accelerator in it is the right one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bitstreams import boards
from bitstreams.boards import Board
from bitstreams.boards.board import PCIE
from bitstreams.deploy.programming import SUFFIX, find_bitstream, program
from bitstreams.plans.manifest import Manifest
from bitstreams.plans.request import Progress
from hw.contract.design import DesignInfo
from hw.host.driver import Driver
from hw.host.link import Link
from hw.host.weights import Loaded
from hw.util.errors import ArtifactError, ConfigError, DigestMismatch, LinkError

OPEN_ATTEMPTS = 3
"""Times a freshly loaded accelerator is asked who it is: its clock may take a moment to lock."""


@dataclass(frozen=True)
class Deployed:
    """A board that runs the design. program: what loaded it, as a command; empty where it was there, or the
    link did.
    weights: what went into the board's memories, None where the design reads none."""

    board: str
    bitstream: Path
    program: str
    digest: str
    weights: Loaded | None = None


async def verify(
    link: Link, info: DesignInfo, *, wait: Callable[[], Awaitable[None]] | None = None
) -> Driver:
    """Read ID and DIGEST through ``link`` and refuse what is not the design of ``info``; a driver for it.

    ``wait`` is awaited between attempts. Raises ``DigestMismatch`` for other weights, ``LinkError`` when
    nothing, or something else, answers.
    """
    for attempt in range(1, OPEN_ATTEMPTS + 1):
        try:
            driver = Driver(link, info)
            await driver.connect()
            break
        except LinkError:
            if attempt == OPEN_ATTEMPTS:
                raise
            if wait:
                await wait()
    return driver


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
    if manifest.artifact != info.accelerator:
        raise DigestMismatch(
            f"the bitstream in {folder} was built from artifact {manifest.artifact[:8]}…, not from "
            f"{info.accelerator[:8]}…: build the design that you deploy"
        )


async def deploy(
    build: Path | str,
    info: DesignInfo,
    board: Board | str,
    connect: Callable[[], Link],
    *,
    load: Callable[[Driver, Link], Awaitable[Loaded]] | None = None,
    weights_only: bool = False,
    link_loads: bool = False,
    programmer: str = "openfpgaloader",
    cable: str | None = None,
    flash: bool = False,
    progress: Progress | None = None,
    wait: Callable[[], Awaitable[None]] | None = None,
) -> Deployed:
    """Load the build of ``info`` into ``board`` and check that it runs there.

    ``connect`` opens the link to the board; it is called when the bitstream is in. ``load`` puts the weights
    into its memories then. ``weights_only``: the bitstream is in already. ``link_loads``: ``connect`` puts it
    there, on a board with a processor. Raises ``ConfigError`` where it cannot, and what
    :func:`check_manifest`, :func:`program`, ``connect``, :func:`verify` and ``load`` raise.
    """
    board = boards.find(board) if isinstance(board, str) else board
    bitstream = find_bitstream(build)
    check_manifest(build, info, board)
    command = ""
    if link_loads and not board.processor:
        raise ConfigError(
            f"the {board.name} has no processor that loads its bitstream: use --link "
            f"{' or '.join(name.replace(PCIE, 'xdma') for name in board.transports)}"
        )
    if link_loads and flash:
        raise ConfigError(
            f"the {board.name} has no flash of the logic's own, its processor loads it: leave --flash out"
        )
    if not weights_only and not link_loads:
        command = program(
            bitstream, board, programmer=programmer, cable=cable, flash=flash, progress=progress
        )
    if progress:
        progress("connect")
    link = connect()
    driver = await verify(link, info, wait=wait)
    weights = await load(driver, link) if load else None
    return Deployed(board.name, bitstream, command, info.digest, weights)
