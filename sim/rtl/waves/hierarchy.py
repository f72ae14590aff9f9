"""The modules of generated Verilog, their ports and what is inside them: names as waves have them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"(\\\S+ |\w+)"
_MODULE = re.compile(rf"^module {_NAME} ?\(")
_PORT = re.compile(rf"^  (?:input|output) (?:\[(\d+):0\] )?{_NAME} ?;$")
_INSTANCE = re.compile(rf"^  {_NAME} {_NAME} ?\($")


@dataclass
class Module:
    """ports: widths by name. instances: names of modules by that of the instance."""

    ports: dict[str, int] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)


def modules(verilog: str) -> dict[str, Module]:
    """Every module of a text that :mod:`hw.emit` has written, by name; escaped names without the escape."""
    found: dict[str, Module] = {}
    module = Module()
    for line in verilog.splitlines():
        if match := _MODULE.match(line):
            module = found.setdefault(_plain(match[1]), Module())
        elif match := _PORT.match(line):
            module.ports[_plain(match[2])] = int(match[1] or 0) + 1
        elif match := _INSTANCE.match(line):
            module.instances[_plain(match[2])] = _plain(match[1])
    return found


def _plain(name: str) -> str:
    return name.strip().removeprefix("\\")
