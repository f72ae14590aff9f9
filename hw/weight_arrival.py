"""When streamed weights arrive: the part of the cost model that external memory plays.

Memory gives a beat per clock, in order, while the store has room. Times are clocks of the run; a block's
steps are taken to arrive, and to be freed, evenly.
"""

from __future__ import annotations

from hw.weight_stream import StreamPlan

MEMORY_LATENCY = 60
"""Clocks from a burst's address to its first beat that the model reckons with."""

STORE_LATENCY = 8
"""Clocks from a step's last beat until the array can issue it: rotator, store, player."""


class WeightArrival:
    """Arrivals of one run from block ``first`` on; ask for the blocks in order.

    Every block is freed (:meth:`free`) before the next one is asked for.
    """

    def __init__(self, plan: StreamPlan, first: int) -> None:
        self.plan = plan
        self._block = first
        self._arrived = float(MEMORY_LATENCY)
        self._steps = 0  # that have arrived
        self._freed: list[tuple[int, float, float]] = []  # (steps freed behind it, start, end) of every block

    def arrive(self) -> float:
        """Clock in which the last step of the next block can be issued."""
        steps = self.plan.block_steps[self._block]
        self._block += 1
        self._steps += steps
        beats = steps * self.plan.step_units / self.plan.beat_units
        self._arrived = max(self._arrived + beats, self._room(self._steps - self.plan.depth))
        return self._arrived + STORE_LATENCY

    def free(self, start: float, end: float) -> None:
        """The block that arrived last leaves the store between these clocks."""
        self._freed.append((self._steps, start, end))

    def _room(self, steps: int) -> float:
        """Clock in which ``steps`` steps have left the store, and the answer to what is asked for then is here."""
        before = 0
        for behind, start, end in self._freed:
            if steps <= behind:
                share = (steps - before) / (behind - before)
                return start + share * (end - start) + MEMORY_LATENCY if steps > before else 0.0
            before = behind
        return 0.0
