"""A Zynq under PYNQ's API: models of the DMA, of memory behind a cache, and of an accelerator beside them.

PYNQ itself runs on a board alone. What stands for it here behaves as PYNQ 3.1 does where the link looks: a
channel must be idle to begin, ``wait`` wants a channel that runs and never gives up, a stopped one only says
that it is not started, memory is flushed by ``transfer`` and invalidated by ``wait``. PG021 says what the DMA
does.
"""

import weakref
from collections import deque
from pathlib import Path

import numpy as np

from bitstreams.links.axi_dma import FROM_MEMORY, RESET, RUN, TO_MEMORY
from bitstreams.links.block_design import MARKER, WORD
from bitstreams.links.pynq import PynqLink
from sim.model.bridge import BusError, BusTimeout
from tests.bitstreams.serial_wire import ModelAccelerator

PAGE = 4096
HALTED, IDLE, INTERNAL, DECODE = 1, 2, 1 << 4, 1 << 6
MOST = (1 << 26) - 1


class Way:
    """A direction of the DMA. words: those that memory gave and the stream has not taken, with tlast."""

    def __init__(self):
        self.control, self.status, self.address, self.length = 0, HALTED, 0, 0
        self.words, self.busy, self.got = deque(), False, b""

    def fail(self, bit):
        self.status, self.control, self.busy = self.status | bit | HALTED, self.control & ~RUN, False

    def end(self):
        self.status, self.busy = self.status | IDLE, False


class ZynqBoard:
    """What is in the logic and in memory. It moves when somebody looks.

    Members that break it: ``alive`` (registers read as ones when not), ``synchronises``, ``gives`` (results,
    to the DMA), ``wakes`` (the DMA comes out of its reset). touched: accesses of the accelerator while it was
    in reset. stray: bytes that the DMA wrote where nobody has memory any more.
    """

    def __init__(self):
        self.accelerator = ModelAccelerator()
        self.alive = self.synchronises = self.gives = self.wakes = True
        self.beat, self.touched, self.stray = 4, 0, 0
        self.memory, self.next = {}, 0x1000_0000
        self.load()

    def load(self):
        """As a bitstream that is loaded leaves it; memory stays."""
        self.marker, self.returned, self.offered = 0, False, None
        self.send, self.receive = Way(), Way()
        self.accelerator._reset()

    # --- registers ---------------------------------------------------------------------------------

    def read(self, address):
        """A register of the accelerator, as the wrapper beside a processor answers."""
        self.touched += self.marker != 0
        try:
            return self.accelerator.read32(address) if self.alive and not self.marker else 0xFFFFFFFF
        except (BusError, BusTimeout):
            return 0xFFFFFFFF

    def write(self, address, value):
        self.touched += self.marker != 0
        try:
            self.accelerator.write32(address, value)
        except (BusError, BusTimeout):
            pass  # lost

    def mark(self, value):
        """A beat that is offered when the marker comes stays until it is taken."""
        if not self.synchronises:
            return
        if value and not self.marker:
            self.offered = self.accelerator.pull(1 << 40) if self.accelerator.results else None
            self.accelerator._reset()
        self.marker, self.returned = value, False

    def dma_read(self, offset):
        self.move()
        way, base = (self.receive, 0x30) if offset >= 0x30 else (self.send, 0)
        values = {0x00: way.control, 0x04: way.status, 0x18: way.address, 0x28: way.length}
        return values.get(offset - base, 0)

    def dma_write(self, offset, value):
        way, base = (self.receive, 0x30) if offset >= 0x30 else (self.send, 0)
        register = offset - base
        if register == 0x00 and value & RESET:
            self.send, self.receive = Way(), Way()
            if not self.wakes:
                self.send.control = RESET
        elif register == 0x00:
            way.control = value
            way.status = way.status & ~HALTED if value & RUN else way.status | HALTED
        elif register == 0x18:
            way.address = value
        elif register == 0x28 and way.control & RUN and not way.status & HALTED:
            self._begin(way, value)

    def _begin(self, way, length):
        way.length, way.busy, way.got, way.status = length, True, b"", way.status & ~IDLE
        if way is self.send:
            data = self._at(way.address, length)
            if data is None:
                return way.fail(DECODE)
            words = [data[i : i + 4].ljust(4, b"\0") for i in range(0, length, 4)]
            way.words = deque((WORD.unpack(word)[0], i == len(words) - 1) for i, word in enumerate(words))
        elif self._at(way.address, length) is None:
            way.fail(DECODE)

    # --- streams -----------------------------------------------------------------------------------

    def move(self):
        """As far as it goes."""
        self._to_core()
        while self.receive.busy and (beat := self._from_core()) is not None:
            word, last = beat
            way = self.receive
            way.got += word
            if len(way.got) > way.length:
                way.fail(INTERNAL)
            elif last:
                self._put(way.address, way.got)
                way.length = len(way.got)
                way.end()
        self._to_core()

    def _to_core(self):
        way = self.send
        while way.busy and way.words:
            word, last = way.words[0]
            if self.marker and self.returned:
                break
            if self.marker:
                self.returned = last and word == self.marker
            elif self.accelerator.push(word, last, 0) is None:
                break
            way.words.popleft()
        if way.busy and not way.words:
            way.end()

    def _from_core(self):
        if self.marker:
            if self.offered is not None:
                word, self.offered = self.offered[0], None
                return WORD.pack(word), False
            if self.returned is True:
                self.returned = "and gone"
                return WORD.pack(self.marker).ljust(self.beat, b"\0"), True
            return None
        pulled = self.accelerator.pull(1 << 40) if self.gives else None
        return None if pulled is None else (WORD.pack(pulled[0]), pulled[1])

    # --- memory ------------------------------------------------------------------------------------

    def allocate(self, size):
        """Contiguous memory: its address and what lies there."""
        address, self.next = self.next, self.next + -(-size // PAGE) * PAGE
        self.memory[address] = bytearray(size)
        return address

    def free(self, address):
        self.memory.pop(address, None)

    def _at(self, address, length):
        for base, held in self.memory.items():
            if base <= address and address + length <= base + len(held):
                return bytes(held[address - base : address - base + length])
        return None

    def _put(self, address, data):
        for base, held in self.memory.items():
            if base <= address and address + len(data) <= base + len(held):
                held[address - base : address - base + len(data)] = data
                return
        self.stray += len(data)

    def connect(self, **options):
        """A new client of the bitstream that is loaded, as after the death of one before it."""
        pynq = Pynq(self)
        link = PynqLink(pynq.overlay(), pynq.allocate, name="spec2.bit", clock_hz=1e6, **options)
        link.synchronise()
        return link


# --- PYNQ ----------------------------------------------------------------------------------------------


class Buffer(np.ndarray):
    """Memory behind a cache: what the processor writes is in the array, what the DMA sees in the board's."""

    def flush(self):
        self.board.memory[self.physical_address][:] = self.tobytes()

    def invalidate(self):
        held = np.frombuffer(bytes(self.board.memory[self.physical_address]), self.dtype)
        np.asarray(self)[:] = held


class RemoteBuffer:
    """As PYNQ.remote has them: nothing of it lies here, and what is asked for is fetched."""

    def __init__(self, board, size, dtype):
        self.board, self.size, self.dtype = board, size, np.dtype(dtype)
        self.physical_address, self.nbytes = board.allocate(size), size
        self.cache = bytearray(size)

    def __setitem__(self, key, value):
        assert key == slice(None) and len(value) == self.size
        self.cache[:] = np.asarray(value, self.dtype).tobytes()

    def __getitem__(self, key):
        return np.frombuffer(bytes(self.cache), self.dtype)[key]

    def flush(self):
        self.board.memory[self.physical_address][:] = self.cache

    def invalidate(self):
        self.cache[:] = self.board.memory[self.physical_address]


class Channel:
    """A channel of PYNQ's DMA driver in simple mode."""

    def __init__(self, board, direction):
        self.board, self.at = board, direction
        self.fresh, self.buffer, self.transferred = True, None, 0
        self.start()

    def _status(self):
        return self.board.dma_read(self.at.status)

    running = property(lambda self: not self._status() & HALTED)
    idle = property(lambda self: bool(self._status() & IDLE))
    error = property(lambda self: bool(self._status() & 0x70))

    def start(self):
        self.board.dma_write(self.at.control, RUN)
        assert self.running, "PYNQ would wait here for ever"
        self.fresh = True

    def transfer(self, array, start=0, nbytes=0):
        if not self.running:
            raise RuntimeError("DMA channel not started")
        if not (self.idle or self.fresh):
            raise RuntimeError("DMA channel not idle")
        nbytes = nbytes or array.nbytes - start
        if nbytes > MOST:
            raise ValueError(f"Transfer size is {nbytes} bytes, which exceeds the maximum {MOST}.")
        if self.at is FROM_MEMORY:
            array.flush()
        self.buffer, self.fresh, self.transferred = array, False, 0
        self.board.dma_write(self.at.address, array.physical_address + start)
        self.board.dma_write(self.at.length, nbytes)

    def wait(self):
        if not self.running:
            raise RuntimeError("DMA channel not started")
        assert self.idle, "PYNQ would wait here for ever"
        if self.at is TO_MEMORY:
            self.buffer.invalidate()
        self.transferred = self.board.dma_read(self.at.length)
        self.buffer = None


class Registers:
    """A block without a driver of its own. Values are plain integers: PYNQ takes no others."""

    def __init__(self, read, write):
        self._read, self._write = read, write

    def read(self, offset=0):
        assert offset % 4 == 0
        return int(self._read(offset))

    def write(self, offset, value):
        assert type(value) is int and offset % 4 == 0
        self._write(offset, value)


class Dma(Registers):
    buffer_max_size = MOST

    def __init__(self, board):
        super().__init__(board.dma_read, board.dma_write)
        self.sendchannel, self.recvchannel = Channel(board, FROM_MEMORY), Channel(board, TO_MEMORY)


class Overlay:
    def __init__(self, cells):
        self._cells = cells

    def __getattr__(self, name):
        if name not in self._cells:
            raise AttributeError(f"Could not find IP or hierarchy {name} in overlay")
        made = self._cells[name] = self._cells[name]() if callable(self._cells[name]) else self._cells[name]
        return made


class Pynq:
    """The module ``pynq``. remote: PYNQ.remote's buffers. cells: names of blocks that the bitstream lacks.
    root: whether the program may load one; room: bytes of contiguous memory."""

    def __init__(self, board, *, remote=False, without=(), root=True, room=1 << 20):
        self.board, self.remote, self.without, self.root, self.room = board, remote, without, root, room
        self.loaded = []

    def Overlay(self, path):
        if not Path(path).with_suffix(".hwh").exists():
            raise RuntimeError("Unable to find metadata for bitstream")
        if not self.root:
            raise OSError("Root permissions required.")
        self.loaded.append(path)
        self.board.load()
        return self.overlay()

    def overlay(self):
        board = self.board
        marker = lambda: Registers(lambda _: board.marker, lambda _, value: board.mark(value))  # noqa: E731
        cells = {
            "accelerator": lambda: Registers(board.read, board.write),
            "marker": marker,
            "dma": lambda: Dma(board),
        }
        return Overlay({name: made for name, made in cells.items() if name not in self.without})

    def allocate(self, shape, dtype="u4", target=None):
        (size,) = shape
        self.room -= size
        if self.room < 0:
            raise RuntimeError("Failed to allocate buffer")
        if self.remote:
            return RemoteBuffer(self.board, size, dtype)
        made = np.zeros(shape, dtype).view(Buffer)
        made.board, made.physical_address = self.board, self.board.allocate(size)
        weakref.finalize(made, self.board.free, made.physical_address)
        return made


assert MARKER == 0x1000, "the marker's block has an address of its own here"
