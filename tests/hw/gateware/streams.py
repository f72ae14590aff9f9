"""Streams in tests: a receiver that believes nothing, for valid and payload have to stay until they are
taken; and programs whose maps make every difficulty for the ports, at every width."""

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network
from hw.host_interface.stream_format import LEAST_BEATS, map_beats
from tests.hw.gateware.programs import CASES


class Receiver:
    """Takes beats at random; ``frames`` of data, the last one open. Call ``clock`` before every tick.

    ``share``: of the clocks in which it is ready.
    """

    def __init__(self, stream, rng, share=0.5):
        self.stream, self.rng, self.share = stream, rng, share
        self.frames, self._offered = [[]], None

    def clock(self, ctx, ready=None):
        """Whether a beat is taken in this clock."""
        stream = self.stream
        ready = self.rng.random() < self.share if ready is None else ready
        ctx.set(stream.tready, int(ready))
        beat = (ctx.get(stream.tdata), ctx.get(stream.tlast)) if ctx.get(stream.tvalid) else None
        assert self._offered in (None, beat), f"{self._offered} was offered, and then {beat}"
        self._offered = None if ready else beat
        if beat is None or not ready:
            return False
        self.frames[-1].append(beat[0])
        if beat[1]:
            self.frames.append([])
        return True

    def reset(self):
        """Both sides are reset: nothing is promised any more."""
        self.frames, self._offered = [[]], None


MAP = Network("map", (2, 9, 10), (Conv("a", 2, 3, 3, padding=1),))  # 9 × 10: rows end within a beat
FEW = Network("few", (2, 2, 4), (Conv("a", 2, 3, 3, padding=1), Conv("b", 3, 2, 3, padding=1)))

# Name: network, configuration. Rows of several lines and of one, of several beats and of one, packed rows of
# one image, maps side by side, and those of the fewest beats that such a map may have.
PORTS = {
    "map-32": (MAP, {"rows": 4, "lanes": 3, "batch": 3, "line_pixels": 8}),
    "map-64": (MAP, {"rows": 4, "lanes": 3, "batch": 3, "line_pixels": 8}),
    "map-128": (MAP, {"rows": 4, "lanes": 3, "batch": 3, "line_pixels": 16}),
    "map-256": (MAP, {"rows": 4, "lanes": 3, "batch": 3, "line_pixels": 32}),
    "rows-128": CASES["rows"],
    "beside-256": CASES["beside"],
    "few-32": (FEW, {"rows": 4, "lanes": 3, "batch": 3, "line_pixels": 16}),
    "few-128": (FEW, {"rows": 4, "lanes": 3, "batch": 3, "line_pixels": 16}),
}


def port_program(name):
    """The compiled program of one of ``PORTS``, with streams of the width that the name ends in."""
    network, options = PORTS[name]
    config = AcceleratorConfig(**options, stream_bits=int(name.split("-")[1]))
    compiled = compile_program(random_artifact(network, seed=1, kind="dense"), config)
    maps = [plan.source for plan in compiled.layers]
    assert (max(plan.packing for plan in maps) > 1) == (not name.startswith("map"))
    assert (max(plan.images for plan in maps) > 1) == name.startswith(("beside", "few"))
    if name.startswith("few"):
        assert map_beats(maps[0].shape, config.stream_pixels) == LEAST_BEATS
        assert config.batch > maps[0].images
    return compiled


def beats_of(frame, beat):
    """The beats of a frame, as numbers."""
    return [int.from_bytes(frame[at : at + beat], "little") for at in range(0, len(frame), beat)]


def frame_of(beats, beat):
    """The inverse of :func:`beats_of`."""
    return b"".join(value.to_bytes(beat, "little") for value in beats)
