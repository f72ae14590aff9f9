"""Weight memory: the step stream of all layers, read in order, rewound for every tile group.

A memory word is one step: spectrum word, end flags, channel group, and per row a bank select and a weight;
more where rows run ahead (:mod:`hw.compile.step_format`). Depth = steps of the network; it should become
RAMB36s (a ROM: written by the bitstream).
"""

import numpy as np
from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from numpy.typing import NDArray

from hw.compile.program import Program
from hw.gateware.primitives.delay import per_layer, replicas
from hw.gateware.primitives.micro_instruction import ends_layout, step_layout
from hw.gateware.primitives.rom import Rom
from hw.gateware.primitives.skid_buffer import SkidBuffer


def step_bits(program: Program) -> NDArray[np.uint8]:
    """Memory contents (steps, bits): a step bit by bit, the lowest first."""
    return np.concatenate([program.step_format.encode(table) for table in program.step_tables])


class WeightMemory(wiring.Component):
    """Members: ``rewind`` (a pulse) points at the first step of layer ``layer``; then ``ends``, a stream of
    what each step ends, and all of the ``step`` in the clock after that in which its ends were taken. After a
    layer's last step its first one follows by itself.
    Latency: 4 clocks from ``rewind`` to ``ends.valid``.
    """

    def __init__(self, program: Program):
        self.program = program
        self.layout = step_layout(program.step_format)
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "rewind": In(1),
                "ends": Out(stream.Signature(ends_layout(program.step_format))),
                "step": Out(self.layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program = self.program
        m.submodules.steps = port = Rom("steps", step_bits(program))
        first = per_layer(m, self.layer, [p.first_step for p in program.layers], name="first")
        last = per_layer(
            m, self.layer, [p.first_step + len(p.steps) - 1 for p in program.layers], name="last"
        )
        m.submodules.skid = skid = SkidBuffer(program.step_format, full=port.memories)
        address = Signal(range(program.steps), reset_less=True)
        next_address = Signal.like(address)
        read = Signal()
        advance = ~read | skid.i.ready
        m.d.comb += [
            # Each share of the memory has an address of its own.
            port.addr.eq(Cat(replicas(m, next_address, port.shares, name="address"))),
            next_address.eq(address),
            port.en.eq(advance),
            port.o_en.eq(~skid.full),
            skid.i.valid.eq(read),
            skid.i.payload.as_value().eq(port.data),
            skid.clear.eq(self.rewind),
            self.step.eq(skid.step),
        ]
        connect(m, skid.ends, flipped(self.ends))
        m.d.sync += address.eq(next_address)
        with m.If(self.rewind):
            m.d.comb += next_address.eq(first)
            m.d.sync += read.eq(0)
        with m.Elif(advance):
            m.d.comb += next_address.eq(address + 1)
            m.d.sync += read.eq(1)
            with m.If(address == last):
                m.d.comb += next_address.eq(first)
        return m
