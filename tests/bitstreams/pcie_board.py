"""A board behind PCI Express: the model of an accelerator, and buffers that an abort does not empty."""

import os
import socket
import struct
import threading
from collections import deque
from contextlib import suppress

from bitstreams.links import xdma
from bitstreams.links.block_design import MARKER
from bitstreams.links.xdma import XdmaLink
from bitstreams.links.xdma_devices import DeviceRegisters
from sim.model.bridge import BusError
from tests.bitstreams.serial_wire import ModelAccelerator

WORD = struct.Struct("<I")


class PcieBoard:
    """Runs in a thread. ``connect`` gives a link to it; buffers outlive a client, as they do on a board.

    Members that break it: ``alive`` (registers read as ones when not), ``synchronises``, ``gives`` (results,
    to the host), ``cut`` (results end this many beats early, negative: late).
    """

    def __init__(self, monkeypatch):
        self.accelerator = ModelAccelerator()
        self.marker = 0
        self.alive = self.synchronises = self.gives = True
        self.cut = 0
        self.beat = 4  # bytes: the width of the streams, as far as the marker's way back shows it
        self.to_core = deque()  # (beat, last)
        self.to_host = deque()  # frames that no client has read
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.ends = []
        self.user = os.open("/dev/null", os.O_RDWR)
        self._patch(monkeypatch)
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.thread.start()

    def connect(self, **options) -> XdmaLink:
        """A new client. Whatever one before it left in flight is still there."""
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
        (host_out, board_in), (host_in, board_out) = pairs
        board_in.settimeout(0.002)
        with self.lock:
            self.ends.append((board_in, board_out))
        registers = DeviceRegisters(os.dup(self.user))
        link = XdmaLink(
            registers, host_out.detach(), host_in.detach(), name="/dev/xdma0", clock_hz=1e6, **options
        )
        link.synchronise()
        return link

    def close(self):
        self.ended.set()
        self.thread.join()
        for pair in self.ends:
            for end in pair:
                end.close()
        os.close(self.user)

    # --- registers ---------------------------------------------------------------------------------

    def _patch(self, monkeypatch):
        device = os.fstat(self.user).st_rdev
        pread, pwrite = os.pread, os.pwrite

        def read(file, size, offset):
            if os.fstat(file).st_rdev != device:
                return pread(file, size, offset)
            with self.lock, suppress(BusError):
                return WORD.pack(self.accelerator.read32(offset) if self.alive else 0xFFFFFFFF)
            return WORD.pack(0xFFFFFFFF)  # an error response, as a host sees it

        def write(file, data, offset):
            if os.fstat(file).st_rdev != device:
                return pwrite(file, data, offset)
            (value,) = WORD.unpack(data)
            with self.lock, suppress(BusError):  # posted
                if offset != MARKER:
                    self.accelerator.write32(offset, value)
                elif self.synchronises:
                    self.marker, self.returned = value, False
                    if value:
                        self.accelerator._reset()
            return len(data)

        monkeypatch.setattr(xdma.os, "pread", read)
        monkeypatch.setattr(xdma.os, "pwrite", write)

    # --- streams -----------------------------------------------------------------------------------

    def _loop(self):
        while not self.ended.is_set():
            with self.lock:
                ends = list(self.ends)
            for board_in, _ in ends:
                self._take(board_in)
            with self.lock:
                self._work()
                if ends and self.gives:
                    self._give(ends[-1][1])

    def _take(self, board_in):
        try:
            frame = board_in.recv(1 << 16)
        except (TimeoutError, ConnectionError):
            return
        beats = [WORD.unpack_from(frame, i)[0] for i in range(0, len(frame), 4)]
        with self.lock:
            self.to_core.extend((beat, i == len(beats) - 1) for i, beat in enumerate(beats))

    def _work(self):
        if self.marker:
            while self.to_core and not self.returned:
                beat, last = self.to_core.popleft()
                if last and beat == self.marker:
                    self.to_host.append(WORD.pack(beat).ljust(self.beat, b"\0"))
                    self.returned = True
            return
        while self.to_core and self.accelerator.push(*self.to_core[0], 0) is not None:
            self.to_core.popleft()
        frame, last = b"", False
        while not last and (pulled := self.accelerator.pull(1 << 40)):
            beat, last, _ = pulled
            frame += WORD.pack(beat)
        if last:
            self.to_host.append(frame[: len(frame) - 4 * self.cut] + b"\0\0\0\0" * -self.cut)

    def _give(self, board_out):
        while self.to_host:
            try:
                board_out.send(self.to_host[0], socket.MSG_DONTWAIT)
            except (BlockingIOError, ConnectionError):
                return
            self.to_host.popleft()
