"""When streamed weights arrive: the part of the cost model that external memory plays.

It follows weight buffer, replay and array a block at a time. A set of blocks that is replayed lies in the
buffer as a whole. A block that is read once leaves it step by step, so it may be larger than the buffer: it
arrives in pieces, each as soon as the array has taken enough of what came before
(:mod:`hw.compile.weight_bursts`).
"""

from __future__ import annotations

import numpy as np

from hw.compile.weight_bursts import FIRST_REQUEST, Bursts, Ints
from hw.compile.weight_stream import StreamPlan
from hw.contract.latencies import rotate_latency

MEMORY_LATENCY = 60
"""Clocks from a burst's address to its first beat that the model reckons with and testbenches simulate."""

READER = 1
"""Clocks that a beat waits in the burst reader."""

STRIPING = 2
"""Clocks that a beat takes through the queues of striped memories."""

BUFFER_TO_ARRAY = 6
"""Clocks from a step's last beat until the array can issue it, beside the buffer's rotator."""

READ_AHEAD = 3
"""Clocks by which the replay reads a step before the array can issue it."""

BLOCK_TO_BLOCK = 1
"""Clocks between the replay's last read of a block and the first one of the next."""

HELD = 4
"""Steps between the weight buffer and the array: they have been read and wait."""


class WeightArrival:
    """Arrivals of one run of ``plan`` from instruction ``first`` on, out of so many ``memories``;
    :meth:`issue` the passes that begin or end a block, in order.

    Clocks are those of the run, as :func:`hw.cost.cycles.run_cycles` counts them. issued: that of the last
    step which the array took, in passes that are not issued here as well.
    """

    def __init__(self, plan: StreamPlan, first: int, memories: int) -> None:
        self.plan = plan
        self.issued = FIRST_REQUEST
        self._to_array = BUFFER_TO_ARRAY + rotate_latency(plan.beat_units)
        on_the_way = READER + (STRIPING if memories > 1 else 0)
        self._bursts = Bursts(plan, first, MEMORY_LATENCY + on_the_way)
        # Of every instruction of the run, steps before each of its blocks.
        steps = np.split(np.array(plan.block_steps), np.cumsum(plan.layer_blocks)[:-1])
        self._before = [np.cumsum(blocks) - blocks for blocks in steps[first:]]
        self._number = 0  # the instruction of the run
        self._at = 0  # and the step in it with which the block at hand begins

    def issue(
        self,
        block: int,
        lengths: Ints,
        drain: int,
        step: int,
        gate: int,
        *,
        begins: bool,
        ends: bool,
        repeated: bool = False,
    ) -> int:
        """Clock in which the array issues the last step of a pass: of ``block`` of the instruction at hand,
        which the first pass ``begins`` and the last one ``ends``.

        lengths: steps of its words. drain: clocks to drain one of them. step: the first clock in which the
        array could issue a step, gate: one that completes the first word. repeated: all words take the same
        steps, which leave the buffer with the last one.
        """
        self._at = int(self._before[self._number][block])
        last = np.cumsum(lengths) - 1
        free = np.cumsum(np.maximum(lengths, drain))  # clocks to a word's end when nothing is waited for
        free += lengths[0] - free[0]
        if begins and self._bursts.freed:
            step = max(step, self._last_read + BLOCK_TO_BLOCK + READ_AHEAD)
        end = np.empty(len(lengths) + 1, np.int64)  # clock before the first word, then of every word's end
        end[0] = step - 1
        held = self.issued - np.arange(HELD)[::-1]  # when those steps left
        if begins and (repeated or not ends):
            arrival, _ = self._arrive(np.minimum(last, lengths[0] - 1) if repeated else last)
            arrival[0] = max(arrival[0], gate)
            _words(end, free, 0, arrival)
        elif begins:
            self._issue_once(lengths, last, free, end, gate, held)
        else:
            _words(end, free, 0, np.append(gate, np.zeros(len(last) - 1, np.int64)))
        if ends and (repeated or not begins):
            issue = np.repeat(end[:-1] - last + lengths, lengths) + np.arange(last[-1] + 1)
            issue[last] = end[1:]
            read = np.append(held, issue)[:-HELD] + 1
            self._free(read[-lengths[-1] :] if repeated else read)
        return int(end[-1])

    def next_instruction(self) -> None:
        """All passes of the instruction at hand are issued."""
        self._number += 1

    def _issue_once(self, lengths: Ints, last: Ints, free: Ints, end: Ints, gate: int, held: Ints) -> None:
        """A block that is freed as it arrives, piece by piece; fills in ``end``."""
        steps = np.arange(last[-1] + 1)
        word = np.repeat(np.arange(len(lengths)), lengths)
        within = steps - (last - lengths)[word]  # of a step in its word, from 1
        least = self._last_read + BLOCK_TO_BLOCK if self._bursts.freed else FIRST_REQUEST
        at = ended = 0
        while at < len(steps):
            arrival, known = self._arrive(steps[at:])
            known += at
            done = int(np.searchsorted(last, known))
            if done > ended:
                come = arrival[last[ended:done] - at]
                if not ended:
                    come[0] = max(come[0], gate)
                _words(end[ended : done + 1], free[ended:done], int(free[ended - 1]) if ended else 0, come)
            issue = np.maximum(arrival, end[word[at:known]] + within[at:known])
            issue[last[ended:done] - at] = end[ended + 1 : done + 1]
            left = np.append(held, issue)
            read = np.maximum(arrival - READ_AHEAD, left[:-HELD] + 1)
            if not at:
                read[:HELD] = np.maximum(read[:HELD], least + steps[: min(HELD, known)])
            self._free(read)
            at, ended, held = known, done, left[-HELD:]

    def _arrive(self, steps: Ints) -> tuple[Ints, int]:
        """Clocks in which these steps of the block at hand can be issued, as many as are known, and how many
        those are: one at least."""
        plan, bursts = self.plan, self._bursts
        number, burst = bursts.instructions[self._number], plan.burst_beats
        first = int(bursts.bursts[self._number])
        # Beats of the layer up to and with the last one of every step.
        beats = -(-(self._at + 1 + steps) * plan.layer_units[number] // plan.beat_units)
        wanted = first - int(-beats[-1] // burst)
        if not bursts.request(wanted):
            while True:
                came = min((bursts.requested - first) * burst, plan.layer_beats[number])
                if known := int(np.searchsorted(beats, came, side="right")):
                    break
                bursts.request_next(forced=True)
            beats = beats[:known]
        which, beat = np.divmod(beats - 1, burst)
        return bursts.starts[first + which] + beat + self._to_array, len(beats)

    def _free(self, read: Ints) -> None:
        """The replay reads the next steps for the last time in these clocks."""
        freed = self._bursts.freed
        self._bursts.read[freed : freed + len(read)] = read
        self._bursts.freed += len(read)

    @property
    def _last_read(self) -> int:
        return int(self._bursts.read[self._bursts.freed - 1])


def _words(end: Ints, free: Ints, before: int, arrival: Ints) -> None:
    """Fill in when words end, after ``end[0]``: one after another, ``free`` (and ``before`` of those before
    them) being their clocks up to and with each, and none before the ``arrival`` of its last step."""
    come = arrival - free
    come[0] = max(come[0], end[0] - before)
    end[1:] = np.maximum.accumulate(come) + free
