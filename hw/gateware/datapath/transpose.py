"""Transposition by commutators: exchanging bits of the time with bits of the wire number.

The 64 numbers of a tile pass in 8 clocks on 8 wires. A number's position is six bits: three say *when*
(the clock in the tile), three *where* (the wire). Transposing, and every reordering the transforms
need, exchanges one bit of each kind, and that costs two delay lines and a switch per pair of wires
(M. Garrido, J. Grajal, O. Gustafsson, "Optimum Circuits for Bit-Dimension Permutations", IEEE
Transactions on VLSI Systems, 2019; the 2×2 element is that of pipelined FFTs since Gold and Bially, 1973).
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.config import CLOCKS_PER_TILE
from hw.gateware.primitives.arith import register
from hw.gateware.primitives.delay import MAX_FANOUT, delay, replicas
from hw.gateware.primitives.layouts import pixels_layout

WIRES = 8
"""Real numbers per clock."""


def tile_clock(m: Module, start: Signal, name: str = "tile_clock") -> Signal:
    """The clock within the tile, 0..7: 0 with ``start`` and between tiles."""
    return _tile_clock(m, start, name)[0]


def tile_clock_bit(
    m: Module, start: Signal, bit: int, count: int = 1, *, name: str = "tile_clock"
) -> list[Signal]:
    """``count`` registers that each are ``bit`` of :func:`tile_clock`."""
    _, ahead = _tile_clock(m, start, name)
    return replicas(m, ahead[bit], count, name=f"{name}_{bit}", reset=True)


def _tile_clock(m: Module, start: Signal, name: str) -> tuple[Signal, Signal]:
    """The clock within the tile, and what it will be."""
    clock, ahead = (Signal(range(CLOCKS_PER_TILE), name=n) for n in (name, f"{name}_ahead"))
    m.d.comb += ahead.eq(clock + (start | clock.any()))
    m.d.sync += clock.eq(ahead)
    return clock, ahead


class Commutator(wiring.Component):
    """Exchange bit ``wire_bit`` of the wire number with bit ``time_bit`` of the clock in the tile.

    ::

                       ┌────────┐
        upper ─────────┤ pass / ├──▶ reg ──▶ delay d ──▶     wires with wire_bit = 0
        lower ─ delay d┤  swap  ├──▶ reg ──────────────▶     wires with wire_bit = 1
                       └────────┘
        d = 2**time_bit;   swap while time_bit of the clock at the input is 1

    What arrives on the lower wire while the time bit is 0 leaves on the upper one d clocks later, and
    vice versa. Between tiles the switch passes, which empties the delay lines: tiles may
    follow each other in 8 clocks or in any longer time.

    Parameters: ``bits`` per number; ``wire_bit`` and ``time_bit``, 0..2.
    Fixed latency, no back pressure. ``start`` is high with clock 0 of a tile, ``o_start`` ``latency``
    clocks later with clock 0 of the reordered one.
    """

    def __init__(self, bits: int, *, wire_bit: int, time_bit: int):
        self._bits, self._wire_bit, self._time_bit = bits, wire_bit, time_bit
        super().__init__(
            {
                "start": In(1),
                "numbers": In(pixels_layout(bits, WIRES)),
                "o_start": Out(1),
                "reordered": Out(pixels_layout(bits, WIRES)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from ``start`` to ``o_start``."""
        return (1 << self._time_bit) + 1

    def elaborate(self, platform):
        m = Module()
        clocks = self.latency - 1
        m.d.comb += self.o_start.eq(delay(m, self.start, self.latency, name="start", reset=True))
        upper_wires = [w for w in range(WIRES) if not w >> self._wire_bit & 1]
        pairs = max(1, MAX_FANOUT // (2 * self._bits))  # that share a register
        swaps = tile_clock_bit(m, self.start, self._time_bit, -(-len(upper_wires) // pairs))
        for number, w in enumerate(upper_wires):
            v, swap = w | 1 << self._wire_bit, swaps[number // pairs]
            lower = delay(m, self.numbers[v], clocks, name=f"in{v}")
            to_upper = register(m, f"switched{w}", Mux(swap, lower, self.numbers[w]), self._bits)
            to_lower = register(m, f"switched{v}", Mux(swap, self.numbers[w], lower), self._bits)
            m.d.comb += [
                self.reordered[w].eq(delay(m, to_upper, clocks, name=f"out{w}")),
                self.reordered[v].eq(to_lower),
            ]
        return m


class Transposer(wiring.Component):
    """Exchange the two upper bits of the wire number with those of the time; its own inverse.

    With y = 4 y2 + 2 y1 + y0 the row of a tile, v = 2 v1 + v0 the column and p the part (real or
    imaginary) of its complex number:

    ================ ============== ==============
    \\                clock          wire
    ================ ============== ==============
    rows             y2 y1 y0       v1 v0 p
    columns          v1 v0 y0       y2 y1 p
    ================ ============== ==============

    so a column passes in two clocks, rows 0, 2, 4, 6 (on wires 2·(y // 2) + p) and then 1, 3, 5, 7: just
    the pairs (y, y + 4) which a butterfly wants. A transposer of shift and hold arrays stores 128 numbers
    and takes 8 clocks or more; this one stores 64 (16 of them in the switches' registers) and takes 8.

    Parameters: ``bits`` per number. Fixed latency, no back pressure, tiles 8 clocks apart or more.
    """

    def __init__(self, bits: int):
        self._stages = (
            Commutator(bits, wire_bit=2, time_bit=2),
            Commutator(bits, wire_bit=1, time_bit=1),
        )
        super().__init__(
            {
                "start": In(1),
                "numbers": In(pixels_layout(bits, WIRES)),
                "o_start": Out(1),
                "transposed": Out(pixels_layout(bits, WIRES)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from ``start`` to ``o_start``."""
        return sum(stage.latency for stage in self._stages)

    def elaborate(self, platform):
        m = Module()
        m.submodules.first, m.submodules.second = first, second = self._stages
        m.d.comb += [
            first.start.eq(self.start),
            first.numbers.eq(self.numbers),
            second.start.eq(first.o_start),
            second.numbers.eq(first.reordered),
            self.o_start.eq(second.o_start),
            self.transposed.eq(second.reordered),
        ]
        return m
