"""Random pauses on AXI channels, from a seed.

A pause or a pass lasts a random number of clocks. The bench wakes up once per change, not per clock
as ``set_pause_generator`` of cocotbext-axi would: that alone costs most of the simulation's speed.
"""

import random

import cocotb
from cocotb.triggers import Timer

SHORT, LONG = (1, 3), (8, 40)
"""Clocks of a change, least and most. Short ones meet every handshake, long ones drain and fill queues."""


def stall(channels, seed, period):
    """Pause each of ``channels`` (anything with a ``pause`` attribute) at random until the simulation ends.

    ``period`` is the clock's, in ns, even: channels change in the middle of a clock. Each channel has a
    sequence of its own.
    """
    for index, channel in enumerate(channels):
        cocotb.start_soon(_stall(channel, random.Random(f"{seed}/{index}"), period))


async def _stall(channel, numbers, period):
    await Timer(period // 2, unit="ns")
    while True:
        channel.pause = not channel.pause
        span = LONG if numbers.random() < 0.15 else SHORT
        await Timer(numbers.randint(*span) * period, unit="ns")
