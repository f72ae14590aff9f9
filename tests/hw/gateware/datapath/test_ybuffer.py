"""Y buffer: one word of D rows in, four words of one row out, and the cut of dot mode."""

import numpy as np
import pytest

from hw.contract.config import CLOCKS_PER_TILE, TRANSFORM_WORDS
from hw.contract.formats import PRODUCT_SUM
from hw.contract.spectrum import WORDS
from hw.gateware.datapath.ybuffer import YBuffer

HALVES = 2


def random_write(rng, rows, drain):
    return {
        "w_en": int(rng.random() < 0.8),
        "w_half": int(rng.integers(HALVES)),
        "w_group": int(rng.integers(rows // drain)),
        "w_word": int(rng.integers(WORDS)),
        "w_words": [
            {"re": int(re), "im": int(im)}
            for re, im in rng.integers(*PRODUCT_SUM.limits, (drain, 2), endpoint=True)
        ],
    }


def random_read(rng, rows):
    return {
        "r_half": int(rng.integers(HALVES)),
        "r_row": int(rng.integers(rows)),
        "r_t": int(rng.integers(CLOCKS_PER_TILE)),
        "present": int(rng.integers(16)),
        "dot": int(rng.random() < 0.3),
    }


class Model:
    """One number pair per half, row and word."""

    def __init__(self, rows, drain):
        self.drain = drain
        self.words = np.zeros((HALVES, rows, WORDS, 2), int)

    def write(self, w):
        if w["w_en"]:
            rows = slice(self.drain * w["w_group"], self.drain * (w["w_group"] + 1))
            self.words[w["w_half"], rows, w["w_word"]] = [(word["re"], word["im"]) for word in w["w_words"]]

    def read(self, r):
        first = TRANSFORM_WORDS * r["r_t"]
        words = self.words[r["r_half"], r["r_row"], first : first + TRANSFORM_WORDS].copy()
        words *= np.array([r["present"] >> i & 1 for i in range(TRANSFORM_WORDS)])[:, None]
        words[:, 1] *= 1 - r["dot"]
        return words


@pytest.mark.parametrize(("rows", "drain"), [(4, 4), (12, 4), (16, 4), (8, 8), (24, 8)])
def test_any_write_and_any_read_in_every_clock(simulate, rows, drain):
    """A read sees all writes up to ``write_latency`` clocks before it, also of the same word; those in LUTs
    are read a clock later, and so see a write more."""
    rng = np.random.default_rng(rows)
    dut, model = YBuffer(rows, drain), Model(rows, drain)
    clocks = 120 * rows
    writes = [random_write(rng, rows, drain) for _ in range(clocks)]
    reads = [random_read(rng, rows) for _ in range(clocks)]
    # Every fourth read asks for what has been written just before.
    for now in range(dut.write_latency, clocks, 4):
        w, r = writes[now - dut.write_latency], reads[now]
        r |= {"r_half": w["w_half"], "r_t": w["w_word"] // TRANSFORM_WORDS}
        r["r_row"] = drain * w["w_group"] + int(rng.integers(drain))
    expected, found, seen = [], [], dut.write_latency - dut.in_luts
    assert seen > -dut.read_latency

    async def testbench(ctx):
        assert dut.lead == 1
        for port in ("w_en", "w_half", "w_group", "w_word"):
            ctx.set(getattr(dut, port), writes[0][port])
        await ctx.tick()
        for now in range(clocks + dut.latency):
            if now < clocks:
                # A write says where before it says what.
                target = writes[min(now + dut.lead, clocks - 1)]
                for port, value in (target | {"w_words": writes[now]["w_words"]} | reads[now]).items():
                    ctx.set(getattr(dut, port), value)
                if now >= seen:
                    model.write(writes[now - seen])
                expected.append(model.read(reads[now]))
            if now >= dut.latency:
                found.append([(ctx.get(word.re), ctx.get(word.im)) for word in dut.words])
            await ctx.tick()

    simulate(dut, testbench)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_cost(synthesise):
    """64 rows: eight halves of a block RAM, no LUT RAM, no DSP slice, no latch."""
    cells = synthesise(YBuffer(64, 8))
    assert cells.get("RAMB18E1", 0) == 8, cells
    assert not any(name.startswith(("DSP", "LD", "RAM32", "RAM64", "RAM128")) for name in cells), cells
