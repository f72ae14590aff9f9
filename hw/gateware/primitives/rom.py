"""A large read-only memory, which the bitstream writes.

Amaranth 0.5 makes an object of every bit of a memory's contents, Yosys reads them back bit by bit: minutes
and gigabytes for the tens of megabits of a network's weights. So where Verilog is emitted the memory is a
module of its own, written here, and its contents go straight into the image that it reads.
"""

import numpy as np
from amaranth import ClockSignal, Instance, Module
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.contract.memory_shares import SHARE_BITS, memory_depths
from hw.gateware.primitives.shared import Emitter

_MEMORY = """module {module}_memory(clk, en, o_en, addr, data);
  parameter IMAGE = "{module}_0.mem";
  parameter WIDTH = {share};
  parameter DEPTH = {depth};
  parameter ADDRESS = {address};
  input clk;
  input en;
  input o_en;
  input [ADDRESS - 1:0] addr;
  output [WIDTH - 1:0] data;
  reg [WIDTH - 1:0] {name} [0:DEPTH - 1];
  initial $readmemb(IMAGE, {name});
  reg [WIDTH - 1:0] word;
  reg [WIDTH - 1:0] out;
  always @(posedge clk) begin
    if (en) begin
      word <= {name}[addr];
    end
    if (o_en) begin
      out <= word;
    end
  end
  assign data = out;
endmodule
"""
_TOP = """
module {module}(clk, en, o_en, addr, data);
  input clk;
  input en;
  input [{memories_high}:0] o_en;
  input [{high}:0] addr;
  output [{width_high}:0] data;
{body}
endmodule
"""
_NUMBER = """  reg [{high}:0] number;
  always @(posedge clk) begin
    if (en) begin
      number <= {choice};
    end
  end"""
_SHARE = """  wire [{top}:0] words_{share};
  reg [{high}:0] shown_{share};
  always @(posedge clk) begin
    if (o_en[{first}]) begin
      shown_{share} <= number;
    end
  end
  assign data[{upper}:{low}] = words_{share}[shown_{share} * {width} +: {width}];"""
_PART = (
    '  {module}_memory #("{module}_{image}.mem", {width}, {depth}, {address}) memory_{image}(clk, en, '
    "o_en[{image}], addr[{address_low} +: {address}], {to});"
)


class Rom(wiring.Component):
    """Parameters: ``name``, of the memory; ``bits`` (depth, width) of 0 and 1, a word's lowest bit first.

    Members: ``addr`` is read while ``en``, and leaves the memory a clock later, where it then stays; it is
    there for each of ``shares``, by a register of its own. ``data`` is what left a memory a clock ago, and
    stays where ``o_en`` is down, a bit for each of ``memories``, all equal.
    Words lie in shares of ``SHARE_BITS``, and those in as many memories as
    :func:`hw.contract.memory_shares.memory_depths` says, with an image each. Why there are two registers:
    :mod:`hw.gateware.datapath.bank`.
    """

    latency = 2

    def __init__(self, name: str, bits):
        self.name, self.bits = name, bits
        depth, width = bits.shape
        self.shares = -(-width // SHARE_BITS)
        self._parts = memory_depths(depth, min(width, SHARE_BITS))
        self.memories = self.shares * len(self._parts)
        super().__init__(
            {
                "addr": In(data.ArrayLayout(range(depth), self.shares)),
                "en": In(1),
                "o_en": In(self.memories),
                "data": Out(width),
            }
        )

    def elaborate(self, platform):
        if isinstance(platform, Emitter):
            images = [
                _image(self.bits[sum(self._parts[:i]) :][:words, first : first + SHARE_BITS])
                for first in range(0, len(self.data), SHARE_BITS)
                for i, words in enumerate(self._parts)
            ]
            module = platform.verilog(self.name, self._verilog, images)
            return Instance(
                module,
                i_clk=ClockSignal(),
                i_en=self.en,
                i_o_en=self.o_en,
                i_addr=self.addr.as_value(),
                o_data=self.data,
            )
        depth, width = self.bits.shape
        words = np.packbits(self.bits, axis=1, bitorder="little")
        rom = memory.Memory(
            shape=width, depth=depth, init=[int.from_bytes(w.tobytes(), "little") for w in words]
        )
        m = Module()
        m.submodules.memory = rom
        port = rom.read_port()
        m.d.comb += [port.addr.eq(self.addr[0]), port.en.eq(self.en)]
        for share in range(self.shares):
            out, read = (bits.word_select(share, SHARE_BITS) for bits in (self.data, port.data))
            with m.If(self.o_en[share * len(self._parts)]):
                m.d.sync += out.eq(read)
        return m

    def _verilog(self, module: str) -> str:
        width, parts = len(self.data), self._parts
        body, each = [], len(self.addr[0])
        if len(parts) > 1:
            firsts = [sum(parts[:i]) for i in range(1, len(parts))]
            choice = " : ".join(
                f"addr[0 +: {each}] >= {first} ? {i}" for i, first in reversed([*enumerate(firsts, start=1)])
            )
            number = {"high": (len(parts) - 1).bit_length() - 1, "choice": f"{choice} : 0"}
            body.append(_NUMBER.format(**number))
        image = 0
        for share, low in enumerate(range(0, width, SHARE_BITS)):
            upper = min(low + SHARE_BITS, width) - 1
            bits = {"share": share, "width": upper - low + 1, "upper": upper, "low": low, "first": image}
            if len(parts) > 1:
                body.append(_SHARE.format(**bits, top=bits["width"] * len(parts) - 1, high=number["high"]))
            for i, words in enumerate(parts):
                address = max(1, ceil_log2(words))
                where = {"address": address, "address_low": each * share, "depth": words, "image": image}
                to = f"words_{share}[{bits['width'] * (i + 1) - 1}:{bits['width'] * i}]"
                to = f"data[{upper}:{low}]" if len(parts) == 1 else to
                body.append(_PART.format(module=module, to=to, **bits, **where))
                image += 1
        sizes = {"share": min(width, SHARE_BITS), "depth": parts[0], "address": max(1, ceil_log2(parts[0]))}
        top = {"high": each * self.shares - 1, "width_high": width - 1, "memories_high": image - 1}
        memory_of = _MEMORY.format(module=module, name=self.name, **sizes)
        return memory_of + _TOP.format(module=module, body="\n".join(body), **top)


def _image(bits) -> str:
    """A word per line, its highest bit first."""
    depth, width = bits.shape
    text = np.full((depth, width + 1), ord("\n"), np.uint8)
    text[:, :width] = bits[:, ::-1] + ord("0")
    return text.tobytes().decode()
