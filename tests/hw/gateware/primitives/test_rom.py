"""Read-only memories: the same words in simulation and in Verilog, however many there are."""

import re

import numpy as np
from amaranth import Module
from amaranth.lib import wiring

from hw.contract.memory_shares import SHARE_BITS, memory_depths
from hw.emit import emit
from hw.gateware.primitives.rom import Rom


class Reader(wiring.Component):
    """A ROM's port, outside."""

    def __init__(self, bits):
        self.rom = Rom("words", bits)
        ports = {name: member for name, member in self.rom.signature.members.items()}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = self.rom
        wiring.connect(m, wiring.flipped(self), self.rom)
        return m


def test_the_contents_of_a_large_rom_do_not_go_through_amaranth():
    """21 Mbit: as a list of words of a memory they took more than ten minutes and gigabytes."""
    bits = np.random.default_rng(0).integers(0, 2, (17_000, 1_229), np.uint8)
    verilog = emit(Reader(bits), "top")
    parts = memory_depths(17_000, SHARE_BITS)
    images = list(verilog.images.values())
    assert len(verilog.text) < 2_000 + 200 * len(images)
    assert list(verilog.images) == [f"top_words_{i}.mem" for i in range(len(parts) * -(-1_229 // SHARE_BITS))]
    shares = [
        "".join(images[first : first + len(parts)]).split("\n") for first in range(0, len(images), len(parts))
    ]
    assert all(len(words) == 17_001 and not words[-1] for words in shares)
    for number in (0, 5, 16_999):
        assert "".join(words[number] for words in reversed(shares)) == "".join(map(str, bits[number, ::-1]))


def test_a_rom_reads_the_same_in_simulation_and_in_verilog(simulate):
    """A word two clocks behind its address; it stays in the memory while that is not enabled, and in a
    share's output register while this one is not."""
    bits = np.random.default_rng(1).integers(0, 2, (40, 70), np.uint8)
    rng = np.random.default_rng(2)
    reads = [(int(rng.integers(40)), int(rng.integers(2)), int(rng.integers(4))) for _ in range(90)]
    dut, found = Reader(bits), []

    async def bench(ctx):
        for address, enabled, moves in reads:
            ctx.set(dut.addr, [address, address])
            ctx.set(dut.en, enabled)
            ctx.set(dut.o_en, moves)
            await ctx.tick()
            found.append(ctx.get(dut.data))

    simulate(dut, bench)
    # Before the first read the memory holds word 0, its output registers zeros.
    held, out, wanted = bits[0], np.zeros(70, np.uint8), []
    for address, enabled, moves in reads:
        for share in range(2):
            if moves >> share & 1:
                where = slice(SHARE_BITS * share, SHARE_BITS * (share + 1))
                out[where] = held[where]
        held = bits[address] if enabled else held
        wanted.append(int("".join(map(str, out[::-1])), 2))
    assert found[10:] == wanted[10:]
    verilog = emit(Reader(bits), "top")
    assert re.search(
        r"reg \[WIDTH - 1:0\] words \[0:DEPTH - 1\];\n  initial \$readmemb\(IMAGE, words\);", verilog.text
    )
    ports = "input clk;\n  input en;\n  input [1:0] o_en;\n  input [11:0] addr;\n  output [69:0] data;"
    shares = [
        '  top_words_memory #("top_words_0.mem", 36, 40, 6) memory_0'
        "(clk, en, o_en[0], addr[0 +: 6], data[35:0]);",
        '  top_words_memory #("top_words_1.mem", 34, 40, 6) memory_1'
        "(clk, en, o_en[1], addr[6 +: 6], data[69:36]);",
    ]
    module = ["module top_words(clk, en, o_en, addr, data);", f"  {ports}", *shares, "endmodule"]
    assert "\n".join(module) in verilog.text
    assert re.search(r"if \(en\) begin\n      word <= words\[addr\];", verilog.text)
    assert re.search(r"if \(o_en\) begin\n      out <= word;", verilog.text)
