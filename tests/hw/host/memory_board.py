"""A board with memories in Python: an accelerator that checks its weights, and a link that writes them."""

import random

from hw.contract.checksum import checksum
from hw.contract.config import AcceleratorConfig, shape_word
from hw.contract.design import DesignInfo
from hw.contract.network import Conv, Dense, Network
from hw.contract.streamed_weights import PAGE, StreamedPart, StreamedWeights
from hw.host.driver import Driver
from hw.host.link import UNIT
from hw.host_interface import registers
from hw.host_interface.registers import (
    BATCH,
    CHECKSUM,
    CONTROL,
    CYCLES,
    DIGEST,
    ID,
    LAYERS,
    SHAPE,
    STATUS,
    VERSION,
    WEIGHT_BEATS,
    WEIGHTS,
)
from hw.util.errors import LinkError

NETWORK = Network(
    "held",
    (2, 6, 6),
    (Conv("a", 2, 3, 3, padding=1), Conv("b", 3, 3, 3, padding=1), Dense("f", 108, 5, relu=False)),
)
NUMBERS = (0, 1, 0, 1, 2)
"""Layers a and b are made in two row bands each."""

TABLE, BEATS = 23, (37, 1200, 5)
"""Beats of the channel table, and of every layer."""

BASES = (1 << 32, 7 << 32, 3 << 33, 5 << 34)
UNWRITTEN = 0xDB
"""What memory gives that nobody has written."""


def design(memories=2, bus_bits=128, seed=0):
    """A description, and what each memory has to hold: other weights for another ``seed``."""
    dice, beat = random.Random(seed), bus_bits // 8
    image, parts = bytearray(), []
    for beats in (TABLE, *BEATS):
        image += bytes(-len(image) % PAGE)
        weights = dice.randbytes(beats * beat)
        parts.append(StreamedPart(len(image) // PAGE, beats, checksum(weights, beat)))
        image += weights
    part = beat // memories
    files = [
        b"".join(image[at : at + part] for at in range(i * part, len(image), beat)) for i in range(memories)
    ]
    names = [f"m_axi_{i}" if memories > 1 else "m_axi" for i in range(memories)]
    config = AcceleratorConfig(
        rows=8, lanes=4, batch=3, stream_weights=True, bus_bits=bus_bits, memories=memories
    )
    info = DesignInfo(
        "spec2",
        NETWORK,
        config,
        bytes(range(32)).hex(),
        {f"{name}_rdata": bus_bits // memories for name in names},
        numbers=NUMBERS,
        stream=StreamedWeights(parts[0], tuple(parts[1:])),
    )
    return info, files


class MemoryBoard:
    """A link to it. writes: (address, bytes) of every transfer.

    Members that break it: ``ecc`` (what was never written is read with an error), ``fails_after`` so many
    transfers, ``sticks`` at ones in bit 0 of this address, ``moved``: the accelerator reads from this many
    bytes further on.
    """

    def __init__(self, info, page=0):
        self.info, self.page = info, page
        self.memory = [{} for _ in range(info.config.memories)]
        self.registers = {
            ID.address(): registers.MAGIC,
            VERSION.address(): registers.HARDWARE_VERSION,
            SHAPE.address(): shape_word(info.config, len(info.network.layers)),
            STATUS.address(): 0,
            BATCH.address(): 1,
        }
        words = registers.digest_words(info.digest)
        self.registers |= {DIGEST.address(i): word for i, word in enumerate(words)}
        self.writes = []
        self.ecc, self.fails_after, self.sticks, self.moved = False, None, None, 0

    def driver(self):
        return Driver(self, self.info, weights_page=self.page)

    # --- registers ---------------------------------------------------------------------------------

    async def read32(self, address):
        return self.registers.get(address, 0)

    async def write32(self, address, value):
        self.registers[address] = value
        if address == CONTROL.address():
            assert value == CONTROL.pack(check=1)
            self._check()

    def _check(self):
        assert self.registers[WEIGHTS.address()] == self.page
        fields = LAYERS.unpack(self.registers[LAYERS.address()])
        count, beat = len(self.memory), self.info.beat_bytes
        beats, missing = b"", False
        for part in self.info.stream.of_run(self.info.numbers[fields["first"] : fields["last"] + 1]):
            first = (self.page + part.page) * PAGE // count + self.moved
            size = part.beats * beat // count
            parts = [self._bytes(i, first, size) for i in range(count)]
            missing |= any(None in part for part in parts)
            width = beat // count
            for at in range(0, size, width):
                beats += b"".join(
                    bytes(UNWRITTEN if byte is None else byte for byte in part[at : at + width])
                    for part in parts
                )
        self.registers[CHECKSUM.address()] = checksum(beats, beat)
        self.registers[WEIGHT_BEATS.address()] = len(beats) // beat
        self.registers[CYCLES.address()] = len(beats) // beat + 60
        self.registers[STATUS.address()] = STATUS.pack(memory_error=int(self.ecc and missing))

    def _bytes(self, number, first, size):
        return [self.memory[number].get(address) for address in range(first, first + size)]

    # --- memory ------------------------------------------------------------------------------------

    def _place(self, address, size):
        assert address % UNIT == 0 and size % UNIT == 0 and size
        number = BASES.index(max(base for base in BASES[: len(self.memory)] if base <= address))
        return number, address - BASES[number]

    async def write_memory(self, address, data):
        if self.fails_after is not None and len(self.writes) >= self.fails_after:
            raise LinkError("the cable is out")
        self.writes.append((address, len(data)))
        number, offset = self._place(address, len(data))
        for i, byte in enumerate(data):
            stuck = self.sticks == address + i
            self.memory[number][offset + i] = byte | stuck

    async def read_memory(self, address, size):
        number, offset = self._place(address, size)
        found = self._bytes(number, offset, size)
        if self.ecc and None in found:
            raise LinkError("memory answered with an error")
        return bytes(UNWRITTEN if byte is None else byte for byte in found)
