"""The driver against an accelerator in Python: protocol, data formats, and every fault it must name."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.design_files import Content
from hw.contract.network import Conv, Dense, Network
from hw.host.driver import MEMORY, Driver
from hw.host.result_frame import unpack
from hw.host_interface import registers
from hw.host_interface.registers import (
    BATCH,
    CONTROL,
    CYCLES,
    DIGEST,
    ID,
    LAYER_STEPS,
    LAYERS,
    MAC_STEPS,
    SHAPE,
    STATUS,
    VERSION,
)
from hw.host_interface.stream_format import map_beats, pack_maps, pack_scores, unpack_image
from hw.host_interface.stream_format import spread as spread_
from hw.util.errors import ArtifactError, DataError, DigestMismatch, LinkError

DIGEST_HEX = bytes(range(32)).hex()

SCORES = Network("scores", (2, 3, 6), (Conv("c", 2, 3, 3, padding=1), Dense("f", 54, 5, relu=False)))
MAPS = Network("maps", (1, 4, 5), (Conv("c", 1, 2, 3, padding=1, relu=False),))


def design(network: Network = SCORES, bits: int = 32) -> DesignInfo:
    config = AcceleratorConfig(rows=8, lanes=4, batch=3, stream_bits=bits)
    return DesignInfo("spec2", network, config, DIGEST_HEX, estimates={"cycles": 100})


def results(network: Network, images: np.ndarray) -> np.ndarray:
    """A result that depends on every pixel and its place, within the range of the format."""
    shape = (network.classes,) if network.classes is not None else network.maps[-1]
    weights = np.arange(images[0].size) % 251
    keys = images.reshape(len(images), -1).astype(np.int64) @ weights
    spread = np.arange(np.prod(shape)).reshape(shape) * 7919
    low, size = (-(2**17), 2**18) if network.classes is not None else (-128, 256)
    return (keys.reshape(-1, *(1,) * len(shape)) + spread) % size + low


class PythonAccelerator:
    """A link with the accelerator behind it: registers as a dict, results computed when they are due."""

    def __init__(self, info: DesignInfo) -> None:
        self.info = info
        self.registers = {
            ID.address(): registers.MAGIC,
            VERSION.address(): registers.HARDWARE_VERSION,
            SHAPE.address(): 8 | 4 << 8 | 3 << 16 | len(info.network.layers) << 24,
            STATUS.address(): 0,
            BATCH.address(): 1,
            LAYERS.address(): LAYERS.pack(last=len(info.network.layers) - 1),
        }
        for i in range(8):
            self.registers[DIGEST.address(i)] = int.from_bytes(bytes.fromhex(info.digest)[4 * i : 4 * i + 4])
        counters = [c.address() for c in registers.COUNTERS]
        counters += [c.address(i) for c in registers.LAYER_COUNTERS for i in range(len(info.network.layers))]
        self.registers |= {address: 1000 + address for address in counters}
        self.log: list[str] = []
        self.frames: list[bytes] = []
        self.hangs = False

    async def read32(self, address: int) -> int:
        if address not in self.registers:
            raise LinkError(f"error response at {address:#x}")
        return self.registers[address]

    async def write32(self, address: int, value: int) -> None:
        if address == CONTROL.address():
            self.log.append({1: "start", 2: "abort"}[value])
            self.registers[STATUS.address()] = 1 if value == 1 else 0
            self.frames.clear()
        elif address == BATCH.address():
            self.log.append(f"batch {value}")
            self.registers[address] = value
        elif address == LAYERS.address():
            self.registers[address] = value
        else:
            raise LinkError(f"error response at {address:#x}")

    async def discard(self) -> None:
        self.log.append("discard")

    async def send(self, frame: bytes) -> None:
        assert self.registers[STATUS.address()] & 1, "images before start"
        beat = self.info.config.stream_pixels
        assert len(frame) == beat * map_beats(self.info.network.maps[0], beat)
        self.frames.append(frame)

    async def receive(self, words: int, timeout: int) -> bytes:
        network, beat = self.info.network, self.info.config.stream_pixels
        if self.hangs:
            raise LinkError(f"no results within {timeout} clocks")
        assert len(self.frames) == self.registers[BATCH.address()]
        values = results(network, np.stack([unpack_image(f, network.maps[0], beat) for f in self.frames]))
        frame = pack_scores(values, beat) if network.classes is not None else pack_maps(values, beat)
        assert len(frame) == 4 * words
        self.registers[STATUS.address()] &= 0b100
        self.registers[STATUS.address()] |= 0b10
        return frame


def make(network: Network = SCORES, bits: int = 32) -> tuple[Driver, PythonAccelerator]:
    accelerator = PythonAccelerator(design(network, bits))
    return Driver(accelerator, accelerator.info), accelerator


def images(n: int, network: Network = SCORES, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *network.input), dtype=np.uint8)


@pytest.mark.parametrize("spread", [1, 2])
def test_the_constant_channel_is_the_drivers_to_send(spread: int) -> None:
    layer = Conv("c", 3 * spread**2, 2, 3, padding=1, relu=False)
    network = Network("maps", (2, 4, 6), (layer,), spread, constant=True)
    driver, _ = make(network)
    given = images(5, network)
    white = np.concatenate([given, np.full((5, 1, 4, 6), 255, np.uint8)], axis=1)
    found = asyncio.run(driver.run(given))
    assert np.array_equal(found, results(network, spread_(white, spread)).reshape(found.shape))


def test_connecting_ends_the_run_a_dead_host_left_behind() -> None:
    driver, accelerator = make()
    asyncio.run(driver.connect())
    assert accelerator.log == []
    for left in (STATUS.pack(busy=1), STATUS.pack(leftover=1)):
        accelerator.registers[STATUS.address()] = left
        accelerator.log.clear()
        asyncio.run(driver.connect())
        assert accelerator.log == ["abort", "discard"]
    assert asyncio.run(driver.run(images(1))).shape == (1, 5)


# --- runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [SCORES, MAPS], ids=lambda n: n.name)
@pytest.mark.parametrize(("n", "bits"), [(1, 32), (3, 32), (7, 32), (3, 64), (7, 128), (3, 256)])
def test_results_come_back_in_order(network: Network, n: int, bits: int) -> None:
    driver, _ = make(network, bits)
    batch = images(n, network)
    found = asyncio.run(driver.run(batch))
    assert np.array_equal(found, results(network, batch))


def test_a_part_of_the_network_takes_and_gives_maps() -> None:
    driver, accelerator = make()
    asked: list[tuple[int, int]] = []

    async def receive(beats: int, timeout: int) -> bytes:
        asked.append((accelerator.registers[LAYERS.address()], beats))
        accelerator.registers[STATUS.address()] = STATUS.pack(done=1)
        return bytes(4 * beats)

    accelerator.receive = receive  # type: ignore[method-assign]
    assert asyncio.run(driver.run(images(2), layers=(0, 0))).shape == (2, 3, 3, 6)
    assert asked == [(0, 2 * map_beats((3, 3, 6)))]
    for layers in ((1, 0), (0, 2), (-1, 0)):
        with pytest.raises(DataError, match=r"choose from 0 to 1"):
            asyncio.run(driver.run(images(1), layers=layers))
    with pytest.raises(DataError, match="n×3×3×6"):
        asyncio.run(driver.run(images(1), layers=(1, 1)))


def test_batches_are_split_and_started_in_order() -> None:
    driver, accelerator = make()
    done: list[tuple[int, int]] = []
    asyncio.run(driver.run(images(5), batch=2, on_run=lambda n, c: done.append((n, c.cycles))))
    assert accelerator.log == ["batch 2", "start", "batch 2", "start", "batch 1", "start"]
    assert done == [(n, 1000 + CYCLES.offset) for n in (2, 4, 5)]


def test_rows_are_padded_to_whole_beats_first_pixel_low() -> None:
    driver, accelerator = make()
    image = images(1)
    asyncio.run(driver.run(image))
    first = image[0, 0, 0]
    assert accelerator.frames[0][:8] == bytes([*first, 0, 0])
    assert int.from_bytes(accelerator.frames[0][:4], "little") & 0xFF == first[0]


def test_scores_arrive_class_by_class() -> None:
    frame = b"".join((10 * c + i - 20).to_bytes(4, "little", signed=True) for c in range(5) for i in range(3))
    expected = [[10 * c + i - 20 for c in range(5)] for i in range(3)]
    assert np.array_equal(unpack(design(), frame, 3, 1), expected)


def test_classify_takes_the_highest_score() -> None:
    driver, _ = make()
    batch = images(4)
    assert np.array_equal(asyncio.run(driver.classify(batch)), results(SCORES, batch).argmax(axis=1))


def test_one_channel_images_need_no_channel_axis() -> None:
    driver, _ = make(MAPS)
    batch = images(2, MAPS)
    assert np.array_equal(asyncio.run(driver.run(batch[:, 0])), results(MAPS, batch))


def test_counters_are_read_from_their_addresses() -> None:
    driver, _ = make()
    counters = asyncio.run(driver.counters())
    assert counters.cycles == 1000 + 0x18
    assert counters.mac_steps == 1000 + MAC_STEPS.offset
    assert [layer.name for layer in counters.layers] == ["c", "f"]
    assert counters.layers[1].cycles == 1000 + 0x88
    assert counters.layers[1].steps == 1000 + LAYER_STEPS.address(1)
    assert type(counters).from_json(counters.to_json()) == counters


# --- faults ----------------------------------------------------------------------------------------


def test_connect_accepts_its_accelerator() -> None:
    driver, _ = make()
    asyncio.run(driver.connect())
    asyncio.run(driver.connect(DIGEST_HEX))


@pytest.mark.parametrize(
    ("register", "error", "message"),
    [
        (ID, LinkError, "there is no spec2 accelerator"),
        (VERSION, LinkError, "another register interface"),
        (SHAPE, LinkError, "built with other parameters"),
        (DIGEST, DigestMismatch, "was generated from artifact"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_connect_refuses_a_foreign_accelerator(register, error, message) -> None:
    driver, accelerator = make()
    accelerator.registers[register.address(register.count - 1)] ^= 1
    with pytest.raises(error, match=message):
        asyncio.run(driver.connect())


def test_connect_compares_with_the_digest_it_is_given() -> None:
    driver, _ = make()
    with pytest.raises(DigestMismatch, match="00010203…, not from ffffffff…"):
        asyncio.run(driver.connect("ff" * 32))


def test_timeout_says_where_the_run_stood_and_aborts_it() -> None:
    driver, accelerator = make()
    accelerator.hangs = True
    with pytest.raises(LinkError, match=r"no results within 1000 clocks.*still busy after 1024 cycles"):
        asyncio.run(driver.run(images(1)))
    assert accelerator.log[-2:] == ["abort", "discard"]


@pytest.mark.parametrize("hangs", [False, True])
def test_framing_error_is_reported(hangs: bool) -> None:
    driver, accelerator = make()
    accelerator.hangs = hangs
    start = accelerator.write32

    async def start_badly(address: int, value: int) -> None:
        await start(address, value)
        accelerator.registers[STATUS.address()] |= STATUS.pack(framing_error=1)

    accelerator.write32 = start_badly
    with pytest.raises(LinkError, match="tlast of an image at a wrong place"):
        asyncio.run(driver.run(images(1)))


def test_a_run_ends_some_clocks_behind_its_last_result() -> None:
    driver, accelerator = make()
    read, polls = accelerator.read32, 0

    async def late(address: int) -> int:
        nonlocal polls
        polls += address == STATUS.address()
        busy = accelerator.frames and polls % 5
        return STATUS.pack(busy=1) if address == STATUS.address() and busy else await read(address)

    accelerator.read32 = late  # type: ignore[method-assign]
    assert asyncio.run(driver.run(images(4))).shape == (4, 5)
    assert polls == 10

    async def never(address: int) -> int:
        return STATUS.pack(busy=1) if address == STATUS.address() else await read(address)

    accelerator.read32 = never  # type: ignore[method-assign]
    with pytest.raises(LinkError, match=r"gave all results and did not end its run; .* still busy"):
        asyncio.run(driver.run(images(1)))
    assert accelerator.log[-2:] == ["abort", "discard"]


@pytest.mark.parametrize("short", [False, True])
def test_a_memory_error_is_one_sentence(short: bool) -> None:
    """Whether the frame it ends with is too short, or as long as results are."""
    driver, accelerator = make()
    receive = accelerator.receive

    async def ended(words: int, timeout: int) -> bytes:
        frame = await receive(words, timeout)
        accelerator.registers[STATUS.address()] |= STATUS.pack(memory_error=1)
        if short:
            raise LinkError(f"a result of 1 words came, not one of {words}")
        return frame

    accelerator.receive = ended  # type: ignore[method-assign]
    with pytest.raises(LinkError) as error:
        asyncio.run(driver.run(images(1)))
    assert str(error.value) == MEMORY
    accelerator.receive = receive  # type: ignore[method-assign]
    assert asyncio.run(driver.run(images(2))).shape == (2, 5)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 2, 3, 5), np.uint8), "images must be n×2×3×6 .* not 2×2×3×5"),
        (np.zeros((2, 3, 6), np.uint8), "not 2×3×6"),
        (np.zeros((0, 2, 3, 6), np.uint8), "n of at least 1, not 0×2×3×6"),
        (np.zeros((1, 2, 3, 6), np.float32), "uint8 .* not float32"),
    ],
    ids=["width", "channels", "none", "type"],
)
def test_wrong_images_are_refused_before_anything_starts(bad: np.ndarray, message: str) -> None:
    driver, accelerator = make()
    with pytest.raises(DataError, match=message):
        asyncio.run(driver.run(bad))
    assert accelerator.log == []


@pytest.mark.parametrize("batch", [-1, 4])
def test_batch_out_of_range_is_refused(batch: int) -> None:
    driver, accelerator = make()
    with pytest.raises(DataError, match=f"batch of {batch} images is out of range.* 1 to 3"):
        asyncio.run(driver.run(images(1), batch=batch))
    assert accelerator.log == []


def test_classify_needs_classes() -> None:
    driver, _ = make(MAPS)
    with pytest.raises(DataError, match="ends in a feature map"):
        asyncio.run(driver.classify(images(1, MAPS)))


# --- the register table and the design's description -------------------------------------------------


def test_registers_do_not_overlap_and_stay_in_the_window() -> None:
    addresses = [r.address(i) for r in registers.TABLE for i in range(r.count)]
    assert len(set(addresses)) == len(addresses)
    assert all(a % 4 == 0 and a < 1 << registers.ADDRESS_BITS for a in addresses)
    assert [r.offset for r in registers.TABLE] == sorted(r.offset for r in registers.TABLE)


def test_fields_are_contiguous_and_pack_and_unpack() -> None:
    for register in registers.TABLE:
        low = 0
        for field in register.fields:
            assert field.low == low
            low += field.width
        assert low <= 32
    word = SHAPE.pack(rows=64, lanes=10, batch=3, layers=13)
    assert word == 0x0D030A40
    assert SHAPE.unpack(word) == {"rows": 64, "lanes": 10, "batch": 3, "layers": 13}
    with pytest.raises(ValueError, match=r"SHAPE\.rows has 8 bits and cannot hold 256"):
        SHAPE.pack(rows=256)


def test_markdown_names_every_register_and_field() -> None:
    table = registers.markdown()
    for register in registers.TABLE:
        assert f"`{register.name}" in table
        assert all(f"`{field.name}`" in table for field in register.fields)


def test_design_survives_the_disk(tmp_path) -> None:
    files = {"spec2.v": Content(7, "ab" * 32), "w0.mem": Content(0, "cd" * 32)}
    info = replace(design(), ports={"clk": 1}, files=files)
    assert info.save(tmp_path) == tmp_path / "design.json"
    assert DesignInfo.load(tmp_path) == info == DesignInfo.load(tmp_path / "design.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no design at .*: make one with 'spec2 generate'"),
        ("{", "is damaged"),
        ("[]", "schema None"),
        ('{"schema": 99}', "schema 99, this version reads 4"),
        ('{"schema": 4}', "missing required field top"),
    ],
    ids=["missing", "truncated", "foreign", "schema", "incomplete"],
)
def test_bad_design_is_refused(tmp_path, content, message) -> None:
    if content is not None:
        (tmp_path / "design.json").write_text(content)
    with pytest.raises(ArtifactError, match=message):
        DesignInfo.load(tmp_path)
