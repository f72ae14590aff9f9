"""Weight memory: the step stream of all layers, read in order, rewound for every tile group.

A memory word is one step: spectrum word, end flags, channel group, and per row a bank select and a weight;
more where rows run ahead (:mod:`hw.compile.step_format`). Depth = steps of the network; it should become
RAMB36s (a ROM: written by the bitstream). ``take`` may come in any clock in which ``valid`` is high.
"""

import numpy as np
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from hw.compile.program import Program
from hw.gateware.primitives.delay import per_layer
from hw.gateware.primitives.micro_instruction import ends_layout, step_layout
from hw.gateware.primitives.rom import Rom
from hw.gateware.primitives.skid_buffer import SkidBuffer


def step_bits(program: Program) -> NDArray[np.uint8]:
    """Memory contents (steps, bits): a step bit by bit, the lowest first."""
    return np.concatenate([program.step_format.encode(table) for table in program.step_tables])


class WeightMemory(wiring.Component):
    """Members: ``rewind`` (a pulse) points at the first step of layer ``layer``; then ``valid`` and ``ends``
    until ``take``, and all of the ``step`` in the clock after it. Behind a layer's last step its first one
    follows by itself.
    Latency: 3 clocks from ``rewind`` to ``valid``.
    """

    def __init__(self, program: Program):
        self.program = program
        self.layout = step_layout(program.step_format)
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "rewind": In(1),
                "valid": Out(1),
                "ends": Out(ends_layout(program.step_format)),
                "take": In(1),
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
        m.submodules.slack = slack = SkidBuffer(program.step_format)
        address, read = Signal(range(program.steps)), Signal()
        advance = ~read | slack.i_take
        m.d.comb += [
            port.addr.eq(address),
            port.en.eq(advance),
            slack.i_valid.eq(read),
            slack.i_step.as_value().eq(port.data),
            slack.clear.eq(self.rewind),
            self.valid.eq(slack.valid),
            self.ends.eq(slack.ends),
            self.step.eq(slack.step),
            slack.take.eq(self.take),
        ]
        with m.If(self.rewind):
            m.d.sync += [address.eq(first), read.eq(0)]
        with m.Elif(advance):
            m.d.sync += [read.eq(1), address.eq(address + 1)]
            with m.If(address == last):
                m.d.sync += address.eq(first)
        return m
