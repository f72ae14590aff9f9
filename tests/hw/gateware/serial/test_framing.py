"""Framing in the Amaranth simulator: the receiver finds what ``protocol.Deframer`` finds, the sender
writes what ``Frame.encode`` writes, whatever the bytes and the stalls.
"""

import itertools
import random
import zlib

import pytest

from hw.gateware.serial.framing import BUFFER, REQUEST, FrameReceiver, FrameSender
from hw.host_interface import protocol
from hw.host_interface.protocol import ESCAPE, FLAG, Deframer, Frame


def payload(dice: random.Random, size: int) -> bytes:
    """Random bytes, rich in those that are escaped."""
    return bytes(dice.choice((FLAG, ESCAPE, 0x5E, 0x5D, dice.randrange(256))) for _ in range(size))


def frame(dice: random.Random, size: int) -> Frame:
    return Frame(dice.randrange(1 << 16), dice.randrange(256), dice.choice((0, 3, FLAG)), payload(dice, size))


def stream(seed: int, frames: int) -> bytes:
    """Frames, sound and damaged, with noise between them."""
    dice = random.Random(seed)
    out = bytearray()
    for _ in range(frames):
        message = frame(dice, dice.choice((0, 1, 2, 6, 20)))
        wire = bytearray(message.encode())
        match dice.randrange(9):
            case 0:
                wire[dice.randrange(len(wire))] ^= 1 << dice.randrange(8)
            case 1:
                del wire[dice.randrange(len(wire))]
            case 2:
                wire[-1:-1] = bytes([ESCAPE])
            case 3:
                wire += dice.randbytes(dice.randrange(20))
            case 4:  # a sound CRC over a wrong length, or over less than a header
                body = (
                    message.body()[: dice.randrange(9)] if dice.random() < 0.5 else message.body()[:-4] + b"x"
                )
                wire = bytearray([FLAG, *protocol.stuff(body + zlib.crc32(body).to_bytes(4, "little")), FLAG])
            case 5:
                del wire[-1]  # the next frame's flag ends this one
        out += wire
    return bytes(out)


def found(simulate, data: bytes, *, listen=lambda at: True, most_pause: int = 1) -> list[Frame]:
    """The frames that the receiver finds, their payloads read from the buffer."""
    dut, out, dice = FrameReceiver(), [], random.Random(5)

    async def testbench(ctx):
        for at, byte in enumerate(data):
            ctx.set(dut.listen, listen(at))
            ctx.set(dut.byte, byte)
            ctx.set(dut.valid, 1)
            await ctx.tick()
            ctx.set(dut.valid, 0)
            ctx.set(dut.byte, FLAG)
            await ctx.tick()
            _, _, complete = await ctx.tick().sample(dut.frame)
            if complete:
                header = ctx.get(dut.header)
                content = bytearray()
                for address in range(header.length):
                    ctx.set(dut.address, (REQUEST + address) % BUFFER)
                    await ctx.tick().repeat(2)
                    content.append(ctx.get(dut.data))
                out.append(Frame(header.session, header.sequence, header.kind, bytes(content)))
            if most_pause:
                await ctx.tick().repeat(dice.randrange(1, 1 + most_pause))

    simulate(dut, testbench)
    return out


def expected(data: bytes, listen=lambda at: True) -> list[Frame]:
    deframer, out = Deframer(), []
    for at, byte in enumerate(data):
        if not listen(at):
            deframer.hunt()
        elif frame := deframer.feed(byte):
            out.append(frame)
    return out


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most_pause", [0, 3])
def test_receiver_finds_what_the_deframer_finds(simulate, seed: int, most_pause: int) -> None:
    data = stream(seed, 60)
    frames = expected(data)
    assert 20 < len(frames) < 60
    assert found(simulate, data, most_pause=most_pause) == frames


def test_receiver_ignores_what_comes_while_it_does_not_listen(simulate) -> None:
    data = stream(8, 60)

    def listen(at: int) -> bool:
        return at // 37 % 3 != 0

    assert 5 < len(expected(data, listen)) < len(expected(data))
    assert found(simulate, data, listen=listen) == expected(data, listen)


def test_receiver_takes_the_longest_body_and_nothing_longer(simulate) -> None:
    dice = random.Random(3)
    most = protocol.MAX_BODY - protocol.OVERHEAD
    data = b"".join(frame(dice, size).encode() for size in (most, most + 1, 2048, 5000, most - 1, 0))
    frames = expected(data)
    assert [len(message.payload) for message in frames] == [most, most - 1, 0]
    assert found(simulate, data, most_pause=0) == frames


def short_body(size: int) -> bytes:
    """Fewer bytes than a frame has, with a sound CRC and, as length, where the receiver's pointer stands."""
    length = (REQUEST - protocol.HEADER.size + size).to_bytes(2, "little")
    for prefix in itertools.product(range(256), repeat=min(size - 4, 3)):
        start = (bytes(prefix) + b"\0" + length)[: size - 4]
        body = start + zlib.crc32(start).to_bytes(4, "little")
        if body[4:6] == length:
            return body
    raise LookupError(f"no such body of {size} bytes")


def test_receiver_bodies_too_short_for_a_frame_are_none(simulate) -> None:
    """Not even if the pointer, still below zero, equals what would be the length."""
    bodies = [short_body(size) for size in (6, 7, 8, 9)]
    data = b"".join(bytes([FLAG]) + protocol.stuff(body) + bytes([FLAG]) for body in bodies)
    assert found(simulate, data, most_pause=0) == []


@pytest.mark.parametrize("stalls", [False, True])
def test_sender_writes_what_encode_writes(simulate, stalls: bool) -> None:
    dut, dice = FrameSender(), random.Random(6)
    frames = [frame(dice, size) for size in (0, 1, 2, 30, 0, 61)]
    sent = []

    async def testbench(ctx):
        for message in frames:
            for address, byte in enumerate(message.payload):
                ctx.set(dut.w_address, address)
                ctx.set(dut.w_data, byte)
                ctx.set(dut.w_en, 1)
                await ctx.tick()
            ctx.set(dut.w_en, 0)
            ctx.set(dut.header.session, message.session)
            ctx.set(dut.header.sequence, message.sequence)
            ctx.set(dut.header.kind, message.kind)
            ctx.set(dut.header.length, len(message.payload))
            for _ in range(2):  # sending takes nothing from the buffer
                ctx.set(dut.start, 1)
                await ctx.tick()
                ctx.set(dut.start, 0)
                out = bytearray()
                while ctx.get(dut.busy):
                    ctx.set(dut.o.ready, not stalls or dice.random() < 0.4)
                    _, _, taken, byte = await ctx.tick().sample(dut.o.valid & dut.o.ready, dut.o.payload)
                    if taken:
                        out.append(byte)
                sent.append(bytes(out))

    simulate(dut, testbench)
    assert sent == [message.encode() for message in frames for _ in range(2)]


def body(*, kind: int = 1, content: bytes = b"") -> bytes:
    return Frame(3, 4, kind, content).encode()[1:-1]


@pytest.mark.parametrize(
    "broken",
    [
        bytes([ESCAPE, 0x41]),  # an escape of a byte that needs none
        bytes([ESCAPE, ESCAPE]),
        bytes([0x11]) * (protocol.MAX_BODY + 1),  # longer than any body
    ],
)
def test_receiver_hunts_for_a_flag_after_a_broken_frame(simulate, broken: bytes) -> None:
    """What follows without a flag is noise, even if it ends as a sound frame would."""
    sound = body(content=b"xyz")
    flag = bytes([FLAG])
    data = flag + broken + sound + flag + sound + flag
    assert expected(data) == [Frame(3, 4, 1, b"xyz")]
    assert found(simulate, data, most_pause=0) == expected(data)


def test_receiver_hunts_from_reset_and_behind_every_pause_of_listening(simulate) -> None:
    """Bytes without a flag before them are no frame; nor are those on both sides of a pause."""
    sound, flag = body(content=b"1234"), bytes([FLAG])
    data = sound + flag + sound + flag
    assert found(simulate, data, most_pause=0) == [Frame(3, 4, 1, b"1234")]
    cut = len(flag + sound) // 2
    data = flag + sound + flag + sound + flag
    # One byte of noise while nobody listens: the frame around it is lost, the one after it is not.
    noisy = data[:cut] + b"n" + data[cut:]

    def listen(at: int) -> bool:
        return at != cut

    assert found(simulate, noisy, listen=listen, most_pause=0) == [Frame(3, 4, 1, b"1234")]
    # The flag that ends a frame may not follow an escape.
    data = flag + sound + bytes([ESCAPE]) + flag + sound + flag
    assert found(simulate, data, most_pause=0) == expected(data) == [Frame(3, 4, 1, b"1234")]
