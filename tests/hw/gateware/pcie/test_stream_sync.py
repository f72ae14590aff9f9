"""What empties the streams between a host and the accelerator, whatever a client does and when it dies."""

import random

import pytest
from amaranth.hdl import C
from amaranth.sim import Simulator

from hw.gateware.pcie.stream_sync import Sync

MARKER = 0xC0FFEE42


def simulate(process, bits=32):
    """Run ``process(ctx, sync)`` with random stalls at both far ends; returns what came out of each."""
    sync, core_side, host_side = Sync(bits), [], []
    rng = random.Random(1)

    async def sink(ctx, stream, taken):
        while True:
            ctx.set(stream.tready, rng.random() < 0.6)
            _, _, valid, ready, data, last = await ctx.tick().sample(
                stream.tvalid, stream.tready, stream.tdata, stream.tlast
            )
            if valid and ready:
                taken.append((data, last))

    async def to_core(ctx):
        await sink(ctx, sync.to_core, core_side)

    async def to_host(ctx):
        await sink(ctx, sync.to_host, host_side)

    async def test(ctx):
        await process(ctx, sync)

    simulator = Simulator(sync)
    simulator.add_clock(1e-6)
    simulator.add_testbench(test)
    simulator.add_process(to_core)
    simulator.add_process(to_host)
    simulator.run()
    return core_side, host_side


async def put(ctx, stream, frame):
    """Offer a frame beat by beat until all of it is taken; a beat that is not within 200 clocks fails."""
    for number, beat in enumerate(frame):
        ctx.set(stream.tdata, beat)
        ctx.set(stream.tlast, number == len(frame) - 1)
        ctx.set(stream.tvalid, 1)
        for _ in range(200):
            _, _, taken = await ctx.tick().sample(stream.tready)
            if taken:
                break
        assert taken, f"beat {number} of {frame} was not taken"
    ctx.set(stream.tvalid, 0)


def beats(*frames):
    return [(beat, int(number == len(frame) - 1)) for frame in frames for number, beat in enumerate(frame)]


def test_passes_both_ways_without_a_marker():
    async def process(ctx, sync):
        await put(ctx, sync.from_host, [1, 2, 3])
        await put(ctx, sync.from_host, [MARKER])
        await put(ctx, sync.from_core, [7])
        await put(ctx, sync.from_core, [8, 9])
        assert not ctx.get(sync.hold)

    assert simulate(process) == (beats([1, 2, 3], [MARKER]), beats([7], [8, 9]))


def test_drops_all_before_the_marker_and_returns_it_once():
    async def process(ctx, sync):
        await put(ctx, sync.from_host, [1])
        ctx.set(sync.marker, MARKER)
        await ctx.tick().repeat(2)
        assert ctx.get(sync.hold)
        ctx.set(sync.from_core.tvalid, 1)  # what the accelerator had to say is not heard
        await put(ctx, sync.from_host, [2, 3, MARKER, 4])  # the marker within a frame is a pixel
        await put(ctx, sync.from_host, [5, MARKER])  # after a frame that was broken off it counts
        await ctx.tick().repeat(30)
        assert ctx.get(sync.hold) and not ctx.get(sync.from_host.tready)
        ctx.set(sync.from_core.tvalid, 0)
        ctx.set(sync.marker, 0)
        await ctx.tick().repeat(3)
        assert not ctx.get(sync.hold)
        await put(ctx, sync.from_host, [6, 7])
        await put(ctx, sync.from_core, [8])

    assert simulate(process) == (beats([1], [6, 7]), beats([MARKER], [8]))


def test_a_marker_lies_in_the_low_bits_of_a_wide_beat():
    """What is above it comes from the host's buffers, and does not count; zeros go back."""

    async def process(ctx, sync):
        await put(ctx, sync.from_host, [1 << 255])
        ctx.set(sync.marker, MARKER)
        await put(ctx, sync.from_host, [MARKER << 32])
        await put(ctx, sync.from_host, [7 << 128 | MARKER])
        await ctx.tick().repeat(20)
        ctx.set(sync.marker, 0)
        await ctx.tick().repeat(8)
        await put(ctx, sync.from_core, [9 << 200])

    assert simulate(process, 256) == (beats([1 << 255]), beats([MARKER], [9 << 200]))


def test_synchronises_again_and_again():
    async def process(ctx, sync):
        for marker in (1, 2, 1):
            ctx.set(sync.marker, marker)
            await put(ctx, sync.from_host, [9])
            await put(ctx, sync.from_host, [marker])
            await ctx.tick().repeat(20)
            ctx.set(sync.marker, 0)
            await ctx.tick().repeat(2)

    assert simulate(process) == ([], beats([1], [2], [1]))


@pytest.mark.parametrize("seed", range(8))
def test_keeps_the_promises_of_a_stream_whenever_a_marker_comes(seed):
    """The host takes what it likes; clients die and others come, with markers of their own."""
    rng = random.Random(seed)
    sync, offered, frames, wanted = Sync(), None, [[]], []

    async def core(ctx):
        """A frame of 1, 2, 3, ... 7 again and again, from the start after every reset, a clock late."""
        beat, before = 1, 0
        while True:
            ctx.set(sync.from_core.tdata, beat)
            ctx.set(sync.from_core.tlast, beat == 7)
            ctx.set(sync.from_core.tvalid, 1)
            _, _, ready, now = await ctx.tick().sample(sync.from_core.tready, sync.hold)
            hold, before = before, now
            while hold:
                ctx.set(sync.from_core.tvalid, 0)
                beat = 1
                _, _, ready, now = await ctx.tick().sample(C(0), sync.hold)
                hold, before = before, now
            if ready:
                beat = beat % 7 + 1

    async def host(ctx):
        nonlocal offered
        while True:
            ready = rng.random() < (0.3 if seed % 2 else 0.9)
            ctx.set(sync.to_host.tready, ready)
            _, _, valid, data, last = await ctx.tick().sample(
                sync.to_host.tvalid, sync.to_host.tdata, sync.to_host.tlast
            )
            assert offered in (None, (valid, data, last))
            offered = (valid, data, last) if valid and not ready else None
            if valid and ready:
                frames[-1].append(data)
                if last:
                    frames.append([])

    async def clients(ctx):
        for number in range(30):
            marker = 1000 + number
            ctx.set(sync.marker, 0)
            await ctx.tick().repeat(2)
            ctx.set(sync.marker, marker)
            await ctx.tick().repeat(rng.randrange(1, 20))
            if rng.random() < 0.3:
                continue  # it died before it sent its marker
            await put(ctx, sync.from_host, [5] * rng.randrange(3) + [marker])
            if rng.random() < 0.3:
                continue  # it died before it read it
            while [marker] != [frame[-1] for frame in frames[-2:-1]]:
                await ctx.tick()
            wanted.append(marker)
            ctx.set(sync.marker, 0)
            await ctx.tick().repeat(rng.randrange(2, 60))

    simulator = Simulator(sync)
    simulator.add_clock(1e-6)
    simulator.add_testbench(clients)
    simulator.add_process(core)
    simulator.add_process(host)
    simulator.run()
    ends = [frame[-1] for frame in frames[:-1]]
    assert [end for end in ends if end in wanted] == wanted and len(wanted) > 5
    for frame in frames[:-1]:
        body = frame[:-1] if frame[-1] >= 1000 else frame
        assert body == list(range(1, len(body) + 1)) and (frame[-1] >= 1000 or len(frame) == 7)
