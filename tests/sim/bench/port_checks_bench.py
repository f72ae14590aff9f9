"""cocotb test of ``port_checks.v``: every promise kept and broken; ``test_port_checks.py`` builds it."""

import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

CASE = "SPEC2_CASE"
"""Environment variable with the name of a case."""

LEGAL = [(0, 255, 2, 1), (4092, 0, 2, 1), (3072, 255, 2, 1), (8, 3, 2, 1)]
ILLEGAL = [(2, 0, 2, 1), (4092, 1, 2, 1), (3076, 255, 2, 1), (0, 0, 1, 1), (0, 0, 2, 0), (0, 0, 2, 2)]
"""Of 32-bit beats: address, length, size, kind of burst."""


async def clock(dut, **values):
    for name, value in values.items():
        getattr(dut, name).value = value
    await FallingEdge(dut.clk)


async def quiet(dut):
    names = ("valid", "ready", "payload", "rst", "last", "arvalid")
    await clock(dut, **dict.fromkeys(names, 0))


def broken(dut):
    return [int(getattr(dut, name).value) for name in ("broken_reset", "broken_ever")]


@cocotb.test()
async def checks(dut):
    """The case that the environment names. What is noted stays, so every case has a simulation of its own."""
    Clock(dut.clk, 10, unit="ns").start()
    await quiet(dut)
    name, _, number = os.environ[CASE].partition(" ")
    if name == "kept":
        await kept(dut)
    elif name == "burst":
        address, length, size, kind = ILLEGAL[int(number)]
        await clock(dut, arvalid=1, addr=address, len=length, size=size, burst=kind)
        await quiet(dut)
        assert dut.broken_burst.value
    else:
        await clock(dut, valid=1, payload=3, ready=0)
        await clock(dut, **{"fell": {"valid": 0}, "changed": {"payload": 2}}[name], ready=1)
        await quiet(dut)
        assert broken(dut) == [1, 1]
        await clock(dut, rst=1)
        await quiet(dut)
        assert broken(dut) == [1, 1], "a reset forgets"


async def kept(dut):
    """What is kept is not called broken."""
    dice = random.Random(1)
    for _ in range(200):  # offers that wait, and in between nothing
        await clock(dut, valid=0, payload=dice.randrange(16), ready=dice.randrange(2))
        payload = dice.randrange(16)
        for _ in range(dice.randrange(4)):
            await clock(dut, valid=1, payload=payload, ready=0)
        await clock(dut, valid=1, payload=payload, ready=1)
        if dice.random() < 0.5:  # the next one at once
            await clock(dut, valid=1, payload=dice.randrange(16), ready=1)
    await quiet(dut)
    for address, length, size, kind in LEGAL:
        await clock(dut, arvalid=1, addr=address, len=length, size=size, burst=kind)
    for address, length, size, kind in ILLEGAL:
        await clock(dut, arvalid=0, addr=address, len=length, size=size, burst=kind)
    await quiet(dut)
    assert broken(dut) == [0, 0] and not dut.broken_burst.value
    # Frames end, and a reset forgets one that did not.
    for last, wanted in ((0, 1), (0, 1), (1, 0), (1, 0), (0, 1)):
        await clock(dut, valid=1, ready=1, last=last)
        assert int(dut.unfinished.value) == wanted
    await clock(dut, valid=0, rst=1)
    assert not dut.unfinished.value
    assert broken(dut) == [0, 0]
    # An offer that a reset ends is a broken promise only of those that last through it.
    await quiet(dut)
    await clock(dut, valid=1, payload=5, last=1)
    await clock(dut, valid=1, rst=1)
    await clock(dut, valid=0, rst=0)
    await quiet(dut)
    assert broken(dut) == [0, 1]
