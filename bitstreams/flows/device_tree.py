"""A device-tree overlay: what Linux on the processor of a Zynq has to know of the logic beside it.

For Linux without PYNQ, which needs none. Made of the same table as the block design
(:mod:`bitstreams.flows.processors`); ``dtc -@ -O dtb -o overlay.dtbo overlay.dtso`` compiles it. The DMA is
described for the kernel's own driver (``xlnx,axi-dma-1.00.a``), registers as ``generic-uio``.

The name is not the bitstream's on purpose: PYNQ inserts ``spec2.dtbo`` beside ``spec2.bit`` without being
asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from bitstreams.boards import Board
from bitstreams.flows.processors import (
    CLOCK_HZ,
    LENGTH_BITS,
    PROCESSORS,
    WINDOWS,
    Processor,
    Window,
    interrupts,
)
from hw.contract.design import DesignInfo
from hw.util import quote

FILE_NAME = "overlay.dtso"

FIRMWARE = "spec2.bit.bin"
"""What the kernel loads from ``/lib/firmware``: the bitstream as ``bootgen`` makes it."""

LEVEL_HIGH = 4
"""Of an interrupt (Linux, ``IRQ_TYPE_LEVEL_HIGH``)."""

CHANNELS = {"mm2s_introut": "mm2s", "s2mm_introut": "s2mm"}
"""Directions of the DMA by their interrupts, as the binding calls them."""


def overlay(board: Board, info: DesignInfo) -> str:
    """The source of the overlay for a design on a board with a processor; the same bytes every time."""
    it = PROCESSORS[board.processor]
    body = [*_clock(it), *(line for window in WINDOWS for line in _node(it, window, info))]
    return "\n".join(
        [
            "/dts-v1/;",
            "/plugin/;",
            "",
            f"// {quote.line(f'{info.network.name} on the {board.name}')}",
            f"// all: {{ spec2.bit }} in spec2.bif, then: bootgen -image spec2.bif -arch {it.tree} "
            "-process_bitstream bin",
            "// UIO nodes want uio_pdrv_genirq.of_id=generic-uio on the kernel's command line.",
            "",
            "&fpga_full {",
            f'\tfirmware-name = "{FIRMWARE}";',
            "};",
            "",
            "&amba {",
            f"\t#address-cells = <{it.cells}>;",
            f"\t#size-cells = <{it.cells}>;",
            *(f"\t{line}".rstrip() for line in body),
            "};",
            "",
        ]
    )


def _clock(it: Processor) -> Iterator[str]:
    """The processor's clock to the logic, on and at the rate that the clock generator takes."""
    yield ""
    yield "spec2_clock: spec2-clock {"
    yield '\tcompatible = "xlnx,fclk";'
    yield f"\tclocks = <&{it.tree_clock}>;"
    yield f"\tassigned-clocks = <&{it.tree_clock}>;"
    yield f"\tassigned-clock-rates = <{CLOCK_HZ}>;"
    yield "\t#clock-cells = <0>;"
    yield "};"


def _node(it: Processor, window: Window, info: DesignInfo) -> Iterator[str]:
    address = it.base + window.offset
    kind = "dma-controller" if window.cell == "dma" else window.cell
    yield ""
    yield f"spec2_{window.cell}: {kind}@{address:x} {{"
    yield f"\treg = <{_cells(it, address)} {_cells(it, window.bytes)}>;"
    yield f"\tinterrupt-parent = <&{it.controller}>;"
    if window.cell == "dma":
        yield from (f"\t{line}" for line in _dma(it, window, info))
    else:
        yield '\tcompatible = "generic-uio";'
        if window.interrupts:
            yield f"\tinterrupts = {_interrupt(it, window, window.interrupts[0])};"
    yield "};"


def _dma(it: Processor, window: Window, info: DesignInfo) -> Iterator[str]:
    """What the binding of AMD's AXI DMA asks for, simple mode."""
    clocks = ("s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk")
    yield 'compatible = "xlnx,axi-dma-1.00.a";'
    yield "#dma-cells = <1>;"
    yield f"xlnx,addrwidth = <{it.address_bits}>;"
    yield f"xlnx,sg-length-width = <{LENGTH_BITS}>;"
    yield f"clocks = {', '.join([f'<&{it.tree_clock}>'] * len(clocks))};"
    names = ", ".join(f'"{name}"' for name in clocks)
    yield f"clock-names = {names};"
    for pin in window.interrupts:
        name = CHANNELS[pin]
        yield ""
        yield f"{name}-channel {{"
        yield f'\tcompatible = "xlnx,axi-dma-{name}-channel";'
        yield f"\tinterrupts = {_interrupt(it, window, pin)};"
        yield f"\txlnx,datawidth = <{max(it.memory_bits, 8 * info.config.stream_pixels)}>;"
        yield "};"


def _cells(it: Processor, value: int) -> str:
    """A number of as many cells as addresses and sizes have."""
    return " ".join(f"0x{value >> 32 * cell & 0xFFFFFFFF:x}" for cell in reversed(range(it.cells)))


def _interrupt(it: Processor, window: Window, pin: str) -> str:
    """A shared interrupt, by its position among the lines from the logic."""
    return f"<0 {it.first_interrupt + interrupts().index(f'{window.cell}/{pin}')} {LEVEL_HIGH}>"
