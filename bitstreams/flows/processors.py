"""The processor beside the logic of a Zynq: its ports in a block design, and where it finds what it is host
of.

One table makes the block design (``tcl/zynq.tcl``), the device-tree overlay
(:mod:`bitstreams.flows.device_tree`) and what :mod:`bitstreams.links.pynq` expects of a bitstream. Everything
in the logic runs at one clock, which a clock generator makes of the processor's; so the only clocks that meet
do so inside the processor's ports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hw.contract.design import DesignInfo
from hw.util.errors import ConfigError

CLOCK_HZ = 100_000_000
"""Of the processor's clock to the logic, which feeds the clock generator, as it is asked for."""

CLOCK_RANGE = (10_000_000, 250_000_000)
"""Design clocks in Hz: what the generator makes of that, and what ports of a Zynq-7000 take (DS187, 250
MHz)."""

LENGTH_BITS = 26
"""Width of the DMA's length register (PG021): a frame has less than 64 MiB."""


@dataclass(frozen=True)
class Processor:
    """A processor by its IP in Vivado's catalogue. Pins and buses are those of its cell.

    clock, reset, interrupts: to the logic (active low), and from it. registers, registers_clock: the port on
    which it reads and writes what is in the logic, and the clock it wants there. base: byte address at which
    that port begins. memory, memory_clock: the port to its memory. segment: that memory in Vivado's address
    map. bytes: of it, from 0. memory_bits: width of the port. options: parameters of the IP. preset: what its
    board automation is told.

    tree: name of the folder of device trees, ``zynq`` or ``zynqmp``. cells: 32-bit cells of an address and of
    a size. controller: label of the interrupt controller. first_interrupt: number of the first interrupt of
    the logic there. tree_clock: the clock to the logic.
    """

    clock: str
    reset: str
    interrupts: str
    registers: str
    registers_clock: str
    base: int
    memory: str
    memory_clock: str
    segment: str
    bytes: int
    memory_bits: int
    address_bits: int
    options: Mapping[str, str]
    preset: Mapping[str, str]
    tree: str
    cells: int
    controller: str
    first_interrupt: int
    tree_clock: str


PROCESSORS = {
    # PG082, UG585 (interrupts: table 7-4, number 61 is the 29th shared one), zynq-7000.dtsi of Linux.
    "processing_system7": Processor(
        clock="FCLK_CLK0",
        reset="FCLK_RESET0_N",
        interrupts="IRQ_F2P",
        registers="M_AXI_GP0",
        registers_clock="M_AXI_GP0_ACLK",
        base=0x4000_0000,
        memory="S_AXI_HP0",
        memory_clock="S_AXI_HP0_ACLK",
        segment="S_AXI_HP0/HP0_DDR_LOWOCM",
        bytes=512 << 20,
        memory_bits=64,
        address_bits=32,
        options={
            "PCW_USE_M_AXI_GP0": "1",
            "PCW_USE_S_AXI_HP0": "1",
            "PCW_S_AXI_HP0_DATA_WIDTH": "64",
            "PCW_USE_FABRIC_INTERRUPT": "1",
            "PCW_IRQ_F2P_INTR": "1",
            "PCW_EN_CLK0_PORT": "1",
            "PCW_EN_RST0_PORT": "1",
            "PCW_FPGA0_PERIPHERAL_FREQMHZ": f"{CLOCK_HZ // 10**6}",
        },
        preset={
            "make_external": "FIXED_IO, DDR",
            "apply_board_preset": "1",
            "Master": "Disable",
            "Slave": "Disable",
        },
        tree="zynq",
        cells=1,
        controller="intc",
        first_interrupt=29,
        tree_clock="clkc 15",
    ),
    # PG201, UG1085 (interrupts: table 13-1, number 121 is the 89th shared one), zynqmp.dtsi of Linux. The
    # upper half of four gigabytes lies elsewhere: Linux takes contiguous memory from the lower one.
    "zynq_ultra_ps_e": Processor(
        clock="pl_clk0",
        reset="pl_resetn0",
        interrupts="pl_ps_irq0",
        registers="M_AXI_HPM0_FPD",
        registers_clock="maxihpm0_fpd_aclk",
        base=0xA000_0000,
        memory="S_AXI_HP0_FPD",
        memory_clock="saxihp0_fpd_aclk",
        segment="SAXIGP2/HP0_DDR_LOW",
        bytes=2 << 30,
        memory_bits=128,
        address_bits=40,
        options={
            "PSU__USE__M_AXI_GP0": "1",
            "PSU__USE__M_AXI_GP1": "0",
            "PSU__USE__M_AXI_GP2": "0",
            "PSU__MAXIGP0__DATA_WIDTH": "128",
            "PSU__USE__S_AXI_GP2": "1",
            "PSU__SAXIGP2__DATA_WIDTH": "128",
            "PSU__USE__IRQ0": "1",
            "PSU__FPGA_PL0_ENABLE": "1",
            "PSU__NUM_FABRIC_RESETS": "1",
            "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": f"{CLOCK_HZ // 10**6}",
        },
        preset={"apply_board_preset": "1"},
        tree="zynqmp",
        cells=2,
        controller="gic",
        first_interrupt=89,
        tree_clock="zynqmp_clk 71",
    ),
}
"""By the name of the IP."""


@dataclass(frozen=True)
class Window:
    """What the processor finds at ``base`` + ``offset``, ``bytes`` long: bus ``bus`` of ``cell``. interrupts:
    of its pins, in the order in which windows and pins are numbered."""

    cell: str
    bus: str
    offset: int
    interrupts: tuple[str, ...] = ()
    bytes: int = 4096


WINDOWS = (
    Window("accelerator", "s_axil", 0x0000, ("interrupt",)),
    Window("marker", "S_AXI", 0x1000),
    Window("dma", "S_AXI_LITE", 0x2000, ("mm2s_introut", "s2mm_introut")),
)
"""Registers, the word that empties the streams, and AMD's AXI DMA (PG021): offsets as behind PCI Express."""


def interrupts() -> list[str]:
    """Pins that interrupt the processor, the lowest number first."""
    return [f"{window.cell}/{pin}" for window in WINDOWS for pin in window.interrupts]


def settings(name: str, info: DesignInfo) -> dict[str, str | list[str]]:
    """What ``settings.tcl`` has of the processor ``name`` and of a design beside it.

    Raises ``ConfigError`` for a design that reads its weights from memory.
    """
    if info.config.stream_weights:
        raise ConfigError(
            "the design reads its weights from external memory, and a processor's memory is not connected to "
            "designs: generate it without --stream-weights"
        )
    it, stream_bits = PROCESSORS[name], 8 * info.config.stream_pixels
    return {
        "processor": name,
        "options": [word for key, value in it.options.items() for word in (f"CONFIG.{key}", value)],
        "preset": [word for pair in it.preset.items() for word in pair],
        **{pin: f"processor/{getattr(it, pin)}" for pin in ("clock", "reset", "interrupts")},
        **{pin: f"processor/{getattr(it, pin)}" for pin in ("registers", "registers_clock")},
        **{pin: f"processor/{getattr(it, pin)}" for pin in ("memory", "memory_clock", "segment")},
        "bytes": f"0x{it.bytes:X}",
        "address_bits": str(it.address_bits),
        "length_bits": str(LENGTH_BITS),
        "stream_bits": str(stream_bits),
        "dma_bits": str(max(it.memory_bits, stream_bits)),
        "windows": [
            word
            for window in WINDOWS
            for word in (
                f"{window.cell}/{window.bus}",
                f"0x{it.base + window.offset:08X}",
                f"0x{window.bytes:X}",
            )
        ],
        "sources": interrupts(),
    }
