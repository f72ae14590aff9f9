"""A receiver of an AXI4-Stream that believes nothing: valid and payload have to stay until they are taken."""


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
