"""A C header: addresses, shifts and masks of the registers, and the sizes of what passes the streams."""

from __future__ import annotations

from collections.abc import Iterator

from bitstreams.flows.ip import register_map
from hw.contract.design import DesignInfo
from hw.host.result_frame import result_bytes
from hw.host_interface.registers import CHECKSUM, WEIGHTS, Register
from hw.host_interface.stream_format import map_beats


def c_header(info: DesignInfo, weight_bytes: int = 0) -> str:
    """The header of a design: macros that begin with its name in capitals, for C90 and C++.

    weight_bytes: of the file that each external memory has to hold; 0 where there is none.
    """
    prefix = info.top.upper()
    lines = [
        f"/* The accelerator {info.top}: its registers, as byte offsets from where its s_axil lies.",
        " * Made by spec2 from the register table of the hardware. */",
        f"#ifndef {prefix}_H",
        f"#define {prefix}_H",
        "",
        *_define(prefix, "SPAN", register_map.SPAN, "bytes of all registers"),
        "",
        "/* Values that never change */",
        *(
            line
            for name, value in register_map.constants(info).items()
            for line in _define(prefix, f"{name}_VALUE", value)
        ),
        "",
        "/* Streams, and weights in external memory */",
        *(
            line
            for name, value, doc in _sizes(info, weight_bytes)
            for line in _define(prefix, name, value, doc)
        ),
        "",
        "/* Registers */",
        *(line for register in register_map.of_design(info) for line in _register(prefix, register)),
        "#endif",
    ]
    return "\n".join([*lines, ""])


def _sizes(info: DesignInfo, weight_bytes: int) -> Iterator[tuple[str, int, str]]:
    network, beat = info.network, info.config.stream_pixels
    image = map_beats(network.maps[0], beat) * beat
    yield "BEAT_BYTES", beat, "of a beat of either stream"
    yield "IMAGE_BYTES", image, "of a frame at s_axis: an image, tlast at its end"
    results = result_bytes(info, 1, len(network.layers) - 1)
    yield "RESULT_BYTES", results, "of an image's results at m_axis; a run of n images gives n times as many"
    yield "BATCH_MOST", info.config.batch, "images of a run at most"
    yield "MEMORIES", len(info.weight_files), "external memories that hold weights"
    if info.stream:
        yield "WEIGHT_BYTES", weight_bytes, f"in each, from {WEIGHTS.name}.page times 4096 / MEMORIES on"
        checksum = info.stream.checksum(info.numbers)
        yield "WEIGHT_CHECKSUM", checksum, f"what {CHECKSUM.name} reads after a run of right weights"


def _register(prefix: str, register: Register) -> Iterator[str]:
    yield from _define(
        prefix, f"{register.name}_OFFSET", register.offset, f"{register.doc} ({register.access.value})"
    )
    if register.count > 1:
        yield from _define(prefix, f"{register.name}_COUNT", register.count)
        yield from _define(prefix, f"{register.name}_STRIDE", register.stride)
    for field in register.fields:
        name = f"{register.name}_{field.name.upper()}"
        yield from _define(prefix, f"{name}_SHIFT", field.low, field.doc)
        yield from _define(prefix, f"{name}_MASK", field.mask)
    yield ""


def _define(prefix: str, name: str, value: int, doc: str = "") -> Iterator[str]:
    if doc:
        yield f"/* {_plain(doc)} */"
    yield f"#define {prefix}_{name} 0x{value:X}UL"


def _plain(doc: str) -> str:
    """A comment's text, which cannot end the comment."""
    return doc.replace("*/", "* /")
