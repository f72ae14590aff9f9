"""Read-only memories: the same words in simulation and in Verilog, however many there are."""

import re

import numpy as np
from amaranth import Module
from amaranth.lib import wiring

from hw.contract.memory_shares import SHARE_BITS
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
    shares = [image.split("\n") for image in verilog.images.values()]
    assert len(verilog.text) < 10_000
    assert list(verilog.images) == [f"top_words_{i}.mem" for i in range(-(-1_229 // SHARE_BITS))]
    assert all(len(words) == 17_001 and not words[-1] for words in shares)
    for number in (0, 5, 16_999):
        assert "".join(words[number] for words in reversed(shares)) == "".join(map(str, bits[number, ::-1]))


def test_a_rom_reads_the_same_in_simulation_and_in_verilog(simulate):
    """A word a clock behind its address, which stays while the port is not enabled."""
    bits = np.random.default_rng(1).integers(0, 2, (40, 70), np.uint8)
    rng = np.random.default_rng(2)
    reads = [(int(rng.integers(40)), int(rng.integers(2))) for _ in range(60)]
    dut, found = Reader(bits), []

    async def bench(ctx):
        for address, enabled in reads:
            ctx.set(dut.addr, address)
            ctx.set(dut.en, enabled)
            await ctx.tick()
            found.append(ctx.get(dut.data))

    simulate(dut, bench)
    held, wanted = 0, []
    for address, enabled in reads:
        held = int("".join(map(str, bits[address, ::-1])), 2) if enabled else held
        wanted.append(held)
    first = [enabled for _, enabled in reads].index(1)
    assert found[first:] == wanted[first:]
    verilog = emit(Reader(bits), "top")
    assert re.search(
        r"reg \[WIDTH - 1:0\] words \[0:39\];\n  initial \$readmemb\(IMAGE, words\);", verilog.text
    )
    ports = "input clk;\n  input en;\n  input [5:0] addr;\n  output [69:0] data;"
    shares = [
        '  top_words_share #("top_words_0.mem", 36) share_0(clk, en, addr, data[35:0]);',
        '  top_words_share #("top_words_1.mem", 34) share_1(clk, en, addr, data[69:36]);',
    ]
    module = ["module top_words(clk, en, addr, data);", f"  {ports}", *shares, "endmodule"]
    assert "\n".join(module) in verilog.text
    assert re.search(r"if \(en\) begin\n      word <= words\[addr\];", verilog.text)
