"""Drain controller: every group of rows of a word with its bias and shift, clock by clock."""

from dataclasses import replace

import numpy as np
import pytest

from hw.compile.channel_table import drain_group_bits
from hw.contract.formats import BIAS
from hw.gateware.control.drain_control import DrainControl, entry_layout
from tests.hw.gateware.programs import CASES, program


@pytest.mark.parametrize("bits", [16, 10])
def test_an_entry_is_as_wide_as_the_compiler_says(bits):
    compiled = program("plain", spectrum_bits=bits)
    width = entry_layout(compiled.config.drain, compiled.shift_bits).size
    assert width == drain_group_bits(compiled.config.drain, compiled.shift_bits)
    assert max(compiled.channel_table).bit_length() <= width


def test_the_table_holds_bias_and_shift_of_every_channel():
    compiled = program("plain")
    drain = compiled.config.drain
    image = compiled.channel_table
    assert len(image) == len(compiled.channel_bias)
    for entry, value in enumerate(image):
        for i in range(drain):
            bias = value >> BIAS.bits * i & (1 << BIAS.bits) - 1
            assert bias - (bias >> BIAS.bits - 1 << BIAS.bits) == compiled.channel_bias[entry, i]
            assert value >> BIAS.bits * drain + 5 * i & 31 == compiled.channel_shift[entry, i]
    assert (compiled.channel_bias < 0).any() and compiled.channel_shift.any()


@pytest.fixture(params=[4, 12, 32])
def compiled(request):
    """A program of one, three and four drain groups, with biases and shifts at their limits among others."""
    from hw.compile.compiler import compile_program
    from hw.contract.artifact import random_artifact
    from hw.contract.config import AcceleratorConfig

    network, options = CASES["plain"]
    found = compile_program(
        random_artifact(network, seed=2), AcceleratorConfig(**options | {"rows": request.param})
    )
    rng = np.random.default_rng(request.param)
    bias = rng.integers(-(2**31), 2**31, found.channel_bias.shape)
    bias[0, 0], bias[-1, -1] = -(2**31), 2**31 - 1
    shift = rng.integers(0, 28, found.channel_shift.shape)
    return replace(found, channel_bias=bias, channel_shift=shift)


@pytest.fixture
def narrow():
    """Narrow spectra, with shifts beyond 31 that are never less than what a word was cut by."""
    found = program("plain", spectrum_bits=10)
    rng = np.random.default_rng(2)
    shift = rng.integers(6, 35, found.channel_shift.shape)
    return replace(found, channel_shift=shift)


def test_shifts_of_narrow_spectra_are_less_what_the_word_was_cut_by(simulate, narrow):
    dut, rng = DrainControl(narrow), np.random.default_rng(5)
    assert len({plan.word_shift for plan in narrow.layers}) == 4 and narrow.shift_bits == 6
    words = [(layer, int(word)) for layer in range(len(narrow.layers)) for word in rng.permutation(32)[:12]]
    entries = rng.integers(len(narrow.channel_bias), size=len(words)).tolist()

    async def bench(ctx):
        for (layer, word), entry in zip(words, entries, strict=True):
            ctx.set(dut.layer, layer)
            await ctx.tick().repeat(2)
            for port, value in ((dut.load, 1), (dut.word, word), (dut.entry, entry)):
                ctx.set(port, value)
            await ctx.tick()
            ctx.set(dut.load, 0)
            ctx.set(dut.word, 31 - word)
            await ctx.tick().repeat(dut.table_latency - 1)
            cut = narrow.layers[layer].word_shift[word]
            assert [ctx.get(value) for value in dut.shift] == (narrow.channel_shift[entry] - cut).tolist()
            bias = narrow.channel_bias[entry] * (word == 0)
            assert [ctx.get(value) for value in dut.bias] == bias.tolist()

    simulate(dut, bench)


def test_words_back_to_back_and_apart(simulate, compiled):
    dut, rng = DrainControl(compiled), np.random.default_rng(3)
    groups, table = compiled.config.rows // compiled.config.drain, len(compiled.channel_bias)
    plan, clock = {}, 2  # clock of a load: its word, half, first entry, entries - 1 and whether a pass ends
    for n in range(60):
        count = groups if n % 3 else int(rng.integers(1, groups + 1))
        entry = int(rng.integers(table - count + 1))
        word = 0 if n % 4 == 0 else int(rng.integers(32))
        plan[clock] = (word, int(rng.integers(2)), entry, count - 1, int(rng.random() < 0.4))
        clock += count + (0 if n % 2 else int(rng.integers(4)))
    served = {}
    for start, (word, half, entry, last, ends) in plan.items():
        for group in range(last + 1):
            end = int(ends and group == last)
            served[start + group] = (group, word, half, end, entry + group)
    assert max(served) - len(served) > 10

    async def bench(ctx):
        for now in range(clock + 6):
            load = plan.get(now)
            ctx.set(dut.load, int(load is not None))
            noise = [int(rng.integers(limit)) for limit in (32, 2, table, groups, 2)]
            for port, value in zip(
                (dut.word, dut.half, dut.entry, dut.entries, dut.end_of_pass), load or noise, strict=True
            ):
                ctx.set(port, value)
            assert ctx.get(dut.active) == (now in served)
            if now in served:
                shown = [ctx.get(port) for port in (dut.group, dut.o_word, dut.o_half, dut.end)]
                assert shown == list(served[now][:4])
            else:
                assert ctx.get(dut.end) == 0
            before = served.get(now - dut.table_latency)
            if before:
                _, word, _, _, entry = before
                bias = compiled.channel_bias[entry] if word == 0 else 0 * compiled.channel_bias[entry]
                assert [ctx.get(value) for value in dut.bias] == bias.tolist()
                assert [ctx.get(value) for value in dut.shift] == compiled.channel_shift[entry].tolist()
            await ctx.tick()

    simulate(dut, bench)
