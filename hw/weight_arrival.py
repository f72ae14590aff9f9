"""When streamed weights arrive: the part of the cost model that external memory plays.

Memory gives a beat per clock, in order, while the store has room. Times are clocks of the run; a block's
steps are taken to arrive, and to be freed, evenly.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from hw.weight_stream import KEPT_FREE, StreamPlan

MEMORY_LATENCY = 60
"""Clocks from a burst's address to its first beat that the model reckons with, and the bench simulates."""

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
        # (steps, clock): behind so many steps the store is free again up to that clock. Linear in between.
        self._freed: deque[tuple[int, float]] = deque()

    def arrive(self) -> float:
        """Clock in which the last step of the next block can be issued."""
        steps = self.plan.block_steps[self._block]
        before, behind = self._steps, self._steps + steps
        self._steps = behind
        pace = self.plan.block_units[self._block] / self.plan.beat_units  # beats, and so clocks, of a step
        arrived = self._arrived + steps * pace
        # Where the store was full, what is behind that place had to wait for it to be freed.
        in_flight = 2 * self.plan.burst_beats * self.plan.beat_room / self.plan.step_units
        usable = self.plan.depth - KEPT_FREE - in_flight
        while len(self._freed) > 1 and self._freed[1][0] + usable <= before:
            self._freed.popleft()  # what has arrived did not wait for it, and nothing will
        for freed, clock in self._freed:
            place = freed + usable
            if before < place <= behind:
                arrived = max(arrived, clock + MEMORY_LATENCY + (behind - place) * pace)
        arrived = max(arrived, self._clock(behind - usable))
        self._arrived = arrived
        self._block += 1
        return arrived + STORE_LATENCY

    def free(self, start: float, end: float) -> None:
        """The block that arrived last leaves the store between these clocks."""
        steps = self.plan.block_steps[self._block - 1]
        self._freed.extend([(self._steps - steps, start), (self._steps, end)])

    def _clock(self, steps: float) -> float:
        """Clock in which ``steps`` steps have left the store and what is asked for then has come."""
        if steps <= 0 or not self._freed:  # the first block leaves the store while it arrives
            return 0.0
        counts, clocks = zip(*self._freed, strict=True)
        return float(np.interp(steps, counts, clocks)) + MEMORY_LATENCY
