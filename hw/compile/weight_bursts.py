"""When the beats of streamed weights come: burst reader and weight buffer, a burst at a time.

Memory gives a beat per clock, in order. A burst is requested when the weight buffer has credit for two; a
step gives its credit back when the replay has read it for the last time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.compile.weight_stream import KEPT_FREE, OUTSTANDING, StreamPlan

Ints = NDArray[np.int64]

FIRST_REQUEST = -2
"""Clock of the run in which the first burst is requested: while images are loaded."""

BURST_TO_BURST = 2
"""Clocks between two bursts at least."""

REQUEST_TO_BEAT = 2
"""Clocks from the request of a burst to its first beat, beside memory's own: the address in its register, the
beat in memory's."""

SEEN = 3
"""Clocks until what came, was freed or was requested decides whether there is credit."""

OWED = 2
"""Clocks until a beat that came lets another burst be requested, where as many are on their way as may be."""

NEVER = 1 << 62

MANY = 16
"""Bursts from which on they are looked at all at once."""


class Bursts:
    """The bursts of a run of ``plan``: of the channel table, then from instruction ``first`` on. latency:
    memory's.

    instructions: of the run; steps, beats, bursts: before each of them, and in all. starts: clock of the
    first beat of every burst requested so far. read: clock in which the replay read each step for the last
    time, of the first ``freed`` steps.
    """

    def __init__(self, plan: StreamPlan, first: int, latency: int) -> None:
        # What properties of the plan are: they are needed a hundred thousand times.
        self._burst, self._beat, self._reserved = plan.burst_beats, plan.beat_units, plan.beat_credit
        self._step = plan.step_units
        self._credit_for_two = (
            plan.depth * self._step - 2 * self._burst * self._reserved - KEPT_FREE * self._step
        )
        self.instructions = range(first, len(plan.layer_steps))
        beats = np.array(plan.layer_beats[first:])
        counts = -(-beats // self._burst)
        self._table = plan.table_beats  # which takes no room in the weight buffer
        of_table = np.arange(0, self._table, self._burst)
        self.steps = _before(plan.layer_steps[first:])
        self.beats, self.bursts = self._table + _before(beats), len(of_table) + _before(counts)
        self._units = np.array(plan.layer_units[first:])
        within = np.arange(counts.sum()) - np.repeat(self.bursts[:-1] - len(of_table), counts)
        # Beats before each burst; lists beside the arrays: a number out of an array takes much longer.
        before = np.concatenate([of_table, np.repeat(self.beats[:-1], counts) + within * self._burst])
        self._before = np.append(before, self.beats[-1])
        self._before_list: list[int] = self._before.tolist()
        self._instruction_beats: list[int] = self.beats[:-1].tolist()
        self._instructions: list[tuple[int, int, int]] = list(
            zip(self.beats.tolist(), self.steps.tolist(), self._units.tolist(), strict=False)
        )
        self.starts: Ints = np.zeros(len(before), np.int64)
        self._starts: list[int] = []
        self._requested = FIRST_REQUEST - BURST_TO_BURST  # clock of the last one
        self._delay = REQUEST_TO_BEAT + latency
        self._scalar = 0  # bursts to look at one by one
        self.read: Ints = np.zeros(self.steps[-1], np.int64)
        self.freed = 0

    @property
    def requested(self) -> int:
        """How many."""
        return len(self._starts)

    def request(self, wanted: int) -> bool:
        """Request bursts up to number ``wanted``; False where it is not known when: they take credit that the
        array has yet to give back."""
        while self.requested < wanted:
            if not self._scalar and wanted - self.requested >= MANY and self._request_many(wanted):
                continue
            self._scalar = max(0, (self._scalar or MANY) - 1)
            if not self.request_next(forced=False):
                return False
        return True

    def _request_many(self, wanted: int) -> bool:
        """Request all that keep memory busy and have credit without waiting; False if there are none."""
        first = self.requested
        if not first:
            return False
        numbers = np.arange(first, wanted)
        before = self._before[numbers]
        self.starts[first:wanted] = self._starts[-1] + before - self._before[first - 1]
        came = np.maximum(before - (OUTSTANDING - 1) * self._burst, 1)
        late = np.searchsorted(self._before, came - 1, side="right") - 1
        clocks = self.starts[late] + came - 1 - self._before[late] + OWED
        clocks[0] = max(clocks[0], self._requested + BURST_TO_BURST)
        clocks -= BURST_TO_BURST * numbers
        clocks = np.maximum.accumulate(clocks) + BURST_TO_BURST * numbers
        seen = np.maximum(came - 1, self._table)
        last = np.searchsorted(self.beats[:-1], seen, side="right") - 1
        begun = self.beats[last], self.steps[last], self._units[last]
        need = self._needed(np.maximum(before, self._table), seen, begun, 0)
        credit = need <= self.freed
        if self.freed:
            credit &= (need <= 0) | (self.read[np.clip(need, 1, self.freed) - 1] + SEEN <= clocks)
        good = credit & (clocks + self._delay <= self.starts[first:wanted])
        count = len(good) if good.all() else int(good.argmin())
        if not count:
            return False
        self._starts.extend(self.starts[first : first + count].tolist())
        self._requested = int(clocks[count - 1])
        return True

    def request_next(self, *, forced: bool) -> bool:
        """Request the next burst; ``forced``: no more steps will be freed before beats come that were
        requested, so these give the credit."""
        number = self.requested
        clock = self._requested + BURST_TO_BURST
        beats = self._before_list[number]
        few = beats - (OUTSTANDING - 1) * self._burst
        if few > 0:
            late = bisect_right(self._before_list, few - 1) - 1
            clock = max(clock, self._starts[late] + few - 1 - self._before_list[late] + OWED)
        # The burst before is seen a clock later than another one can be requested for.
        soon = number and clock == self._requested + BURST_TO_BURST
        found = self._credit(clock, self._before_list[number - 1] if soon else beats, forced)
        if soon and found != clock:
            found = self._credit(self._requested + SEEN, beats, forced)
        if found is None:
            return False
        start = found + self._delay
        if number:
            start = max(start, self._starts[-1] + beats - self._before_list[number - 1])
        self._requested = found
        self.starts[number] = start
        self._starts.append(start)
        return True

    def _credit(self, clock: int, beats: int, forced: bool) -> int | None:
        """The first clock from ``clock`` on in which there is credit, ``beats`` having been requested;
        None where that takes steps of which nobody knows when they are read."""
        hoped = False
        while True:
            need = self._need(beats, self._came(clock - SEEN))
            if need <= 0:
                return clock
            read = int(self.read[need - 1]) + SEEN if need <= self.freed else NEVER
            if read <= clock:
                return clock
            if not hoped:
                clock, hoped = self._hope(clock, beats), True
                continue
            if need > self.freed and not forced:
                return None
            clock = min(read, self._next_beat(clock - SEEN) + SEEN)

    def _hope(self, clock: int, beats: int) -> int:
        """A clock from ``clock`` on before which there is no credit. Beats that come give some back where
        their layer's steps take less than was reserved, so fewer steps must have been read."""

        need = self._need(beats, self._came(clock - SEEN), at_best=True)
        last = self._when(need)
        if last <= clock or self._need(beats, beats, at_best=True) == need:
            return max(clock, last)
        while last - clock > 1:
            middle = (clock + last) // 2
            if self._when(self._need(beats, self._came(middle - SEEN), at_best=True)) <= middle:
                last = middle
            else:
                clock = middle
        return last

    def _when(self, need: int) -> int:
        """Clock in which so many steps are seen to have been read, or all whose clocks are known."""
        need = min(need, self.freed)
        return int(self.read[need - 1]) + SEEN if need > 0 else FIRST_REQUEST

    def _need(self, requested: int, came: int, *, at_best: bool = False) -> int:
        """Steps that must have been read for credit, of ``requested`` beats so many having come.
        ``at_best``: at least, whatever part of a step has come."""
        requested, came = max(requested, self._table), max(came, self._table)
        begun = self._instructions[bisect_right(self._instruction_beats, came) - 1]
        return int(self._needed(requested, came, begun, self._step - 1 if at_best else 0))

    def _needed(self, requested: Any, came: Any, begun: tuple[Any, Any, Any], less: int) -> Any:
        """Steps that must have been read for credit, numbers or arrays of them. begun: beats and steps before
        the instruction that came last, units of a step. less: units that a step at hand may have taken."""
        beats, steps, units = begun
        taken = (came - beats) * self._beat
        taken = taken * self._step // units - less if less else taken // units * self._step
        used = (requested - came) * self._reserved + steps * self._step + taken
        return -((self._credit_for_two - used) // self._step)

    def _came(self, clock: int) -> int:
        """Beats that have come up to and with ``clock``."""
        number = bisect_right(self._starts, clock)
        if not number:
            return 0
        return min(
            self._before_list[number], self._before_list[number - 1] + clock - self._starts[number - 1] + 1
        )

    def _next_beat(self, clock: int) -> int:
        """The first clock after ``clock`` in which a beat comes; ``NEVER`` where all have come."""
        number = bisect_right(self._starts, clock)
        if number:
            size = self._before_list[number] - self._before_list[number - 1]
            if clock + 1 < self._starts[number - 1] + size:
                return clock + 1
        return self._starts[number] if number < len(self._starts) else NEVER


def _before(counts: Sequence[int] | Ints) -> Ints:
    """Sums of ``counts`` before each, and of all."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
