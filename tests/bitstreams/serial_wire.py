"""A board behind a serial port, in virtual time: a lossy wire, the bridge's model, an accelerator's model."""

import random
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig, shape_word
from hw.contract.design import DesignInfo
from hw.contract.network import Conv, Dense, Network
from hw.host_interface import registers
from hw.host_interface.protocol import BITS_PER_BYTE, BUS_PATIENCE, MEMORY_PATIENCE
from hw.host_interface.registers import BATCH, CONTROL, DIGEST, ID, LAYERS, SHAPE, STATUS, VERSION
from hw.host_interface.stream_format import map_beats, pack_image, pack_scores, unpack_image
from sim import model
from sim.model.bridge import Bridge, BusError, BusTimeout

BAUD = 115_200
CLOCK_HZ = 50e6

NETWORK = Network("wire", (2, 3, 6), (Conv("c", 2, 3, 3, padding=1), Dense("f", 54, 5, relu=False)))
ARTIFACT = random_artifact(NETWORK, seed=7)
CONFIG = AcceleratorConfig(rows=4, lanes=2, batch=2)
INFO = DesignInfo("spec2", NETWORK, CONFIG, ARTIFACT.digest, estimates={"cycles": 2000})
IMAGES = np.random.default_rng(3).integers(0, 256, (3, *NETWORK.input), np.uint8)
SCORES = model.run(ARTIFACT, IMAGES)
KNOWN = {pack_image(image): scores for image, scores in zip(IMAGES, SCORES, strict=True)}

NEVER = 1 << 60


class ModelAccelerator:
    """Registers, streams and results of a generated accelerator; ``clocks`` counts what accesses took.

    Members that break it: ``ready_for`` beats are taken, then none; ``answers_for`` results are given, then
    none; ``accesses`` are answered on the control port, then none; ``cut`` beats of a result are missing, or,
    if negative, too many.
    """

    def __init__(self, info: DesignInfo = INFO) -> None:
        self.info = info
        self.clocks = self.cut = 0
        self.ready_for = self.answers_for = self.accesses = NEVER
        self.runs = 0
        self.words = {
            ID.address(): registers.MAGIC,
            VERSION.address(): registers.HARDWARE_VERSION,
            SHAPE.address(): shape_word(info.config, len(info.network.layers)),
            CONTROL.address(): 0,
            BATCH.address(): 1,
            LAYERS.address(): self._all_layers,
        }
        self.words |= {DIGEST.address(i): w for i, w in enumerate(registers.digest_words(info.digest))}
        self._reset()

    @property
    def _all_layers(self) -> int:
        """LAYERS for the whole network: it runs nothing less."""
        return LAYERS.pack(first=0, last=len(self.info.network.layers) - 1)

    def _reset(self) -> None:
        self.busy = self.done = self.framing_error = False
        self.image, self.images = b"", []
        self.results: deque[int] = deque()
        self.open = self.leftover = False
        self.ready_at = 0

    def _abort(self) -> None:
        """A frame that was begun is ended by one more beat."""
        ends = self.open
        self._reset()
        if ends:
            self.results, self.open, self.leftover = deque([0]), True, True

    def read32(self, address: int) -> int:
        self._access()
        if address == STATUS.address():
            return STATUS.pack(
                busy=self.busy, done=self.done, framing_error=self.framing_error, leftover=self.leftover
            )
        if address in self.words:
            return self.words[address]
        counters = [*registers.COUNTERS, *registers.LAYER_COUNTERS]
        if any(address in {c.address(i) for i in range(c.count)} for c in counters):
            return 1000
        raise BusError

    def write32(self, address: int, value: int) -> None:
        self._access()
        if address == CONTROL.address():
            if CONTROL.unpack(value)["abort"]:
                self._abort()
            elif CONTROL.unpack(value)["start"] and self.busy:
                raise BusError
            elif CONTROL.unpack(value)["start"]:
                self._reset()
                self.busy = True
                self.runs += 1
        elif address == BATCH.address() and not self.busy and 1 <= value <= self.info.config.batch:
            self.words[address] = value
        elif address != LAYERS.address() or self.busy or value != self._all_layers:
            raise BusError

    def _access(self) -> None:
        self.accesses -= 1
        if self.accesses < 0:
            self.clocks += BUS_PATIENCE
            raise BusTimeout
        self.clocks += 5

    @property
    def loading(self) -> bool:
        return self.busy and len(self.images) < self.words[BATCH.address()]

    def push(self, beat: int, last: bool, patience: int) -> int | None:
        self.ready_for -= 1
        if not self.loading or self.ready_for < 0:
            self.clocks += patience
            return None
        self.clocks += 1
        self.image += beat.to_bytes(4, "little")
        ended = len(self.image) == 4 * map_beats(self.info.network.input)
        self.framing_error |= last != ended
        if ended:
            self.images.append(self.image)
            self.image = b""
            if not self.loading:
                self._compute()
        return 0

    def _compute(self) -> None:
        shape = self.info.network.input
        scores = [
            KNOWN[image] if image in KNOWN else model.run(ARTIFACT, unpack_image(image, shape)[None])[0]
            for image in self.images
        ]
        result = np.frombuffer(pack_scores(np.stack(scores)), "<u4").tolist()
        self.results = deque(result[: len(result) - max(0, self.cut)] + [0] * max(0, -self.cut))
        self.ready_at = self.clocks + self.info.estimates["cycles"]

    def pull(self, patience: int) -> tuple[int, bool, int] | None:
        waited = max(0, self.ready_at - self.clocks)
        self.answers_for -= 1
        if not self.results or self.answers_for < 0 or waited > patience:
            self.clocks += patience
            return None
        self.clocks += waited
        beat = self.results.popleft()
        last = not self.results
        self.open = not last
        if last:
            self.busy, self.done, self.leftover = False, not self.leftover, False
        return beat, last, waited


class ModelMemory:
    """A board's memories, ``size`` bytes from 0 on; ``accelerator`` counts the clocks that bursts take.

    bursts: how many there were. Member that breaks it: ``answers_for`` bursts are answered, then none.
    """

    def __init__(self, accelerator: ModelAccelerator, size: int = 1 << 16) -> None:
        self.accelerator, self.bytes = accelerator, bytearray(size)
        self.answers_for, self.bursts = NEVER, 0

    def write(self, address: int, data: bytes) -> None:
        self._burst(address, len(data))
        self.bytes[address : address + len(data)] = data

    def read(self, address: int, size: int) -> bytes:
        self._burst(address, size)
        return bytes(self.bytes[address : address + size])

    def _burst(self, address: int, size: int) -> None:
        self.bursts += 1
        if self.bursts > self.answers_for:
            self.accelerator.clocks += MEMORY_PATIENCE
            raise BusTimeout
        self.accelerator.clocks += 50 + 2 * size
        if address + size > len(self.bytes):
            raise BusError


@dataclass
class Faults:
    """What happens to the bytes of one direction.

    rate: of bytes that are flipped, lost or doubled, at random. bursts: (first, length) of bytes that are
    lost. cut: all from this byte on are lost. late: of bytes before which the wire holds everything back
    for up to a second. at: single faults, by byte: the bit that flips, -1 for a loss, -2 for a double.
    """

    seed: int = 0
    rate: float = 0.0
    bursts: tuple[tuple[int, int], ...] = ()
    cut: int = NEVER
    late: float = 0.0
    at: dict[int, int] = field(default_factory=dict)
    count: int = 0
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def apply(self, byte: int) -> list[int]:
        """What arrives of ``byte``."""
        at, self.count = self.count, self.count + 1
        if at >= self.cut or any(first <= at < first + length for first, length in self.bursts):
            return []
        kind = self.at.get(at)
        if kind is None and self.dice.random() < self.rate:
            kind = self.dice.choice([-1, -2, self.dice.randrange(8)])
        if kind is None:
            return [byte]
        return {-1: [], -2: [byte, byte]}.get(kind, [byte ^ 1 << max(kind, 0)])

    def delay(self) -> float:
        """Seconds by which the next byte is held back."""
        return self.dice.random() if self.dice.random() < self.late else 0.0


class Board:
    """The bridge's model with a sense of time: deaf while it executes and answers."""

    def __init__(
        self,
        accelerator: ModelAccelerator,
        baud: int = BAUD,
        clock_hz: float = CLOCK_HZ,
        memory: ModelMemory | None = None,
    ) -> None:
        self.accelerator, self.clock_hz = accelerator, clock_hz
        self.bridge = Bridge(accelerator, memory)
        self.byte_time = BITS_PER_BYTE / baud
        self.now = 0.0
        self.busy_until = 0.0
        self.ends: list[Wire] = []
        self.responses = 0

    def feed(self, byte: int) -> None:
        """A byte has arrived, now."""
        if self.now < self.busy_until:
            return
        before = self.accelerator.clocks
        response = self.bridge.feed(byte)
        if response:
            self.responses += 1
            start = self.now + (self.accelerator.clocks - before) / self.clock_hz
            self.busy_until = start + len(response) * self.byte_time
            for i, answer in enumerate(response):
                for end in self.ends:
                    end.arrive(start + (i + 1) * self.byte_time, answer)


class Wire:
    """The transport of one client, in virtual time. Clients of one board share its wires."""

    def __init__(self, board: Board, up: Faults | None = None, down: Faults | None = None) -> None:
        self.board = board
        self.up, self.down = up or Faults(), down or Faults()
        self.writes = 0
        self.limit = 5000
        self.before_byte = lambda wire: None
        self.sent = 0
        self.closed = False
        self._inbox: deque[tuple[float, int]] = deque()
        self._held = 0.0
        board.ends.append(self)

    def write(self, data: bytes) -> None:
        self.writes += 1
        assert self.writes < self.limit, "the link never stops"
        for byte in data:
            self.before_byte(self)
            self.sent += 1
            self.board.now += self.board.byte_time
            for arrived in self.up.apply(byte):
                self.board.feed(arrived)

    def arrive(self, when: float, byte: int) -> None:
        self._held = max(self._held, when + self.down.delay())
        for arrived in self.down.apply(byte):
            self._inbox.append((self._held, arrived))

    def read(self, timeout: float) -> bytes:
        assert timeout > 0
        until = self.board.now + timeout
        if not self._inbox or self._inbox[0][0] > until:
            self.board.now = until
            return b""
        self.board.now = max(self.board.now, self._inbox[0][0])
        data = bytearray()
        while self._inbox and self._inbox[0][0] <= self.board.now:
            data.append(self._inbox.popleft()[1])
        return bytes(data)

    def now(self) -> float:
        return self.board.now

    def close(self) -> None:
        self.closed = True


def finish(coroutine):
    """The result of a coroutine that never waits; works inside another one."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the link waits for an event loop")
