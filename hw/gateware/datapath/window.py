"""Window: the 8 pixels of one lane out of a line of feature memory."""

from amaranth import Array, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.layer_plan import LayerPlan
from hw.compile.program import Program
from hw.contract.formats import PIXEL_BITS
from hw.contract.spectrum import TILE
from hw.gateware.primitives.delay import per_layer, replicate

Pixels = tuple[int, int]
"""Of a window in a line: the first one, and pixels from one to the next."""


class Window(wiring.Component):
    """All that tells lanes apart: where in the line the window of lane ``index`` lies, layer by layer.

    Members: ``pixels`` of a line, ``mask`` of those inside the map's columns, ``inside`` (the lane's row is
    inside the map), ``signed`` (they have a sign; only where one layer reads channels of both kinds); a clock
    before: ``beyond`` (the line holds windows one packed row further on). ``window`` has the pixels
    ``latency`` clocks later, nine bits signed, zero outside the map.
    """

    latency = 1

    def __init__(self, program: Program, index: int):
        self.program, self.index = program, index
        line = program.config.line_pixels
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "pixels": In(data.ArrayLayout(PIXEL_BITS, line)),
                "mask": In(line),
                "inside": In(1),
                **({"signed": In(1)} if program.mixes_signs else {}),
                "beyond": In(1),
                "window": Out(data.ArrayLayout(signed(PIXEL_BITS + 1), TILE)),
            }
        )

    @property
    def first_pixels(self) -> tuple[tuple[Pixels, Pixels], ...]:
        """Per layer: the pixels of the window in the line, and in one that is ``beyond``."""
        return tuple((self._pixels(plan, 0), self._pixels(plan, 1)) for plan in self.program.layers)

    def _pixels(self, plan: LayerPlan, further: int) -> Pixels:
        """Pixels of the window, ``further`` packed rows on."""
        first, step = self._first_pixel(plan, further), plan.layer.sampling
        return (first, step) if first + TILE * step <= self.program.config.line_pixels else (0, 1)  # idle

    def _first_pixel(self, plan: LayerPlan, further: int) -> int:
        """First pixel of the window, ``further`` packed rows on."""
        row, column = divmod(self.index, plan.lane_columns)
        if plan.images > 1 and (row + 1) % plan.source.image_packing == 0:
            further = 0  # below the image is another one, and nothing of it is inside
        first = 0 if plan.dot else plan.tile_stride * column
        if plan.packing > 1:
            first += (row + further) % plan.packing * plan.source.slot_pixels
        return first

    def elaborate(self, platform):
        m = Module()
        firsts = sorted({first for pair in self.first_pixels for first in pair})
        near, far = (
            per_layer(m, self.layer, [firsts.index(pair[i]) for pair in self.first_pixels], name=name)
            for i, name in enumerate(("near", "far"))
        )
        # The choice steers every bit of the window, so each lane has it in a register of its own.
        choice = replicate(m, Mux(self.beyond, far, near), name="choice")
        if self.program.mixes_signs:
            extend = self.signed
        else:
            signed_layers = [int(len(channels) > 0) for channels in self.program.signed_channels]
            extend = per_layer(m, self.layer, signed_layers, name="extend")

        window = Signal(self.window.shape(), reset_less=True)
        for i in range(TILE):
            pixel = Array(self.pixels[first + i * step] for first, step in firsts)[choice]
            inside = Array(self.mask[first + i * step] for first, step in firsts)[choice]
            with m.If(self.inside & inside):
                m.d.sync += window[i].eq(Mux(extend, pixel.as_signed(), pixel))
            with m.Else():
                m.d.sync += window[i].eq(0)
        m.d.comb += self.window.eq(window)
        return m
