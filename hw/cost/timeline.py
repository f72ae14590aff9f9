"""The clocks of a run, as its stages go through the layer program.

Fetch, array and output form a pipeline over tile groups and passes, with two halves of a buffer between each
pair, and each goes on to the next layer by itself. The timeline walks the passes of a run once and keeps, for
each stage, the clock in which it can go on: closed-form stage times, exact hand-over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw.compile.head_start import HeadStart, counts_all, tile_groups
from hw.compile.layer_plan import LayerPlan
from hw.contract.config import AcceleratorConfig
from hw.contract.latencies import Latencies
from hw.cost.weight_arrival import WeightArrival

HELD_WEIGHTS = 4
"""Clocks from the start of the array's controller to the first step of a design that holds its weights."""


@dataclass(frozen=True)
class Pass:
    """One block of a tile group: what each stage spends on it when nothing makes it wait.

    words: steps of every word. steps: of the array. first: steps of the first word. rest: clocks from the
    end of the first word to that of the last, each word taking its steps or as long as the drain. drain:
    clocks to drain a word. output: clocks of its tokens.
    """

    words: NDArray[np.int64]
    steps: int
    first: int
    rest: int
    drain: int
    output: int


def passes(plan: LayerPlan, config: AcceleratorConfig) -> list[Pass]:
    """The passes of one tile group of ``plan``."""
    lengths, starts = plan.steps.word_lengths, plan.steps.first_words
    if plan.repeated:
        lengths, starts = np.repeat(lengths, plan.words), starts * plan.words
    valid = np.array([plan.block_rows(b, config.rows) for b in range(plan.blocks)])
    drain = -(-valid // config.drain)
    words = np.diff(starts, append=len(lengths))
    clocks = np.maximum(lengths, np.repeat(drain, words))
    rest = np.add.reduceat(clocks, starts) - clocks[starts]
    steps = np.add.reduceat(lengths, starts)
    columns = steps, lengths[starts], rest, drain, valid * plan.token_interval
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Pass(words, *row) for words, row in zip(np.split(lengths, starts[1:]), rows, strict=True)]


def group_lines(plan: LayerPlan, images: int) -> int:
    """Lines fetched for a tile group; in dot mode for ``images``."""
    return plan.channels * plan.lines_per_channel * (images if plan.dot else 1)


class RunPass(NamedTuple):
    """A pass in the order of the run. work: of its stages. block: its number in the layer. fetches: it waits
    for spectra of its own. frees: it is the last one to read them. begins, ends: it is the first, the last
    pass of its block."""

    work: Pass
    block: int
    fetches: bool
    frees: bool
    begins: bool
    ends: bool


def run_passes(plan: LayerPlan, config: AcceleratorConfig, images: int) -> Iterator[RunPass]:
    """The passes of a layer, in the order of :class:`hw.gateware.control.loop_nest.LoopNest`."""
    table, size = passes(plan, config), plan.blocks_per_transform
    groups = tile_groups(plan, images)
    for first in range(0, len(table), size):
        for group in range(groups):
            begins, ends = (True, True) if not plan.weights_stay else (group == 0, group == groups - 1)
            for block in range(first, first + size):
                work = table[block]
                yield RunPass(work, block, block == first, block == first + size - 1, begins, ends)


@dataclass
class Segments:
    """What the fetch of a layer still waits for: parts of its lines, and the passes before that each needs.

    head: which. settled: clocks in which the passes of the instruction before were counted. caught_up: clock
    from which on all of them were. wanted: passes for the segment at hand.
    """

    head: HeadStart
    settled: Sequence[int]
    caught_up: float
    wanted: int

    def open(self, end: int) -> int:
        """The first clock in which the fetch may go on after clock ``end``, the last one of a segment or the
        start."""
        caught_up = max(end + 1, self.caught_up)
        if self.wanted > len(self.settled):
            return int(caught_up)
        known = self.settled[self.wanted - 1] + 1 if self.wanted > 0 else 0
        return int(min(caught_up, max(end + 2, known)))

    def ends(self, end: int) -> None:
        """A segment ends in clock ``end``."""
        if self.caught_up > end:
            self.wanted += self.head.more


@dataclass
class Activity:
    """What the stages did for one instruction, in clocks of the run.

    fetch, array, output: (first clock, clock after the last one) in which a stage was at work on it, or
    waited for the rest of it. steps: of the array. waits: clocks in which the array had no step for want of
    spectra (``fetch``), since drain or Y buffer were taken (``output``), or for want of weights; where
    several were wanting, of the first.
    """

    fetch: tuple[int, int] = (0, 0)
    array: tuple[int, int] = (0, 0)
    output: tuple[int, int] = (0, 0)
    steps: int = 0
    waits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("fetch", "output", "weights"), 0))


class Timeline:
    """The clocks of a run, layer by layer in the order of the program.

    Clocks are those of the whole run. Every attribute is the first clock in which something is possible, or
    happened. fetch, array, output: in which the controllers are started for the next layer. x_free, y_free:
    when the halves of the buffers can be filled again, x, y: the next ones to be. word_end: when the next
    word may end. activity: of the instruction that was run last.
    """

    def __init__(
        self, config: AcceleratorConfig, t: Latencies, start: int, weights: WeightArrival | None = None
    ) -> None:
        self.config, self.t, self.weights = config, t, weights
        self.fetch = self.array = self.output = start
        self.x_free, self.y_free = [0, 0], [0, 0]
        self.x = self.y = self.word_end = 0
        self.activity = Activity()
        self._settled: list[int] | None = None  # there is no layer before the first one

    def run(self, plan: LayerPlan, images: int, head: HeadStart) -> int:
        """Go through ``plan`` with ``images`` images; ``head``: what it waits for of the instruction before,
        if that was run. Returns the steps of the array."""
        t, settle = self.t, self.t.settle
        caught_up = -inf if self._settled is None else self.output - settle + 1
        segments = Segments(head, self._settled or [], caught_up, head.first)
        every, groups, steps, group = counts_all(plan, self.config.batch), tile_groups(plan, images), 0, 0
        begun, counted = self.output, []
        # Weights that the design holds are read anew for a layer.
        last_line, output = self.fetch, self.output + 1
        step = self.array + (1 if self.weights else HELD_WEIGHTS)
        free_clock = plan.free_clock(t.reuse_lead)
        self.activity = did = Activity()
        for item in run_passes(plan, self.config, images):
            work = item.work
            if item.fetches:
                before = last_line
                last_line = self._fetch_group(plan, images, segments, last_line)
                full = last_line + t.memory + t.fill + 1
                did.waits["fetch"] += max(0, full - step)
                step = max(step, full)
                if not group:
                    first_line = last_line - group_lines(plan, images)
                    did.fetch, did.array = (max(before, first_line), 0), (step, 0)
                group += 1
            last_step = self._issue(item, plan, step)
            step = last_step + 1
            full = step + t.array + (work.drain - 1) + t.pass_full + 1
            if not steps:
                did.output = max(output, full), 0
            output = max(output, full) + work.output + 1
            self.y_free[self.y] = output - plan.token_interval + free_clock + 1
            self.y ^= 1
            if every or group > groups * (plan.sets - 1):
                counted.append(output + t.tail)
            if item.frees:
                self.x_free[self.x] = step
                self.x ^= 1
            steps += work.steps
        if self.weights:
            self.weights.next_instruction()
        self._settled = counted
        did.steps = steps
        ends = last_line + 1, step, output + t.tail
        did.fetch, did.array, did.output = (
            (begins, end) for (begins, _), end in zip((did.fetch, did.array, did.output), ends, strict=True)
        )
        # The fetch is a layer ahead of the output at most.
        self.fetch = max(last_line + t.front_tail + 1, begun + 1) + 1 + settle
        self.array = step - 1 + t.middle_tail + 2 + settle
        self.output = output + t.tail + settle + 1
        return steps

    def _fetch_group(self, plan: LayerPlan, images: int, segments: Segments, last_line: int) -> int:
        """The clock of a tile group's last line; ``last_line``: that of the group before it."""
        whole = plan.channels * plan.lines_per_channel
        parts, line = images if plan.dot else 1, max(segments.open(last_line), self.x_free[self.x])
        if segments.caught_up <= line:
            return line + parts * whole
        size = self.config.rows * plan.lines_per_channel if segments.head.of_channels else whole
        for part in range(parts):
            done = 0
            while done < whole:
                if part or done:
                    line = line if segments.caught_up <= line else segments.open(line)
                lines = min(size, whole - done)
                line, done = line + lines, done + lines
                segments.ends(line)
        return line

    def _issue(self, item: RunPass, plan: LayerPlan, step: int) -> int:
        """The clock of a pass's last step; ``step``: the first one in which the array could issue one."""
        work, weights = item.work, self.weights
        gate = max(self.word_end, self.y_free[self.y])
        last = free = max(step + work.first - 1, gate) + work.rest
        if weights and (item.begins or item.ends):
            last = weights.issue(
                item.block,
                work.words,
                work.drain,
                step,
                gate,
                begins=item.begins,
                ends=item.ends,
                repeated=plan.repeated,
            )
        if weights:
            weights.issued = last
        waits = self.activity.waits
        waits["output"] += max(0, min(free, last) - (step + work.steps - 1))
        waits["weights"] += max(0, last - free)
        self.word_end = last + work.drain
        return last
