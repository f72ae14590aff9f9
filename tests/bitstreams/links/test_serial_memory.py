"""Memory behind a serial port: transfers of any size, whatever the wire does to them, and a sentence for the
rest."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitstreams.links.serial import SerialLink
from hw.host_interface import protocol
from hw.host_interface.registers import BATCH
from hw.util.errors import LinkError
from tests.bitstreams.serial_wire import BAUD, Board, Faults, ModelAccelerator, ModelMemory, Wire, finish

UNIT = protocol.MEMORY_UNIT


def opened(*faults: Faults, memory: bool = True) -> tuple[SerialLink, Wire, ModelMemory]:
    accelerator = ModelAccelerator()
    there = ModelMemory(accelerator)
    wire = Wire(Board(accelerator, memory=there if memory else None), *faults)
    link = SerialLink(wire, BAUD, name="/dev/tty9", session=0x051234)
    link.open()
    return link, wire, there


@pytest.mark.parametrize(
    ("address", "size", "bursts"),
    [
        (0, 0, 0),
        (0, UNIT, 1),
        (1024 - UNIT, 2 * UNIT, 2),
        (4096 - UNIT, 1024 + 2 * UNIT, 3),
        (3 * UNIT, 10_240, 11),
        ((1 << 16) - 1024, 1024, 1),
    ],
)
def test_transfers_of_any_size_pass_whole(address: int, size: int, bursts: int) -> None:
    link, _, memory = opened()
    data = random.Random(size).randbytes(size)
    before = bytes(memory.bytes)
    finish(link.write_memory(address, data))
    assert memory.bytes == before[:address] + data + before[address + size :]
    assert memory.bursts == bursts
    assert finish(link.read_memory(address, size)) == data
    assert memory.bursts == 2 * bursts


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    rate=st.sampled_from([1e-4, 1e-3, 3e-3, 0.02]),
    bursts=st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 2000)), max_size=2).map(tuple),
    late=st.sampled_from([0.0, 2e-4]),
)
def test_a_bad_wire_gives_the_exact_bytes_or_an_error(seed, rate, bursts, late) -> None:
    """What was written without an error lies there; what is read without one is what lies there."""
    faults = [Faults(seed + n, rate, bursts, late=late) for n in range(2)]
    accelerator = ModelAccelerator()
    memory = ModelMemory(accelerator)
    link = SerialLink(Wire(Board(accelerator, memory=memory), *faults), BAUD)
    data = random.Random(seed).randbytes(5 * 1024)
    try:
        link.open()
        finish(link.write_memory(7 * UNIT, data))
    except LinkError:
        return
    assert memory.bytes[7 * UNIT : 7 * UNIT + len(data)] == data
    assert memory.bursts == 6, "each is executed once"
    try:
        assert finish(link.read_memory(7 * UNIT, len(data))) == data
    except LinkError:
        pass


@pytest.mark.parametrize(
    ("address", "size"), [(32, 64), (0, 65), (-64, 128), (1 << 38, 64), ((1 << 38) - 64, 128)]
)
def test_what_is_no_address_or_no_size_is_refused(address: int, size: int) -> None:
    link, wire, memory = opened()
    for transfer in (link.read_memory(address, size), link.write_memory(address, bytes(size))):
        with pytest.raises(LinkError, match=r"both must be multiples of 64, and at most 0x4000000000 over"):
            finish(transfer)
    assert wire.writes == 1 and not memory.bursts


def test_a_board_without_memory_is_named() -> None:
    link, _, _ = opened(memory=False)
    for transfer in (link.write_memory(0, bytes(UNIT)), link.read_memory(0, UNIT)):
        with pytest.raises(
            LinkError, match="board on /dev/tty9 has no external memory: load the bitstream of"
        ):
            finish(transfer)
    assert finish(link.read32(BATCH.address())) == 1


def test_what_memory_refuses_is_named_and_the_session_goes_on() -> None:
    link, _, memory = opened()
    end = len(memory.bytes)
    with pytest.raises(
        LinkError, match="memory refused to write at 0x10000: is the board's memory that large"
    ):
        finish(link.write_memory(end - UNIT, bytes(2 * UNIT)))
    with pytest.raises(LinkError, match="memory refused to read at 0x20000"):
        finish(link.read_memory(2 * end, UNIT))
    assert finish(link.read_memory(0, UNIT)) == bytes(UNIT)


def test_a_stuck_memory_is_named() -> None:
    link, _, memory = opened()
    memory.answers_for = 2
    finish(link.write_memory(0, bytes(2048)))
    for transfer in (link.write_memory(0, bytes(UNIT)), link.read_memory(0, UNIT)):
        with pytest.raises(
            LinkError, match=r"memory is stuck \(no answer in 16384 clocks\): reset the board"
        ):
            finish(transfer)
    assert finish(link.read32(BATCH.address())) == 1
