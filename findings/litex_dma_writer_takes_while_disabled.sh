#!/usr/bin/env bash
# WishboneDMAWriter of LiteX takes what its sink is offered while it is not enabled, and drops it.
#
# LiteX 2024.12 (litex/soc/cores/dma.py: add_ctrl(ready_on_idle=1); with_csr=True calls it so). While `enable` is
# low, its state machine is held in IDLE, where sink.ready is 1. Words that a core offers before software has
# armed the DMA are gone, the core has seen them accepted, and a transfer that is armed then waits for them for
# ever, or gets the next ones. The way round: add_ctrl(ready_on_idle=0), then add_csr().
# The reader beside it: words that it has fetched stay in its FIFO when `enable` falls, and are the first ones
# of the next transfer.
#
# Seen:
#     by default ready while disabled 1; with ready_on_idle=0 0
#     first word of the second transfer is of the first one: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'litex==2024.12' 'migen==0.10.0'
cat > "$folder/writer.py" <<'END'
import sys

from migen import run_simulation
from litex.gen import LiteXModule
from litex.soc.cores.dma import WishboneDMAReader, WishboneDMAWriter
from litex.soc.interconnect import wishbone


def ready(**settings):
    writer = WishboneDMAWriter(wishbone.Interface())
    writer.add_ctrl(**settings)
    found = []

    def program():
        yield writer.sink.valid.eq(1)
        for _ in range(4):
            yield
        found.append((yield writer.sink.ready))

    run_simulation(writer, program())
    return found[0]


class Reading(LiteXModule):
    def __init__(self):
        self.bus = wishbone.Interface()
        self.reader = WishboneDMAReader(self.bus, endianness="big")
        self.reader.add_ctrl()
        self.ram = wishbone.SRAM(256, init=list(range(64)), bus=self.bus)


def second():
    """The first word that comes of a transfer from word 32 on, after one from word 0 that was given up."""
    dut, found = Reading(), []

    def program():
        reader = dut.reader
        for base in (0, 32):
            yield reader.base.eq(4 * base)
            yield reader.length.eq(4 * 8)
            yield reader.enable.eq(1)
            for _ in range(20):
                yield
            yield reader.enable.eq(0)
            yield
        found.append((yield reader.source.data))

    run_simulation(dut, program())
    return found[0]


default, told, word = ready(), ready(ready_on_idle=0), second()
print(f"by default ready while disabled {default}; with ready_on_idle=0 {told}")
print(f"first word of the second transfer is of the first one: {word < 32}")
sys.exit((default, told, word) != (1, 0, 0))
END
"$folder/venv/bin/python" -W ignore "$folder/writer.py"
