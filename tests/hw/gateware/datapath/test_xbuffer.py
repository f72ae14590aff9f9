"""X buffer: four words of a channel in, one word of eight channels out, from any place at any time."""

import numpy as np
import pytest

from hw.contract.config import BANKS, CLOCKS_PER_TILE
from hw.contract.formats import Format
from hw.contract.spectrum import DUAL_REAL, WORDS
from hw.gateware.datapath.xbuffer import XBuffer

HALVES, SUB_BANKS = 2, 4


def random_write(rng, groups, bits):
    """A write as a dictionary of the ports' values; most are real ones."""
    return {
        "w_en": int(rng.random() < 0.8),
        "w_bank": int(rng.integers(BANKS)),
        "w_half": int(rng.integers(HALVES)),
        "w_group": int(rng.integers(groups)),
        "w_t": int(rng.integers(CLOCKS_PER_TILE)),
        "w_swap": int(rng.integers(2)),
        "w_words": [
            {"re": int(re), "im": int(im)}
            for re, im in rng.integers(*Format(bits).limits, (SUB_BANKS, 2), endpoint=True)
        ],
    }


def random_read(rng, groups, own_words):
    return {
        "r_half": int(rng.integers(HALVES)),
        "r_groups": rng.integers(groups, size=BANKS).tolist(),
        "r_words": rng.integers(WORDS, size=BANKS if own_words else 1).tolist(),
    }


class Model:
    """One number pair per half, group, bank and word."""

    def __init__(self, groups):
        self.words = np.zeros((HALVES, groups, BANKS, WORDS, 2), int)

    def write(self, w):
        if not w["w_en"]:
            return
        for i, word in enumerate(w["w_words"]):
            b = SUB_BANKS * w["w_t"] + i
            parts = word["re"], word["im"]
            swap = w["w_swap"] and b in DUAL_REAL
            self.words[w["w_half"], w["w_group"], w["w_bank"], b] = parts[::-1] if swap else parts

    def read(self, r):
        return self.words[r["r_half"], r["r_groups"], np.arange(BANKS), r["r_words"]].copy()


@pytest.mark.parametrize(
    "groups, own_words, bits", [(1, False, 16), (3, True, 16), (8, False, 16), (2, False, 11), (1, True, 8)]
)
def test_any_write_and_any_read_in_every_clock(simulate, groups, own_words, bits):
    """A read sees all writes up to ``write_latency`` clocks before it, also of the same word; those in LUTs
    are read a clock later, and so see a write more."""
    rng = np.random.default_rng(groups)
    dut, model = XBuffer(groups, own_words, bits), Model(groups)
    clocks = 400 * groups
    writes = [random_write(rng, groups, bits) for _ in range(clocks)]
    reads = [random_read(rng, groups, own_words) for _ in range(clocks)]
    # Every fourth read asks for what has been written just before.
    for now in range(dut.write_latency, clocks, 4):
        w, r = writes[now - dut.write_latency], reads[now]
        r["r_half"], r["r_groups"][w["w_bank"]] = w["w_half"], w["w_group"]
        r["r_words"][w["w_bank"] if own_words else 0] = SUB_BANKS * w["w_t"] + int(rng.integers(SUB_BANKS))
    expected, found, seen = [], [], dut.write_latency - dut.in_luts
    assert seen > -dut.read_latency

    async def testbench(ctx):
        for now in range(clocks + dut.latency):
            if now < clocks:
                for port, value in (writes[now] | reads[now]).items():
                    ctx.set(getattr(dut, port), value)
                if now >= seen:
                    model.write(writes[now - seen])
                expected.append(model.read(reads[now]))
            if now >= dut.latency:
                found.append([(ctx.get(dut.x[k].re), ctx.get(dut.x[k].im)) for k in range(BANKS)])
            await ctx.tick()

    simulate(dut, testbench)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_cost(synthesise):
    """64 groups (512 channels): 32 block RAMs, no LUT RAM, no DSP slice, no latch."""
    cells = synthesise(XBuffer(64))
    assert cells.get("RAMB36E1", 0) == 32, cells
    assert not any(name.startswith(("DSP", "LD", "RAM32", "RAM64", "RAM128")) for name in cells), cells
