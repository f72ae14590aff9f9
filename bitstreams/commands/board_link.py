"""The link that a command asks for: to a board, or to a virtual one that it starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.commands.console import progress
from hw.commands.options import DEFAULT_BAUD
from hw.host import virtual_port
from sim.commands.board import VIRTUAL_CARD, VIRTUAL_PORT

if TYPE_CHECKING:
    from hw.contract.design import DesignInfo
    from hw.host.driver import Driver
    from hw.host.weights import Loaded
    from sim.virtual.build import VirtualBuild


def loading(
    link: str, design: Path, info: DesignInfo, opened: Any
) -> Callable[[Driver], Awaitable[Loaded]] | None:
    """What puts the weights into a virtual board's memories, whose addresses are known; else None."""
    from bitstreams.deploy.memories import load_weights
    from bitstreams.links.opening import VIRTUAL
    from sim.virtual.memory import STRIDE

    if link != VIRTUAL or not info.config.stream_weights:
        return None
    bases = [i * STRIDE for i in range(info.config.memories)]
    return lambda driver: load_weights(driver, opened, design, bases)


@contextmanager
def board_link(link: str, baud: int | None, design: Path) -> Iterator[Any]:
    """The link to a board; a virtual one that does not run yet is started, and ends with the link."""
    from bitstreams.links.opening import VIRTUAL, Address, open_link
    from sim.virtual.build import PCIE, UART, build_virtual

    address = Address.parse(link)
    if address.kind != VIRTUAL:
        with open_link(address, baud or DEFAULT_BAUD) as opened:
            yield opened
        return
    from sim.virtual.board import VirtualBoard

    paths = {
        UART: (design / VIRTUAL_PORT,) * 2,
        PCIE: (design / VIRTUAL_CARD, design / f"{VIRTUAL_CARD}_user"),
    }
    running = [transport for transport, (_, first) in paths.items() if virtual_port.alive(first)]
    with progress("building the virtual board"):
        built = build_virtual(design, *running[:1])
    with ExitStack() as stack:
        if running:
            where = str(paths[running[0]][0])
        else:
            where = stack.enter_context(VirtualBoard(built)).path
        yield stack.enter_context(_opened(built, where))


def _opened(built: VirtualBuild, path: str) -> AbstractContextManager[Any]:
    """The link to a virtual board at ``path``."""
    from bitstreams.links.serial import open_serial
    from bitstreams.links.xdma import open_xdma
    from sim.virtual.board import CLOCK_HZ

    if built.clocks_per_bit:
        return open_serial(path, CLOCK_HZ // built.clocks_per_bit, clock_hz=CLOCK_HZ)
    return open_xdma(path)
