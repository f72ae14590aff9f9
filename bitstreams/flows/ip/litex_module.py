"""The IP as a module of LiteX: a Python file that adds the accelerator to a SoC, with DMAs and interrupt."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files as resources

from bitstreams.flows.ip import wrapper
from bitstreams.flows.ip.register_map import SPAN
from hw.contract.design import DesignInfo
from hw.gateware.ports.axi import ID_BITS
from hw.gateware.ports.interfaces import interfaces
from hw.host_interface.registers import ADDRESS_BITS, MEMORY_ADDRESS_BITS

SUFFIX = "_litex.py"
"""Of the file, behind the name of the IP."""


def litex_module(info: DesignInfo, verilog: Sequence[str], images: Sequence[str]) -> str:
    """The file: ``verilog`` of the IP, ``images`` of its memories, widths of its ports."""
    memories = {each.name: each.data_bits for each in interfaces(info) if each.manager and not each.stream}
    values = {
        "name": info.top,
        "wrapper": wrapper.name_of(info),
        "sources": list(verilog),
        "images": list(images),
        "span": f"0x{SPAN:X}",
        "stream_bits": info.config.stream_bits,
        "weight_ports": memories,
        "address_bits": MEMORY_ADDRESS_BITS,
        "id_bits": ID_BITS,
        "register_bits": ADDRESS_BITS,
    }
    text = resources("bitstreams.flows.ip").joinpath("litex.py.in").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"{{{{{name}}}}}", str(value))
    return text
