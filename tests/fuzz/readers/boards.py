"""A board that answers, and those who ask for one."""

import json
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz import mutate
from tests.fuzz.readers.row import Reader


def make_request(folder: Path) -> None:
    """A request of the inference protocol, its tensor in JSON."""
    tensor = {"name": "image", "shape": [2, 1, 2, 3], "datatype": "UINT8", "data": list(range(12))}
    outputs = [{"name": "scores", "parameters": {"binary_data": True}}]
    (folder / "request.json").write_text(json.dumps({"id": "7", "inputs": [tensor], "outputs": outputs}))


def read_request(folder: Path) -> None:
    """As 'spec2 serve' reads and answers it."""

    from bitstreams.classify.server import messages

    found = messages.read((folder / "request.json").read_bytes(), None, (1, 2, 3), 4)
    messages.answer(np.zeros((len(found.images), 3), np.int32), found, "net", "1")


def make_frames(folder: Path) -> None:
    from hw.host_interface.protocol import Frame, Status

    answers = ((1, bytes(4)), (2, b""), (3, bytes(9)), (4, b""), (5, bytes(64)))
    frames = [Frame(5, number, Status.OK, payload) for number, payload in answers]
    (folder / "frames").write_bytes(b"".join(frame.encode() for frame in frames))


def change_frames(content: bytes, rng: Random) -> bytes:
    """Bytes of the wire, or frames with any content and a right checksum."""
    from hw.host_interface.protocol import Frame

    if rng.random() < 0.4:
        return mutate.octets(content, rng)
    kinds = [rng.choice((*range(12), rng.randrange(256))) for _ in range(rng.randrange(1, 5))]
    return b"".join(
        Frame(5, rng.randrange(6), kind, rng.randbytes(rng.choice((0, 0, 1, 4, 5, 8, 200)))).encode()
        for kind in kinds
    )


def read_frames(folder: Path) -> None:
    from bitstreams.links.serial_client import SerialClient
    from hw.host_interface.protocol import Command

    class Wire:
        """Says what is in the file, and then nothing."""

        def __init__(self) -> None:
            self.left, self.clock = (folder / "frames").read_bytes(), 0.0

        def write(self, data: bytes) -> None:
            pass

        def read(self, timeout: float) -> bytes:
            said, self.left = self.left[:1], self.left[1:]
            self.clock += 0 if said else timeout
            return said

        def now(self) -> float:
            return self.clock

    client = SerialClient(Wire(), 921_600, session=5)
    client.request(Command.READ, bytes(4), 4, 10)
    sizes = {Command.WRITE: 0, Command.RECEIVE: 256, Command.WRITE_MEMORY: 0, Command.READ_MEMORY: 64}
    for command, size in sizes.items():
        client.request(command, bytes(8), size, 10)


READERS = [
    Reader("request.json", make_request, mutate.document, read_request),
    Reader("frames", make_frames, change_frames, read_frames),
]
