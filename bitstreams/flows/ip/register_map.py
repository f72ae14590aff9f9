"""The registers that a design has: the table of all (:mod:`hw.host_interface.registers`), and its own sizes.

Counters by layer end at the last layer of its network: beyond it there is nothing (SLVERR).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hw.contract.design import DesignInfo
from hw.host_interface import registers
from hw.host_interface.registers import ADDRESS_BITS, Access, Field, Register

SPAN = 1 << ADDRESS_BITS
"""Bytes that they take."""

WORD = 32
"""Bits of a register."""


@dataclass(frozen=True)
class Element:
    """A register by itself: of an array, ``number`` is its index there."""

    register: Register
    number: int

    @property
    def name(self) -> str:
        """``BATCH``, or ``DIGEST_3`` of an array."""
        return self.register.name + (f"_{self.number}" if self.register.count > 1 else "")

    @property
    def address(self) -> int:
        """In bytes."""
        return self.register.address(self.number)


def of_design(info: DesignInfo) -> list[Register]:
    """The registers of a design, by ascending offset."""
    layers = len(info.network.layers)
    return [
        replace(register, count=layers) if register in registers.LAYER_COUNTERS else register
        for register in registers.TABLE
    ]


def elements(info: DesignInfo) -> Iterator[Element]:
    """Every one of them, arrays taken apart."""
    for register in of_design(info):
        for number in range(register.count):
            yield Element(register, number)


def fields(register: Register) -> tuple[Field, ...]:
    """Its fields; of a register that is one number, that."""
    return register.fields or (Field("value", 0, WORD, register.doc),)


def constants(info: DesignInfo) -> dict[str, int]:
    """What registers read that never change, by the names of :class:`Element`."""
    layers = len(info.network.layers)
    config = info.config
    shape = registers.SHAPE.pack(rows=config.rows, lanes=config.lanes, batch=config.batch, layers=layers)
    found = {"ID": registers.MAGIC, "VERSION": registers.HARDWARE_VERSION, "SHAPE": shape}
    digest = registers.digest_words(info.accelerator)
    return found | {f"DIGEST_{number}": word for number, word in enumerate(digest)}


def readable(register: Register) -> bool:
    """Whether reading it tells something; of a pulse it is zero."""
    return register.access is not Access.PULSE


def writable(register: Register) -> bool:
    """Whether writing it does something."""
    return register.access is not Access.READ
