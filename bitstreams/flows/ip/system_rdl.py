"""The registers in SystemRDL 2.0 (Accellera), which tools turn into drivers, documents and models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from bitstreams.flows.ip import register_map
from hw.contract.design import DesignInfo
from hw.host_interface.registers import Access, Field, Register

SOFTWARE = {Access.READ: "r", Access.READ_WRITE: "rw", Access.PULSE: "w", Access.CLEAR: "rw"}
"""What software may do with a field, in SystemRDL's words."""


def system_rdl(info: DesignInfo) -> str:
    """The address map ``NAME_registers`` of a design."""
    lines = [
        f"addrmap {info.top}_registers {{",
        f'  name = "Registers of the accelerator {info.top}";',
        '  desc = "Made by spec2 from the register table of the hardware.";',
        f"  default regwidth = {register_map.WORD};",
        f"  default accesswidth = {register_map.WORD};",
        "  default hw = w;",
    ]
    constants = register_map.constants(info)
    for group in _groups(register_map.of_design(info)):
        lines += [f"  {line}" for line in _group(group, constants)]
    return "\n".join([*lines, "};", ""])


def _groups(table: Iterable[Register]) -> Iterator[list[Register]]:
    """Registers by themselves, and arrays that lie in each other's gaps together."""
    group: list[Register] = []
    for register in table:
        first = group[0] if group else register
        gap = first.count > 1 and register.offset < first.offset + first.stride
        if group and not (gap and (register.count, register.stride) == (first.count, first.stride)):
            yield group
            group = []
        group.append(register)
    yield group


def _group(group: list[Register], constants: Mapping[str, int]) -> Iterator[str]:
    """A register, or arrays in each other's gaps: SystemRDL has no such arrays, so a file of registers is
    repeated."""
    first = group[0]
    if len(group) == 1:
        yield from _register(first, constants.get(first.name), first.offset)
        return
    yield "regfile {"
    for register in group:
        inner = replace(register, count=1)
        yield from (f"  {line}" for line in _register(inner, None, register.offset - first.offset))
    yield f"}} {first.name.split('_')[0]}[{first.count}] @ 0x{first.offset:X} += 0x{first.stride:X};"


def _register(register: Register, constant: int | None, offset: int) -> Iterator[str]:
    """constant: what it always reads, if it does."""
    yield "reg {"
    yield f"  desc = {_string(register.doc)};"
    for field in register_map.fields(register):
        yield from (f"  {line}" for line in _field(register, field, constant))
    array = f"[{register.count}]" if register.count > 1 else ""
    stride = f" += 0x{register.stride:X}" if array else ""
    yield f"}} {register.name}{array} @ 0x{offset:X}{stride};"


def _field(register: Register, field: Field, constant: int | None) -> Iterator[str]:
    yield "field {"
    yield f"  desc = {_string(field.doc)};"
    yield f"  sw = {SOFTWARE[register.access]};"
    if register.access is Access.PULSE:
        yield "  hw = r;"
        yield "  singlepulse;"
    if register.access is Access.CLEAR:
        yield "  onwrite = woclr;"
    reset = ""
    if register.access is Access.PULSE:
        reset = " = 0"
    elif constant is not None:
        yield "  hw = na;"
        reset = f" = 0x{(constant & field.mask) >> field.low:X}"
    yield f"}} {field.name}[{field.low + field.width - 1}:{field.low}]{reset};"


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
