"""The link that a command asks for: to a board, or to a virtual one that it starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.commands.console import progress
from hw.commands.options import DEFAULT_BAUD
from hw.host import virtual_port
from hw.util.errors import ConfigError
from sim.commands.board import VIRTUAL_CARD, VIRTUAL_PORT

if TYPE_CHECKING:
    from bitstreams.links.pool.member import Member
    from hw.contract.design import DesignInfo
    from hw.host.driver import Driver
    from hw.host.weights import Loaded
    from sim.virtual.build import VirtualBuild


def loading(
    link: str, design: Path, info: DesignInfo, opened: Any
) -> Callable[[Driver], Awaitable[Loaded]] | None:
    """What puts the weights into a virtual board's memories, whose addresses are known; else None."""
    from bitstreams.links.opening import VIRTUAL

    prepare = _prepare(design, info) if link == VIRTUAL else None
    return None if prepare is None else lambda driver: prepare(driver, opened)


def _prepare(design: Path, info: DesignInfo) -> Callable[[Driver, Any], Awaitable[Loaded]] | None:
    """What loads a virtual board's memories through a link; None for a design that holds its weights."""
    from bitstreams.deploy.memories import load_weights
    from sim.virtual.memory import STRIDE

    if not info.config.stream_weights:
        return None
    bases = [i * STRIDE for i in range(info.config.memories)]
    return lambda driver, opened: load_weights(driver, opened, design, bases)


@contextmanager
def board_link(link: str, baud: int | None, design: Path) -> Iterator[Any]:
    """The link to a board; a virtual one that does not run yet is started, and ends with the link."""
    from bitstreams.links.opening import VIRTUAL, Address, open_link

    address = Address.parse(link)
    if address.kind != VIRTUAL:
        with open_link(address, baud or DEFAULT_BAUD) as opened:
            yield opened
        return
    with virtual_boards(design, 1) as (virtual,), virtual() as opened:
        yield opened


@contextmanager
def members(links: Sequence[str], baud: int | None, design: Path, info: DesignInfo) -> Iterator[list[Member]]:
    """Boards of a pool, in the order of ``links``. Virtual ones run until the end of the block, and get their
    weights before their first run. Raises ``ConfigError`` for a board that is named twice."""
    from bitstreams.links.opening import VIRTUAL, Address, open_link
    from bitstreams.links.pool.member import Member

    addresses = [Address.parse(link) for link in links]
    real = [link for link, address in zip(links, addresses, strict=True) if address.kind != VIRTUAL]
    if twice := [link for link in real if real.count(link) > 1]:
        raise ConfigError(f"--link {twice[0]} is there twice: name each board once")
    found: list[Member] = []
    with ExitStack() as stack:
        count = len(links) - len(real)
        virtual = iter(stack.enter_context(virtual_boards(design, count)) if count else ())
        for link, address in zip(links, addresses, strict=True):
            if address.kind == VIRTUAL:
                prepare = _prepare(design, info)
                found.append(Member(link, next(virtual), prepare))
            else:
                found.append(Member(link, partial(open_link, address, baud or DEFAULT_BAUD)))
        yield found


@contextmanager
def virtual_boards(
    design: Path, count: int, most_hz: int = 0
) -> Iterator[list[Callable[[], AbstractContextManager[Any]]]]:
    """What opens links to ``count`` virtual boards: the one that 'spec2 board' runs, if there is one, then
    others, which end with the block; ``most_hz``: of their clocks, as :class:`sim.virtual.board.VirtualBoard`
    takes it."""
    from sim.virtual.board import VirtualBoard
    from sim.virtual.build import PCIE, UART, build_virtual

    paths = {
        UART: (design / VIRTUAL_PORT,) * 2,
        PCIE: (design / VIRTUAL_CARD, design / f"{VIRTUAL_CARD}_user"),
    }
    running = [transport for transport, (_, first) in paths.items() if virtual_port.alive(first)]
    with progress("building the virtual board"):
        built = build_virtual(design, *running[:1])
    with ExitStack() as stack:
        where = [str(paths[running[0]][0])] if running else []
        while len(where) < count:
            where.append(stack.enter_context(VirtualBoard(built, most_hz=most_hz)).path)
        yield [partial(_opened, built, path) for path in where]


def _opened(built: VirtualBuild, path: str) -> AbstractContextManager[Any]:
    """The link to a virtual board at ``path``."""
    from bitstreams.links.serial import open_serial
    from bitstreams.links.serial_client import SIMULATED_SLACK
    from bitstreams.links.xdma import open_xdma
    from sim.virtual.board import CLOCK_HZ

    if built.clocks_per_bit:
        rate = CLOCK_HZ // built.clocks_per_bit
        return open_serial(path, rate, clock_hz=CLOCK_HZ, slack=SIMULATED_SLACK)
    return open_xdma(path)
