"""Descriptions of designs, by their ports: what the flows need to know of an accelerator."""

import re

from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import tiny

AXI_LITE = (
    "awaddr12 awprot3 awvalid1 awready1 wdata32 wstrb4 wvalid1 wready1 bresp2 bvalid1 bready1 "
    "araddr12 arprot3 arvalid1 arready1 rdata32 rresp2 rvalid1 rready1"
)
STREAM = "tdata32 tvalid1 tready1 tlast1"
AXI = (
    "awaddr32 awlen8 awsize3 awburst2 awvalid1 awready1 wdata64 wstrb8 wlast1 wvalid1 wready1 bresp2 bvalid1 "
    "bready1 araddr32 arlen8 arsize3 arburst2 arvalid1 arready1 rdata64 rresp2 rlast1 rvalid1 rready1"
)


def design(bits: int = 32, **more: str) -> DesignInfo:
    """The description of a design with the ports of today's accelerator, streams of ``bits``, and ``more``
    buses."""
    stream = STREAM.replace("32", str(bits))
    buses = {"s_axil": AXI_LITE, "s_axis": stream, "m_axis": stream, **more}
    ports = {"clk": 1, "rst": 1}
    for bus, signals in buses.items():
        ports |= {f"{bus}_{name}": int(width) for name, width in re.findall(r"([a-z]+)(\d+)", signals)}
    digest = random_artifact(tiny()).digest
    return DesignInfo("spec2", tiny(), AcceleratorConfig(stream_bits=bits), digest, ports=ports)
