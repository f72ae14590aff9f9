"""One of many words by its number, a register after every few: no path from hundreds of sources to the host.

Words are leaves of a tree. A node chooses among eight by three bits of the number, of which it has a copy of
its own: what drives a node's 32 multiplexers drives no other's.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth import C, Cat, Module, Signal
from amaranth.hdl import Value

from hw.gateware.primitives.delay import replicate

LEVELS = (3, 3)
"""Bits of the number that the nodes of each level choose by; the last choice takes those that are left."""

CLOCKS = 1 + len(LEVELS)
"""From a number to :func:`select`'s choice: the copies, and a register behind each level."""


def select(m: Module, number: Signal, words: Mapping[int, Value]) -> Signal:
    """The word of ``number``, with a one above its 32 bits; zero for a number that has none. It is there
    ``CLOCKS`` clocks after ``number`` was set, and holds what ``words`` were in the meantime.
    """
    found = {index: Cat(Cat(Value.cast(word), C(0, 32))[:32], C(1)) for index, word in words.items()}
    low = 0
    for bits in LEVELS:
        groups: dict[int, dict[int, Value]] = {}
        for index, word in found.items():
            groups.setdefault(index >> bits, {})[index & (1 << bits) - 1] = word
        found = {}
        for group, members in groups.items():
            name = f"select_{low}_{group}"
            which = replicate(m, number[low : low + bits], name=f"{name}_by")
            found[group] = chosen = Signal(33, name=name, reset_less=True)
            m.d.sync += chosen.eq(_choice(m, which, members, name))
        low += bits
    which = replicate(m, number[low:], name="select_by")
    return _choice(m, which, found, "select")


def _choice(m: Module, which: Signal, members: Mapping[int, Value], name: str) -> Signal:
    """The member whose index is ``which``, or zero."""
    choice = Signal(33, name=f"{name}_choice")
    with m.Switch(which):
        for index, word in members.items():
            with m.Case(index):
                m.d.comb += choice.eq(word)
    return choice
