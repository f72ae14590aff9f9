"""``python litex_soc.py IP OUT``: a SoC of LiteX with the packaged IP, as Verilog.

It has no processor: what a program would do comes from outside, over AXI4-Lite ports that are a master of
the SoC's bus; ``irq`` is what a processor would be interrupted by. Settings of the SoC are JSON in
LITEX_SOC. LiteX warns and logs when it is imported, so it gets a process of its own.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

from litex.build.generic_platform import GenericPlatform, Pins
from litex.build.io import CRG
from litex.soc.integration import export
from litex.soc.integration.soc_core import SoCCore
from litex.soc.interconnect import axi

from tests.bitstreams.flows.ip.litex_layout import BYTES, REGISTERS


def adder(ip: Path):
    """The function ``add_accelerator`` of the IP's file."""
    (path,) = ip.glob("*_litex.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.add_accelerator


class SoC(SoCCore):
    """Memory, the accelerator, and pins for what a processor would do."""

    def __init__(self, platform, add_accelerator, **settings):
        settings = {"integrated_main_ram_size": BYTES, "integrated_sram_size": 0, **settings}
        super().__init__(platform, 100e6, cpu_type=None, with_uart=False, with_timer=False, **settings)
        self.crg = CRG(platform.request("clk"), platform.request("rst"))
        add_accelerator(self, "npu", origin=REGISTERS)
        host = axi.AXILiteInterface(data_width=32, address_width=32)
        platform.add_extension(host.get_ios("host"))
        self.comb += host.connect_to_pads(platform.request("host"), mode="slave")
        self.bus.add_master("host", host)
        self.comb += platform.request("irq").eq(self.npu.ev.irq)


def build(ip: Path, out: Path, **settings) -> None:
    """Write ``soc.v`` (what it instantiates is the IP's), memories, ``csr.h``, ``mem.h``."""
    pins = [("clk", 0, Pins("X")), ("rst", 0, Pins("X")), ("irq", 0, Pins("X"))]
    platform = GenericPlatform("", pins, name="soc")
    soc = SoC(platform, adder(ip), **settings)
    soc.finalize()
    os.chdir(out)
    platform.get_verilog(soc, name="soc").write("soc.v")
    soc.npu.copy_memories(out)
    header = export.get_csr_header(soc.csr_regions, soc.constants, soc.mem_regions["csr"].origin)
    (out / "csr.h").write_text(header)
    (out / "mem.h").write_text(export.get_mem_header(soc.mem_regions))


if __name__ == "__main__":
    build(
        Path(sys.argv[1]).resolve(),
        Path(sys.argv[2]).resolve(),
        **json.loads(os.environ.get("LITEX_SOC", "{}")),
    )
