"""A large read-only memory, which the bitstream writes.

Amaranth 0.5 makes an object of every bit of a memory's contents, Yosys reads them back bit by bit: minutes
and gigabytes for the tens of megabits of a network's weights. So where Verilog is emitted the memory is a
module of its own, written here, and its contents go straight into the image that it reads.
"""

from functools import partial

import numpy as np
from amaranth import ClockSignal, Instance, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.memory_shares import SHARE_BITS
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
            return self._columns(platform)
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

    def _columns(self, platform):
        """Instances of ``SHARE_BITS`` each."""
        m = Module()
        width = self.bits.shape[1]
        for number, first in enumerate(range(0, width, SHARE_BITS)):
            bits = self.bits[:, first : first + SHARE_BITS]
            name = f"{self.name}_{number}" if width > SHARE_BITS else self.name
            module = platform.verilog(name, partial(self._verilog, bits.shape), _image(bits))
            ports = {"i_clk": ClockSignal(), "i_en": self.en, "i_addr": self.addr}
            column = self.data[first : first + SHARE_BITS]
            m.submodules[f"column_{number}"] = Instance(module, **ports, o_data=column)
        return m

    def _verilog(self, shape: tuple[int, int], module: str, image: str) -> str:
        depth, width = shape
        return _VERILOG.format(
            module=module,
            name=self.name,
            image=image,
            high=len(self.addr) - 1,
            width_high=width - 1,
            last=depth - 1,
        )


def _image(bits) -> str:
    """A word per line, its highest bit first."""
    depth, width = bits.shape
    text = np.full((depth, width + 1), ord("\n"), np.uint8)
    text[:, :width] = bits[:, ::-1] + ord("0")
    return text.tobytes().decode()
