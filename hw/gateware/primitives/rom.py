"""A large read-only memory, which the bitstream writes.

Amaranth 0.5 makes an object of every bit of a memory's contents, Yosys reads them back bit by bit: minutes
and gigabytes for the tens of megabits of a network's weights. So where Verilog is emitted the memory is a
module of its own, written here, and its contents go straight into the image that it reads.
"""

import numpy as np
from amaranth import ClockSignal, Instance, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.primitives.shared import Emitter

_VERILOG = """module {module}(clk, en, addr, data);
  input clk;
  input en;
  input [{high}:0] addr;
  output [{width_high}:0] data;
  reg [{width_high}:0] {name} [0:{last}];
  initial $readmemb("{image}", {name});
  reg [{width_high}:0] word;
  always @(posedge clk) begin
    if (en) begin
      word <= {name}[addr];
    end
  end
  assign data = word;
endmodule
"""


class Rom(wiring.Component):
    """Parameters: ``name``, of the memory; ``bits`` (depth, width) of 0 and 1, a word's lowest bit first.

    Members: ``addr`` while ``en``, and ``data`` one clock later, which then stays.
    """

    def __init__(self, name: str, bits):
        self.name, self.bits = name, bits
        depth, width = bits.shape
        super().__init__({"addr": In(range(depth)), "en": In(1), "data": Out(width)})

    def elaborate(self, platform):
        if isinstance(platform, Emitter):
            module = platform.verilog(self.name, self._verilog, self._image())
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

    def _verilog(self, module: str, image: str) -> str:
        depth, width = self.bits.shape
        return _VERILOG.format(
            module=module,
            name=self.name,
            image=image,
            high=len(self.addr) - 1,
            width_high=width - 1,
            last=depth - 1,
        )

    def _image(self) -> str:
        """A word per line, its highest bit first."""
        depth, width = self.bits.shape
        text = np.full((depth, width + 1), ord("\n"), np.uint8)
        text[:, :width] = self.bits[:, ::-1] + ord("0")
        return text.tobytes().decode()
