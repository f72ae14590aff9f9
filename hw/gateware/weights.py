"""Weight memory: the step stream of all layers, read in order, rewound for every tile group.

A memory word is one step: spectrum word, end flags, channel group (one, or one per bank), and per
row a bank select and a weight. Depth = steps of the network; it should become RAMB36s (a ROM:
written by the bitstream). Reading is a stream with one register of slack: ``take`` may come in any
clock in which ``valid`` is high.
"""

import numpy as np
from amaranth import Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.config import BANKS
from hw.gateware.delay import per_layer
from hw.gateware.mac import weight_layout
from hw.program import Program


def step_layout(program: Program) -> data.StructLayout:
    """A step as stored."""
    addresses = BANKS if program.per_bank else 1
    return data.StructLayout(
        {
            "word": 5,
            "end_of_word": 1,
            "end_of_pass": 1,
            "groups": data.ArrayLayout(group_bits(program), addresses),
            "rows": data.ArrayLayout(weight_layout(program.weight_bits), program.config.rows),
        }
    )


def group_bits(program: Program) -> int:
    """Bits of a channel group."""
    return max(1, ceil_log2(program.groups))


def step_image(program: Program) -> list[int]:
    """Memory contents: one integer per step, laid out as :func:`step_layout`."""
    layout = step_layout(program)
    addresses = BANKS if program.per_bank else 1
    bits = program.weight_bits
    image: list[int] = []
    for plan in program.layers:
        table = plan.steps
        field = weight_layout(bits)
        re, im = (table.weight[..., k] & ((1 << bits) - 1) for k in (0, 1))
        rows = table.select | re << field["re"].offset | im << field["im"].offset  # (T, N)
        for t in range(len(table)):
            value = int(table.word[t])
            value |= int(table.end_of_word[t]) << layout["end_of_word"].offset
            value |= int(table.end_of_pass[t]) << layout["end_of_pass"].offset
            for i in range(addresses):
                value |= int(table.groups[t, i]) << layout["groups"].offset + i * group_bits(program)
            for n, row in enumerate(rows[t].tolist()):
                value |= row << layout["rows"].offset + n * field.size
            image.append(value)
    return image


class WeightMemory(wiring.Component):
    """Members: ``rewind`` (a pulse) points at the first step of layer ``layer``; then ``valid``
    and ``step`` until ``take``. Behind a layer's last step its first one follows by itself.
    Latency: 2 clocks from ``rewind`` to ``valid``.
    """

    def __init__(self, program: Program):
        self.program = program
        self.layout = step_layout(program)
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "rewind": In(1),
                "valid": Out(1),
                "step": Out(self.layout),
                "take": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program = self.program
        width = self.layout.size
        m.submodules.steps = rom = memory.Memory(shape=width, depth=program.steps, init=step_image(program))
        port = rom.read_port()
        first = per_layer(m, self.layer, [p.first_step for p in program.layers], name="first")
        last = per_layer(
            m, self.layer, [p.first_step + len(p.steps) - 1 for p in program.layers], name="last"
        )
        address = Signal(range(program.steps))
        advance = ~self.valid | self.take
        m.d.comb += [
            port.addr.eq(address),
            port.en.eq(advance),
            self.step.as_value().eq(port.data),
        ]
        with m.If(self.rewind):
            m.d.sync += [address.eq(first), self.valid.eq(0)]
        with m.Elif(advance):
            m.d.sync += [self.valid.eq(1), address.eq(address + 1)]
            with m.If(address == last):
                m.d.sync += address.eq(first)
        return m
