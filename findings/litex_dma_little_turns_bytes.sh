#!/usr/bin/env bash
# LiteX's DMAs turn the bytes of every word round unless they are told that they are "big".
#
# LiteX 2024.12 (litex/soc/cores/dma.py: format_bytes, {"big": s, "little": reverse_bytes(s)}; the default is
# "little"). In a SoC of LiteX the byte at the lowest address is the lowest one of a word on the bus. With the
# default it is the highest one of the word in the stream; with "big" it is the lowest, as AXI4-Stream has it.
# The docstrings do not say what the argument is about. The way round: endianness="big".
#
# Seen:
#     bytes 00 01 02 03 in memory are 0x00010203 in the stream by default, 0x03020100 with endianness="big"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'litex==2024.12' 'migen==0.10.0'
cat > "$folder/bytes.py" <<'END'
import sys

from migen import run_simulation
from litex.gen import LiteXModule
from litex.soc.cores.dma import WishboneDMAReader
from litex.soc.interconnect import wishbone


class Reading(LiteXModule):
    def __init__(self, **settings):
        self.bus = wishbone.Interface()
        self.reader = WishboneDMAReader(self.bus, **settings)
        self.reader.add_ctrl()
        self.ram = wishbone.SRAM(64, init=[int.from_bytes(bytes([0, 1, 2, 3]), "little")], bus=self.bus)


def word(**settings):
    dut, found = Reading(**settings), []

    def program():
        yield dut.reader.length.eq(4)
        yield dut.reader.enable.eq(1)
        for _ in range(20):
            yield
        found.append((yield dut.reader.source.data))

    run_simulation(dut, program())
    return f"0x{found[0]:08x}"


default, big = word(), word(endianness="big")
print(f'bytes 00 01 02 03 in memory are {default} in the stream by default, {big} with endianness="big"')
sys.exit((default, big) != ("0x00010203", "0x03020100"))
END
"$folder/venv/bin/python" -W ignore "$folder/bytes.py"
