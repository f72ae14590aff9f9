"""Memory behind AMD's AXI DMA, in Python: what is written where, and every fault that it names."""

import asyncio
import errno
import os
import random
import socket

import pytest

from bitstreams.links import axi_dma, xdma_loader
from bitstreams.links.axi_dma import IDLE, RESET, RUN
from bitstreams.links.block_design import WORD
from bitstreams.links.xdma import XdmaLink
from bitstreams.links.xdma_loader import BASE, Loader
from hw.util.errors import LinkError

MOST = 4096
HALTED = 1
TO, FROM = 0x30, 0x00


class Dma:
    """Registers of PG021, and what they move between two sockets and ``memory``.

    Members that break it: ``error`` bits of the status of every transfer, ``shift`` so many bytes of another
    client come first, ``stuck`` in reset, ``silent``: nothing moves, ``gives`` less by so many bytes.
    """

    def __init__(self):
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
        (self.h2c, self.board_in), (self.c2h, self.board_out) = pairs
        self.board_in.setblocking(False)
        self.memory, self.words, self.writes = bytearray(1 << 20), {}, []
        self.error = self.shift = self.gives = 0
        self.stuck = self.silent = False
        self.taken = {TO: False, FROM: False}

    def link(self):
        loader = Loader(self, self.h2c.detach(), self.c2h.detach(), name="card", most=MOST)
        return XdmaLink(self, *(os.open("/dev/null", os.O_RDWR) for _ in range(2)), loader, name="card")

    def read(self, address):
        word = address - BASE
        side = TO if word >= TO else FROM
        if word == side + 4 and self.taken[side]:
            self._move(side)
        return WORD.pack(self.words.get(word, 0))

    def write(self, address, value):
        word = address - BASE
        side = TO if word >= TO else FROM
        self.writes.append((word, value))
        self.words[word] = value
        if word == side and value == RESET:
            self.words = {TO: RESET if self.stuck else 0, FROM: RESET if self.stuck else 0}
            self.words |= {TO + 4: HALTED, FROM + 4: HALTED}
        elif word == side:
            assert value == RUN
            self.words[side + 4] = 0
        elif word == side + 0x28:
            assert self.words[side + 4] & HALTED == 0, "a length before the run bit"
            self.words[side + 4] = 0
            self.taken[side] = not self.silent
            if side == FROM:
                self._move(side)

    def _move(self, side):
        if not self.taken[side]:
            return
        self.taken[side] = False
        low, high, size = (self.words.get(side + at, 0) for at in (0x18, 0x1C, 0x28))
        start = low | high << 32
        if self.error:
            self.words[side + 4] = self.error | HALTED
            return
        if side == TO:
            try:
                data = b"\xee" * self.shift + self.board_in.recv(1 << 16)
            except BlockingIOError:  # it goes on when a frame comes
                self.taken[side] = True
                return
            self.memory[start : start + size] = data[:size]
            self.words[side + 0x28] = len(data)
            if len(data) > size and not self.shift:
                self.words[side + 4] = 1 << 4 | HALTED
                return
        else:
            self.board_out.send(self.memory[start : start + size - self.gives])
        self.words[side + 4] = IDLE

    def close(self):
        pass


@pytest.fixture
def dma():
    made = Dma()
    yield made
    for end in (made.board_in, made.board_out):
        end.close()


def test_what_is_written_is_there_and_comes_back(dma):
    dice = random.Random(1)
    with dma.link() as link:
        wanted = bytearray(len(dma.memory))
        for _ in range(20):
            size = 64 * dice.randint(1, 3 * MOST // 64)
            start = 64 * dice.randrange((len(wanted) - size) // 64)
            data = dice.randbytes(size)
            asyncio.run(link.write_memory(start, data))
            wanted[start : start + size] = data
            start = 64 * dice.randrange((len(wanted) - size) // 64)
            assert asyncio.run(link.read_memory(start, size)) == wanted[start : start + size]
        assert dma.memory == wanted
    lengths = [value for word, value in dma.writes if word in (TO + 0x28, FROM + 0x28)]
    assert max(lengths) == MOST
    # The second: nothing was in the stream, so what was begun to see that is called off.
    assert [value for word, value in dma.writes if word == TO].count(RESET) == 2


@pytest.mark.parametrize("seed", range(4))
def test_what_earlier_clients_left_in_the_streams_is_dropped(dma, seed):
    """Frames of any length in both of them, shorter and longer than the transfers that follow."""
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 5)):
        dma.h2c.send(dice.randbytes(64 * dice.randint(1, 60)))
    for _ in range(dice.randint(1, 5)):
        dma.board_out.send(dice.randbytes(64 * dice.randint(1, 60)))
    before, data = bytes(dma.memory), dice.randbytes(640)
    with dma.link() as link:
        if seed % 2:
            assert asyncio.run(link.read_memory(8192, 1024)) == before[8192:9216]
        asyncio.run(link.write_memory(64, data))
        asyncio.run(link.write_memory(4096, data))
        assert asyncio.run(link.read_memory(64, 640)) == data
        assert asyncio.run(link.read_memory(4096, 640)) == data
    wanted = bytearray(before)
    wanted[64:704] = wanted[4096:4736] = data
    assert dma.memory == wanted, "something else was written over"


def test_the_high_half_of_an_address_is_written_before_the_length(dma):
    with dma.link() as link:
        dma.error = 1 << 6
        with pytest.raises(LinkError):
            asyncio.run(link.write_memory(3 << 32 | 128, bytes(64)))
    words = dict(dma.writes)
    assert (words[TO + 0x18], words[TO + 0x1C]) == (128, 3)
    assert [word for word, _ in dma.writes][-4:] == [TO, TO + 0x18, TO + 0x1C, TO + 0x28]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"error": 1 << 4}, "more bytes came than it was told"),
        ({"error": 1 << 5}, "memory answered with an error"),
        ({"error": 1 << 6}, "there is no memory at this address"),
        ({"shift": 4}, "of 256 bytes 260 were counted: some of another client came in between"),
        ({"stuck": True}, "the loader does not come out of its reset"),
        ({"silent": True}, "the loader did not end with 256 bytes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_write_that_fails(dma, fault, why, monkeypatch):
    monkeypatch.setattr(xdma_loader, "SECONDS", 0.3)
    vars(dma).update(fault)
    with dma.link() as link:
        with pytest.raises(LinkError) as error:
            asyncio.run(link.write_memory(0, bytes(256)))
        assert str(error.value) == f"cannot reach the memory of the board on card: {why}"
        with pytest.raises(LinkError, match="has failed before: open the link again"):
            asyncio.run(link.read_memory(0, 64))


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"error": 1 << 5}, "memory answered with an error"),
        ({"gives": 32}, "of 256 bytes 224 came back"),
        ({"silent": True}, "256 bytes did not move within 0 s"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_read_that_fails(dma, fault, why, monkeypatch):
    monkeypatch.setattr(xdma_loader, "SECONDS", 0.3)
    vars(dma).update(fault)
    with dma.link() as link, pytest.raises(LinkError, match=why):
        asyncio.run(link.read_memory(0, 256))


@pytest.mark.parametrize(("address", "size"), [(1, 64), (32, 64), (0, 63), (0, 0), (-64, 64)])
def test_transfers_are_of_whole_units(dma, address, size):
    with dma.link() as link:
        for work in (link.write_memory(address, bytes(size)), link.read_memory(address, size)):
            with pytest.raises(LinkError, match=r"of whole 64 bytes, not \d+ at 0x|of whole 64 bytes"):
                asyncio.run(work)
    assert not dma.writes


def test_registers_that_are_gone(dma, monkeypatch):
    def gone(address):
        raise OSError(errno.EIO, "gone")

    with dma.link() as link:
        monkeypatch.setattr(dma, "read", gone)
        with pytest.raises(LinkError, match=r"cannot reach the memory .*the driver's reason is in"):
            asyncio.run(link.write_memory(0, bytes(64)))


def test_a_card_without_memory_says_so():
    files = [os.open("/dev/null", os.O_RDWR) for _ in range(2)]

    class Nothing:
        def close(self):
            pass

    with XdmaLink(Nothing(), *files, name="card") as link:
        for work in (link.write_memory(0, bytes(64)), link.read_memory(0, 64)):
            with pytest.raises(LinkError, match="card has no way to its memory: load the bitstream"):
                asyncio.run(work)


def test_error_bits_are_all_named():
    assert sum(axi_dma.WHY) == axi_dma.ERRORS
