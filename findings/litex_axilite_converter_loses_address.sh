#!/usr/bin/env bash
# On a bus of 64 bits LiteX never delivers a write to the upper 32 bits to an AXI-Lite peripheral of 32 bits that
# is ready before it is asked.
#
# LiteX 2024.12 (litex/soc/interconnect/axi/axi_lite.py: _AXILiteDownConverterWrite, state CONVERT). A word whose
# strobes are zero is skipped, but while it is, slave.aw.ready and slave.w.ready are remembered as if address
# and data had been offered. For the next word aw.valid and w.valid then stay low, and the converter waits for
# an answer to what it never asked: a SoC's bus gives up after a million clocks. AXI allows a subordinate to be
# ready before it sees valid; one that waits for valid first is served. A SoC with such a bus puts this converter
# before every AXI-Lite peripheral (SoCBusHandler.add_adapter). The way round: a Wishbone port of 32 bits, which
# the bus narrows with another converter, and axi.Wishbone2AXILite behind it.
#
# Seen:
#     lower half: answered True, address seen 0x70; upper half: answered False, address seen never
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'litex==2024.12' 'migen==0.10.0'
cat > "$folder/write.py" <<'END'
import sys

from migen import If, run_simulation
from litex.gen import LiteXModule
from litex.soc.interconnect import axi


class Ready(LiteXModule):
    """A peripheral that is ready as long as it owes no answer."""

    def __init__(self):
        self.master = axi.AXILiteInterface(data_width=64, address_width=32)
        self.slave = slave = axi.AXILiteInterface(data_width=32, address_width=32)
        self.converter = axi.AXILiteConverter(self.master, slave)
        self.comb += [slave.aw.ready.eq(~slave.b.valid), slave.w.ready.eq(~slave.b.valid)]
        self.sync += [
            If(slave.b.ready, slave.b.valid.eq(0)),
            If(slave.aw.valid & slave.aw.ready, slave.b.valid.eq(1)),
        ]


def write(address):
    """Whether a write of 32 bits is answered within 1,000 clocks, and the address that the peripheral saw."""
    dut, seen, answered = Ready(), [], []

    def program():
        master = dut.master
        yield master.aw.valid.eq(1)
        yield master.aw.addr.eq(address & ~7)
        yield master.w.valid.eq(1)
        yield master.w.strb.eq(0xF0 if address & 4 else 0x0F)
        yield master.b.ready.eq(1)
        for _ in range(1000):
            yield
            if (yield dut.slave.aw.valid) and not seen:
                seen.append((yield dut.slave.aw.addr))
            if (yield master.b.valid):
                answered.append(True)
                return

    run_simulation(dut, program())
    return f"answered {bool(answered)}, address seen {hex(seen[0]) if seen else 'never'}"


found = f"lower half: {write(0x70)}; upper half: {write(0x74)}"
print(found)
sys.exit(found != "lower half: answered True, address seen 0x70; upper half: answered False, address seen never")
END
"$folder/venv/bin/python" -W ignore "$folder/write.py"
