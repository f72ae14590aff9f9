"""A step's bits, as encoded on the host, come apart into words, ends, groups and a weight for every row."""

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.lib import data, wiring

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network
from hw.contract.spectrum import WORDS
from hw.gateware.datapath.mac import weight_layout
from hw.gateware.primitives.micro_instruction import ends_layout, ends_of, rows_of, step_layout

NETWORK = Network("step", (11, 8, 8), (Conv("a", 11, 6, 3),))


class Apart(wiring.Component):
    """A step, taken apart."""

    def __init__(self, form):
        self.form = form
        self.step = Signal(step_layout(form))
        self.ends = Signal(ends_layout(form))
        self.rows = Signal(data.ArrayLayout(weight_layout(form.weight_bits, form.run_ahead), form.rows))
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.ends.as_value().eq(ends_of(self.form, self.step)),
            self.rows.as_value().eq(rows_of(self.form, self.step, self.step.bit_planes)),
        ]
        return m


@pytest.mark.parametrize("kind", ["dense", "kernel"])
def test_every_part_is_that_of_the_table(simulate, kind):
    compiled = compile_program(random_artifact(NETWORK, seed=2, kind=kind), AcceleratorConfig(4, 2, 1))
    form, table = compiled.step_format, compiled.layers[0].steps
    ahead = table.as_run_ahead
    assert form.run_ahead == (kind == "kernel")
    packed = np.packbits(form.encode(table), axis=1, bitorder="little")
    dut, seen = Apart(form), set()
    assert len(dut.step.as_value()) == form.bits

    async def bench(ctx):
        for t, word in enumerate(packed):
            ctx.set(dut.step.as_value(), int.from_bytes(word.tobytes(), "little"))
            step, ends, rows = ctx.get(dut.step), ctx.get(dut.ends), ctx.get(dut.rows)
            seen.add(step.word)
            assert (step.word, step.end_of_word, step.end_of_pass) == (
                table.word[t],
                table.end_of_word[t],
                table.end_of_pass[t],
            )
            assert (ends.end_of_word, ends.end_of_pass) == (step.end_of_word, step.end_of_pass)
            assert list(step.groups) == table.groups[t, : form.addresses].tolist()
            for n in range(form.rows):
                assert rows[n].select == table.select[t, n]
                assert [rows[n].re, rows[n].im] == table.weight[t, n].tolist()
                if form.run_ahead:
                    assert rows[n].end == (ends.rows >> n & 1) == ahead.end[t, n]

    simulate(dut, bench)
    assert seen == set(range(WORDS))
