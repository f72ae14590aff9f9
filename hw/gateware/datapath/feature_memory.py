"""Feature memory: one line of pixels read, one written per clock, at any position.

::

            ┌ bank 0 ┐                    ┌──────────┐
    line ──▶│  ...   │──▶ rotate left  ──▶│ pixels x..x+line-1
            └ bank C-1                    └──────────┘

Pixel x of a map row lies in column bank x mod C at line address base + x div C, so any C consecutive
pixels lie in C different banks at one of two neighbouring addresses: no alignment, no conflicts.
Rows of narrow maps may instead be *packed*, several in a line
(:class:`hw.compile.feature_layout.FeatureLayout`); then some of them may be read one tile row further down
than others, from the far line. Each bank is ``depth`` × 8 bit: a RAMB18 (2k × 9) or RAMB36 (4k × 9) with no
bit wasted but the ninth, or UltraRAM (:mod:`hw.gateware.datapath.ultra_bank`).
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.contract.formats import PIXEL_BITS
from hw.contract.latencies import ROTATOR_LEVELS
from hw.gateware.datapath.bank import Bank
from hw.gateware.datapath.ultra_bank import UltraBank
from hw.gateware.primitives.delay import MAX_FANOUT, delay, replicate

OFFSET_BANKS = 16
"""Banks that compare their number with the same register of the offset: some LUTs each."""


def rotate(m: Module, items, ahead: Signal, *, left: bool, name: str):
    """Rotate the list ``items`` by an amount which ``ahead`` says one clock before them, pipelined.

    Registers of the amount drive no more than ``MAX_FANOUT`` multiplexers each. Returns (items, latency).
    """
    size, latency = len(items), 0
    group = MAX_FANOUT // len(items[0])  # items that share a register
    for level in range(0, ceil_log2(size), ROTATOR_LEVELS):
        amount = ahead[level : level + ROTATOR_LEVELS]
        replicas = [replicate(m, amount, name=f"{name}_amount_{level}_{k}") for k in range(-(-size // group))]
        for bit in range(len(amount)):
            step = 1 << level + bit if left else -(1 << level + bit)
            items = [Mux(replicas[i // group][bit], items[(i + step) % size], items[i]) for i in range(size)]
        items = [delay(m, item, 1, name=f"{name}_{level}_{i}") for i, item in enumerate(items)]
        ahead = delay(m, ahead, 1, name=f"{name}_ahead_{level}")
        latency += 1
    return items, latency


def rotate_latency(size: int) -> int:
    """Registers in :func:`rotate` for ``size`` items."""
    return -(-ceil_log2(size) // ROTATOR_LEVELS)


class FeatureMemory(wiring.Component):
    """Ports:

    ========== ==== ======== =====================================================================
    port       flow width    meaning
    ========== ==== ======== =====================================================================
    r_line     in   depth    read the pixels from ``r_offset`` of this line on;
    r_far_line in   depth    what lies beyond its end, and all banks that
    r_far      in   line     marks, come from this line
    r_offset   in   pixel    0 .. ``line`` - 1
    pixels     out  line × 8 ``latency`` clocks later
    w_en       in   1        write ``w_pixels``, ``write_latency`` clocks later,
    w_line     in   depth    from ``w_offset`` of this line on
    w_offset   in   pixel    due one clock before the rest
    w_pixels   in   line × 8 pixels,
    w_mask     in   line     those of them that are written
    ========== ==== ======== =====================================================================

    Parameters: ``line`` pixels per access (a power of two), ``depth`` lines, whether banks are ``ultra`` RAM.
    Reading an address in flight to
    be written is undefined: layers read and write different regions. No back pressure.
    """

    def __init__(self, line: int, depth: int, ultra: bool = False):
        self.line, self.depth, self.ultra = line, depth, ultra
        address, offset = ceil_log2(max(depth, 2)), ceil_log2(line)
        super().__init__(
            {
                "r_line": In(address),
                "r_far_line": In(address),
                "r_far": In(line),
                "r_offset": In(offset),
                "pixels": Out(data.ArrayLayout(PIXEL_BITS, line)),
                "w_en": In(1),
                "w_line": In(address),
                "w_offset": In(offset),
                "w_pixels": In(data.ArrayLayout(PIXEL_BITS, line)),
                "w_mask": In(line),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from ``r_line`` to ``pixels``: address registers, memory, rotator."""
        return 1 + Bank.latency + rotate_latency(self.line)

    @property
    def write_latency(self) -> int:
        """Clocks from ``w_en`` until the pixels can be read."""
        return rotate_latency(self.line) + 2

    def elaborate(self, platform):
        m = Module()
        banks = [
            UltraBank(self.depth) if self.ultra else Bank(PIXEL_BITS, self.depth) for _ in range(self.line)
        ]
        for i, bank in enumerate(banks):
            m.submodules[f"bank_{i}"] = bank.shared()
        self._read(m, banks)
        self._write(m, banks)
        return m

    def _read(self, m, banks):
        # Clock 0: the two line addresses the window touches. Banks left of the offset hold the window's end,
        # on the far line; every bank has a register that says so.
        here = delay(m, self.r_line, 1, name="here")
        far_line = delay(m, self.r_far_line, 1, name="far_line")
        offset = delay(m, self.r_offset, 1, name="offset")
        items = []
        for i, bank in enumerate(banks):
            far = replicate(m, self.r_far[i] | (self.r_offset > i), name=f"far_{i}")
            # Clock 1: the memory.
            m.d.comb += bank.r_addr.eq(Mux(far, far_line, here))
            items.append(bank.r_data)
        # Clock 2: its output register. Clocks 3..: bring the pixel at the offset to position 0.
        offset = delay(m, offset, Bank.latency - 1, name="late_offset")
        items, _ = rotate(m, items, offset, left=True, name="r")
        for i, item in enumerate(items):
            m.d.comb += self.pixels[i].eq(item)

    def _write(self, m, banks):
        # Clock -1: the offset. Clocks 0..: pixel 0 to the bank of its offset, its mask bit with it.
        pairs = [Cat(self.w_pixels[i], self.w_mask[i] & self.w_en) for i in range(self.line)]
        items, latency = rotate(m, pairs, self.w_offset, left=False, name="w")
        line = delay(m, self.w_line, latency, name="w_line")
        offset = delay(m, self.w_offset, latency, name="w_offset")
        for i, (bank, item) in enumerate(zip(banks, items, strict=True)):
            if i % OFFSET_BANKS == 0:
                offset_near = replicate(m, offset, name=f"w_offset_{i}")
            # Last clock: register in front of the memory.
            m.d.comb += [
                bank.w_addr.eq(delay(m, (line + (offset_near > i))[: len(line)], 1, name=f"w_addr_{i}")),
                bank.w_data.eq(delay(m, item[:PIXEL_BITS], 1, name=f"w_data_{i}")),
                bank.w_en.eq(delay(m, item[PIXEL_BITS], 1, name=f"w_en_{i}", reset=True)),
            ]
