"""A testbench in plain Verilog: one image, and the results that the integer model has for it.

Any simulator runs it, with nothing of this project beside it. It does what a host does, register by register,
with pauses on both streams; weights in external memory come from a memory of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files as resources

import numpy as np
from numpy.typing import NDArray

from bitstreams.flows.ip.register_map import constants, elements
from hw.contract.design import DesignInfo
from hw.contract.streamed_weights import PAGE
from hw.gateware.ports.interfaces import Interface, interfaces
from hw.host.result_frame import pack
from hw.host_interface.registers import (
    ADDRESS_BITS,
    BATCH,
    CHECKSUM,
    CONTROL,
    INTERRUPT,
    INTERRUPT_ENABLE,
    MEMORY_ADDRESS_BITS,
    STATUS,
    WEIGHTS,
)
from hw.host_interface.stream_format import first_map, pack_image, row_beats

PATIENCE = 20
"""How much longer than estimated a run may take: beats are taken in every third clock, bursts one by one."""

LONGEST = (1 << 31) - 1
"""What a parameter of Verilog holds."""

FIRST_PAGE = 8
"""Where the testbench has the weights: anywhere but at zero, a multiple of every number of memories."""

WORD = (1 << 32) - 1

Files = dict[str, bytes]


def testbench(
    info: DesignInfo, weights: Mapping[str, int], image: NDArray[np.uint8], results: NDArray[np.integer]
) -> Files:
    """The files of the testbench by name: Verilog, the image, the results.

    weights: bytes of each file that an external memory holds, by name. image: (c, h, w); results: what the
    integer model makes of it, (classes,) or (c, h, w).
    """
    network, name, beat = info.network, info.top, info.config.stream_pixels
    frame = pack_image(first_map(image[None], network.spread, network.constant)[0], beat)
    expected = pack(info, results[None])
    memories = [each for each in interfaces(info) if each.manager and not each.stream]
    actions = list(_actions(info))
    started = next(number for number, step in enumerate(actions) if step[2] == CONTROL.offset)
    image_beats, result_beats = len(frame) // beat, len(expected) // beat
    row = beat if network.classes is not None else network.maps[-1][2]
    traffic = image_beats + 3 * result_beats + sum(weights.values()) // 4
    values = {
        "name": name,
        "patience": min(PATIENCE * (int(info.figure("cycles")) + traffic), LONGEST),
        "image_beats": image_beats,
        "result_beats": result_beats,
        "steps": len(actions),
        "started": started,
        "row_beats": row_beats(row, beat),
        "last": f"{8 * beat}'h{(1 << 8 * (row % beat or beat)) - 1:x}",
        "high": 8 * beat - 1,
        "top_byte": beat - 1,
        "all": f"{{{8 * beat}{{1'b1}}}}",
        "ones": f"{{{beat}{{1'b1}}}}",
        "actions": "\n".join(_case(number, *step) for number, step in enumerate(actions)),
        "memories": "".join(
            _memory(info, each, file, size) for each, (file, size) in _pairs(memories, weights)
        ),
        "pins": "".join(f",\n      {_pins(each, prefixed=True)}" for each in memories),
    }
    text = _filled("testbench.v", values) + (_filled("memory.v", values) if memories else "")
    return {
        f"{name}_tb.v": text.encode(),
        f"{name}_tb_image.hex": _hex(frame, beat),
        f"{name}_tb_result.hex": _hex(expected, beat),
    }


Action = tuple[bool, bool, int, int, int]
"""Whether it writes, whether it reads until it is right; address, value, and which bits of it count."""


def _actions(info: DesignInfo) -> Iterator[Action]:
    """What a host does of a run of one image."""
    known = constants(info)
    for element in elements(info):
        if element.name in known:
            yield False, False, element.address, known[element.name], WORD
    if info.stream:
        yield True, False, WEIGHTS.offset, WEIGHTS.pack(page=FIRST_PAGE), 0
    yield True, False, INTERRUPT_ENABLE.offset, INTERRUPT_ENABLE.pack(done=1), 0
    yield True, False, BATCH.offset, BATCH.pack(images=1), 0
    yield True, False, CONTROL.offset, CONTROL.pack(start=1), 0
    yield False, True, STATUS.offset, 0, STATUS.pack(busy=1)
    yield False, False, STATUS.offset, STATUS.pack(done=1), WORD
    yield False, False, INTERRUPT.offset, INTERRUPT.pack(done=1), WORD
    yield True, False, INTERRUPT.offset, INTERRUPT.pack(done=1), 0
    yield False, False, INTERRUPT.offset, 0, WORD
    if info.stream:
        yield False, False, CHECKSUM.offset, info.stream.checksum(info.numbers), WORD


def _case(number: int, write: bool, again: bool, address: int, value: int, mask: int) -> str:
    bits = f"1'b{write:b}, 1'b{again:b}, {ADDRESS_BITS}'h{address:03x}, 32'h{value:08x}, 32'h{mask:08x}"
    return f"      8'd{number}: action = {{{bits}}};"


def _pairs(
    memories: list[Interface], weights: Mapping[str, int]
) -> Iterator[tuple[Interface, tuple[str, int]]]:
    yield from zip(memories, weights.items(), strict=True)


def _memory(info: DesignInfo, interface: Interface, file: str, size: int) -> str:
    """The memory at an interface, and the wires between."""
    wires = "".join(f"  wire{port.range} {port.name};\n" for port in interface.ports)
    base = FIRST_PAGE * PAGE // len(info.weight_files)
    return (
        f"\n{wires}  {info.top}_tb_memory #(\n"
        f"      .DATA({interface.data_bits}), .ADDRESS({MEMORY_ADDRESS_BITS}), .BASE({base}),\n"
        f'      .WORDS({-(-size * 8 // interface.data_bits)}), .FILE("{file}")\n'
        f"  ) {interface.name}_memory (\n      .clk(clk), {_pins(interface, prefixed=False)}\n  );\n"
    )


_IGNORED = ("arsize", "arburst", "arprot")
"""Of the port: every burst increments and takes whole beats."""


def _pins(interface: Interface, *, prefixed: bool) -> str:
    """Connections to the wires of an interface, of the accelerator or of the memory."""
    ports = [port for port in interface.ports if prefixed or port.signal not in _IGNORED]
    return ", ".join(f".{port.name if prefixed else port.signal}({port.name})" for port in ports)


def _filled(file: str, values: Mapping[str, object]) -> str:
    """A file beside this module with its ``{{names}}`` filled in."""
    text = resources("bitstreams.flows.ip").joinpath(file).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"{{{{{name}}}}}", str(value))
    return text


def _hex(frame: bytes, beat: int) -> bytes:
    """A beat a line, its highest byte first."""
    rows = (frame[start : start + beat] for start in range(0, len(frame), beat))
    return "".join(f"{int.from_bytes(row, 'little'):0{2 * beat}x}\n" for row in rows).encode()
