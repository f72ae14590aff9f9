"""Whole designs behind PCI Express in software: the driver, sockets, loader, memory, and the accelerator.

Whatever lies in memory, fails or is reset: an error, or the scores of the integer model.
"""

import asyncio
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from bitstreams.deploy.memories import load_weights
from bitstreams.links.block_design import MARKER
from bitstreams.links.xdma import open_xdma
from hw.contract.design import DesignInfo
from hw.generate import generate_onto
from hw.host.driver import STALE, Driver
from hw.host.weights import CHANNELS
from hw.host_interface.registers import BATCH, CONTROL, ID
from hw.host_interface.stream_format import pack_image
from hw.util.errors import DigestMismatch, LinkError
from sim import model
from sim.virtual.board import CLOCK_HZ, VirtualBoard
from sim.virtual.build import build_card
from sim.virtual.memory import STRIDE, MemoryConditions
from tests.hw.another_model import another
from tests.sim.bench.accelerators import images

pytestmark = pytest.mark.verilator

STREAMED = {"stream_weights": True, "bus_bits": 64, "memories": 2, "stream_bits": 64, "name": "night"}
CASES = {
    "held": ("tiny", "adaptive", 8, 4, 4),
    "streamed": ("tiny", "adaptive", 8, 4, 4),
}
PATIENCE = 10_000
"""Clocks to wait for a run's results: weights that are none may stop the array for good."""

SLOW = MemoryConditions(latency=90, stall=100, refresh_period=500, refresh_clocks=60, seed=3)
FAULTY = MemoryConditions(errors=4_000, seed=5)


class Host:
    """A design's folder, and what its clients do at a board."""

    def __init__(self, folder, artifact):
        self.folder, self.artifact, self.info = folder, artifact, DesignInfo.load(folder)
        self.bases = [i * STRIDE for i in range(self.info.config.memories)]
        self.files = [(folder / name).read_bytes() for name in self.info.weight_files]

    def at(self, board, work):
        """What ``await work(driver, link)`` returns, of a client of its own."""

        async def session(link):
            driver = Driver(link, self.info, timeout=PATIENCE)
            await driver.connect()
            return await work(driver, link)

        with open_xdma(board.path, clock_hz=CLOCK_HZ) as link:
            return asyncio.run(session(link))

    async def load(self, driver, link):
        return await load_weights(driver, link, self.folder, self.bases)

    def check(self, board, pictures, **options):
        """The scores that a client gets are the integer model's."""
        found = self.at(board, lambda driver, link: driver.run(pictures, **options))
        np.testing.assert_array_equal(found, model.run(self.artifact, pictures))


@pytest.fixture(scope="module")
def streamed(accelerator):
    return Host(*accelerator(*CASES["streamed"], **STREAMED))


@pytest.mark.slow
def test_a_card_with_a_design_that_holds_its_weights(accelerator):
    folder, artifact = accelerator(*CASES["held"])
    info = DesignInfo.load(folder)
    with VirtualBoard(build_card(folder)) as board:
        for seed, count in enumerate((9, 1)):
            pictures = images("tiny", count, seed)
            with open_xdma(board.path) as link:
                driver = Driver(link, info)
                asyncio.run(driver.connect())
                found = asyncio.run(driver.run(pictures))
                np.testing.assert_array_equal(found, model.run(artifact, pictures))
                with pytest.raises(LinkError, match="no way to its memory"):
                    asyncio.run(link.write_memory(0, bytes(64)))
    assert board.statistics["frames_to_board"] > 10 and board.statistics["memory_beats"] == 0


@pytest.mark.parametrize("memory", [MemoryConditions(), SLOW], ids=["steady", "slow"])
def test_weights_are_loaded_once_and_scores_are_the_models(streamed, memory, tmp_path):
    pictures = images("tiny", 9)
    with VirtualBoard(build_card(streamed.folder), link=tmp_path / "card", memory=memory) as board:
        assert board.path == str(tmp_path / "card")
        with pytest.raises(DigestMismatch) as stale:
            streamed.check(board, pictures)
        assert str(stale.value) == STALE
        done = streamed.at(board, streamed.load)
        assert done.parts == (CHANNELS, *(layer.name for layer in streamed.info.network.layers))
        assert done.beats == sum(part.beats for part in streamed.info.stream.parts) <= done.clocks
        streamed.check(board, pictures)
        streamed.check(board, pictures, batch=1)
        assert streamed.at(board, streamed.load).parts == ()

        async def back(driver, link):
            start, size = streamed.info.stream.layers[0].extent(streamed.info.beat_bytes, 2)
            size = size // 64 * 64
            read = await link.read_memory(streamed.bases[1] + start, size)
            return read == streamed.files[1][start : start + size]

        assert streamed.at(board, back)
    assert not list(tmp_path.glob("card*")), "sockets were left behind"


def test_two_models_take_turns_on_one_accelerator(streamed, tmp_path):
    """Only what differs is written; a driver of the one never takes scores of the other."""
    other = another(streamed.artifact)
    layers = dict(other.layers)
    layers["conv1"] = streamed.artifact.layers["conv1"]
    other = replace(other, layers=layers)
    generate_onto(other, streamed.folder, tmp_path)
    second, pictures = Host(tmp_path, other), images("tiny", 5)
    assert second.info.accelerator == streamed.info.digest != second.info.digest
    assert (tmp_path / "night.v").read_bytes() == (streamed.folder / "night.v").read_bytes()
    with VirtualBoard(build_card(streamed.folder)) as board:
        streamed.at(board, streamed.load)
        streamed.check(board, pictures)
        with pytest.raises(DigestMismatch, match="are not the design's"):
            second.check(board, pictures)
        done = second.at(board, second.load)
        names = [layer.name for layer in streamed.info.network.layers]
        assert done.parts == (CHANNELS, *names[1:]) and names[0] == "conv1"
        second.check(board, pictures)
        with pytest.raises(DigestMismatch, match="are not the design's"):
            streamed.check(board, pictures)
        assert streamed.at(board, streamed.load).parts == done.parts
        streamed.check(board, pictures)


@pytest.mark.parametrize("seconds", [0, 0.4])
def test_a_client_may_die_while_it_empties_the_streams(streamed, seconds):
    """The accelerator is in reset then, in the middle of a run, and whoever asks it for a register is told
    that there is none."""
    pictures = images("tiny", 3)
    with VirtualBoard(build_card(streamed.folder)) as board:
        streamed.at(board, streamed.load)
        for _ in range(2):

            async def die(driver, link):
                await link.write32(BATCH.address(), 1)
                await link.write32(CONTROL.address(), CONTROL.pack(start=1))
                link._poke(MARKER, 77)
                for register in (ID, BATCH):
                    with pytest.raises(LinkError, match=r"does not answer at 0x.* .all ones."):
                        await link.read32(register.address())
                link._poke(BATCH.address(), 1)
                time.sleep(seconds)

            streamed.at(board, die)
            streamed.check(board, pictures)


def test_who_comes_before_a_dead_clients_image_was_taken_waits_for_that(streamed):
    """The board gets no processor from before the image was sent until another client has connected."""
    pictures = images("tiny", 2)
    with VirtualBoard(build_card(streamed.folder)) as board:
        streamed.at(board, streamed.load)

        async def die(driver, link):
            await link.write32(BATCH.address(), 1)
            await link.write32(CONTROL.address(), CONTROL.pack(start=1))
            board._process.send_signal(signal.SIGSTOP)
            await link.send(pack_image(pictures[0], streamed.info.config.stream_pixels))
            time.sleep(0.2)  # it is a thread that sends

        wakes = threading.Timer(0.8, board._process.send_signal, [signal.SIGCONT])
        streamed.at(board, die)
        wakes.start()
        streamed.check(board, pictures)


def test_a_second_client_is_sent_away(streamed):
    with VirtualBoard(build_card(streamed.folder)) as board:

        async def work(driver, link):
            with pytest.raises(LinkError, match="the virtual board has ended, or serves another client"):
                open_xdma(board.path)

        streamed.at(board, work)
        streamed.at(board, streamed.load)


# --- damage -------------------------------------------------------------------------------------------


async def flip(host, dice, driver, link):
    """One bit, where weights are."""
    layer, memory = dice.choice(host.info.stream.parts), dice.randrange(len(host.bases))
    offset, size = layer.extent(host.info.beat_bytes, len(host.bases))
    at = offset + dice.randrange(size)
    start = at // 64 * 64
    piece = bytearray(await link.read_memory(host.bases[memory] + start, 64))
    piece[at - start] ^= 1 << dice.randrange(8)
    await link.write_memory(host.bases[memory] + start, bytes(piece))


async def truncate(host, dice, driver, link):
    """What another load would have written, had it not ended early: the rest of a memory is zeros."""
    memory = dice.randrange(len(host.bases))
    size = len(host.files[memory]) // 64 * 64
    cut = dice.randrange(size // 64) * 64
    await link.write_memory(host.bases[memory] + cut, bytes(size - cut))


async def other(host, dice, driver, link):
    """Another model's weights."""
    memory = dice.randrange(len(host.bases))
    await link.write_memory(host.bases[memory], dice.randbytes(len(host.files[memory]) // 64 * 64))


async def exchange(host, dice, driver, link):
    """Each memory has what belongs into the other."""
    for base, file in zip(host.bases, reversed(host.files), strict=True):
        await link.write_memory(base, file + bytes(-len(file) % 64))


async def leave(host, dice, driver, link):
    """A client that dies in mid-run; the next one resets the accelerator."""
    await link.write32(BATCH.address(), 1)
    await link.write32(CONTROL.address(), CONTROL.pack(start=1))
    if dice.random() < 0.7:
        await link.send(pack_image(images("tiny", 1)[0], host.info.config.stream_pixels))


async def check_and_leave(host, dice, driver, link):
    """A client that dies while memory is checked."""
    await link.write32(CONTROL.address(), CONTROL.pack(check=1))


async def nothing(host, dice, driver, link):
    """Nothing happens, and that is all right, too."""


DAMAGE = (flip, truncate, other, exchange)
INTERRUPTION = (leave, check_and_leave, nothing)


def survive(host, board, cases, seed):
    """So many cases of damage and of interruption, by turns. Every answer is right or an error.

    Returns how many answers were right, and how many errors there were.
    """
    dice, right, errors = random.Random(seed), 0, 0
    with suppress(LinkError):
        host.at(board, host.load)
    for case in range(cases):
        kind = dice.choice(DAMAGE if case % 2 else INTERRUPTION)
        pictures = images("tiny", dice.randint(1, 5), case)
        with suppress(LinkError):
            host.at(board, lambda driver, link, kind=kind: kind(host, dice, driver, link))
        try:
            host.check(board, pictures)
            right += 1
        except (LinkError, DigestMismatch):
            errors += 1
            with suppress(LinkError):  # memory that answers with errors now and then
                host.at(board, host.load)
    return right, errors


@pytest.mark.parametrize("memory", [MemoryConditions(), FAULTY], ids=["sound", "faulty"])
@pytest.mark.parametrize("cases", [12, pytest.param(600, marks=pytest.mark.slow)])
def test_a_wrong_label_never_comes(streamed, memory, cases):
    """Twice 600 cases in the slow tests."""
    with VirtualBoard(build_card(streamed.folder), memory=memory) as board:
        right, errors = survive(streamed, board, cases, seed=cases)
    assert right + errors == cases and right > cases // 10 and errors > cases // 4
    if not memory.errors:
        assert right >= cases // 2, "an interruption broke a run"
