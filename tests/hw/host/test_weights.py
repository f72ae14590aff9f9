"""Weights into a board's memory: what is written, what is not written twice, every fault that it names."""

import asyncio
import random

import pytest

from hw.host.weights import CHANNELS, load
from hw.util.errors import LinkError
from tests.hw.host.memory_board import BASES, BEATS, TABLE, MemoryBoard, design


def put(board, files, bases=BASES, **options):
    return asyncio.run(load(board.driver(), board, files, bases, **options))


@pytest.mark.parametrize("memories", [1, 2, 4])
@pytest.mark.parametrize("page", [0, 3 << 18])
@pytest.mark.parametrize("ecc", [False, True])
def test_what_is_not_there_is_written_once(memories, page, ecc):
    info, files = design(memories)
    board, told = MemoryBoard(info, page), []
    board.ecc = ecc
    done = put(board, files, progress=lambda *what: told.append(what))
    assert done.parts == (CHANNELS, "a", "b", "f") and asyncio.run(board.driver().check_weights())
    assert done.bytes == sum(size for _, size in board.writes) < (TABLE + sum(BEATS)) * 16 + 4 * 4 * 64
    assert (done.beats, done.clocks) == (TABLE + 2 * sum(BEATS[:2]) + BEATS[2], done.beats + 60)
    assert [what[0] for what in told] == sorted({what[0] for what in told})
    assert told[-1][:2] == (done.bytes,) * 2 and all(written <= total for written, total, _ in told)
    board.writes.clear()
    again = put(board, files)
    assert (again.parts, again.bytes, board.writes) == ((), 0, [])


def test_a_second_model_is_all_that_is_written():
    info, files = design()
    other, weights = design(seed=1)
    first, second = MemoryBoard(info), MemoryBoard(other)
    put(first, files)
    second.memory = first.memory
    assert put(second, weights).parts == (CHANNELS, "a", "b", "f")
    assert not asyncio.run(first.driver().check_weights())
    assert put(first, files).parts == (CHANNELS, "a", "b", "f")


def test_loading_goes_on_where_it_was_broken_off():
    info, files = design()
    board, cuts = MemoryBoard(info), []
    for board.fails_after in range(1, 30):
        board.writes.clear()
        try:
            done = put(board, files)
        except LinkError as error:
            assert str(error) == "the cable is out"
            cuts.append(board.fails_after)
        else:
            break
    assert cuts == [1, 2, 3, 4] and board.fails_after == 5
    assert done.parts == ("b", "f"), "what lay there was written again"


@pytest.mark.parametrize("ecc", [False, True])
def test_a_channel_table_alone_is_written_alone(ecc):
    """All layers look stale, since each is read behind it."""
    info, files = design()
    board = MemoryBoard(info)
    put(board, files)
    for memory in board.memory:
        for at in range(4) if ecc else ():
            memory.pop(at)
        memory[5] = memory[5] ^ 1
    board.ecc = ecc
    if not ecc:
        assert not any(asyncio.run(board.driver().check_weights(layer)) for layer in range(3))
    assert put(board, files).parts == (CHANNELS,) and asyncio.run(board.driver().check_weights())


@pytest.mark.parametrize("seed", range(220))
def test_whatever_lies_in_memory_is_found_and_mended(seed):
    """Five kinds of damage a case (four with one memory), more than a thousand in all: flipped bits, a load
    that was cut short, another model's layer, two pages exchanged, memories exchanged."""
    dice = random.Random(seed)
    memories = dice.choice((1, 2, 4))
    info, files = design(memories)
    _, others = design(memories, seed=1 + seed)
    board = MemoryBoard(info)
    put(board, files)
    spans = [layer.extent(info.beat_bytes, memories) for layer in info.stream.parts]
    names = [CHANNELS, *(layer.name for layer in info.network.layers)]
    for damage in ("flip", "cut", "other", "pages", "memories"):
        number, memory = dice.randrange(4), dice.choice(board.memory)
        start, size = spans[number]
        which = board.memory.index(memory)
        if damage == "flip":
            memory[start + dice.randrange(size)] ^= 1 << dice.randrange(8)
        elif damage == "cut":
            for at in range(start + dice.randrange(size), start + size):
                memory.pop(at)
        elif damage == "other":
            memory |= {at: others[which][at] for at in range(start, start + size)}
        elif damage == "pages":
            number, (start, size) = 2, spans[2]
            a, b = (start + 512 * at for at in dice.sample(range(size // 512), 2))
            for at in range(512):
                memory[a + at], memory[b + at] = memory[b + at], memory[a + at]
        elif memories > 1:
            a, b = dice.sample(board.memory, 2)
            for at in range(start, start + size):
                a[at], b[at] = b[at], a[at]
        else:
            continue
        assert not asyncio.run(board.driver().check_weights()), damage
        assert put(board, files).parts == (names[number],), damage
        assert asyncio.run(board.driver().check_weights())


def test_memory_that_does_not_keep_what_is_written_is_named():
    info, files = design()
    board = MemoryBoard(info)
    offset = next(at for at in range(info.stream.layers[1].extent(16, 2)[0], 9000) if not files[1][at] & 1)
    board.sticks = BASES[1] + offset
    with pytest.raises(LinkError) as error:
        put(board, files)
    found, wrong = files[1][offset] | 1, files[1][offset]
    assert str(error.value) == (
        f"memory 1 does not keep what is written: at 0x{board.sticks:X}, weights of layer b, it gives "
        f"0x{found:02X} for 0x{wrong:02X}; check the module, and the board's power"
    )


def test_an_accelerator_that_reads_elsewhere_is_named():
    info, files = design()
    board = MemoryBoard(info)
    board.moved = 1 << 20
    with pytest.raises(
        LinkError, match="the accelerator reads something else: is it this design's bitstream"
    ):
        put(board, files)


def test_memory_that_gives_nothing_is_not_waited_for_for_ever():
    info, _ = design()

    class Silent(MemoryBoard):
        clocks = 0

        async def read32(self, address):
            self.clocks += 1000
            from hw.host_interface.registers import CYCLES, STATUS

            return {STATUS.address(): 1, CYCLES.address(): self.clocks}.get(address, 0)

        async def write32(self, address, value):
            self.registers[address] = value

        async def discard(self):
            pass

    with pytest.raises(LinkError, match=r"memory did not give 2502 beats of weights within 225664 clocks"):
        asyncio.run(Silent(info).driver().check_weights())
