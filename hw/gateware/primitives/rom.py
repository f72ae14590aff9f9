"""A large read-only memory, which the bitstream writes.

Amaranth 0.5 makes an object of every bit of a memory's contents, Yosys reads them back bit by bit: minutes
and gigabytes for the tens of megabits of a network's weights. So where Verilog is emitted the memory is a
module of its own, written here, and its contents go straight into the image that it reads.
"""

import numpy as np
from amaranth import ClockSignal, Instance, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.memory_shares import SHARE_BITS
from hw.gateware.primitives.shared import Emitter

_VERILOG = """module {module}_share(clk, en, addr, data);
  parameter IMAGE = "{module}_0.mem";
  parameter WIDTH = {share};
  input clk;
  input en;
  input [{high}:0] addr;
  output [WIDTH - 1:0] data;
  reg [WIDTH - 1:0] {name} [0:{last}];
  initial $readmemb(IMAGE, {name});
  reg [WIDTH - 1:0] word;
  always @(posedge clk) begin
    if (en) begin
      word <= {name}[addr];
    end
  end
  assign data = word;
endmodule

module {module}(clk, en, addr, data);
  input clk;
  input en;
  input [{high}:0] addr;
  output [{width_high}:0] data;
{shares}
endmodule
"""
_SHARE = (
    '  {module}_share #("{module}_{number}.mem", {width}) share_{number}(clk, en, addr, data[{high}:{low}]);'
)


class Rom(wiring.Component):
    """Parameters: ``name``, of the memory; ``bits`` (depth, width) of 0 and 1, a word's lowest bit first.

    Members: ``addr`` while ``en``, and ``data`` one clock later, which then stays. Words lie in shares of
    ``SHARE_BITS``, a module and an image each.
    """

    def __init__(self, name: str, bits):
        self.name, self.bits = name, bits
        depth, width = bits.shape
        super().__init__({"addr": In(range(depth)), "en": In(1), "data": Out(width)})

    def elaborate(self, platform):
        if isinstance(platform, Emitter):
            shares = [
                self.bits[:, first : first + SHARE_BITS] for first in range(0, len(self.data), SHARE_BITS)
            ]
            images = [_image(bits) for bits in shares]
            module = platform.verilog(self.name, self._verilog, images)
            return Instance(module, i_clk=ClockSignal(), i_en=self.en, i_addr=self.addr, o_data=self.data)
        depth, width = self.bits.shape
        words = np.packbits(self.bits, axis=1, bitorder="little")
        rom = memory.Memory(
            shape=width, depth=depth, init=[int.from_bytes(w.tobytes(), "little") for w in words]
        )
        m = Module()
        m.submodules.memory = rom
        port = rom.read_port()
        m.d.comb += [port.addr.eq(self.addr), port.en.eq(self.en), self.data.eq(port.data)]
        return m

    def _verilog(self, module: str) -> str:
        depth, width = self.bits.shape
        shares = []
        for number, low in enumerate(range(0, width, SHARE_BITS)):
            high = min(low + SHARE_BITS, width) - 1
            which = {"number": number, "width": high - low + 1, "high": high, "low": low}
            shares.append(_SHARE.format(module=module, **which))
        return _VERILOG.format(
            module=module,
            name=self.name,
            share=min(width, SHARE_BITS),
            high=len(self.addr) - 1,
            width_high=width - 1,
            last=depth - 1,
            shares="\n".join(shares),
        )


def _image(bits) -> str:
    """A word per line, its highest bit first."""
    depth, width = bits.shape
    text = np.full((depth, width + 1), ord("\n"), np.uint8)
    text[:, :width] = bits[:, ::-1] + ord("0")
    return text.tobytes().decode()
