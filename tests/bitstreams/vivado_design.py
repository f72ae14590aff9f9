"""Descriptions of designs, by their ports: what the flows need to know of an accelerator."""

import re
from dataclasses import replace

from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import tiny
from hw.contract.streamed_weights import StreamedPart, StreamedWeights

AXI_LITE = (
    "awaddr12 awprot3 awvalid1 awready1 wdata32 wstrb4 wvalid1 wready1 bresp2 bvalid1 bready1 "
    "araddr12 arprot3 arvalid1 arready1 rdata32 rresp2 rvalid1 rready1"
)
STREAM = "tdata32 tvalid1 tready1 tlast1"
AXI = (
    "awaddr32 awlen8 awsize3 awburst2 awvalid1 awready1 wdata64 wstrb8 wlast1 wvalid1 wready1 bresp2 bvalid1 "
    "bready1 araddr32 arlen8 arsize3 arburst2 arvalid1 arready1 rdata64 rresp2 rlast1 rvalid1 rready1"
)


AXI_READ = (
    "arid4 araddr40 arlen8 arsize3 arburst2 arprot3 arvalid1 arready1 rid4 rdata{bits} rresp2 rlast1 rvalid1 "
    "rready1"
)


def streamed(memories: int = 1, bits: int = 256, stream_bits: int = 32) -> DesignInfo:
    """The description of a design that reads its weights from so many ``memories``, ``bits`` from each."""
    names = [f"m_axi_{i}" for i in range(memories)] if memories > 1 else ["m_axi"]
    info = design(stream_bits, **{name: AXI_READ.format(bits=bits) for name in names})
    config = AcceleratorConfig(
        stream_bits=stream_bits, stream_weights=True, bus_bits=memories * bits, memories=memories
    )
    layers = tuple(StreamedPart(1 + i, 5, 7) for i in range(len(info.network.layers)))
    stream = StreamedWeights(StreamedPart(0, 3, 8), layers)
    return replace(info, config=config, stream=stream)


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
