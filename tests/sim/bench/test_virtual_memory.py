"""A virtual board with memory: weights that a host writes over the serial port, and what errors come to."""

import asyncio
import random
from pathlib import Path

import numpy as np
import pytest

from bitstreams.deploy.memories import load_weights
from bitstreams.links.serial import SerialLink, open_serial
from hw.contract.design import DesignInfo
from hw.contract.streamed_weights import stream_files
from hw.host.driver import Driver
from hw.host.weights import CHANNELS
from hw.util.errors import ConfigError, DigestMismatch, LinkError
from sim import model
from sim.virtual.board import CLOCK_HZ, VirtualBoard
from sim.virtual.build import VirtualBuild, build_board
from sim.virtual.memory import STRIDE, MemoryConditions
from tests.sim.bench.accelerators import images

pytestmark = pytest.mark.verilator

CASE = ("tiny", "adaptive", 8, 4, 4)
STREAMED = {"stream_weights": True, "bus_bits": 128, "memories": 2, "name": "night"}
PAGE = 5
HARSH = MemoryConditions(latency=150, stall=110, refresh_period=400, refresh_clocks=60, seed=3)


@pytest.fixture(scope="module")
def build(accelerator) -> VirtualBuild:
    return build_board(accelerator(*CASE, **STREAMED)[0])


def opened(board: VirtualBoard) -> SerialLink:
    return open_serial(board.path, board.baud, clock_hz=CLOCK_HZ)


async def load(link: SerialLink, folder: Path, *, read_back: bool) -> None:
    """Write every memory's part of the weights to it, and read it back where that is wanted: bytes take long
    on a wire, and :func:`test_memory_keeps_what_was_written_last` reads under the same conditions."""
    for number, name in enumerate(stream_files("night", STREAMED["memories"])):
        data = (folder / name).read_bytes()
        data += bytes(-len(data) % 64)
        address = number * STRIDE + PAGE * 4096 // STREAMED["memories"]
        await link.write_memory(address, data)
        assert not read_back or await link.read_memory(address, len(data)) == data


@pytest.mark.parametrize(
    "conditions",
    [pytest.param(MemoryConditions(), id="plain", marks=pytest.mark.slow), pytest.param(HARSH, id="harsh")],
)
def test_weights_come_over_the_wire(accelerator, build, conditions) -> None:
    folder, artifact = accelerator(*CASE, **STREAMED)
    info, pictures = DesignInfo.load(folder), images("tiny", 5, 0)

    async def session(link: SerialLink) -> np.ndarray:
        driver = Driver(link, info, weights_page=PAGE)
        await driver.connect()
        await load(link, folder, read_back=conditions is not HARSH)
        return await driver.run(pictures)

    with VirtualBoard(build, memory=conditions) as board, opened(board) as link:
        scores = asyncio.run(session(link))
    np.testing.assert_array_equal(scores, model.run(artifact, pictures))
    statistics = board.statistics
    assert statistics["framing_errors"] == statistics["bytes_lost"] == statistics["memory_errors"] == 0
    assert statistics["memory_beats"] > statistics["memory_bursts"] > 0


def test_the_driver_loads_what_is_not_there_and_finds_a_bit_that_flipped(accelerator, build) -> None:
    folder, artifact = accelerator(*CASE, **STREAMED)
    info, pictures = DesignInfo.load(folder), images("tiny", 3, 1)
    bases = [number * STRIDE for number in range(STREAMED["memories"])]
    names = tuple(layer.name for layer in info.network.layers)

    async def session(link: SerialLink) -> list[tuple[str, ...]]:
        driver, loaded = Driver(link, info), []
        await driver.connect()
        for layer in (None, 0, len(names) - 1):
            if layer is not None:
                start, size = info.stream.layers[layer].extent(info.beat_bytes, 2)
                address = bases[1] + (start + size - 1) // 64 * 64
                piece = bytearray(await link.read_memory(address, 64))
                piece[(size - 1) % 64] ^= 0x10
                await link.write_memory(address, bytes(piece))
                with pytest.raises(DigestMismatch):
                    await driver.run(pictures)
            loaded.append((await load_weights(driver, link, folder, bases)).parts)
            np.testing.assert_array_equal(await driver.run(pictures), model.run(artifact, pictures))
        return loaded

    with VirtualBoard(build) as board, opened(board) as link:
        assert asyncio.run(session(link)) == [(CHANNELS, *names), names[:1], names[-1:]]


def test_memory_keeps_what_was_written_last(build) -> None:
    """Random transfers to both memories, some of which cross into the next one, against a dictionary."""
    dice, known = random.Random(7), {}

    async def session(link: SerialLink) -> None:
        for _ in range(16):
            address = 64 * dice.randrange(40) + dice.choice((0, 8192, STRIDE - 2048, STRIDE))
            data = dice.randbytes(64 * dice.randrange(1, 34))
            if dice.random() < 0.5:
                await link.write_memory(address, data)
                known.update(zip(range(address, address + len(data)), data, strict=True))
            else:
                expected = bytes(known.get(address + i, 0xDB) for i in range(len(data)))
                assert await link.read_memory(address, len(data)) == expected

    with VirtualBoard(build, memory=HARSH) as board, opened(board) as link:
        asyncio.run(session(link))
    assert len(known) > 5000


def test_errors_of_memory_reach_the_host(accelerator, build) -> None:
    info = DesignInfo.load(accelerator(*CASE, **STREAMED)[0])

    async def session(link: SerialLink) -> None:
        with pytest.raises(LinkError, match=r"memory refused to write at 0x0: is"):
            await link.write_memory(0, bytes(64))
        with pytest.raises(LinkError, match=r"memory refused to read at 0x100000040: is"):
            await link.read_memory(STRIDE + 64, 64)
        with pytest.raises(LinkError, match="memory"):
            await Driver(link, info, weights_page=PAGE).run(images("tiny", 1, 0))

    with VirtualBoard(build, memory=MemoryConditions(errors=1_000_000)) as board, opened(board) as link:
        asyncio.run(session(link))
    assert board.statistics["memory_errors"] > 2

    async def outside(link: SerialLink) -> None:
        with pytest.raises(LinkError, match="memory refused to read at 0x200000000: is"):
            await link.read_memory(2 * STRIDE, 64)

    with VirtualBoard(build) as board, opened(board) as link:
        asyncio.run(outside(link))


def test_a_memory_that_is_too_slow_is_given_up_and_comes_back(build) -> None:
    """Its latency is longer than the bridge's patience: the burst ends in the end, without harm."""

    async def session(link: SerialLink) -> None:
        with pytest.raises(LinkError, match="memory is stuck"):
            await link.write_memory(0, bytes(64))

    with VirtualBoard(build, memory=MemoryConditions(latency=20_000)) as board, opened(board) as link:
        asyncio.run(session(link))
    assert board.statistics["memory_bursts"] == 1


@pytest.mark.parametrize(
    ("field", "value", "most"),
    [
        ("latency", -1, 100_000),
        ("stall", 256, 255),
        ("refresh_clocks", 780, 779),
        ("errors", 1_000_001, 10**6),
    ],
)
def test_conditions_out_of_range_are_refused(field, value, most) -> None:
    with pytest.raises(ConfigError, match=f"the memory's {field} must be 0 to {most}, not {value}"):
        MemoryConditions(**{field: value})
