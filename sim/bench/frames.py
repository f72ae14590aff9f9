"""Frames through the streams that ``frames.v`` drives: Python works once in a piece, not in every clock.

Both have ``pause``, as the channels of cocotbext-axi do, for :mod:`sim.bench.stalls`.
"""

from collections import deque

import cocotb
from cocotb.triggers import Event, RisingEdge, ValueChange

from sim.bench.wrapper import PIECE

BYTES = PIECE // 8
"""Of a piece: 32 beats of four bytes, or fewer wider ones."""


class _Stream:
    """Ports that begin with ``prefix``: ``pause``, and ``epoch``, which forgets what is under way. ``beat``:
    bytes of a beat."""

    def __init__(self, dut, prefix, beat):
        self.dut, self.prefix, self.beat, self._pause, self._epoch = dut, prefix, beat, False, 0
        self._set("pause", 0)
        self._set("epoch", 0)

    def _port(self, name):
        return getattr(self.dut, f"{self.prefix}_{name}")

    def _set(self, name, value):
        self._port(name).value = value

    @property
    def pause(self):
        """Whether no beat may pass, from the next clock edge on."""
        return self._pause

    @pause.setter
    def pause(self, value):
        self._pause = bool(value)
        self._set("pause", int(self._pause))

    def forget(self):
        """Drop every frame, also the one of which beats have passed."""
        self._epoch ^= 1
        self._set("epoch", self._epoch)


class FrameSource(_Stream):
    """Sends frames of whole beats, one after the other."""

    def __init__(self, dut):
        super().__init__(dut, "source", len(dut.s_axis_tdata) // 8)
        self._pieces, self._wake = deque(), Event()
        self._slot = self._given = 0
        self._fresh = True
        for name in ("given", "beats_0", "beats_1", "count_0", "count_1", "lasts"):
            self._set(name, 0)
        self._lasts = 0
        cocotb.start_soon(self._run())

    def send(self, frame):
        """Queue a frame; its first beat is offered behind the next clock edge, if it is the only one."""
        starts = range(0, len(frame), BYTES)
        self._pieces += [(frame[at : at + BYTES], at == starts[-1]) for at in starts]
        self._wake.set()

    def forget(self):
        super().forget()
        self._pieces.clear()
        self._slot, self._fresh = 0, True

    async def _run(self):
        edge, emptied = RisingEdge(self.dut.clk), ValueChange(self._port("taken"))
        while True:
            if not self._pieces:
                self._wake.clear()
                await self._wake.wait()
                self._fresh = True
            elif self._fresh:  # also behind a forget: its clock edge empties the slots
                self._fresh = False
                await edge
            elif (int(self._port("taken").value) ^ self._given) >> self._slot & 1:
                await emptied
            else:
                self._fill(*self._pieces.popleft())

    def _fill(self, piece, last):
        slot, bit = self._slot, 1 << self._slot
        self._set(f"beats_{slot}", int.from_bytes(piece, "little"))
        self._set(f"count_{slot}", len(piece) // self.beat)
        self._lasts = self._lasts & ~bit | last << slot
        self._set("lasts", self._lasts)
        self._given ^= bit
        self._set("given", self._given)
        self._slot ^= 1


class FrameSink(_Stream):
    """Collects frames. ``arrived`` is set while there is one."""

    def __init__(self, dut):
        super().__init__(dut, "sink", len(dut.m_axis_tdata) // 8)
        self._frames, self._part, self.arrived = deque(), bytearray(), Event()
        cocotb.start_soon(self._run())

    def take(self):
        """The oldest frame; there must be one."""
        frame = self._frames.popleft()
        if not self._frames:
            self.arrived.clear()
        return frame

    def forget(self):
        super().forget()
        self._frames.clear()
        self._part.clear()
        self.arrived.clear()

    async def _run(self):
        given = ValueChange(self._port("given"))
        while True:
            await given
            if int(self._port("of").value) != self._epoch:
                continue  # taken before what was under way was forgotten
            piece = int(self._port("beats").value).to_bytes(BYTES, "little")
            self._part += piece[: self.beat * int(self._port("count").value)]
            if self._port("last").value:
                self._frames.append(bytes(self._part))
                self._part.clear()
                self.arrived.set()
