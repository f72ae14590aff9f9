"""Shared modules: elaborated a single time, instantiated in many places.

Left alone, Amaranth elaborates and emits every instance of a component. ``Shared(component, key)`` is the
component itself in simulation; under an :class:`Emitter` it is an instance of a module that is emitted
a single time per key. N·P array rows cost as much to generate as one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from amaranth import ClockSignal, Elaboratable, Instance, ResetSignal
from amaranth.hdl import ValueCastable
from amaranth.lib.wiring import In


class Emitter:
    """The "platform" of a design being emitted: collects the shared modules it meets, and ``texts`` of
    modules that are Verilog already, with the ``images`` that their memories read."""

    def __init__(self, prefix: str):
        self._prefix = prefix
        self._names: dict[Hashable, str] = {}
        self.pending: list[tuple[str, Elaboratable]] = []
        self.texts: list[str] = []
        self.images: dict[str, str] = {}

    def module(self, component, key: Hashable) -> str:
        """The module name for ``key``; a new key puts ``component`` on the list of modules to emit."""
        kind = type(component).__name__.lower()
        full = (kind, key)
        if full not in self._names:
            number = sum(other == kind for other, _ in self._names)
            self._names[full] = f"{self._prefix}_{kind}" + (f"_{number}" if number else "")
            self.pending.append((self._names[full], component))
        else:
            _replaced(component)
        return self._names[full]

    def verilog(self, name: str, text: Callable[[str], str], images: Sequence[str]) -> str:
        """The name of a module whose Verilog is ``text`` of that name, which reads ``images`` from files of
        that name with their numbers behind it."""
        module = f"{self._prefix}_{name}"
        self.texts.append(text(module))
        self.images |= {f"{module}_{number}.mem": image for number, image in enumerate(images)}
        return module


def _replaced(component) -> None:
    """Tell Amaranth that ``component`` and its parts are not forgotten, but stood in for by a twin."""
    # A private attribute: Amaranth 0.5.10 has no public way to say it of one object. Whatever is never
    # elaborated raises UnusedElaboratable when it is collected; its linter comment silences whole files, a
    # filter of warnings the whole process, and elaborating the twin would cost what sharing saves.
    component._MustUse__silence = True
    for attribute in vars(component).values():
        for part in attribute if isinstance(attribute, list | tuple) else [attribute]:
            if isinstance(part, Elaboratable):
                _replaced(part)


class Shared(Elaboratable):
    """``component``, shared with all others of its class and ``key``.

    key: what distinguishes it from others of its class (its parameters). reset: resets it besides the
    domain's reset; needed where an enclosing ``ResetInserter`` would otherwise not reach it.
    """

    def __init__(self, component, key: Hashable = (), *, reset=0):
        self._component, self._key, self._reset = component, key, reset

    def elaborate(self, platform):
        if not isinstance(platform, Emitter):
            return self._component
        ports = {"i_clk": ClockSignal(), "i_rst": ResetSignal() | self._reset}
        for path, member, value in self._component.signature.flatten(self._component):
            if isinstance(value, ValueCastable):
                value = value.as_value()
            direction = "i" if member.flow == In else "o"
            ports[f"{direction}_{'_'.join(map(str, path))}"] = value
        return Instance(platform.module(self._component, self._key), **ports)
