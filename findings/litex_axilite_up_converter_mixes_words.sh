#!/usr/bin/env bash
# On a bus of 64 bits an AXI-Lite master of 32 bits reads the wrong half of a word from LiteX, if it offers its
# next address before it has the answer to the one before.
#
# LiteX 2024.12 (litex/soc/interconnect/axi/axi_lite.py: AXILiteUpConverter, "Switch current word based on the last
# valid master address"). Which half of the wide word is an answer is chosen by ar.addr whenever ar.valid is up,
# also by one that waits, while the answer belongs to the address before. AXI allows a master to offer it:
# cocotbext-axi does, reading more than one word. Half the words of a block come swapped, with OKAY. The way
# round: no address while an answer is due.
#
# Seen:
#     one after the other 0x11111111 0x22222222; next address offered 0x22222222 0x22222222
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'litex==2024.12' 'migen==0.10.0'
cat > "$folder/read.py" <<'END'
import sys

from migen import If, run_simulation
from litex.gen import LiteXModule
from litex.soc.interconnect import axi


class Memory(LiteXModule):
    """A word of 64 bits, read one at a time: the answer comes in the clock after the address."""

    def __init__(self):
        self.master = axi.AXILiteInterface(data_width=32, address_width=32)
        self.slave = slave = axi.AXILiteInterface(data_width=64, address_width=32)
        self.converter = axi.AXILiteConverter(self.master, slave)
        self.comb += [slave.ar.ready.eq(~slave.r.valid), slave.r.data.eq(0x2222222211111111)]
        self.sync += [
            If(slave.r.ready, slave.r.valid.eq(0)),
            If(slave.ar.valid & slave.ar.ready, slave.r.valid.eq(1)),
        ]


def read(ahead):
    """Words 0 and 1, the second address offered at once (ahead), or when the first answer has come."""
    dut, found = Memory(), []

    def program():
        master = dut.master
        addresses = [0, 4]
        yield master.r.ready.eq(1)
        yield master.ar.valid.eq(1)
        yield master.ar.addr.eq(addresses.pop(0))
        offered = True
        for _ in range(20):
            yield
            taken, came = (yield master.ar.ready) and offered, (yield master.r.valid)
            if came:
                found.append(hex((yield master.r.data)))
            if taken:
                offered = False
            if not offered and addresses and (ahead or came):
                yield master.ar.addr.eq(addresses.pop(0))
                offered = True
            yield master.ar.valid.eq(offered)

    run_simulation(dut, program())
    return " ".join(found)


found = f"one after the other {read(False)}; next address offered {read(True)}"
print(found)
right, wrong = "0x11111111 0x22222222", "0x22222222 0x22222222"
sys.exit(found != f"one after the other {right}; next address offered {wrong}")
END
"$folder/venv/bin/python" -W ignore "$folder/read.py"
