"""A link from what the user writes: ``uart:/dev/ttyUSB0``, ``xdma:/dev/xdma0`` or ``virtual``.

Kinds of links are found by scan: every module of this folder that has a row ``LINK`` is one.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from bitstreams import links
from bitstreams.links.kind import LinkKind
from hw.host.link import Link
from hw.util.errors import ConfigError

VIRTUAL = "virtual"
"""A board that no file of this folder reaches: it is started first (:mod:`sim.virtual`)."""


@cache
def kinds() -> dict[str, LinkKind]:
    """Every kind of link by name, in the order of their files."""
    modules = [import_module(f"{links.__name__}.{found.name}") for found in iter_modules(links.__path__)]
    rows = [module.LINK for module in modules if hasattr(module, "LINK")]
    return {kind.name: kind for kind in rows}


@dataclass(frozen=True)
class Address:
    """Where a board is. kind: a name of :func:`kinds`, or VIRTUAL. path: the port, or the devices' prefix."""

    kind: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``KIND:PATH``. Raises ``ConfigError`` for anything else."""
        if text == VIRTUAL:
            return cls(text)
        name, _, path = text.partition(":")
        kind = kinds().get(name)
        if kind and (path or kind.default):
            return cls(name, path or kind.default)
        known = ", ".join(f"{k.name}:{k.path} ({k.name}:{k.example})" for k in kinds().values())
        raise ConfigError(f"there is no link {text!r}: write {known} or {VIRTUAL}")

    def real(self) -> Address:
        """Itself. Raises ``ConfigError`` for a virtual board."""
        if self.kind == VIRTUAL:
            raise ConfigError(
                "a virtual board has no bitstream and is not deployed: start it with 'spec2 board'"
            )
        return self


def open_link(address: Address, baud: int) -> AbstractContextManager[Link]:
    """Open the link to the board at ``address``; ``baud`` is the bit rate of a serial port.

    Raises what :meth:`Address.real` and the kind's ``open`` raise.
    """
    real = address.real()
    return kinds()[real.kind].open(real.path, baud)
